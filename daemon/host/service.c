/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/service.h"

#include "base/clock.h"
#include "build-config.h"
#include "host/console-log.h"
#include "host/domain.h"
#include "host/guests.h"
#include "host/health.h"
#include "host/import.h"
#include "host/inventory.h"
#include "host/jobs.h"
#include "host/probe.h"
#include "host/resize.h"
#include "host/runs.h"
#include "host/seed.h"
#include "host/stats.h"
#include "host/volumes.h"
#include "wire/pack.h"
#include "wire/server.h"

/*
 * How it works
 *
 * A call becomes a job: its function runs on a thread with the parameters and the room
 * for a reply, and when it is done the main loop answers.  What a job wants of the main
 * loop's tables (the guests) is filled in then.
 */

enum {
    /* Who receives one answers nobody else meanwhile. */
    BATCH = 50,
    STATS_BATCH = 20,
    FOREIGN_ROWS = 500
};

typedef struct {
    Connection *connection;
    /** What guests are asked over: libvirtd works on few calls of a connection side by
     * side, and all that hang may be of guests that say nothing. */
    Connection *for_guests;
    Jobs *jobs;
    Guests *guests;
    Runs *runs;
    WireServer *server;
    GMainLoop *loop;
    guint n_open;
    /** Read by jobs: set at each probe, before anything is defined. */
    gint kvm;
    /** Parked calls of Watch. */
    GPtrArray *watchers;
} Service;

/* Watch */

static void
tell(Service *service, HostEventKind kind, const ProtoDomain *domain)
{
    g_autofree char *now = clock_format_time(clock_wall_ms());
    ProtoWorkerWatchReply reply = {
        .kind = kind,
        .domain = (ProtoDomain *) (gsize) domain,
        .at = now,
    };
    g_autoptr(GPtrArray) watchers = g_ptr_array_copy(service->watchers, NULL, NULL);

    for (guint i = 0; i < watchers->len; i++) {
        if (g_ptr_array_find(service->watchers, watchers->pdata[i], NULL))
            wire_call_continue(watchers->pdata[i], &reply);
    }
}

static void
on_watcher_gone(WireCall *call, gpointer data)
{
    Service *service = data;

    g_ptr_array_remove(service->watchers, call);
}

/** A domain that is looked at because something happened to it. */
typedef struct {
    Service *service;
    HostEventKind kind;
    char *id;
    guint64 runs_known;
    ProtoDomain domain;
    bool good;
} Glance;

static void
glance_work(gpointer data)
{
    Glance *glance = data;
    g_autoptr(virConnect) libvirt = connection_get(glance->service->connection, NULL);

    glance->good =
        libvirt != NULL && domain_inspect(libvirt, glance->id, &glance->domain, NULL);
}

static void
glance_done(gpointer data)
{
    Glance *glance = data;

    if (glance->good) {
        if (glance->domain.state != DOMAIN_STATE_RUNNING &&
            glance->domain.state != DOMAIN_STATE_PAUSED)
            guests_forget(glance->service->guests, glance->id);
        guests_fill(glance->service->guests, &glance->domain);
        runs_fill(glance->service->runs, glance->runs_known, &glance->domain);
        tell(glance->service, glance->kind, &glance->domain);
    }
    proto_domain_clear(&glance->domain);
    g_free(glance->id);
    g_free(glance);
}

static void
glance_at(Service *service, HostEventKind kind, const char *id)
{
    Glance *glance = g_new0(Glance, 1);

    glance->service = service;
    glance->kind = kind;
    glance->id = g_strdup(id);
    glance->runs_known = runs_read(service->runs);
    jobs_push(service->jobs, JOB_QUERY, NULL, glance_work, glance_done, glance);
}

static void
on_guest_changed(const char *id, gpointer data)
{
    glance_at(data, HOST_EVENT_KIND_GUEST, id);
}

static bool
get_id(virDomainPtr domain, char *ret_id)
{
    return g_str_has_prefix(virDomainGetName(domain), "vmctl-") &&
           virDomainGetUUIDString(domain, ret_id) == 0;
}

static int
on_lifecycle(
    virConnectPtr libvirt, virDomainPtr domain, int event, int detail, void *data)
{
    Service *service = data;
    char id[VIR_UUID_STRING_BUFLEN];

    if (!get_id(domain, id))
        return 0;
    if (event == VIR_DOMAIN_EVENT_STARTED || event == VIR_DOMAIN_EVENT_STOPPED ||
        event == VIR_DOMAIN_EVENT_CRASHED)
        guests_forget(service->guests, id);
    glance_at(service, HOST_EVENT_KIND_DOMAIN, id);
    return 0;
}

static void
on_agent(virConnectPtr libvirt, virDomainPtr domain, int state, int reason, void *data)
{
    Service *service = data;
    char id[VIR_UUID_STRING_BUFLEN];

    if (get_id(domain, id) &&
        state == VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED)
        guests_hear(service->guests, id);
}

static void
on_opened(virConnectPtr libvirt, gpointer data)
{
    virConnectDomainEventRegisterAny(libvirt, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                     VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), data, NULL);
    virConnectDomainEventRegisterAny(libvirt, NULL, VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
                                     VIR_DOMAIN_EVENT_CALLBACK(on_agent), data, NULL);
}

static void
on_lost(gpointer data)
{
    Service *service = data;

    guests_forget_all(service->guests);
    tell(service, HOST_EVENT_KIND_DISCONNECTED, NULL);
}

/* It is opened again when it is needed. */
static void
on_guests_opened(virConnectPtr libvirt, gpointer data)
{
}

static void
on_guests_lost(gpointer data)
{
}

/* Calls as jobs */

typedef struct Task Task;

/** What a job does: reads in, fills out. */
typedef bool (*TaskWork)(Task *task, virConnectPtr libvirt, GError **error);

struct Task {
    Service *service;
    WireCall *call;
    TaskWork work;
    const void *in;
    /** The method's reply struct. */
    void *out;
    /** Rows of a reply that is sent in batches. */
    GArray *rows;
    /** What was known of runs before the job began. */
    guint64 runs_known;
    Connection *connection;
    /** Opens libvirt if it is not open. */
    bool opens;
    GError *error;
    /** Runs on the main loop before the answer; NULL for none. */
    void (*finish)(Task *task);
};

static void
task_work(gpointer data)
{
    Task *task = data;
    g_autoptr(virConnect) libvirt = task->opens
                                        ? connection_open(task->connection, &task->error)
                                        : connection_get(task->connection, &task->error);

    if (libvirt != NULL && !task->work(task, libvirt, &task->error) &&
        task->error == NULL)
        proto_error_set_host_failed(&task->error, "",
                                    "The host failed and did not say why");
}

static void
task_done(gpointer data)
{
    Task *task = data;
    const WireStruct *type = wire_call_get_method(task->call)->reply;

    if (task->error != NULL) {
        wire_call_fail(task->call, task->error);
    } else {
        if (task->finish != NULL)
            task->finish(task);
        wire_call_reply(task->call, task->out);
    }
    wire_struct_clear(type, task->out);
    g_free(task->out);
    g_clear_pointer(&task->rows, g_array_unref);
    g_free(task);
}

static Task *
task_new(WireCall *call, const void *in, TaskWork work)
{
    Task *task = g_new0(Task, 1);

    task->service = wire_call_get_data(call);
    task->connection = task->service->connection;
    task->call = call;
    task->in = in;
    task->work = work;
    task->out = g_malloc0(wire_call_get_method(call)->reply->size);
    return task;
}

static void
submit(Task *task, JobLane lane, const char *key)
{
    jobs_push(task->service->jobs, lane, key, task_work, task_done, task);
}

static const HostOptions *
options_of(Task *task)
{
    return connection_get_options(task->service->connection);
}

/* Probe and lists */

static bool
work_probe(Task *task, virConnectPtr libvirt, GError **error)
{
    if (probe_host(libvirt, options_of(task), task->out, error))
        return true;
    /* What is wrong may be with the connection, as one that may only look. */
    connection_drop(task->service->connection, libvirt);
    return false;
}

static void
finish_probe(Task *task)
{
    const ProtoWorkerProbeReply *reply = task->out;

    g_atomic_int_set(&task->service->kvm, g_str_equal(reply->accel, "kvm"));
}

static void
probe(WireCall *call, const ProtoWorkerProbeCall *in)
{
    Task *task = task_new(call, in, work_probe);

    task->opens = true;
    task->finish = finish_probe;
    submit(task, JOB_QUERY, "probe");
}

static void
ping(WireCall *call, const ProtoWorkerPingCall *in)
{
    wire_call_reply(call, NULL);
}

static bool
work_list(Task *task, virConnectPtr libvirt, GError **error)
{
    gint64 foreign = 0;

    task->rows = domain_list(libvirt, &foreign, error);
    return task->rows != NULL;
}

/* Sends all rows but the last batch, which becomes the reply. */
static void
finish_list(Task *task)
{
    ProtoDomain *rows = (ProtoDomain *) (gpointer) task->rows->data;
    ProtoWorkerListDomainsReply batch = { .domains = rows, .n_domains = task->rows->len };

    for (guint i = 0; i < task->rows->len; i++) {
        bool on = rows[i].state == DOMAIN_STATE_RUNNING;

        guests_fill(task->service->guests, &rows[i]);
        runs_fill(task->service->runs, task->runs_known, &rows[i]);
        if (on && !rows[i].agent)
            guests_watch(task->service->guests, rows[i].id);
    }
    for (; batch.n_domains > BATCH; batch.domains += BATCH, batch.n_domains -= BATCH) {
        ProtoWorkerListDomainsReply part = { .domains = batch.domains,
                                             .n_domains = BATCH };

        wire_call_continue(task->call, &part);
    }
    for (gsize i = 0; i < batch.n_domains; i++) {
        ProtoWorkerListDomainsReply *out = task->out;

        out->domains = g_renew(ProtoDomain, out->domains, out->n_domains + 1);
        proto_domain_copy(&batch.domains[i], &out->domains[out->n_domains++]);
    }
}

static void
list_domains(WireCall *call, const ProtoWorkerListDomainsCall *in)
{
    Task *task = task_new(call, in, work_list);

    task->finish = finish_list;
    task->runs_known = runs_read(task->service->runs);
    submit(task, JOB_QUERY, NULL);
}

static bool
work_list_foreign(Task *task, virConnectPtr libvirt, GError **error)
{
    ProtoWorkerListForeignReply *out = task->out;
    GArray *rows = domain_list_foreign(libvirt, FOREIGN_ROWS, error);

    if (rows == NULL)
        return false;
    out->n_domains = rows->len;
    out->domains = (ProtoForeign *) (gpointer) g_array_free(rows, FALSE);
    return true;
}

static void
list_foreign(WireCall *call, const ProtoWorkerListForeignCall *in)
{
    submit(task_new(call, in, work_list_foreign), JOB_QUERY, NULL);
}

static bool
work_inventory(Task *task, virConnectPtr libvirt, GError **error)
{
    task->rows = inventory_read(libvirt, options_of(task), error);
    return task->rows != NULL;
}

static void
finish_inventory(Task *task)
{
    ProtoHeld *rows = (ProtoHeld *) (gpointer) task->rows->data;

    for (guint i = 0; i < task->rows->len; i += BATCH) {
        ProtoWorkerInventoryReply part = {
            .objects = rows + i,
            .n_objects = MIN(BATCH, task->rows->len - i),
        };

        wire_call_continue(task->call, &part);
    }
}

static void
inventory(WireCall *call, const ProtoWorkerInventoryCall *in)
{
    Task *task = task_new(call, in, work_inventory);

    task->finish = finish_inventory;
    submit(task, JOB_QUERY, "inventory");
}

static bool
work_stats(Task *task, virConnectPtr libvirt, GError **error)
{
    task->rows = stats_read(libvirt, error);
    return task->rows != NULL;
}

static char *
pack_samples(GArray *rows, guint first)
{
    g_autoptr(GByteArray) packed = g_byte_array_new();

    for (guint i = first; i < MIN(first + STATS_BATCH, rows->len); i++) {
        wire_struct_pack(&proto_domain_stats_type,
                         &g_array_index(rows, ProtoDomainStats, i), packed);
    }
    return g_base64_encode(packed->data, packed->len);
}

static void
finish_stats(Task *task)
{
    ProtoWorkerStatsReply *out = task->out;

    for (guint i = 0; i < task->rows->len; i += STATS_BATCH) {
        g_autofree char *samples = pack_samples(task->rows, i);
        ProtoWorkerStatsReply part = { samples };

        wire_call_continue(task->call, &part);
    }
    out->samples = g_strdup("");
}

static void
stats(WireCall *call, const ProtoWorkerStatsCall *in)
{
    Task *task = task_new(call, in, work_stats);

    task->finish = finish_stats;
    submit(task, JOB_QUERY, "stats");
}

static void
forget_runs(WireCall *call, const ProtoWorkerForgetRunsCall *in)
{
    Service *service = wire_call_get_data(call);

    runs_forget(service->runs, in->until_wall_ms);
    wire_call_reply(call, NULL);
}

static void
watch(WireCall *call, const ProtoWorkerWatchCall *in)
{
    Service *service = wire_call_get_data(call);

    g_ptr_array_add(service->watchers, call);
    wire_call_park(call, on_watcher_gone, service);
}

/* One domain */

/* What cannot be read now is not told. */
static void
read_disk(virConnectPtr libvirt, const HostOptions *options, ProtoDomain *domain)
{
    g_autoptr(virStoragePool) pool = volumes_open_pool(libvirt, options, NULL);
    g_autofree char *disk = volumes_name("d", domain->id, "qcow2");

    domain->disk_bytes = pool != NULL ? volumes_get_capacity(pool, disk) : -1;
    domain->has_disk_bytes = domain->disk_bytes >= 0;
}

static bool
work_inspect(Task *task, virConnectPtr libvirt, GError **error)
{
    const ProtoWorkerInspectCall *in = task->in;
    ProtoWorkerInspectReply *out = task->out;

    if (!domain_inspect(libvirt, in->id, &out->domain, error))
        return false;
    if (in->has_stats && in->stats)
        out->stats = stats_read_one(libvirt, in->id);
    if (in->has_disk && in->disk)
        read_disk(libvirt, options_of(task), &out->domain);
    return true;
}

static void
finish_inspect(Task *task)
{
    ProtoWorkerInspectReply *out = task->out;

    guests_fill(task->service->guests, &out->domain);
    runs_fill(task->service->runs, task->runs_known, &out->domain);
}

static void
inspect(WireCall *call, const ProtoWorkerInspectCall *in)
{
    Task *task = task_new(call, in, work_inspect);

    task->finish = finish_inspect;
    task->runs_known = runs_read(task->service->runs);
    submit(task, JOB_QUERY, NULL);
}

static bool
work_recall(Task *task, virConnectPtr libvirt, GError **error)
{
    const ProtoWorkerRecallCall *in = task->in;
    ProtoWorkerRecallReply *out = task->out;
    g_autoptr(virStoragePool) pool = volumes_open_pool(libvirt, options_of(task), error);
    g_autofree char *disk = volumes_name("d", in->id, "qcow2");
    GError *failure = NULL;

    if (pool == NULL)
        return false;
    out->keepsake = domain_recall(libvirt, in->id, &failure);
    if (failure != NULL) {
        g_propagate_error(error, failure);
        return false;
    }
    out->disk_bytes = volumes_get_capacity(pool, disk);
    out->has_disk_bytes = out->disk_bytes >= 0;
    return true;
}

static void
recall(WireCall *call, const ProtoWorkerRecallCall *in)
{
    submit(task_new(call, in, work_recall), JOB_QUERY, NULL);
}

static bool
work_create_disk(Task *task, virConnectPtr libvirt, GError **error)
{
    const ProtoWorkerCreateDiskCall *in = task->in;
    g_autoptr(virStoragePool) pool = volumes_open_pool(libvirt, options_of(task), error);
    g_autofree char *template = volumes_name("t", in->template_id, "qcow2");
    g_autofree char *disk = volumes_name("d", in->id, "qcow2");
    g_autofree char *path = pool != NULL ? volumes_get_path(pool, template, error) : NULL;

    return path != NULL &&
           volumes_create_overlay(pool, disk, path, in->capacity_bytes, error);
}

static void
create_disk(WireCall *call, const ProtoWorkerCreateDiskCall *in)
{
    submit(task_new(call, in, work_create_disk), JOB_GENERAL, in->id);
}

static bool
work_create_seed(Task *task, virConnectPtr libvirt, GError **error)
{
    const ProtoWorkerCreateSeedCall *in = task->in;
    g_autoptr(GBytes) image = seed_make(in, error);
    g_autofree char *name = volumes_name("s", in->id, "iso");
    g_autoptr(virStoragePool) pool =
        image != NULL ? volumes_open_pool(libvirt, options_of(task), error) : NULL;

    return pool != NULL && volumes_upload_bytes(libvirt, pool, name, image, error);
}

static void
create_seed(WireCall *call, const ProtoWorkerCreateSeedCall *in)
{
    submit(task_new(call, in, work_create_seed), JOB_GENERAL, in->id);
}

static bool
work_define(Task *task, virConnectPtr libvirt, GError **error)
{
    const ProtoWorkerDefineCall *in = task->in;

    return domain_define(libvirt, options_of(task),
                         g_atomic_int_get(&task->service->kvm) != 0, &in->spec, error);
}

static void
define(WireCall *call, const ProtoWorkerDefineCall *in)
{
    submit(task_new(call, in, work_define), JOB_GENERAL, in->spec.id);
}

static bool
work_start(Task *task, virConnectPtr libvirt, GError **error)
{
    const ProtoWorkerStartCall *in = task->in;
    ProtoWorkerStartReply *out = task->out;

    return domain_start(libvirt, in->id, &out->domain, error);
}

static void
start(WireCall *call, const ProtoWorkerStartCall *in)
{
    submit(task_new(call, in, work_start), JOB_GENERAL, in->id);
}

static bool
work_shutdown(Task *task, virConnectPtr libvirt, GError **error)
{
    return domain_shutdown(libvirt, task->service->for_guests,
                           ((const ProtoWorkerShutdownCall *) task->in)->id, error);
}

static void
shut_down(WireCall *call, const ProtoWorkerShutdownCall *in)
{
    submit(task_new(call, in, work_shutdown), JOB_GENERAL, in->id);
}

static bool
work_power_off(Task *task, virConnectPtr libvirt, GError **error)
{
    return domain_power_off(libvirt, ((const ProtoWorkerPowerOffCall *) task->in)->id,
                            error);
}

/* In no order with the domain's other calls: it is what ends one that hangs. */
static void
power_off(WireCall *call, const ProtoWorkerPowerOffCall *in)
{
    submit(task_new(call, in, work_power_off), JOB_URGENT, NULL);
}

static bool
work_pause(Task *task, virConnectPtr libvirt, GError **error)
{
    ProtoWorkerPauseReply *out = task->out;

    return domain_pause(libvirt, ((const ProtoWorkerPauseCall *) task->in)->id,
                        &out->domain, error);
}

static void
pause_domain(WireCall *call, const ProtoWorkerPauseCall *in)
{
    submit(task_new(call, in, work_pause), JOB_GENERAL, in->id);
}

static bool
work_resume(Task *task, virConnectPtr libvirt, GError **error)
{
    ProtoWorkerResumeReply *out = task->out;

    return domain_resume(libvirt, ((const ProtoWorkerResumeCall *) task->in)->id,
                         &out->domain, error);
}

static void
resume(WireCall *call, const ProtoWorkerResumeCall *in)
{
    submit(task_new(call, in, work_resume), JOB_GENERAL, in->id);
}

static bool
work_resize(Task *task, virConnectPtr libvirt, GError **error)
{
    return resize_domain(libvirt, task->service->for_guests, options_of(task), task->in,
                         task->out, error);
}

static void
resize(WireCall *call, const ProtoWorkerResizeCall *in)
{
    submit(task_new(call, in, work_resize), JOB_TALK, in->id);
}

static bool
work_remove(Task *task, virConnectPtr libvirt, GError **error)
{
    const ProtoWorkerRemoveCall *in = task->in;

    return domain_remove(libvirt, options_of(task), in->id, error);
}

static void
remove_domain(WireCall *call, const ProtoWorkerRemoveCall *in)
{
    submit(task_new(call, in, work_remove), JOB_URGENT, in->id);
}

static bool
work_check_health(Task *task, virConnectPtr libvirt, GError **error)
{
    return health_check(libvirt, task->in, task->out, error);
}

static void
check_health(WireCall *call, const ProtoWorkerCheckHealthCall *in)
{
    Task *task = task_new(call, in, work_check_health);

    task->connection = task->service->for_guests;
    task->opens = true;
    submit(task, JOB_HEALTH, NULL);
}

static bool
work_read_log(Task *task, virConnectPtr libvirt, GError **error)
{
    return console_log_read(options_of(task), task->in, task->out, error);
}

static void
read_log(WireCall *call, const ProtoWorkerReadLogCall *in)
{
    submit(task_new(call, in, work_read_log), JOB_QUERY, NULL);
}

/* Templates */

static bool
work_import(Task *task, virConnectPtr libvirt, GError **error)
{
    return import_template(libvirt, options_of(task), task->in, task->out, error);
}

static void
import(WireCall *call, const ProtoWorkerImportTemplateCall *in)
{
    submit(task_new(call, in, work_import), JOB_GENERAL, in->id);
}

static bool
work_remove_template(Task *task, virConnectPtr libvirt, GError **error)
{
    const ProtoWorkerRemoveTemplateCall *in = task->in;

    return import_remove(libvirt, options_of(task), in->id, error);
}

static void
remove_template(WireCall *call, const ProtoWorkerRemoveTemplateCall *in)
{
    submit(task_new(call, in, work_remove_template), JOB_URGENT, in->id);
}

static const ProtoWorkerHandlers handlers = {
    .probe = probe,
    .ping = ping,
    .list_domains = list_domains,
    .list_foreign = list_foreign,
    .inspect = inspect,
    .recall = recall,
    .create_disk = create_disk,
    .create_seed = create_seed,
    .define = define,
    .start = start,
    .shutdown = shut_down,
    .power_off = power_off,
    .pause = pause_domain,
    .resume = resume,
    .resize = resize,
    .remove = remove_domain,
    .check_health = check_health,
    .read_log = read_log,
    .import_template = import,
    .remove_template = remove_template,
    .inventory = inventory,
    .forget_runs = forget_runs,
    .stats = stats,
    .watch = watch,
};

static void
on_closed(gpointer data)
{
    Service *service = data;

    if (--service->n_open == 0)
        g_main_loop_quit(service->loop);
}

void
service_start(const HostOptions *options, const int *fds, guint n_fds, GMainLoop *loop)
{
    Service *service = g_new0(Service, 1);
    const WireServerOptions server = {
        .vendor = "vmctl",
        .product = "vmd-host",
        .version = VMCTL_VERSION,
        .url = "https://vmctl.io",
        .limits = WIRE_LIMITS_PEER,
        .data = service,
    };

    service->loop = loop;
    service->jobs = jobs_new();
    service->connection = connection_new(options, on_opened, on_lost, service);
    service->for_guests = connection_new(options, on_guests_opened, on_guests_lost, NULL);
    service->guests =
        guests_new(service->for_guests, service->jobs, on_guest_changed, service);
    service->runs = runs_new(options->runs_dir);
    service->watchers = g_ptr_array_new();
    service->n_open = n_fds;
    service->server = wire_server_new(&server);
    wire_server_add(service->server, &proto_worker_interface, &handlers);
    for (guint i = 0; i < n_fds; i++) {
        wire_server_attach(service->server, fds[i], on_closed, service);
    }
}
