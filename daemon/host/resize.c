/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/resize.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "host/domain-xml.h"
#include "host/domain.h"
#include "host/volumes.h"

enum {
    AGENT_SECONDS = 5,
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
 * it sees them at all. */
static bool
bring_online(virDomainPtr domain, gint64 vcpus)
{
    for (int i = 0; i < LOOK_TRIES; i++) {
        if (virDomainSetVcpusFlags(domain, (unsigned) vcpus, VIR_DOMAIN_VCPU_GUEST) == 0)
            return true;
        if (virDomainGetVcpusFlags(domain, VIR_DOMAIN_VCPU_GUEST) < 0)
            return false;
        g_usleep(LOOK_EVERY_US);
    }
    return false;
}

static void
resize_vcpus(virDomainPtr domain, gint64 asked, char **note)
{
    int now = virDomainGetVcpusFlags(domain, VIR_DOMAIN_AFFECT_LIVE);

    if (now == asked)
        return;
    if (asked < now) {
        /* The guest has to let go of a CPU before it can be taken; few do. */
        if (virDomainSetVcpusFlags(domain, (unsigned) asked, VIR_DOMAIN_VCPU_GUEST) ==
                0 &&
            virDomainSetVcpusFlags(domain, (unsigned) asked, VIR_DOMAIN_AFFECT_LIVE) == 0)
            return;
        take_note(note, g_strdup("vCPUs are taken away at the next start"));
        return;
    }
    if (virDomainSetVcpusFlags(domain, (unsigned) asked, VIR_DOMAIN_AFFECT_LIVE) != 0) {
        take_note(note, last_text("vCPUs"));
        return;
    }
    if (!bring_online(domain, asked))
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

static JsonNode *
ask_agent(virDomainPtr domain, const char *command)
{
    g_autofree char *text = virDomainQemuAgentCommand(domain, command, AGENT_SECONDS, 0);

    return text != NULL ? json_from_string(text, NULL) : NULL;
}

static JsonNode *
get_return(JsonNode *answer)
{
    if (answer == NULL || !JSON_NODE_HOLDS_OBJECT(answer))
        return NULL;
    return json_object_get_member(json_node_get_object(answer), "return");
}

static gint64
count_online_blocks(JsonArray *blocks)
{
    gint64 online = 0;

    for (guint i = 0; i < json_array_get_length(blocks); i++) {
        JsonNode *block = json_array_get_element(blocks, i);

        if (JSON_NODE_HOLDS_OBJECT(block) &&
            json_object_get_boolean_member_with_default(json_node_get_object(block),
                                                        "online", FALSE))
            online++;
    }
    return online;
}

/* Memory that the guest has taken into use, block by block; 0 if it does not say. */
static gint64
ask_memory(virDomainPtr domain)
{
    g_autoptr(JsonNode) info =
        ask_agent(domain, "{\"execute\":\"guest-get-memory-block-info\"}");
    g_autoptr(JsonNode) blocks =
        ask_agent(domain, "{\"execute\":\"guest-get-memory-blocks\"}");
    JsonNode *size = get_return(info);
    JsonNode *list = get_return(blocks);

    if (size == NULL || !JSON_NODE_HOLDS_OBJECT(size) || list == NULL ||
        !JSON_NODE_HOLDS_ARRAY(list))
        return 0;
    return count_online_blocks(json_node_get_array(list)) *
           json_object_get_int_member_with_default(json_node_get_object(size), "size", 0);
}

static void
ask_guest(virDomainPtr domain, const ProtoWorkerResizeCall *in, ProtoGuest *guest)
{
    int vcpus = virDomainGetVcpusFlags(domain, VIR_DOMAIN_VCPU_GUEST);

    if (vcpus <= 0)
        return;
    guest->has_vcpus = true;
    guest->vcpus = vcpus;
    /* New memory comes online a moment after it was plugged. */
    for (int i = 0; i < LOOK_TRIES; i++) {
        guest->memory_bytes = ask_memory(domain);
        guest->has_memory_bytes = guest->memory_bytes > 0;
        if (!guest->has_memory_bytes || guest->memory_bytes >= in->memory_bytes)
            return;
        g_usleep(LOOK_EVERY_US);
    }
}

static bool
resize_running(virDomainPtr domain,
               const ProtoWorkerResizeCall *in,
               ProtoWorkerResizeReply *reply,
               GError **error)
{
    int vcpus = 0;

    resize_vcpus(domain, in->vcpus, &reply->note);
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
    ask_guest(domain, in, &reply->guest);
    return true;
}

bool
resize_domain(virConnectPtr libvirt,
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
        return resize_running(domain, in, ret_reply, error);
    if (!resize_disk_of_stopped(libvirt, options, in, error))
        return false;
    ret_reply->vcpus = in->vcpus;
    ret_reply->memory_bytes = in->memory_bytes;
    ret_reply->disk_bytes = in->disk_bytes;
    return true;
}
