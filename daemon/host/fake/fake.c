/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/fake/fake.h"

#include <string.h>

#include "base/clock.h"
#include "build-config.h"
#include "host/fake/counters.h"
#include "wire/server.h"

enum {
    BATCH = 50,
    STATS_BATCH = 20
};

struct FakeHost {
    FakeHostOptions options;
    WireServer *server;
    guint n_open;
    GPtrArray *watchers;
    /** Calls and events that wait for their time; some for ever. */
    GQueue waiting;
    /** Guests that boot. */
    GQueue boots;
};

typedef void (*Perform)(FakeHost *fake, WireCall *call, const void *in);

/** A call, or an event, that waits. */
typedef struct {
    FakeHost *fake;
    const ScriptRule *rule;
    guint source;
    /** NULL: it is an event. */
    WireCall *call;
    const void *in;
    Perform perform;
    ProtoWorkerWatchReply event;
    /** What an answer that comes late tells; NULL: it is made when it is sent. */
    ProtoWorkerInspectReply *seen;
} Delayed;

static void
delayed_free(Delayed *delayed)
{
    g_clear_handle_id(&delayed->source, g_source_remove);
    proto_worker_watch_reply_clear(&delayed->event);
    if (delayed->seen != NULL)
        proto_worker_inspect_reply_clear(delayed->seen);
    g_free(delayed->seen);
    g_free(delayed);
}

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

static void
drop(Delayed *delayed)
{
    GError *error = NULL;

    if (delayed->call != NULL) {
        proto_error_set_host_unreachable(&error, "", "The host has ended");
        wire_call_fail(delayed->call, error);
    }
    delayed_free(delayed);
}

/* The connections go first, so that nobody hears of what is still done. */
static void
end(FakeHost *fake)
{
    fake->options.left = NULL;
    g_clear_pointer(&fake->server, wire_server_free);
}

static void
carry_out(Delayed *delayed)
{
    if (delayed->seen != NULL) {
        wire_call_reply(delayed->call, delayed->seen);
    } else if (delayed->call != NULL) {
        delayed->perform(delayed->fake, delayed->call, delayed->in);
    }
    delayed_free(delayed);
}

static void send_event(FakeHost *fake, const ProtoWorkerWatchReply *event);

static gboolean
go_on(gpointer data)
{
    Delayed *delayed = data;
    FakeHost *fake = delayed->fake;
    const ScriptRule *rule = delayed->rule;

    delayed->source = 0;
    if (rule->hang)
        return G_SOURCE_REMOVE;
    g_queue_remove(&fake->waiting, delayed);
    if (rule->exit || rule->exit_after) {
        end(fake);
        (rule->exit ? drop : carry_out)(delayed);
        fake->options.ended(fake, fake->options.data);
        return G_SOURCE_REMOVE;
    }
    if (delayed->call == NULL) {
        send_event(fake, &delayed->event);
        delayed_free(delayed);
    } else if (rule->error != NULL) {
        fail_as_scripted(delayed->call, rule);
        delayed_free(delayed);
    } else if (rule->deaf) {
        wire_call_reply(delayed->call, NULL);
        delayed_free(delayed);
    } else {
        carry_out(delayed);
    }
    return G_SOURCE_REMOVE;
}

/* What ends the service does so from the main loop, in nobody's turn. */
static void
delay(Delayed *delayed)
{
    const ScriptRule *rule = delayed->rule;

    g_queue_push_tail(&delayed->fake->waiting, delayed);
    if (rule->delay_ms > 0 || rule->exit || rule->exit_after) {
        delayed->source = g_timeout_add((guint) rule->delay_ms, go_on, delayed);
    } else {
        go_on(delayed);
    }
}

static ProtoWorkerInspectReply *inspect(FakeHost *fake,
                                        const ProtoWorkerInspectCall *ask);
static void do_inspect(FakeHost *fake, WireCall *call, const void *in);

static void
meet_rule(WireCall *call, const void *in, Perform perform)
{
    FakeHost *fake = wire_call_get_data(call);
    const ScriptRule *rule =
        fake->options.match(wire_call_get_method(call)->name, in, fake->options.data);
    Delayed *delayed = NULL;

    if (rule == NULL) {
        perform(fake, call, in);
        return;
    }
    delayed = g_new0(Delayed, 1);
    *delayed = (Delayed){
        .fake = fake, .rule = rule, .call = call, .in = in, .perform = perform
    };
    if (rule->late && perform == do_inspect)
        delayed->seen = inspect(fake, in);
    delay(delayed);
}

/* Events */

static void
send_event(FakeHost *fake, const ProtoWorkerWatchReply *event)
{
    g_autoptr(GPtrArray) watchers = g_ptr_array_copy(fake->watchers, NULL, NULL);

    for (guint i = 0; i < watchers->len; i++) {
        if (g_ptr_array_find(fake->watchers, watchers->pdata[i], NULL))
            wire_call_continue(watchers->pdata[i], event);
    }
}

/* The size of a disk is told to who asks for it. */
static ProtoDomain
show(const ProtoDomain *domain)
{
    ProtoDomain shown = *domain;

    shown.has_disk_bytes = false;
    shown.has_looked_boot_ms = true;
    shown.looked_boot_ms = clock_boot_ms();
    return shown;
}

void
fake_host_tell(FakeHost *fake, HostEventKind kind, const ProtoDomain *domain)
{
    g_autofree char *now = clock_format_time(clock_wall_ms());
    ProtoDomain shown = domain != NULL ? show(domain) : (ProtoDomain){ 0 };
    const ProtoWorkerWatchReply event = { kind, domain != NULL ? &shown : NULL, now };
    const ScriptRule *rule = fake->options.match(SCRIPT_EVENT, NULL, fake->options.data);
    Delayed *delayed = NULL;

    if (rule == NULL || rule->twice)
        send_event(fake, &event);
    if (rule == NULL)
        return;
    delayed = g_new0(Delayed, 1);
    *delayed = (Delayed){ .fake = fake, .rule = rule };
    proto_worker_watch_reply_copy(&event, &delayed->event);
    delay(delayed);
}

/* Guests */

typedef struct {
    FakeHost *fake;
    char *id;
    guint source;
} Boot;

static void
boot_free(Boot *boot)
{
    g_clear_handle_id(&boot->source, g_source_remove);
    g_free(boot->id);
    g_free(boot);
}

static gboolean
on_booted(gpointer data)
{
    Boot *boot = data;
    FakeHost *fake = boot->fake;
    ProtoDomain *domain = fake_fleet_find(fake->options.fleet, boot->id);

    boot->source = 0;
    g_queue_remove(&fake->boots, boot);
    boot_free(boot);
    if (domain == NULL || domain->state != DOMAIN_STATE_RUNNING || domain->agent)
        return G_SOURCE_REMOVE;
    fake_fleet_hear_agent(fake->options.fleet, domain);
    fake_host_tell(fake, HOST_EVENT_KIND_GUEST, domain);
    return G_SOURCE_REMOVE;
}

static void
wait_for_agent(FakeHost *fake, const ProtoDomain *domain)
{
    Boot *boot = g_new0(Boot, 1);

    *boot = (Boot){ .fake = fake, .id = g_strdup(domain->id) };
    boot->source =
        g_timeout_add((guint) fake->options.figures->agent_ms, on_booted, boot);
    g_queue_push_tail(&fake->boots, boot);
}

static void
set_state(FakeHost *fake, ProtoDomain *domain, DomainState state)
{
    fake_fleet_set_state(fake->options.fleet, domain, state);
    fake_host_tell(fake, HOST_EVENT_KIND_DOMAIN, domain);
}

/* The domain, or a failure of the call. */
static ProtoDomain *
find(FakeHost *fake, WireCall *call, const char *id)
{
    ProtoDomain *domain = fake_fleet_find(fake->options.fleet, id);
    GError *error = NULL;

    if (domain != NULL && domain->state != DOMAIN_STATE_ABSENT)
        return domain;
    proto_error_set_not_found(&error, "domain", id,
                              "The host has no domain of this instance");
    wire_call_fail(call, error);
    return NULL;
}

static bool
is_active(const ProtoDomain *domain)
{
    return domain->state == DOMAIN_STATE_RUNNING || domain->state == DOMAIN_STATE_PAUSED;
}

/* The domain if it is on, or a failure of the call. */
static ProtoDomain *
find_active(FakeHost *fake, WireCall *call, const char *id)
{
    ProtoDomain *domain = find(fake, call, id);
    GError *error = NULL;

    if (domain == NULL || is_active(domain))
        return domain;
    proto_error_set_host_failed(&error, "", "The domain is not active");
    wire_call_fail(call, error);
    return NULL;
}

/* The methods */

static void
do_probe(FakeHost *fake, WireCall *call, const void *in)
{
    const ScriptFigures *figures = fake->options.figures;
    ProtoWorkerProbeReply reply = {
        .hostname = (char *) (gsize) "fake",
        .arch = (char *) (gsize) "x86_64",
        .accel = (char *) (gsize) "kvm",
        .hypervisor = (char *) (gsize) "fake 1",
        .boot_id = (char *) (gsize) clock_boot_id(),
        .vcpus = figures->vcpus,
        .memory_bytes = figures->memory_bytes,
        .disk_bytes = figures->disk_bytes,
        .disk_free_bytes = figures->disk_bytes,
        .foreign = figures->foreign,
    };

    wire_call_reply(call, &reply);
}

static void
do_nothing(FakeHost *fake, WireCall *call, const void *in)
{
    wire_call_reply(call, NULL);
}

static void
do_list_domains(FakeHost *fake, WireCall *call, const void *in)
{
    g_autoptr(GPtrArray) all = fake_fleet_list(fake->options.fleet);
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
        batch[reply.n_domains++] = show(domain);
    }
    wire_call_reply(call, &reply);
}

static void
do_list_foreign(FakeHost *fake, WireCall *call, const void *in)
{
    g_autofree ProtoForeign *rows =
        g_new0(ProtoForeign, (gsize) fake->options.figures->foreign);
    ProtoWorkerListForeignReply reply = { rows, (gsize) fake->options.figures->foreign };

    for (gsize i = 0; i < reply.n_domains; i++) {
        rows[i] = (ProtoForeign){
            .id = (char *) (gsize) "00000000-0000-4000-8000-000000000000",
            .name = (char *) (gsize) "stranger",
            .state = (char *) (gsize) "running",
        };
    }
    wire_call_reply(call, &reply);
}

static void
do_recall(FakeHost *fake, WireCall *call, const void *in)
{
    const ProtoWorkerRecallCall *ask = in;
    const char *keepsake = fake_fleet_recall(fake->options.fleet, ask->id);
    ProtoWorkerRecallReply reply = { .keepsake = (char *) (gsize) keepsake };

    wire_call_reply(call, &reply);
}

static ProtoWorkerInspectReply *
inspect(FakeHost *fake, const ProtoWorkerInspectCall *ask)
{
    const ProtoDomain *domain = fake_fleet_find(fake->options.fleet, ask->id);
    ProtoWorkerInspectReply *reply = g_new0(ProtoWorkerInspectReply, 1);
    g_auto(ProtoDomainStats) stats = { 0 };
    ProtoWorkerInspectReply told = { .domain = { .id = ask->id } };

    if (domain != NULL)
        told.domain = show(domain);
    if (domain != NULL && ask->has_disk && ask->disk) {
        told.domain.has_disk_bytes = domain->has_disk_bytes;
        told.domain.disk_bytes = domain->disk_bytes;
    }
    if (domain != NULL && ask->has_stats && ask->stats &&
        fake_counters_read(fake->options.figures, domain, &stats))
        told.stats = &stats;
    proto_worker_inspect_reply_copy(&told, reply);
    return reply;
}

static void
do_inspect(FakeHost *fake, WireCall *call, const void *in)
{
    ProtoWorkerInspectReply *reply = inspect(fake, in);

    wire_call_reply(call, reply);
    proto_worker_inspect_reply_clear(reply);
    g_free(reply);
}

static void
grow_disk(ProtoDomain *entry, gint64 capacity_bytes)
{
    entry->disk_bytes =
        entry->has_disk_bytes ? MAX(entry->disk_bytes, capacity_bytes) : capacity_bytes;
    entry->has_disk_bytes = true;
}

static void
do_create_disk(FakeHost *fake, WireCall *call, const void *in)
{
    const ProtoWorkerCreateDiskCall *ask = in;
    ProtoDomain *entry = fake_fleet_ensure(fake->options.fleet, ask->id);

    grow_disk(entry, ask->capacity_bytes);
    fake_fleet_note(fake->options.fleet, entry);
    wire_call_reply(call, NULL);
}

static void
take(char **member, const char *text)
{
    g_free(*member);
    *member = g_strdup(text);
}

static void
do_define(FakeHost *fake, WireCall *call, const void *in)
{
    const ProtoDomainSpec *spec = &((const ProtoWorkerDefineCall *) in)->spec;
    ProtoDomain *domain = fake_fleet_ensure(fake->options.fleet, spec->id);

    take(&domain->tenant, spec->tenant);
    take(&domain->name, spec->name);
    domain->generation = spec->generation;
    if (!is_active(domain)) {
        domain->vcpus = spec->vcpus;
        domain->memory_bytes = spec->memory_bytes;
        domain->state = DOMAIN_STATE_STOPPED;
    }
    fake_fleet_note(fake->options.fleet, domain);
    fake_fleet_keep(fake->options.fleet, spec->id, spec->keepsake);
    wire_call_reply(call, NULL);
}

static void
do_start(FakeHost *fake, WireCall *call, const void *in)
{
    ProtoDomain *domain = find(fake, call, ((const ProtoWorkerStartCall *) in)->id);
    ProtoWorkerStartReply reply = { 0 };

    if (domain == NULL)
        return;
    if (domain->state != DOMAIN_STATE_RUNNING) {
        set_state(fake, domain, DOMAIN_STATE_RUNNING);
        wait_for_agent(fake, domain);
    }
    reply.domain = *domain;
    wire_call_reply(call, &reply);
}

static void
do_power_off(FakeHost *fake, WireCall *call, const void *in)
{
    ProtoDomain *domain =
        fake_fleet_find(fake->options.fleet, ((const ProtoWorkerPowerOffCall *) in)->id);

    if (domain != NULL && is_active(domain))
        set_state(fake, domain, DOMAIN_STATE_STOPPED);
    wire_call_reply(call, NULL);
}

static void
do_pause(FakeHost *fake, WireCall *call, const void *in)
{
    ProtoDomain *domain =
        find_active(fake, call, ((const ProtoWorkerPauseCall *) in)->id);
    ProtoWorkerPauseReply reply = { 0 };

    if (domain == NULL)
        return;
    set_state(fake, domain, DOMAIN_STATE_PAUSED);
    reply.domain = *domain;
    wire_call_reply(call, &reply);
}

static void
do_resume(FakeHost *fake, WireCall *call, const void *in)
{
    ProtoDomain *domain =
        find_active(fake, call, ((const ProtoWorkerResumeCall *) in)->id);
    ProtoWorkerResumeReply reply = { 0 };

    if (domain == NULL)
        return;
    set_state(fake, domain, DOMAIN_STATE_RUNNING);
    reply.domain = *domain;
    wire_call_reply(call, &reply);
}

static void
do_resize(FakeHost *fake, WireCall *call, const void *in)
{
    const ProtoWorkerResizeCall *ask = in;
    ProtoWorkerResizeReply reply = { .disk_bytes = ask->disk_bytes };
    ProtoDomain *domain = find(fake, call, ask->id);
    const ScriptRule *rule = NULL;

    if (domain == NULL)
        return;
    if (domain->state == DOMAIN_STATE_RUNNING && fake->options.figures->live_resize) {
        domain->vcpus = MAX(domain->vcpus, ask->vcpus);
        domain->memory_bytes = MAX(domain->memory_bytes, ask->memory_bytes);
    }
    grow_disk(domain, ask->disk_bytes);
    fake_fleet_note(fake->options.fleet, domain);
    rule = fake->options.match(SCRIPT_RESIZED, in, fake->options.data);
    if (rule != NULL) {
        fail_as_scripted(call, rule);
        return;
    }
    reply.vcpus = domain->vcpus;
    reply.memory_bytes = domain->memory_bytes;
    reply.guest = (ProtoGuest){ true, domain->vcpus, true, domain->memory_bytes };
    if (reply.vcpus != ask->vcpus || reply.memory_bytes != ask->memory_bytes)
        reply.note = (char *) (gsize) "the guest does not let go of it";
    wire_call_reply(call, &reply);
}

static void
do_remove(FakeHost *fake, WireCall *call, const void *in)
{
    fake_fleet_remove(fake->options.fleet, ((const ProtoWorkerRemoveCall *) in)->id);
    wire_call_reply(call, NULL);
}

/* Everybody is well of whom no rule says otherwise, with its message. */
static void
do_check_health(FakeHost *fake, WireCall *call, const void *in)
{
    const ScriptRule *rule = fake->options.match(SCRIPT_SICK, in, fake->options.data);
    ProtoWorkerCheckHealthReply reply = {
        .healthy = rule == NULL,
        .reason = rule != NULL ? rule->message : NULL,
    };

    wire_call_reply(call, &reply);
}

static void
do_read_log(FakeHost *fake, WireCall *call, const void *in)
{
    static const char text[] = "Welcome to a guest that is not there\n";
    g_autofree char *data = g_base64_encode((const guchar *) text, sizeof text - 1);
    ProtoWorkerReadLogReply reply = { data, 0, sizeof text - 1 };

    wire_call_reply(call, &reply);
}

/* A template without files: its manifest from the import folder, or made up. */
static void
do_import_template(FakeHost *fake, WireCall *call, const void *in)
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

    GError *error = NULL;

    if (ask->sha256 != NULL && strcmp(ask->sha256, reply.sha256) != 0) {
        proto_error_set_invalid_parameter(&error, "sha256", "is another image's",
                                          "The disk image is another one");
        wire_call_fail(call, error);
        return;
    }
    fake_fleet_note_template(fake->options.fleet, ask->id);
    wire_call_reply(call, &reply);
}

static void
do_remove_template(FakeHost *fake, WireCall *call, const void *in)
{
    fake_fleet_remove(fake->options.fleet,
                      ((const ProtoWorkerRemoveTemplateCall *) in)->id);
    wire_call_reply(call, NULL);
}

/* A disk alone is an entry without a domain; a seed comes with the domain. */
static void
do_inventory(FakeHost *fake, WireCall *call, const void *in)
{
    static const HeldKind kinds[] = { HELD_KIND_DISK, HELD_KIND_SEED, HELD_KIND_DOMAIN };
    static const HeldKind template_kind = HELD_KIND_TEMPLATE;
    g_autoptr(GPtrArray) all = fake_fleet_list(fake->options.fleet);

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
do_forget_runs(FakeHost *fake, WireCall *call, const void *in)
{
    gint64 until_ms = ((const ProtoWorkerForgetRunsCall *) in)->until_wall_ms;
    g_autoptr(GPtrArray) all = fake_fleet_list(fake->options.fleet);

    for (guint i = 0; i < all->len; i++) {
        fake_fleet_forget_runs(fake->options.fleet, all->pdata[i], until_ms);
    }
    wire_call_reply(call, NULL);
}

static void
do_stats(FakeHost *fake, WireCall *call, const void *in)
{
    g_autoptr(GPtrArray) all = fake_fleet_list(fake->options.fleet);

    for (guint i = 0; i < all->len; i += STATS_BATCH) {
        g_autofree char *samples =
            fake_counters_pack(fake->options.figures, all, i, STATS_BATCH);
        ProtoWorkerStatsReply part = { samples };

        wire_call_continue(call, &part);
    }
    wire_call_reply(call, &(ProtoWorkerStatsReply){ (char *) (gsize) "" });
}

static void
on_watcher_gone(WireCall *call, gpointer data)
{
    g_ptr_array_remove(((FakeHost *) data)->watchers, call);
}

static void
do_watch(FakeHost *fake, WireCall *call, const void *in)
{
    /* It is at its end: there is nobody to tell. */
    if (fake->server == NULL) {
        wire_call_reply(call, NULL);
        return;
    }
    g_ptr_array_add(fake->watchers, call);
    wire_call_park(call, on_watcher_gone, fake);
}

#define HANDLER(name, Type, perform)                                                     \
    static void call_##name(WireCall *call, const ProtoWorker##Type##Call *in)           \
    {                                                                                    \
        meet_rule(call, in, perform);                                                    \
    }

HANDLER(probe, Probe, do_probe)
HANDLER(ping, Ping, do_nothing)
HANDLER(list_domains, ListDomains, do_list_domains)
HANDLER(list_foreign, ListForeign, do_list_foreign)
HANDLER(recall, Recall, do_recall)
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
HANDLER(check_health, CheckHealth, do_check_health)
HANDLER(read_log, ReadLog, do_read_log)
HANDLER(import_template, ImportTemplate, do_import_template)
HANDLER(remove_template, RemoveTemplate, do_remove_template)
HANDLER(inventory, Inventory, do_inventory)
HANDLER(forget_runs, ForgetRuns, do_forget_runs)
HANDLER(stats, Stats, do_stats)
HANDLER(watch, Watch, do_watch)

static const ProtoWorkerHandlers handlers = {
    .probe = call_probe,
    .ping = call_ping,
    .list_domains = call_list_domains,
    .list_foreign = call_list_foreign,
    .recall = call_recall,
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
    .check_health = call_check_health,
    .read_log = call_read_log,
    .import_template = call_import_template,
    .remove_template = call_remove_template,
    .inventory = call_inventory,
    .forget_runs = call_forget_runs,
    .stats = call_stats,
    .watch = call_watch,
};

/* Life */

static void
on_closed(gpointer data)
{
    FakeHost *fake = data;

    if (--fake->n_open == 0 && fake->options.left != NULL)
        fake->options.left(fake->options.data);
}

FakeHost *
fake_host_new(const FakeHostOptions *options, const int *fds, guint n_fds)
{
    FakeHost *fake = g_new0(FakeHost, 1);
    g_autoptr(GPtrArray) all = fake_fleet_list(options->fleet);
    const WireServerOptions served = {
        .vendor = "vmctl",
        .product = "vmd-fakehost",
        .version = VMCTL_VERSION,
        .url = "https://vmctl.io",
        .limits = WIRE_LIMITS_PEER,
        .data = fake,
    };

    fake->options = *options;
    fake->n_open = n_fds;
    fake->watchers = g_ptr_array_new();
    fake->server = wire_server_new(&served);
    wire_server_add(fake->server, &proto_worker_interface, &handlers);
    for (guint i = 0; i < n_fds; i++) {
        wire_server_attach(fake->server, fds[i], on_closed, fake);
    }
    for (guint i = 0; i < all->len; i++) {
        const ProtoDomain *domain = all->pdata[i];

        if (domain->state == DOMAIN_STATE_RUNNING && !domain->agent)
            wait_for_agent(fake, domain);
    }
    return fake;
}

void
fake_host_free(FakeHost *fake, bool carries_out)
{
    if (fake == NULL)
        return;
    end(fake);
    for (Delayed *delayed = g_queue_pop_head(&fake->waiting); delayed != NULL;
         delayed = g_queue_pop_head(&fake->waiting)) {
        (carries_out ? carry_out : drop)(delayed);
    }
    g_queue_clear_full(&fake->boots, (GDestroyNotify) boot_free);
    g_ptr_array_unref(fake->watchers);
    g_free(fake);
}
