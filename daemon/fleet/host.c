/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/host.h"

#include <unistd.h>

#include "base/clock.h"
#include "fleet/worker.h"

/*
 * How it works
 *
 * A connection to the worker carries one call at a time, so there is a pool of them: the
 * first carries the worker's events, two only look, two only ask guests how they are, two
 * only set free, the others take everything.  A call that finds no free connection waits
 * in the queue of its lane.
 *
 * The worker is started, probed (which connects it to libvirt), asked for its events and
 * for all domains; then the host is connected.  When libvirt goes, the worker says so and
 * is probed until libvirt is back.  When the worker goes, or misses a deadline and is
 * killed, all its connections end, all calls fail, and it begins anew.
 */

enum {
    PROBE_TIMEOUT_MS = 30000,
    LIST_TIMEOUT_MS = 60000,
    PING_EVERY_MS = 5000,
    PING_TIMEOUT_MS = 10000,
    LIST_EVERY_MS = 30000,
    PROBE_AGAIN_MS = 1000,
    LINKS_MAX = 64,
};

/** The connections of each lane: from the first on, up to but without the last; G_MAXUINT
 * is all there are. */
static const struct {
    guint first;
    guint last;
} lanes[HOST_LANES] = {
    [HOST_LANE_QUERY] = { 1, 3 },
    [HOST_LANE_HEALTH] = { 3, 5 },
    [HOST_LANE_URGENT] = { 5, G_MAXUINT },
    [HOST_LANE_GENERAL] = { 7, G_MAXUINT },
};

typedef struct {
    Host *host;
    HostLane lane;
    /** The connection that carries it, or -1. */
    int link;
    const WireMethod *method;
    gpointer in;
    gint64 timeout_ms;
    WireLinkReply reply;
    gpointer data;
} Call;

struct Host {
    HostListener listener;
    HostConfig *config;
    ProtoHost view;
    Worker *worker;
    WireLink *links[LINKS_MAX];
    Call *carried[LINKS_MAX];
    guint n_links;
    GQueue waiting[HOST_LANES];
    GArray *domains;
    guint tear_down_source;
    guint probe_source;
    guint ping_source;
    guint list_source;
    bool is_watching;
    bool is_probing;
    bool is_listing;
};

static void probe(Host *host);
static void list(Host *host);

/* State */

static void
set_state(Host *host, HostState state, const char *reason)
{
    if (host->view.state == state && g_strcmp0(host->view.reason, reason) == 0)
        return;
    host->view.state = state;
    g_free(host->view.reason);
    host->view.reason = g_strdup(reason);
    g_message("Host %s is %s%s%s", host->view.name, host_state_to_string(state),
              reason != NULL ? ": " : "", reason != NULL ? reason : "");
    host->listener.state_changed(host, host->listener.data);
}

static void
mark_seen(Host *host)
{
    g_free(host->view.seen_at);
    host->view.seen_at = clock_format_time(clock_wall_ms());
}

/* Calls */

static void
call_free(Call *call)
{
    if (call->in != NULL)
        wire_struct_clear(call->method->call, call->in);
    g_free(call->in);
    g_free(call);
}

static void
call_fail(Call *call)
{
    g_autoptr(GError) error = NULL;

    proto_error_set_host_unreachable(
        &error, call->host->view.name, "Host %s cannot be reached%s%s",
        call->host->view.name, call->host->view.reason != NULL ? ": " : "",
        call->host->view.reason != NULL ? call->host->view.reason : "");
    call->reply(NULL, false, error, call->data);
    call_free(call);
}

static gboolean tear_down(gpointer data);

static void
tear_down_soon(Host *host)
{
    if (host->tear_down_source == 0)
        host->tear_down_source = g_idle_add(tear_down, host);
}

static void take_next(Host *host, guint index);

static void
on_reply(const void *out, bool continues, const GError *error, gpointer data)
{
    Call *call = data;
    Host *host = call->host;
    guint index = (guint) call->link;

    if (continues) {
        call->reply(out, true, NULL, call->data);
        return;
    }
    if (g_error_matches(error, PROTO_ERROR, PROTO_ERROR_DEADLINE) &&
        call->timeout_ms > 0) {
        host->carried[index] = NULL;
        g_warning("Host %s: %s did not answer in time, its worker is killed",
                  host->view.name, call->method->full_name);
        worker_kill(host->worker);
        tear_down_soon(host);
        call_fail(call);
        return;
    }
    /* Its place stays taken meanwhile: what the reply brings about waits behind others.
     */
    call->reply(out, false, error, call->data);
    host->carried[index] = NULL;
    call_free(call);
    take_next(host, index);
}

static void
carry(Host *host, guint index, Call *call, const void *in)
{
    call->link = (int) index;
    host->carried[index] = call;
    wire_link_call(host->links[index], call->method, in, call->method->more,
                   call->timeout_ms, on_reply, call);
}

static bool
is_in_lane(guint index, HostLane lane)
{
    return index >= lanes[lane].first && index < lanes[lane].last;
}

/* A connection is free: gives it the call that has waited longest, the urgent ones first.
 */
static void
take_next(Host *host, guint index)
{
    static const HostLane order[] = { HOST_LANE_URGENT, HOST_LANE_QUERY, HOST_LANE_HEALTH,
                                      HOST_LANE_GENERAL };

    for (gsize i = 0; i < G_N_ELEMENTS(order); i++) {
        Call *call = is_in_lane(index, order[i])
                         ? g_queue_pop_head(&host->waiting[order[i]])
                         : NULL;

        if (call != NULL && host->links[index] != NULL && host->tear_down_source == 0) {
            carry(host, index, call, call->in);
            return;
        }
        if (call != NULL)
            g_queue_push_head(&host->waiting[order[i]], call);
    }
}

static void
start_call(Host *host,
           HostLane lane,
           const WireMethod *method,
           const void *in,
           gint64 timeout_ms,
           WireLinkReply reply,
           gpointer data)
{
    Call *call = g_new0(Call, 1);

    *call = (Call){ host, lane, -1, method, NULL, timeout_ms, reply, data };
    if (host->n_links == 0 || host->tear_down_source != 0) {
        call_fail(call);
        return;
    }
    for (guint i = lanes[lane].first; i < MIN(lanes[lane].last, host->n_links); i++) {
        if (host->carried[i] == NULL) {
            carry(host, i, call, in);
            return;
        }
    }
    if (in != NULL) {
        call->in = g_malloc0(method->call->size);
        wire_struct_copy(method->call, in, call->in);
    }
    g_queue_push_tail(&host->waiting[lane], call);
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
    if (host->view.state != HOST_STATE_CONNECTED) {
        Call *call = g_new0(Call, 1);

        *call = (Call){ host, lane, -1, method, NULL, timeout_ms, reply, data };
        call_fail(call);
        return;
    }
    start_call(host, lane, method, in, timeout_ms, reply, data);
}

/* The worker's connections */

static void
fail_waiting(Host *host)
{
    for (int lane = 0; lane < HOST_LANES; lane++) {
        for (Call *call = g_queue_pop_head(&host->waiting[lane]); call != NULL;
             call = g_queue_pop_head(&host->waiting[lane])) {
            call_fail(call);
        }
    }
}

static gboolean
tear_down(gpointer data)
{
    Host *host = data;
    guint n_links = host->n_links;
    Call *carried[LINKS_MAX];

    set_state(host, HOST_STATE_UNREACHABLE, "its worker has ended");
    g_clear_handle_id(&host->probe_source, g_source_remove);
    host->n_links = 0;
    for (guint i = 0; i < n_links; i++) {
        g_clear_pointer(&host->links[i], wire_link_free);
        carried[i] = g_steal_pointer(&host->carried[i]);
    }
    worker_kill(host->worker);
    host->is_watching = host->is_probing = host->is_listing = false;
    host->tear_down_source = 0;
    for (guint i = 0; i < n_links; i++) {
        if (carried[i] != NULL)
            call_fail(carried[i]);
    }
    fail_waiting(host);
    return G_SOURCE_REMOVE;
}

static void
on_link_closed(WireLink *link, gpointer data)
{
    tear_down_soon(data);
}

static void
on_worker_started(const int *fds, guint n_fds, gpointer data)
{
    Host *host = data;

    if (host->n_links > 0) {
        g_clear_handle_id(&host->tear_down_source, g_source_remove);
        tear_down(host);
    }
    for (guint i = 0; i < n_fds; i++) {
        host->links[i] = wire_link_new(fds[i], on_link_closed, host);
    }
    host->n_links = n_fds;
    probe(host);
}

static void
on_worker_ended(gpointer data)
{
    tear_down_soon(data);
}

/* Coming to be connected, and staying so */

static gboolean
probe_again(gpointer data)
{
    Host *host = data;

    host->probe_source = 0;
    probe(host);
    return G_SOURCE_REMOVE;
}

static void
lose(Host *host, const GError *error)
{
    set_state(host, HOST_STATE_UNREACHABLE, error->message);
    if (host->probe_source == 0 && host->n_links > 0 && host->tear_down_source == 0)
        host->probe_source = g_timeout_add(PROBE_AGAIN_MS, probe_again, host);
}

static void
on_event(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoWorkerWatchReply *event = out;
    Host *host = data;
    g_autoptr(GError) lost = NULL;

    if (event == NULL) {
        host->is_watching = false;
        return;
    }
    switch (event->kind) {
    case HOST_EVENT_KIND_DOMAIN:
    case HOST_EVENT_KIND_GUEST:
        if (event->domain != NULL)
            host->listener.changed(host, event->kind, event->domain, host->listener.data);
        return;
    case HOST_EVENT_KIND_DISCONNECTED:
        proto_error_set_host_unreachable(&lost, host->view.name,
                                         "libvirt does not answer");
        lose(host, lost);
        return;
    case HOST_EVENT_KIND_CONNECTED:
        probe(host);
        return;
    case HOST_EVENT_KIND_N:
        return;
    }
}

static void
watch(Host *host)
{
    Call *call = NULL;

    if (host->is_watching)
        return;
    host->is_watching = true;
    call = g_new0(Call, 1);
    *call =
        (Call){ host, HOST_LANE_QUERY, 0, &proto_worker_watch, NULL, 0, on_event, host };
    carry(host, 0, call, NULL);
}

static GArray *
new_domains(void)
{
    GArray *domains = g_array_new(FALSE, TRUE, sizeof(ProtoDomain));

    g_array_set_clear_func(domains, (GDestroyNotify) proto_domain_clear);
    return domains;
}

static void
on_listed(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoWorkerListDomainsReply *reply = out;
    Host *host = data;

    for (gsize i = 0; reply != NULL && i < reply->n_domains; i++) {
        ProtoDomain copy = { 0 };

        proto_domain_copy(&reply->domains[i], &copy);
        g_array_append_val(host->domains, copy);
    }
    if (continues)
        return;
    host->is_listing = false;
    if (error != NULL) {
        g_array_set_size(host->domains, 0);
        if (host->tear_down_source == 0)
            lose(host, error);
        return;
    }
    mark_seen(host);
    worker_settle(host->worker);
    set_state(host, HOST_STATE_CONNECTED, NULL);
    host->listener.listed(host, (const ProtoDomain *) (gpointer) host->domains->data,
                          host->domains->len, host->listener.data);
    /* Of 10,000 domains that is 2 MiB, for a moment twice a minute. */
    g_array_unref(host->domains);
    host->domains = new_domains();
}

static void
list(Host *host)
{
    if (host->is_listing)
        return;
    host->is_listing = true;
    start_call(host, HOST_LANE_QUERY, &proto_worker_list_domains, NULL, LIST_TIMEOUT_MS,
               on_listed, host);
}

static void
take_facts(ProtoHost *view, const ProtoWorkerProbeReply *facts)
{
    g_free(view->accel);
    g_free(view->arch);
    g_free(view->hypervisor);
    view->accel = g_strdup(facts->accel);
    view->arch = g_strdup(facts->arch);
    view->hypervisor = g_strdup(facts->hypervisor);
    view->vcpus = facts->vcpus;
    view->memory_bytes = facts->memory_bytes;
    view->disk_bytes = facts->disk_bytes;
    view->foreign = facts->foreign;
}

static void
on_probed(const void *out, bool continues, const GError *error, gpointer data)
{
    Host *host = data;

    host->is_probing = false;
    if (error != NULL) {
        if (host->tear_down_source == 0)
            lose(host, error);
        return;
    }
    take_facts(&host->view, out);
    watch(host);
    list(host);
}

static void
probe(Host *host)
{
    if (host->is_probing || host->n_links == 0)
        return;
    g_clear_handle_id(&host->probe_source, g_source_remove);
    host->is_probing = true;
    start_call(host, HOST_LANE_QUERY, &proto_worker_probe, NULL, PROBE_TIMEOUT_MS,
               on_probed, host);
}

static void
on_pinged(const void *out, bool continues, const GError *error, gpointer data)
{
    Host *host = data;

    if (error == NULL && host->view.state == HOST_STATE_CONNECTED)
        mark_seen(host);
}

static gboolean
ping(gpointer data)
{
    Host *host = data;

    if (host->n_links > 0)
        start_call(host, HOST_LANE_QUERY, &proto_worker_ping, NULL, PING_TIMEOUT_MS,
                   on_pinged, host);
    return G_SOURCE_CONTINUE;
}

static gboolean
list_again(gpointer data)
{
    Host *host = data;

    if (host->view.state == HOST_STATE_CONNECTED)
        list(host);
    return G_SOURCE_CONTINUE;
}

/* Life */

static Worker *
make_worker(const HostConfig *config, Host *host)
{
    WorkerEvents events = { on_worker_started, on_worker_ended, host };
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *fds = g_strdup_printf("%" G_GINT64_FORMAT, config->connections);
    const char *const fixed[] = {
        config->worker,
        "--fds",
        fds,
        "--uri",
        config->uri,
        "--accel",
        config->accel,
        "--pool",
        config->pool,
        "--pool-path",
        config->pool_path,
        "--network",
        config->network,
        "--network-address",
        config->network_address,
        "--import-dir",
        config->import_dir,
        "--runs-dir",
        config->runs_dir,
    };
    g_auto(GStrv) more = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(fixed); i++) {
        g_ptr_array_add(argv, (gpointer) (gsize) fixed[i]);
    }
    if (*config->worker_arguments != '\0')
        g_shell_parse_argv(config->worker_arguments, NULL, &more, NULL);
    for (gsize i = 0; more != NULL && more[i] != NULL; i++) {
        g_ptr_array_add(argv, more[i]);
    }
    g_ptr_array_add(argv, NULL);
    return worker_new((const char *const *) argv->pdata, (guint) config->connections,
                      &events);
}

Host *
host_new(HostConfig *config, const HostListener *listener)
{
    Host *host = g_new0(Host, 1);

    host->listener = *listener;
    host->config = config;
    host->view.name = g_strdup(config->name);
    host->view.uri = g_strdup(config->uri);
    host->view.pool = g_strdup(config->placement_pool);
    host_set_marks(host, false, config_parse_labels(config->labels));
    host->view.state = HOST_STATE_STARTING;
    host->domains = new_domains();
    for (int i = 0; i < HOST_LANES; i++) {
        g_queue_init(&host->waiting[i]);
    }
    host->worker = make_worker(config, host);
    return host;
}

void
host_free(Host *host)
{
    if (host == NULL)
        return;
    g_clear_handle_id(&host->tear_down_source, g_source_remove);
    g_clear_handle_id(&host->probe_source, g_source_remove);
    g_clear_handle_id(&host->ping_source, g_source_remove);
    g_clear_handle_id(&host->list_source, g_source_remove);
    worker_free(host->worker);
    for (guint i = 0; i < host->n_links; i++) {
        wire_link_free(host->links[i]);
        g_clear_pointer(&host->carried[i], call_free);
    }
    for (int i = 0; i < HOST_LANES; i++) {
        g_queue_clear_full(&host->waiting[i], (GDestroyNotify) call_free);
    }
    g_array_unref(host->domains);
    proto_host_clear(&host->view);
    host_config_free(host->config);
    g_free(host);
}

void
host_start(Host *host)
{
    host->ping_source = g_timeout_add(PING_EVERY_MS, ping, host);
    host->list_source = g_timeout_add(LIST_EVERY_MS, list_again, host);
    worker_start(host->worker);
}

const char *
host_get_name(const Host *host)
{
    return host->view.name;
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
