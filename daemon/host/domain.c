/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/domain.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/clock.h"
#include "host/agent.h"
#include "host/domain-xml.h"
#include "host/process.h"
#include "host/start.h"
#include "host/volumes.h"

enum {
    LOG_BACKUPS = 3,
    SHUTDOWN_SECONDS = 1
};

static const gint64 kibibyte = 1024;

static bool
is_last(int code)
{
    const virError *last = virGetLastError();

    return last != NULL && last->code == code;
}

bool
domain_is_session(const HostOptions *options)
{
    return g_str_has_suffix(options->uri, "/session");
}

char *
domain_get_log_path(const HostOptions *options, const char *id)
{
    g_autofree char *name = g_strdup_printf("vmctl-%s.console", id);

    if (domain_is_session(options))
        return g_build_filename(g_get_user_cache_dir(), "libvirt", "qemu", "log", name,
                                NULL);
    return g_build_filename("/var/log/libvirt/qemu", name, NULL);
}

virDomainPtr
domain_find(virConnectPtr libvirt, const char *id, bool *ret_absent, GError **error)
{
    virDomainPtr domain = virDomainLookupByUUIDString(libvirt, id);

    *ret_absent = domain == NULL && is_last(VIR_ERR_NO_DOMAIN);
    if (domain == NULL && !*ret_absent)
        connection_set_error(error, "Finding the domain");
    return domain;
}

/* The domain, which has to be there. */
static virDomainPtr
find_present(virConnectPtr libvirt, const char *id, GError **error)
{
    bool absent = false;
    virDomainPtr domain = domain_find(libvirt, id, &absent, error);

    if (absent)
        proto_error_set_not_found(error, "domain", id,
                                  "The host has no domain of this instance");
    return domain;
}

/* Looking */

DomainState
domain_to_state(int state, int reason)
{
    switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
    case VIR_DOMAIN_SHUTDOWN:
        return DOMAIN_STATE_RUNNING;
    case VIR_DOMAIN_PAUSED:
    case VIR_DOMAIN_PMSUSPENDED:
        return DOMAIN_STATE_PAUSED;
    case VIR_DOMAIN_CRASHED:
        return DOMAIN_STATE_CRASHED;
    default:
        return reason == VIR_DOMAIN_SHUTOFF_CRASHED ? DOMAIN_STATE_CRASHED
                                                    : DOMAIN_STATE_STOPPED;
    }
}

static const char *
get_reason(int state, int reason)
{
    static const char *const off[] = {
        [VIR_DOMAIN_SHUTOFF_SHUTDOWN] = "the guest powered off",
        [VIR_DOMAIN_SHUTOFF_DESTROYED] = "its power was cut",
        [VIR_DOMAIN_SHUTOFF_CRASHED] = "the guest crashed",
        [VIR_DOMAIN_SHUTOFF_FAILED] = "it could not be started",
        [VIR_DOMAIN_SHUTOFF_DAEMON] = "libvirt was stopped",
    };

    if (state == VIR_DOMAIN_SHUTOFF && reason > 0 && reason < (int) G_N_ELEMENTS(off))
        return off[reason];
    if (state == VIR_DOMAIN_CRASHED)
        return off[VIR_DOMAIN_SHUTOFF_CRASHED];
    if (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_IOERROR)
        return "a disk failed or is full";
    return NULL;
}

/* Fills in one of ours; false if it is not. */
static bool
describe(virDomainPtr domain, ProtoDomain *ret_domain)
{
    char id[VIR_UUID_STRING_BUFLEN];
    const char *name = virDomainGetName(domain);
    g_autofree char *ours = NULL;
    g_autofree char *metadata = NULL;
    virDomainInfo info;
    gint64 looked_boot_ms = clock_boot_ms();
    int state = 0;
    int reason = 0;

    if (virDomainGetUUIDString(domain, id) != 0)
        return false;
    ours = domain_xml_get_name(id);
    if (strcmp(name, ours) != 0)
        return false;
    metadata = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT,
                                    DOMAIN_XML_NAMESPACE, 0);
    if (metadata == NULL || virDomainGetState(domain, &state, &reason, 0) != 0 ||
        virDomainGetInfo(domain, &info) != 0 ||
        !domain_xml_read_metadata(metadata, ret_domain))
        return false;
    ret_domain->has_looked_boot_ms = true;
    ret_domain->looked_boot_ms = looked_boot_ms;
    ret_domain->id = g_strdup(id);
    ret_domain->state = domain_to_state(state, reason);
    ret_domain->reason = g_strdup(get_reason(state, reason));
    ret_domain->vcpus = info.nrVirtCpu;
    ret_domain->memory_bytes = (gint64) info.maxMem * kibibyte;
    if (ret_domain->state == DOMAIN_STATE_RUNNING ||
        ret_domain->state == DOMAIN_STATE_PAUSED)
        ret_domain->epoch = process_read_epoch(name);
    return true;
}

static void
set_absent(const char *id, ProtoDomain *ret_domain)
{
    *ret_domain = (ProtoDomain){
        .id = g_strdup(id),
        .tenant = g_strdup(""),
        .name = g_strdup(""),
        .state = DOMAIN_STATE_ABSENT,
    };
}

bool
domain_inspect(virConnectPtr libvirt,
               const char *id,
               ProtoDomain *ret_domain,
               GError **error)
{
    bool absent = false;
    g_autoptr(virDomain) domain = domain_find(libvirt, id, &absent, error);
    ProtoDomain seen = { 0 };

    if (domain == NULL && !absent)
        return false;
    if (absent) {
        set_absent(id, ret_domain);
        return true;
    }
    if (!describe(domain, &seen)) {
        proto_domain_clear(&seen);
        if (is_last(VIR_ERR_NO_DOMAIN)) {
            set_absent(id, ret_domain);
            return true;
        }
        connection_set_error(error, "Looking at the domain");
        return false;
    }
    *ret_domain = seen;
    return true;
}

GArray *
domain_list(virConnectPtr libvirt, gint64 *ret_foreign, GError **error)
{
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(libvirt, &domains, 0);
    GArray *list = NULL;

    if (count < 0) {
        connection_set_error(error, "Listing the domains");
        return NULL;
    }
    list = g_array_new(FALSE, TRUE, sizeof(ProtoDomain));
    g_array_set_clear_func(list, (GDestroyNotify) proto_domain_clear);
    *ret_foreign = 0;
    for (int i = 0; i < count; i++) {
        ProtoDomain seen = { 0 };

        if (describe(domains[i], &seen)) {
            g_array_append_val(list, seen);
        } else {
            proto_domain_clear(&seen);
            (*ret_foreign)++;
        }
        virDomainFree(domains[i]);
    }
    free(domains);
    return list;
}

static const char *
get_state_word(virDomainPtr domain)
{
    static const char *const words[] = {
        [VIR_DOMAIN_NOSTATE] = "no state",     [VIR_DOMAIN_RUNNING] = "running",
        [VIR_DOMAIN_BLOCKED] = "blocked",      [VIR_DOMAIN_PAUSED] = "paused",
        [VIR_DOMAIN_SHUTDOWN] = "in shutdown", [VIR_DOMAIN_SHUTOFF] = "shut off",
        [VIR_DOMAIN_CRASHED] = "crashed",      [VIR_DOMAIN_PMSUSPENDED] = "suspended",
    };
    int state = VIR_DOMAIN_NOSTATE;

    if (virDomainGetState(domain, &state, NULL, 0) != 0 || state < 0 ||
        state >= (int) G_N_ELEMENTS(words))
        state = VIR_DOMAIN_NOSTATE;
    return words[state];
}

GArray *
domain_list_foreign(virConnectPtr libvirt, guint limit, GError **error)
{
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(libvirt, &domains, 0);
    GArray *list = NULL;

    if (count < 0) {
        connection_set_error(error, "Listing the domains");
        return NULL;
    }
    list = g_array_new(FALSE, TRUE, sizeof(ProtoForeign));
    for (int i = 0; i < count; i++) {
        char id[VIR_UUID_STRING_BUFLEN];
        ProtoDomain ours = { 0 };

        if (list->len < limit && !describe(domains[i], &ours) &&
            virDomainGetUUIDString(domains[i], id) == 0) {
            const ProtoForeign foreign = {
                .id = g_strdup(id),
                .name = g_utf8_make_valid(virDomainGetName(domains[i]), -1),
                .state = g_strdup(get_state_word(domains[i])),
            };

            g_array_append_val(list, foreign);
        }
        proto_domain_clear(&ours);
        virDomainFree(domains[i]);
    }
    free(domains);
    return list;
}

/* Define */

typedef struct {
    char *disk;
    char *template;
    char *seed;
    char *kernel;
    char *initrd;
    char *log;
} Paths;

static void
paths_clear(Paths *paths)
{
    g_free(paths->disk);
    g_free(paths->template);
    g_free(paths->seed);
    g_free(paths->kernel);
    g_free(paths->initrd);
    g_free(paths->log);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Paths, paths_clear)

static char *
get_path(virStoragePoolPtr pool,
         const char *kind,
         const char *id,
         const char *suffix,
         GError **error)
{
    g_autofree char *name = volumes_name(kind, id, suffix);

    return volumes_get_path(pool, name, error);
}

static bool
find_paths(virStoragePoolPtr pool,
           const ProtoDomainSpec *spec,
           Paths *paths,
           GError **error)
{
    paths->disk = get_path(pool, "d", spec->id, "qcow2", error);
    paths->seed =
        paths->disk != NULL ? get_path(pool, "s", spec->id, "iso", error) : NULL;
    paths->template = paths->seed != NULL
                          ? get_path(pool, "t", spec->template_id, "qcow2", error)
                          : NULL;
    if (paths->template == NULL)
        return false;
    if (spec->cmdline == NULL)
        return true;
    paths->kernel = get_path(pool, "t", spec->template_id, "kernel", error);
    if (paths->kernel == NULL || !spec->initrd)
        return paths->kernel != NULL;
    paths->initrd = get_path(pool, "t", spec->template_id, "initrd", error);
    return paths->initrd != NULL;
}

bool
domain_define(virConnectPtr libvirt,
              const HostOptions *options,
              bool kvm,
              const ProtoDomainSpec *spec,
              GError **error)
{
    g_autoptr(virStoragePool) pool = volumes_open_pool(libvirt, options, error);
    g_auto(Paths) paths = { 0 };
    g_autoptr(virDomain) domain = NULL;
    g_autofree char *text = NULL;
    DomainPlace place = { .kvm = kvm };

    if (pool == NULL || !find_paths(pool, spec, &paths, error))
        return false;
    paths.log = domain_get_log_path(options, spec->id);
    place.disk_path = paths.disk;
    place.template_path = paths.template;
    place.seed_path = paths.seed;
    place.kernel_path = paths.kernel;
    place.initrd_path = paths.initrd;
    place.log_path = paths.log;
    place.network = domain_is_session(options) ? NULL : options->network;
    text = domain_xml_print(spec, &place);
    domain = virDomainDefineXMLFlags(libvirt, text, VIR_DOMAIN_DEFINE_VALIDATE);
    if (domain == NULL)
        connection_set_error(error, "Defining the domain");
    return domain != NULL;
}

char *
domain_recall(virConnectPtr libvirt, const char *id, GError **error)
{
    g_autoptr(virDomain) domain = find_present(libvirt, id, error);
    g_autofree char *metadata = NULL;

    if (domain == NULL)
        return NULL;
    metadata = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT,
                                    DOMAIN_XML_NAMESPACE, 0);
    if (metadata == NULL) {
        connection_set_error(error, "Reading the domain's metadata");
        return NULL;
    }
    return domain_xml_read_keepsake(metadata);
}

/* Power */

static bool
look_after(virDomainPtr domain, const char *id, ProtoDomain *ret_domain, GError **error)
{
    virConnectPtr libvirt = virDomainGetConnect(domain);

    return domain_inspect(libvirt, id, ret_domain, error);
}

bool
domain_start(virConnectPtr libvirt,
             const char *id,
             ProtoDomain *ret_domain,
             GError **error)
{
    g_autoptr(virDomain) domain = find_present(libvirt, id, error);

    return domain != NULL && start_domain(domain, error) &&
           look_after(domain, id, ret_domain, error);
}

/* For guests that do not heed the button.  One that does as it is told answers nothing.
 */
static void
ask_agent_to_power_off(Connection *for_guests, const char *id)
{
    g_auto(AgentTalk) talk =
        agent_talk_begin(for_guests, id, SHUTDOWN_SECONDS, SHUTDOWN_SECONDS);
    JsonNode *answer = agent_talk_ask(
        &talk, "{\"execute\":\"guest-shutdown\",\"arguments\":{\"mode\":\"powerdown\"}}");

    g_clear_pointer(&answer, json_node_unref);
}

/* libvirt by itself would ask an agent that is there first, and wait a minute for what it
 * makes of that, which is longer than anybody waits for us.  The power button is pressed
 * at once, and an agent has little time. */
bool
domain_shutdown(virConnectPtr libvirt,
                Connection *for_guests,
                const char *id,
                GError **error)
{
    bool absent = false;
    g_autoptr(virDomain) domain = domain_find(libvirt, id, &absent, error);

    if (domain == NULL)
        return absent;
    if (virDomainIsActive(domain) == 0)
        return true;
    if (virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) == 0) {
        ask_agent_to_power_off(for_guests, id);
        return true;
    }
    connection_set_error(error, "Asking the guest to power off");
    if (virDomainIsActive(domain) != 0)
        return false;
    g_clear_error(error);
    return true;
}

bool
domain_power_off(virConnectPtr libvirt, const char *id, GError **error)
{
    bool absent = false;
    g_autoptr(virDomain) domain = domain_find(libvirt, id, &absent, error);

    if (domain == NULL)
        return absent;
    if (virDomainDestroy(domain) == 0 || is_last(VIR_ERR_OPERATION_INVALID))
        return true;
    connection_set_error(error, "Cutting the power");
    return false;
}

bool
domain_pause(virConnectPtr libvirt,
             const char *id,
             ProtoDomain *ret_domain,
             GError **error)
{
    g_autoptr(virDomain) domain = find_present(libvirt, id, error);

    if (domain == NULL)
        return false;
    if (virDomainSuspend(domain) != 0) {
        connection_set_error(error, "Pausing the domain");
        return false;
    }
    return look_after(domain, id, ret_domain, error);
}

bool
domain_resume(virConnectPtr libvirt,
              const char *id,
              ProtoDomain *ret_domain,
              GError **error)
{
    g_autoptr(virDomain) domain = find_present(libvirt, id, error);

    return domain != NULL && start_resume(domain, error) &&
           look_after(domain, id, ret_domain, error);
}

/* Remove */

static bool
undefine(virConnectPtr libvirt, const char *id, GError **error)
{
    bool absent = false;
    g_autoptr(virDomain) domain = domain_find(libvirt, id, &absent, error);
    ProtoDomain seen = { 0 };
    bool ours = false;

    if (domain == NULL)
        return absent;
    ours = describe(domain, &seen);
    proto_domain_clear(&seen);
    if (!ours) {
        proto_error_set_host_failed(error, "",
                                    "There is a domain of this id that is not ours");
        return false;
    }
    if (!domain_power_off(libvirt, id, error))
        return false;
    if (virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
                                           VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                                           VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
                                           VIR_DOMAIN_UNDEFINE_NVRAM) == 0 ||
        is_last(VIR_ERR_NO_DOMAIN))
        return true;
    connection_set_error(error, "Undefining the domain");
    return false;
}

/* The log and its older parts, as virtlogd rotates them; only on the host that we run on.
 */
static void
remove_log(const HostOptions *options, const char *id)
{
    g_autofree char *path = domain_get_log_path(options, id);

    g_unlink(path);
    for (int i = 0; i < LOG_BACKUPS; i++) {
        g_autofree char *backup = g_strdup_printf("%s.%d", path, i);

        g_unlink(backup);
    }
}

bool
domain_remove(virConnectPtr libvirt,
              const HostOptions *options,
              const char *id,
              GError **error)
{
    g_autofree char *disk = volumes_name("d", id, "qcow2");
    g_autofree char *seed = volumes_name("s", id, "iso");
    g_autoptr(virStoragePool) pool = NULL;

    if (!undefine(libvirt, id, error))
        return false;
    pool = volumes_open_pool(libvirt, options, error);
    if (pool == NULL || !volumes_delete(pool, disk, error) ||
        !volumes_delete(pool, seed, error))
        return false;
    remove_log(options, id);
    return true;
}
