/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/resize.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "host/domain-xml.h"
#include "host/domain.h"
#include "host/guest-size.h"
#include "host/volumes.h"

/*
 * The guest is asked within one deadline, well before that of who waits for the resize:
 * what it did not say or do by then is noted.
 */

enum {
    AGENT_SECONDS = 5,
    TALK_SECONDS = 20,
    LOOK_TRIES = 20,
    LOOK_EVERY_US = 100000
};

/** x86 guests take memory in blocks of this size. */
static const gint64 memory_step = 134217728;
static const gint64 kibibyte = 1024;

static char *
last_text(const char *what)
{
    const virError *last = virGetLastError();

    return g_strdup_printf("%s: %.200s", what,
                           last != NULL ? last->message : "unknown error");
}

/* Adds a sentence to the note. */
static void
take_note(char **note, char *text)
{
    char *joined = *note != NULL ? g_strconcat(*note, "; ", text, NULL) : g_strdup(text);

    g_free(*note);
    g_free(text);
    *note = joined;
}

/* vCPUs */

/* New vCPUs are offline until the guest takes them into use, and a moment goes by until
 * it sees them at all; just then it may take one for online that is not yet, so that it
 * has to say it twice. */
static bool
bring_online(AgentTalk *talk, gint64 vcpus)
{
    int said = 0;

    for (int i = 0; i < LOOK_TRIES && said < 2 && !agent_talk_is_over(talk); i++) {
        said = guest_size_adjust_vcpus(talk, vcpus) ? said + 1 : 0;
        g_usleep(LOOK_EVERY_US);
    }
    return said == 2;
}

/* The guest has to let go of a CPU before it can be taken; few do.  libvirt waits for it
 * some seconds at each, so they go one by one. */
static bool
take_vcpus(virDomainPtr domain, AgentTalk *talk, gint64 now, gint64 asked)
{
    if (!guest_size_adjust_vcpus(talk, asked) && !guest_size_adjust_vcpus(talk, asked))
        return false;
    for (gint64 left = now - 1; left >= asked; left--) {
        if (agent_talk_is_over(talk) ||
            virDomainSetVcpusFlags(domain, (unsigned) left, VIR_DOMAIN_AFFECT_LIVE) != 0)
            return false;
    }
    return true;
}

static void
resize_vcpus(virDomainPtr domain, AgentTalk *talk, gint64 asked, char **note)
{
    int now = virDomainGetVcpusFlags(domain, VIR_DOMAIN_AFFECT_LIVE);

    if (now == asked)
        return;
    if (asked < now) {
        if (!take_vcpus(domain, talk, now, asked))
            take_note(note, g_strdup("vCPUs are taken away at the next start"));
        return;
    }
    if (virDomainSetVcpusFlags(domain, (unsigned) asked, VIR_DOMAIN_AFFECT_LIVE) != 0) {
        take_note(note, last_text("vCPUs"));
        return;
    }
    if (!bring_online(talk, asked))
        take_note(note, g_strdup("the guest's agent did not bring the new vCPUs online"));
}

/* Memory */

static gint64
get_memory(virDomainPtr domain)
{
    virDomainInfo info;

    return virDomainGetInfo(domain, &info) == 0 ? (gint64) info.maxMem * kibibyte : 0;
}

static void
resize_memory(virDomainPtr domain, gint64 asked, char **note)
{
    gint64 more = asked - get_memory(domain);
    g_autofree char *module = NULL;

    if (more == 0)
        return;
    if (more < 0) {
        take_note(note, g_strdup("memory is taken away at the next start"));
        return;
    }
    if (more % memory_step != 0) {
        take_note(note, g_strdup_printf("memory grows in steps of %" G_GINT64_FORMAT
                                        " MiB while the guest runs",
                                        memory_step / kibibyte / kibibyte));
        return;
    }
    module = domain_xml_print_dimm(more);
    if (virDomainAttachDeviceFlags(domain, module, VIR_DOMAIN_AFFECT_LIVE) != 0)
        take_note(note, last_text("memory"));
}

/* Disk */

static bool
resize_disk(virDomainPtr domain, gint64 asked, GError **error)
{
    virDomainBlockInfo info;

    if (virDomainGetBlockInfo(domain, "vda", &info, 0) == 0 &&
        (gint64) info.capacity >= asked)
        return true;
    if (virDomainBlockResize(domain, "vda", (unsigned long long) asked,
                             VIR_DOMAIN_BLOCK_RESIZE_BYTES) == 0)
        return true;
    connection_set_error(error, "Growing the disk");
    return false;
}

static bool
resize_disk_of_stopped(virConnectPtr libvirt,
                       const HostOptions *options,
                       const ProtoWorkerResizeCall *in,
                       GError **error)
{
    g_autoptr(virStoragePool) pool = volumes_open_pool(libvirt, options, error);
    g_autofree char *name = volumes_name("d", in->id, "qcow2");

    return pool != NULL && volumes_resize(pool, name, in->disk_bytes, error);
}

/* What the guest sees */

static void
ask_guest(AgentTalk *talk, const ProtoWorkerResizeCall *in, ProtoGuest *guest)
{
    guest->vcpus = guest_size_count_vcpus(talk);
    guest->has_vcpus = guest->vcpus > 0;
    if (!guest->has_vcpus)
        return;
    /* New memory comes online a moment after it was plugged. */
    for (int i = 0; i < LOOK_TRIES && !agent_talk_is_over(talk); i++) {
        guest->memory_bytes = guest_size_count_memory(talk);
        guest->has_memory_bytes = guest->memory_bytes > 0;
        if (!guest->has_memory_bytes || guest->memory_bytes >= in->memory_bytes)
            return;
        g_usleep(LOOK_EVERY_US);
    }
}

static bool
resize_running(virDomainPtr domain,
               Connection *for_guests,
               const ProtoWorkerResizeCall *in,
               ProtoWorkerResizeReply *reply,
               GError **error)
{
    g_auto(AgentTalk) talk =
        agent_talk_begin(for_guests, in->id, AGENT_SECONDS, TALK_SECONDS);
    int vcpus = 0;

    resize_vcpus(domain, &talk, in->vcpus, &reply->note);
    resize_memory(domain, in->memory_bytes, &reply->note);
    if (!resize_disk(domain, in->disk_bytes, error))
        return false;
    vcpus = virDomainGetVcpusFlags(domain, VIR_DOMAIN_AFFECT_LIVE);
    if (vcpus < 0) {
        connection_set_error(error, "Reading the size back");
        return false;
    }
    reply->vcpus = vcpus;
    reply->memory_bytes = get_memory(domain);
    reply->disk_bytes = in->disk_bytes;
    ask_guest(&talk, in, &reply->guest);
    if (talk.is_over)
        take_note(&reply->note, g_strdup("the guest's agent did not answer in time"));
    return true;
}

bool
resize_domain(virConnectPtr libvirt,
              Connection *for_guests,
              const HostOptions *options,
              const ProtoWorkerResizeCall *in,
              ProtoWorkerResizeReply *ret_reply,
              GError **error)
{
    bool absent = false;
    g_autoptr(virDomain) domain = domain_find(libvirt, in->id, &absent, error);

    if (domain == NULL && !absent)
        return false;
    if (domain != NULL && virDomainIsActive(domain) == 1)
        return resize_running(domain, for_guests, in, ret_reply, error);
    if (!resize_disk_of_stopped(libvirt, options, in, error))
        return false;
    ret_reply->vcpus = in->vcpus;
    ret_reply->memory_bytes = in->memory_bytes;
    ret_reply->disk_bytes = in->disk_bytes;
    return true;
}
