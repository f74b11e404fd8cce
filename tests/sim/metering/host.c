/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/metering/host.h"

#include <string.h>

#include "base/clock.h"
#include "fleet/host.h"
#include "sim/metering/guests.h"
#include "sim/metering/oracle.h"
#include "sim/metering/vmd.h"
#include "sim/world.h"
#include "wire/pack.h"

enum {
    LATENCY_MS = 20,
    SLOW_MS = 40000,
    LATE_MS = 3000,
    LIST_EVERY_MS = 30000,
    AWAY_MS = 30000,
    BOGUS_NS = 1000000000,
    SHUTDOWN_MS = 5000
};

typedef enum {
    FAULT_ERROR,
    FAULT_AWAY,
    FAULT_LOST_ANSWER,
    FAULT_HANG,
    FAULT_SLOW,
    FAULT_DEAF,
    FAULT_EVENT_LOST,
    FAULT_EVENT_TWICE,
    FAULT_EVENT_LATE,
    FAULT_UNTOLD_CPU,
    FAULT_UNTOLD_DISK,
    FAULT_UNTOLD_NIC,
    FAULT_UNTOLD_DOMAIN,
    FAULT_TOLD_TWICE,
    FAULT_BOGUS,
    FAULTS,
} Fault;

static const guint rate_max[FAULTS] = {
    [FAULT_ERROR] = 100,         [FAULT_AWAY] = 30,         [FAULT_LOST_ANSWER] = 30,
    [FAULT_HANG] = 10,           [FAULT_SLOW] = 60,         [FAULT_DEAF] = 300,
    [FAULT_EVENT_LOST] = 500,    [FAULT_EVENT_TWICE] = 400, [FAULT_EVENT_LATE] = 500,
    [FAULT_UNTOLD_CPU] = 500,    [FAULT_UNTOLD_DISK] = 500, [FAULT_UNTOLD_NIC] = 500,
    [FAULT_UNTOLD_DOMAIN] = 300, [FAULT_TOLD_TWICE] = 300,  [FAULT_BOGUS] = 500,
};

typedef struct {
    Host *host;
    const WireMethod *method;
    gpointer in;
    WireLinkReply reply;
    gpointer data;
    guint source;
    bool hangs;
    bool loses_answer;
} Call;

typedef struct {
    ProtoDomain domain;
    guint source;
} Event;

struct Host {
    HostListener listener;
    HostConfig *config;
    ProtoHost view;
    GPtrArray *calls;
    GPtrArray *events;
    guint connect_source;
    guint list_source;
    guint lose_source;
};

static struct {
    guint rates[FAULTS];
    bool is_calm;
    Host *host;
} fates;

static bool
strikes(Fault fault)
{
    return !fates.is_calm && world_chance(fates.rates[fault]);
}

static void
set_state(Host *host, HostState state)
{
    if (host->view.state == state)
        return;
    host->view.state = state;
    world_trace("host is %s", host_state_to_string(state));
    host->listener.state_changed(host, host->listener.data);
}

/* Calls */

static void
call_free(gpointer data)
{
    Call *call = data;

    g_clear_handle_id(&call->source, g_source_remove);
    if (call->in != NULL)
        wire_struct_clear(call->method->call, call->in);
    g_free(call->in);
    g_free(call);
}

static void
fail(const Call *call)
{
    g_autoptr(GError) error = NULL;

    proto_error_set_host_unreachable(&error, "sim", "The host cannot be reached");
    call->reply(NULL, false, error, call->data);
}

static gboolean connect(gpointer data);

/* The worker is gone, and comes back. */
static void
lose(Host *host)
{
    g_autoptr(GPtrArray) calls = g_steal_pointer(&host->calls);

    host->calls = g_ptr_array_new_with_free_func(call_free);
    g_ptr_array_set_size(host->events, 0);
    set_state(host, HOST_STATE_UNREACHABLE);
    for (guint i = 0; i < calls->len; i++) {
        fail(calls->pdata[i]);
    }
    if (host->connect_source == 0)
        host->connect_source = g_timeout_add(1 + world_random(AWAY_MS), connect, host);
}

/* Domains */

static void
tell_all(Host *host)
{
    const GPtrArray *all = guests_get_all();
    g_autofree ProtoDomain *domains = g_new0(ProtoDomain, all->len + 1);
    gsize count = 0;

    for (guint i = 0; i < all->len; i++) {
        const Guest *guest = all->pdata[i];

        if (!guest->is_gone)
            guest_show(guest, &domains[count++]);
    }
    host->listener.listed(host, domains, count, host->listener.data);
    for (gsize i = 0; i < count; i++) {
        proto_domain_clear(&domains[i]);
    }
}

static gboolean
list_again(gpointer data)
{
    Host *host = data;

    if (host_is_connected(host))
        tell_all(host);
    return G_SOURCE_CONTINUE;
}

static gboolean
connect(gpointer data)
{
    Host *host = data;

    host->connect_source = 0;
    set_state(host, HOST_STATE_CONNECTED);
    tell_all(host);
    return G_SOURCE_REMOVE;
}

static void
event_free(gpointer data)
{
    Event *event = data;

    g_clear_handle_id(&event->source, g_source_remove);
    proto_domain_clear(&event->domain);
    g_free(event);
}

static gboolean
tell_event(gpointer data)
{
    Event *event = data;
    Host *host = fates.host;

    event->source = 0;
    host->listener.changed(host, HOST_EVENT_KIND_DOMAIN, &event->domain,
                           host->listener.data);
    g_ptr_array_remove(host->events, event);
    return G_SOURCE_REMOVE;
}

static void
add_event(const Guest *guest, guint delay_ms)
{
    Event *event = g_new0(Event, 1);

    guest_show(guest, &event->domain);
    event->source = g_timeout_add(delay_ms, tell_event, event);
    g_ptr_array_add(fates.host->events, event);
}

static void
on_guest_changed(Guest *guest)
{
    if (fates.host == NULL || !host_is_connected(fates.host) || strikes(FAULT_EVENT_LOST))
        return;
    if (strikes(FAULT_EVENT_TWICE))
        add_event(guest, world_random(LATE_MS));
    add_event(guest, world_random(strikes(FAULT_EVENT_LATE) ? LATE_MS : LATENCY_MS));
}

/* Counters */

/* Of a domain that is off libvirt tells figures which are not its own. */
static bool
tells_bogus(const Guest *guest)
{
    return guest_get_life(guest) != NULL && strikes(FAULT_BOGUS);
}

static ProtoDomainStats *
read_counters(Guest *guest)
{
    ProtoDomainStats *stats = NULL;

    if ((!guest_is_active(guest) && !tells_bogus(guest)) || strikes(FAULT_UNTOLD_DOMAIN))
        return NULL;
    stats = g_new0(ProtoDomainStats, 1);
    guest_read(guest, !strikes(FAULT_UNTOLD_CPU), !strikes(FAULT_UNTOLD_DISK),
               !strikes(FAULT_UNTOLD_NIC), stats);
    if (!guest_is_active(guest))
        stats->vcpus[0].time_ns += world_random(BOGUS_NS);
    return stats;
}

static void
tell_counters(const Call *call, Guest *guest)
{
    g_autofree ProtoDomainStats *stats = read_counters(guest);
    g_autoptr(GByteArray) packed = g_byte_array_new();
    ProtoWorkerStatsReply out = { 0 };

    if (stats == NULL)
        return;
    wire_struct_pack(&proto_domain_stats_type, stats, packed);
    out.samples = g_base64_encode(packed->data, packed->len);
    do {
        oracle_expect_reading(stats);
        call->reply(&out, true, NULL, call->data);
        oracle_end_reading(stats);
    } while (strikes(FAULT_TOLD_TWICE));
    g_free(out.samples);
    proto_domain_stats_clear(stats);
}

static void
do_stats(const Call *call)
{
    const GPtrArray *all = guests_get_all();
    ProtoWorkerStatsReply last = { .samples = (char *) (gsize) "" };

    for (guint i = 0; i < all->len; i++) {
        tell_counters(call, all->pdata[i]);
    }
    call->reply(&last, false, NULL, call->data);
}

/* Methods; each fills out, which its reply is. */

static bool
refuse_missing(GError **error, const char *id)
{
    proto_error_set_host_failed(error, "sim", "There is no domain %s", id);
    return false;
}

static bool
do_nothing(const void *in, void *out, GError **error)
{
    return true;
}

static bool
do_define(const void *in, void *out, GError **error)
{
    guest_define(&((const ProtoWorkerDefineCall *) in)->spec);
    return true;
}

static bool
do_start(const void *in, void *out, GError **error)
{
    const char *id = ((const ProtoWorkerStartCall *) in)->id;
    Guest *guest = guests_find(id);

    if (guest == NULL)
        return refuse_missing(error, id);
    if (!guest_is_active(guest))
        guest_set_state(guest, DOMAIN_STATE_RUNNING);
    guest_show(guest, &((ProtoWorkerStartReply *) out)->domain);
    return true;
}

static bool
do_shutdown(const void *in, void *out, GError **error)
{
    Guest *guest = guests_find(((const ProtoWorkerShutdownCall *) in)->id);

    if (guest != NULL && !strikes(FAULT_DEAF))
        guest_shut_down(guest, world_random(SHUTDOWN_MS));
    return true;
}

static bool
do_power_off(const void *in, void *out, GError **error)
{
    Guest *guest = guests_find(((const ProtoWorkerPowerOffCall *) in)->id);

    if (guest != NULL)
        guest_set_state(guest, DOMAIN_STATE_STOPPED);
    return true;
}

static bool
do_remove(const void *in, void *out, GError **error)
{
    Guest *guest = guests_find(((const ProtoWorkerRemoveCall *) in)->id);

    if (guest != NULL)
        guest_remove(guest);
    return true;
}

static bool
move(const char *id, DomainState from, DomainState to, ProtoDomain *out, GError **error)
{
    Guest *guest = guests_find(id);

    if (guest == NULL || (guest->state != from && guest->state != to))
        return refuse_missing(error, id);
    guest_set_state(guest, to);
    guest_show(guest, out);
    return true;
}

static bool
do_pause(const void *in, void *out, GError **error)
{
    return move(((const ProtoWorkerPauseCall *) in)->id, DOMAIN_STATE_RUNNING,
                DOMAIN_STATE_PAUSED, &((ProtoWorkerPauseReply *) out)->domain, error);
}

static bool
do_resume(const void *in, void *out, GError **error)
{
    return move(((const ProtoWorkerResumeCall *) in)->id, DOMAIN_STATE_PAUSED,
                DOMAIN_STATE_RUNNING, &((ProtoWorkerResumeReply *) out)->domain, error);
}

/* Half of the guests take no other size while they run. */
static bool
do_resize(const void *in, void *out, GError **error)
{
    const ProtoWorkerResizeCall *call = in;
    ProtoWorkerResizeReply *reply = out;
    Guest *guest = guests_find(call->id);

    if (guest == NULL)
        return refuse_missing(error, call->id);
    if (guest_is_active(guest) && g_str_hash(guest->id) % 2 == 0)
        guest_set_size(guest, call->vcpus, call->memory_bytes);
    *reply = (ProtoWorkerResizeReply){ .vcpus = guest->vcpus,
                                       .memory_bytes = guest->memory_bytes,
                                       .disk_bytes = call->disk_bytes };
    return true;
}

static bool
do_inspect(const void *in, void *out, GError **error)
{
    const ProtoWorkerInspectCall *call = in;
    ProtoWorkerInspectReply *reply = out;
    Guest *guest = guests_find(call->id);

    if (guest == NULL) {
        reply->domain = (ProtoDomain){ .id = g_strdup(call->id),
                                       .tenant = g_strdup(""),
                                       .name = g_strdup(""),
                                       .state = DOMAIN_STATE_ABSENT };
        return true;
    }
    guest_show(guest, &reply->domain);
    if (call->has_stats && call->stats)
        reply->stats = read_counters(guest);
    return true;
}

static const struct {
    const WireMethod *method;
    bool (*run)(const void *in, void *out, GError **error);
} methods[] = {
    { &proto_worker_inspect, do_inspect },     { &proto_worker_create_disk, do_nothing },
    { &proto_worker_create_seed, do_nothing }, { &proto_worker_define, do_define },
    { &proto_worker_start, do_start },         { &proto_worker_shutdown, do_shutdown },
    { &proto_worker_power_off, do_power_off }, { &proto_worker_pause, do_pause },
    { &proto_worker_resume, do_resume },       { &proto_worker_resize, do_resize },
    { &proto_worker_remove, do_remove },
};

static bool
run(const Call *call, void *out, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
        if (methods[i].method == call->method)
            return methods[i].run(call->in, out, error);
    }
    proto_error_set_host_failed(error, "sim", "%s is not simulated", call->method->name);
    return false;
}

/* It is done, and nobody gets the answer. */
static void
run_unheard(const Call *call)
{
    g_autofree gpointer out = g_malloc0(call->method->reply->size);

    if (call->method != &proto_worker_stats && run(call, out, NULL))
        wire_struct_clear(call->method->reply, out);
}

static void
answer(const Call *call)
{
    g_autofree gpointer out = g_malloc0(call->method->reply->size);
    g_autoptr(GError) error = NULL;
    const ProtoDomainStats *stats = NULL;

    if (strikes(FAULT_ERROR)) {
        proto_error_set_host_failed(&error, "sim", "simulated");
        call->reply(NULL, false, error, call->data);
        return;
    }
    if (!run(call, out, &error)) {
        call->reply(NULL, false, error, call->data);
        return;
    }
    if (call->method == &proto_worker_inspect)
        stats = ((const ProtoWorkerInspectReply *) out)->stats;
    if (stats != NULL)
        oracle_expect_reading(stats);
    call->reply(out, false, NULL, call->data);
    if (stats != NULL)
        oracle_end_reading(stats);
    wire_struct_clear(call->method->reply, out);
}

static gboolean
take_turn(gpointer data)
{
    Call *call = data;
    Host *host = call->host;

    call->source = 0;
    if (call->hangs) {
        lose(host);
        return G_SOURCE_REMOVE;
    }
    if (call->loses_answer) {
        run_unheard(call);
        lose(host);
        return G_SOURCE_REMOVE;
    }
    g_ptr_array_set_free_func(host->calls, NULL);
    g_ptr_array_remove(host->calls, call);
    g_ptr_array_set_free_func(host->calls, call_free);
    if (call->method == &proto_worker_stats) {
        do_stats(call);
    } else {
        answer(call);
    }
    call_free(call);
    return G_SOURCE_REMOVE;
}

static gboolean
lose_soon(gpointer data)
{
    Host *host = data;

    host->lose_source = 0;
    lose(host);
    return G_SOURCE_REMOVE;
}

void
host_call(Host *host,
          HostLane lane,
          const WireMethod *method,
          const void *in,
          gint64 timeout_ms,
          WireLinkReply reply,
          gpointer data)
{
    Call *call = g_new0(Call, 1);
    gint64 delay_ms = 1 + world_random(LATENCY_MS);

    *call = (Call){ .host = host, .method = method, .reply = reply, .data = data };
    if (!host_is_connected(host)) {
        fail(call);
        g_free(call);
        return;
    }
    if (in != NULL) {
        call->in = g_malloc0(method->call->size);
        wire_struct_copy(method->call, in, call->in);
    }
    call->hangs = strikes(FAULT_HANG);
    call->loses_answer = strikes(FAULT_LOST_ANSWER);
    if (strikes(FAULT_SLOW))
        delay_ms += world_random((guint) MIN(SLOW_MS, timeout_ms / 2));
    call->source =
        g_timeout_add((guint) (call->hangs ? timeout_ms : delay_ms), take_turn, call);
    g_ptr_array_add(host->calls, call);
    if (strikes(FAULT_AWAY) && host->lose_source == 0)
        host->lose_source = g_idle_add(lose_soon, host);
}

/* Life */

Host *
host_new(HostConfig *config, const HostListener *listener)
{
    Host *host = g_new0(Host, 1);

    host->listener = *listener;
    host->config = config;
    host->view = (ProtoHost){
        .name = g_strdup("sim"),
        .uri = g_strdup("sim:"),
        .state = HOST_STATE_STARTING,
        .vcpus = 1000,
        .memory_bytes = (gint64) 1 << 50,
        .disk_bytes = (gint64) 1 << 50,
    };
    host->calls = g_ptr_array_new_with_free_func(call_free);
    host->events = g_ptr_array_new_with_free_func(event_free);
    return host;
}

void
host_free(Host *host)
{
    if (host == NULL)
        return;
    fates.host = NULL;
    for (guint i = 0; i < host->calls->len; i++) {
        if (world_chance(500))
            run_unheard(host->calls->pdata[i]);
    }
    g_clear_handle_id(&host->connect_source, g_source_remove);
    g_clear_handle_id(&host->list_source, g_source_remove);
    g_clear_handle_id(&host->lose_source, g_source_remove);
    g_ptr_array_unref(host->calls);
    g_ptr_array_unref(host->events);
    proto_host_clear(&host->view);
    host_config_free(host->config);
    g_free(host);
}

void
host_start(Host *host)
{
    fates.host = host;
    host->connect_source = g_timeout_add(1 + world_random(LATENCY_MS), connect, host);
    host->list_source = g_timeout_add(LIST_EVERY_MS, list_again, host);
}

void
host_set_marks(Host *host, bool is_drained, char **labels)
{
    host->view.has_drained = true;
    host->view.drained = is_drained;
    g_strfreev(host->view.labels);
    host->view.labels = labels;
}

const HostConfig *
host_get_config(const Host *host)
{
    return host->config;
}

const char *
host_get_name(const Host *host)
{
    return host->view.name;
}

bool
host_is_connected(const Host *host)
{
    return host->view.state == HOST_STATE_CONNECTED;
}

const ProtoHost *
host_get_view(const Host *host)
{
    return &host->view;
}

void
host_begin(void)
{
    fates.is_calm = false;
    fates.host = NULL;
    for (int i = 0; i < FAULTS; i++) {
        fates.rates[i] = world_chance(500) ? world_random(rate_max[i]) : 0;
    }
    guests_on_change(on_guest_changed);
}

void
host_calm(void)
{
    fates.is_calm = true;
    for (guint i = 0; fates.host != NULL && i < fates.host->calls->len; i++) {
        Call *call = fates.host->calls->pdata[i];

        call->hangs = call->loses_answer = false;
    }
}
