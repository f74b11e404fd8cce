/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/handover.h"
#include "base/log.h"
#include "build-config.h"
#include "host/fake/fleet.h"
#include "host/fake/script.h"
#include "wire/server.h"

/*
 * The same interface as vmd-host, in memory.  Every call first meets the script, which
 * may delay, fail or hang it or end the process; then it does to the fleet what the real
 * one does to libvirt.
 */

enum {
    BATCH = 200,
    EXIT_SCRIPTED = 99
};

typedef struct {
    FakeFleet *fleet;
    Script *script;
    char *script_path;
    char *import_dir;
    WireServer *server;
    GMainLoop *loop;
    guint n_open;
    GPtrArray *watchers;
} Fake;

typedef void (*Perform)(Fake *fake, WireCall *call, const void *in);

/** A call that waits for its delay to pass. */
typedef struct {
    Fake *fake;
    WireCall *call;
    const void *in;
    Perform perform;
    const ScriptRule *rule;
} Delayed;

static void
fail_as_scripted(WireCall *call, const ScriptRule *rule)
{
    GError *error = NULL;

    if (strcmp(rule->error, "HostUnreachable") == 0) {
        proto_error_set_host_unreachable(&error, "", "%s", rule->message);
    } else if (strcmp(rule->error, "NotFound") == 0) {
        proto_error_set_not_found(&error, "domain", "", "%s", rule->message);
    } else {
        proto_error_set_host_failed(&error, "", "%s", rule->message);
    }
    wire_call_fail(call, error);
}

static gboolean
go_on(gpointer data)
{
    g_autofree Delayed *delayed = data;

    if (delayed->rule->exit)
        _Exit(EXIT_SCRIPTED);
    if (delayed->rule->hang)
        return G_SOURCE_REMOVE;
    if (delayed->rule->error != NULL) {
        fail_as_scripted(delayed->call, delayed->rule);
    } else {
        delayed->perform(delayed->fake, delayed->call, delayed->in);
    }
    return G_SOURCE_REMOVE;
}

static void
meet_script(WireCall *call, const void *in, Perform perform)
{
    Fake *fake = wire_call_get_data(call);
    const ScriptRule *rule = script_match(fake->script, wire_call_get_method(call)->name);
    Delayed *delayed = NULL;

    if (rule == NULL) {
        perform(fake, call, in);
        return;
    }
    delayed = g_new0(Delayed, 1);
    *delayed = (Delayed){ fake, call, in, perform, rule };
    if (rule->delay_ms > 0) {
        g_timeout_add((guint) rule->delay_ms, go_on, delayed);
    } else {
        go_on(delayed);
    }
}

/* Guests */

static void
tell(Fake *fake, HostEventKind kind, const ProtoDomain *domain)
{
    g_autofree char *now = clock_format_time(clock_wall_ms());
    ProtoWorkerWatchReply reply = { kind, (ProtoDomain *) (gsize) domain, now };
    g_autoptr(GPtrArray) watchers = g_ptr_array_copy(fake->watchers, NULL, NULL);

    for (guint i = 0; i < watchers->len; i++) {
        if (g_ptr_array_find(fake->watchers, watchers->pdata[i], NULL))
            wire_call_continue(watchers->pdata[i], &reply);
    }
}

typedef struct {
    Fake *fake;
    char *id;
} Boot;

static gboolean
on_booted(gpointer data)
{
    Boot *boot = data;
    ProtoDomain *domain = fake_fleet_find(boot->fake->fleet, boot->id);

    if (domain != NULL && domain->state == DOMAIN_STATE_RUNNING && !domain->agent) {
        guint number = g_str_hash(domain->id);

        domain->agent = true;
        g_strfreev(domain->addresses);
        domain->addresses = g_new0(char *, 2);
        domain->addresses[0] = g_strdup_printf("10.%u.%u.%u", number >> 16 & 0xff,
                                               number >> 8 & 0xff, number & 0xff);
        fake_fleet_note(boot->fake->fleet, domain);
        tell(boot->fake, HOST_EVENT_KIND_GUEST, domain);
    }
    g_free(boot->id);
    g_free(boot);
    return G_SOURCE_REMOVE;
}

static void
forget_guest(ProtoDomain *domain)
{
    domain->agent = false;
    g_clear_pointer(&domain->addresses, g_strfreev);
}

static void
set_state(Fake *fake, ProtoDomain *domain, DomainState state)
{
    domain->state = state;
    if (state != DOMAIN_STATE_RUNNING && state != DOMAIN_STATE_PAUSED)
        forget_guest(domain);
    fake_fleet_note(fake->fleet, domain);
    tell(fake, HOST_EVENT_KIND_DOMAIN, domain);
}

/* The domain, or a failure of the call. */
static ProtoDomain *
find(Fake *fake, WireCall *call, const char *id)
{
    ProtoDomain *domain = fake_fleet_find(fake->fleet, id);
    GError *error = NULL;

    if (domain != NULL && domain->state != DOMAIN_STATE_ABSENT)
        return domain;
    proto_error_set_not_found(&error, "domain", id,
                              "The host has no domain of this instance");
    wire_call_fail(call, error);
    return NULL;
}

/* The methods */

static void
do_probe(Fake *fake, WireCall *call, const void *in)
{
    const Script *script = fake->script;
    ProtoWorkerProbeReply reply = {
        .hostname = (char *) (gsize) "fake",
        .arch = (char *) (gsize) "x86_64",
        .accel = (char *) (gsize) "kvm",
        .hypervisor = (char *) (gsize) "fake 1",
        .boot_id = (char *) (gsize) clock_boot_id(),
        .vcpus = script->vcpus,
        .memory_bytes = script->memory_bytes,
        .disk_bytes = script->disk_bytes,
        .disk_free_bytes = script->disk_bytes,
        .foreign = script->foreign,
    };

    wire_call_reply(call, &reply);
}

static void
do_nothing(Fake *fake, WireCall *call, const void *in)
{
    wire_call_reply(call, NULL);
}

static void
do_list_domains(Fake *fake, WireCall *call, const void *in)
{
    g_autoptr(GPtrArray) all = fake_fleet_list(fake->fleet);
    g_autofree ProtoDomain *batch = g_new0(ProtoDomain, BATCH);
    ProtoWorkerListDomainsReply reply = { .domains = batch };

    for (guint i = 0; i < all->len; i++) {
        const ProtoDomain *domain = all->pdata[i];

        if (domain->state == DOMAIN_STATE_ABSENT)
            continue;
        if (reply.n_domains == BATCH) {
            wire_call_continue(call, &reply);
            reply.n_domains = 0;
        }
        batch[reply.n_domains++] = *domain;
    }
    wire_call_reply(call, &reply);
}

static void
do_inspect(Fake *fake, WireCall *call, const void *in)
{
    const ProtoWorkerInspectCall *ask = in;
    const ProtoDomain *domain = fake_fleet_find(fake->fleet, ask->id);
    ProtoWorkerInspectReply reply = { .domain = { .id = ask->id } };

    if (domain != NULL)
        reply.domain = *domain;
    wire_call_reply(call, &reply);
}

static void
do_create_disk(Fake *fake, WireCall *call, const void *in)
{
    const ProtoWorkerCreateDiskCall *ask = in;

    fake_fleet_note(fake->fleet, fake_fleet_ensure(fake->fleet, ask->id));
    wire_call_reply(call, NULL);
}

static void
take(char **member, const char *text)
{
    g_free(*member);
    *member = g_strdup(text);
}

static void
do_define(Fake *fake, WireCall *call, const void *in)
{
    const ProtoDomainSpec *spec = &((const ProtoWorkerDefineCall *) in)->spec;
    ProtoDomain *domain = fake_fleet_ensure(fake->fleet, spec->id);

    take(&domain->tenant, spec->tenant);
    take(&domain->name, spec->name);
    domain->generation = spec->generation;
    if (domain->state != DOMAIN_STATE_RUNNING && domain->state != DOMAIN_STATE_PAUSED) {
        domain->vcpus = spec->vcpus;
        domain->memory_bytes = spec->memory_bytes;
        domain->state = DOMAIN_STATE_STOPPED;
    }
    fake_fleet_note(fake->fleet, domain);
    wire_call_reply(call, NULL);
}

static void
do_start(Fake *fake, WireCall *call, const void *in)
{
    ProtoDomain *domain = find(fake, call, ((const ProtoWorkerStartCall *) in)->id);
    ProtoWorkerStartReply reply = { 0 };
    Boot *boot = NULL;

    if (domain == NULL)
        return;
    if (domain->state != DOMAIN_STATE_RUNNING) {
        set_state(fake, domain, DOMAIN_STATE_RUNNING);
        boot = g_new0(Boot, 1);
        *boot = (Boot){ fake, g_strdup(domain->id) };
        g_timeout_add((guint) fake->script->agent_ms, on_booted, boot);
    }
    reply.domain = *domain;
    wire_call_reply(call, &reply);
}

static void
do_power_off(Fake *fake, WireCall *call, const void *in)
{
    ProtoDomain *domain =
        fake_fleet_find(fake->fleet, ((const ProtoWorkerPowerOffCall *) in)->id);

    if (domain != NULL &&
        (domain->state == DOMAIN_STATE_RUNNING || domain->state == DOMAIN_STATE_PAUSED))
        set_state(fake, domain, DOMAIN_STATE_STOPPED);
    wire_call_reply(call, NULL);
}

static void
do_pause(Fake *fake, WireCall *call, const void *in)
{
    ProtoDomain *domain = find(fake, call, ((const ProtoWorkerPauseCall *) in)->id);
    ProtoWorkerPauseReply reply = { 0 };

    if (domain == NULL)
        return;
    set_state(fake, domain, DOMAIN_STATE_PAUSED);
    reply.domain = *domain;
    wire_call_reply(call, &reply);
}

static void
do_resume(Fake *fake, WireCall *call, const void *in)
{
    ProtoDomain *domain = find(fake, call, ((const ProtoWorkerResumeCall *) in)->id);
    ProtoWorkerResumeReply reply = { 0 };

    if (domain == NULL)
        return;
    set_state(fake, domain, DOMAIN_STATE_RUNNING);
    reply.domain = *domain;
    wire_call_reply(call, &reply);
}

static void
do_resize(Fake *fake, WireCall *call, const void *in)
{
    const ProtoWorkerResizeCall *ask = in;
    ProtoDomain *domain = find(fake, call, ask->id);
    ProtoWorkerResizeReply reply = { .disk_bytes = ask->disk_bytes };

    if (domain == NULL)
        return;
    if (domain->state == DOMAIN_STATE_RUNNING && fake->script->live_resize) {
        domain->vcpus = MAX(domain->vcpus, ask->vcpus);
        domain->memory_bytes = MAX(domain->memory_bytes, ask->memory_bytes);
        fake_fleet_note(fake->fleet, domain);
    }
    reply.vcpus = domain->vcpus;
    reply.memory_bytes = domain->memory_bytes;
    reply.guest = (ProtoGuest){ true, domain->vcpus, true, domain->memory_bytes };
    if (reply.vcpus != ask->vcpus || reply.memory_bytes != ask->memory_bytes)
        reply.note = (char *) (gsize) "the guest does not let go of it";
    wire_call_reply(call, &reply);
}

static void
do_remove(Fake *fake, WireCall *call, const void *in)
{
    fake_fleet_remove(fake->fleet, ((const ProtoWorkerRemoveCall *) in)->id);
    wire_call_reply(call, NULL);
}

static void
do_read_log(Fake *fake, WireCall *call, const void *in)
{
    static const char text[] = "Welcome to a guest that is not there\n";
    g_autofree char *data = g_base64_encode((const guchar *) text, sizeof text - 1);
    ProtoWorkerReadLogReply reply = { data, 0, sizeof text - 1 };

    wire_call_reply(call, &reply);
}

/* A template without files: its manifest from the import folder, or made up. */
static void
do_import_template(Fake *fake, WireCall *call, const void *in)
{
    const ProtoWorkerImportTemplateCall *ask = in;
    ProtoWorkerImportTemplateReply reply = {
        .manifest = { .name = ask->source,
                      .version = (char *) (gsize) "1",
                      .description = (char *) (gsize) "made up",
                      .arch = (char *) (gsize) "x86_64",
                      .login_user = (char *) (gsize) "root",
                      .disk = (char *) (gsize) "disk.qcow2",
                      .minimum = { 1, 134217728, 134217728 },
                      .default_ = { 1, 268435456, 1073741824 } },
        .sha256 = (char *) (gsize) "00000000000000000000000000000000000000000000000000000"
                                   "00000000000",
    };

    fake_fleet_note_template(fake->fleet, ask->id);
    wire_call_reply(call, &reply);
}

static void
do_remove_template(Fake *fake, WireCall *call, const void *in)
{
    fake_fleet_remove(fake->fleet, ((const ProtoWorkerRemoveTemplateCall *) in)->id);
    wire_call_reply(call, NULL);
}

/* A disk alone is an entry without a domain; a seed comes with the domain. */
static void
do_inventory(Fake *fake, WireCall *call, const void *in)
{
    static const HeldKind kinds[] = { HELD_KIND_DISK, HELD_KIND_SEED, HELD_KIND_DOMAIN };
    static const HeldKind template_kind = HELD_KIND_TEMPLATE;
    g_autoptr(GPtrArray) all = fake_fleet_list(fake->fleet);

    for (guint i = 0; i < all->len; i++) {
        const ProtoDomain *entry = all->pdata[i];
        bool is_template = strcmp(entry->tenant, FAKE_FLEET_TEMPLATE) == 0;
        const HeldKind *held = is_template ? &template_kind : kinds;
        gsize n_held =
            is_template || entry->state == DOMAIN_STATE_ABSENT ? 1 : G_N_ELEMENTS(kinds);
        ProtoHeld objects[G_N_ELEMENTS(kinds)];
        ProtoWorkerInventoryReply part = { objects, n_held };

        for (gsize j = 0; j < n_held; j++) {
            objects[j] = (ProtoHeld){ held[j], entry->id };
        }
        wire_call_continue(call, &part);
    }
    wire_call_reply(call, &(ProtoWorkerInventoryReply){ 0 });
}

static void
do_stats(Fake *fake, WireCall *call, const void *in)
{
    g_autofree char *now = clock_format_time(clock_wall_ms());
    ProtoWorkerStatsReply reply = { .at = now };

    wire_call_reply(call, &reply);
}

static void
on_watcher_gone(WireCall *call, gpointer data)
{
    g_ptr_array_remove(((Fake *) data)->watchers, call);
}

static void
do_watch(Fake *fake, WireCall *call, const void *in)
{
    g_ptr_array_add(fake->watchers, call);
    wire_call_park(call, on_watcher_gone, fake);
}

#define HANDLER(name, Type, perform)                                                     \
    static void call_##name(WireCall *call, const ProtoWorker##Type##Call *in)           \
    {                                                                                    \
        meet_script(call, in, perform);                                                  \
    }

HANDLER(probe, Probe, do_probe)
HANDLER(ping, Ping, do_nothing)
HANDLER(list_domains, ListDomains, do_list_domains)
HANDLER(inspect, Inspect, do_inspect)
HANDLER(create_disk, CreateDisk, do_create_disk)
HANDLER(create_seed, CreateSeed, do_nothing)
HANDLER(define, Define, do_define)
HANDLER(start, Start, do_start)
HANDLER(shutdown, Shutdown, do_power_off)
HANDLER(power_off, PowerOff, do_power_off)
HANDLER(pause, Pause, do_pause)
HANDLER(resume, Resume, do_resume)
HANDLER(resize, Resize, do_resize)
HANDLER(remove, Remove, do_remove)
HANDLER(read_log, ReadLog, do_read_log)
HANDLER(import_template, ImportTemplate, do_import_template)
HANDLER(remove_template, RemoveTemplate, do_remove_template)
HANDLER(inventory, Inventory, do_inventory)
HANDLER(stats, Stats, do_stats)
HANDLER(watch, Watch, do_watch)

static const ProtoWorkerHandlers handlers = {
    .probe = call_probe,
    .ping = call_ping,
    .list_domains = call_list_domains,
    .inspect = call_inspect,
    .create_disk = call_create_disk,
    .create_seed = call_create_seed,
    .define = call_define,
    .start = call_start,
    .shutdown = call_shutdown,
    .power_off = call_power_off,
    .pause = call_pause,
    .resume = call_resume,
    .resize = call_resize,
    .remove = call_remove,
    .read_log = call_read_log,
    .import_template = call_import_template,
    .remove_template = call_remove_template,
    .inventory = call_inventory,
    .stats = call_stats,
    .watch = call_watch,
};

/* Life */

static void
on_closed(gpointer data)
{
    Fake *fake = data;

    if (--fake->n_open == 0)
        g_main_loop_quit(fake->loop);
}

static gboolean
on_lost(int fd, GIOCondition condition, gpointer data)
{
    Fake *fake = data;

    g_main_loop_quit(fake->loop);
    return G_SOURCE_REMOVE;
}

static gboolean
on_hangup(gpointer data)
{
    Fake *fake = data;
    g_autoptr(GError) error = NULL;
    Script *script = script_read(fake->script_path, &error);

    if (script == NULL) {
        g_warning("%s", error->message);
        return G_SOURCE_CONTINUE;
    }
    /* Calls that wait keep pointing into the old one: it is a test's, and stays. */
    fake->script = script;
    return G_SOURCE_CONTINUE;
}

static void
serve(Fake *fake, const int *fds, guint n_fds)
{
    const WireServerOptions options = {
        .vendor = "vmctl",
        .product = "vmd-fakehost",
        .version = VMCTL_VERSION,
        .url = "https://vmctl.io",
        .limits = WIRE_LIMITS_PEER,
        .data = fake,
    };

    fake->n_open = n_fds;
    fake->server = wire_server_new(&options);
    wire_server_add(fake->server, &proto_worker_interface, &handlers);
    for (guint i = 0; i < n_fds; i++) {
        wire_server_attach(fake->server, fds[i], on_closed, fake);
    }
}

int
main(int argc, char **argv)
{
    Fake fake = { 0 };
    gint fds = 0;
    int sockets[HANDOVER_FDS_MAX];
    guint n_sockets = 0;
    int connection = -1;
    g_autofree char *journal = NULL;
    const GOptionEntry entries[] = {
        { "fds", 0, 0, G_OPTION_ARG_INT, &fds, "Connected sockets, from 3 on", "N" },
        { "script", 0, 0, G_OPTION_ARG_FILENAME, &fake.script_path, "What goes wrong",
          "FILE" },
        { "domains-file", 0, 0, G_OPTION_ARG_FILENAME, &journal, "Keep the domains here",
          "FILE" },
        { "import-dir", 0, 0, G_OPTION_ARG_FILENAME, &fake.import_dir, "Not looked at",
          "DIR" },
        { 0 },
    };
    g_autoptr(GOptionContext) context =
        g_option_context_new("- a host that is not there");
    g_autoptr(GError) error = NULL;

    log_open("vmd-fakehost");
    signal(SIGPIPE, SIG_IGN);
    /* Takes the options of vmd-host too, and does without them. */
    g_option_context_set_ignore_unknown_options(context, TRUE);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        !handover_take((guint) MAX(fds, 0), sockets, &n_sockets, &connection, &error)) {
        g_printerr("vmd-fakehost: %s\n", error->message);
        g_free(fake.script_path);
        g_free(fake.import_dir);
        return EXIT_FAILURE;
    }
    fake.fleet = fake_fleet_open(journal, &error);
    fake.script = fake.fleet != NULL ? script_read(fake.script_path, &error) : NULL;
    if (fake.script == NULL) {
        g_printerr("vmd-fakehost: %s\n", error->message);
        return EXIT_FAILURE;
    }
    fake.watchers = g_ptr_array_new();
    fake.loop = g_main_loop_new(NULL, FALSE);
    g_unix_signal_add(SIGHUP, on_hangup, &fake);
    if (connection >= 0)
        g_unix_fd_add(connection, G_IO_IN | G_IO_HUP, on_lost, &fake);
    serve(&fake, sockets, n_sockets);
    g_main_loop_run(fake.loop);
    _Exit(EXIT_SUCCESS);
}
