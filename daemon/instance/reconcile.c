/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/reconcile.h"

#include <string.h>

#include "instance/runs.h"
#include "instance/tick.h"
#include "instance/workflows.h"

/** How what a host tells of a domain came about. */
typedef enum {
    /** We asked for it alone, and know all that was told before. */
    TOLD_WHEN_ASKED,
    /** Among all others: it may be older than events that have come since. */
    TOLD_IN_A_LIST,
    /** As it happened; it may come late. */
    TOLD_AS_EVENT,
} Told;

/* The edge that a domain's state takes, and its word in the ledger; false if there is
 * none to take. */
static bool
get_edge(const ProtoInstance *view,
         const ProtoDomain *domain,
         LifecycleEvent *ret_event,
         const char **ret_cause)
{
    static const struct {
        InstanceState is;
        LifecycleEvent event;
        const char *cause;
    } edges[] = {
        [DOMAIN_STATE_ABSENT] = { INSTANCE_STATE_ERROR, LIFECYCLE_FAIL, "lost" },
        [DOMAIN_STATE_STOPPED] = { INSTANCE_STATE_STOPPED, LIFECYCLE_STOPS, "stopped" },
        [DOMAIN_STATE_RUNNING] = { INSTANCE_STATE_RUNNING, LIFECYCLE_RUNS,
                                   "seen-running" },
        [DOMAIN_STATE_PAUSED] = { INSTANCE_STATE_PAUSED, LIFECYCLE_PAUSES,
                                  "seen-paused" },
        [DOMAIN_STATE_CRASHED] = { INSTANCE_STATE_STOPPED, LIFECYCLE_STOPS, "crashed" },
    };

    G_STATIC_ASSERT(G_N_ELEMENTS(edges) == DOMAIN_STATE_N);

    if (view->state == edges[domain->state].is)
        return false;
    *ret_event = edges[domain->state].event;
    *ret_cause = edges[domain->state].cause;
    return true;
}

static bool
has_other_guest(const ProtoInstance *view, const ProtoDomain *domain)
{
    if (view->agent != domain->agent)
        return true;
    if (view->addresses == NULL || domain->addresses == NULL)
        return (view->addresses != NULL && *view->addresses != NULL) ||
               (domain->addresses != NULL && *domain->addresses != NULL);
    return !g_strv_equal((const char *const *) view->addresses,
                         (const char *const *) domain->addresses);
}

/* An agent that was heard once stays; a list taken in haste may not know of it. */
static bool
take_guest(Instance *instance, const ProtoDomain *domain, StoreTx *tx)
{
    ProtoInstance *view = &instance->record.view;
    bool ready = false;
    ProtoEvent event = { 0 };

    if (!instance_is_on(instance) || !has_other_guest(view, domain) ||
        (view->ready && !domain->agent))
        return false;
    view->agent = domain->agent;
    g_strfreev(view->addresses);
    view->addresses = g_strdupv(domain->addresses);
    ready = view->agent && view->addresses != NULL && *view->addresses != NULL;
    if (ready && !view->ready) {
        event = (ProtoEvent){
            .kind = EVENT_KIND_INSTANCE_GUEST,
            .tenant = g_strdup(view->tenant),
            .subject = g_strdup(view->id),
            .name = g_strdup(view->name),
            .state = g_strdup("ready"),
            .detail = g_strdup(view->addresses[0]),
        };
        store_add_event(tx, &event);
    }
    view->ready = ready;
    return true;
}

/* A size that was changed behind our back is what is granted, and charged. */
static bool
take_size(Instance *instance, const ProtoDomain *domain, StoreTx *tx)
{
    ProtoInstance *view = &instance->record.view;

    if (!instance_is_on(instance) || domain->vcpus < 1 || domain->memory_bytes < 1 ||
        (view->vcpus == domain->vcpus && view->memory_bytes == domain->memory_bytes))
        return false;
    g_message("Instance %s has another size than was granted: it is taken as it is",
              view->id);
    view->vcpus = domain->vcpus;
    view->memory_bytes = domain->memory_bytes;
    instance_cut(instance, tx, LIFECYCLE_BILL_AS_BEFORE, NULL, "seen-resized");
    return true;
}

static bool
tells_of_disk(const Instance *instance, const ProtoDomain *domain)
{
    return domain->has_disk_bytes &&
           (instance->record.has_doubtful_disk_bytes ||
            domain->disk_bytes > instance->record.view.disk_bytes);
}

/* A disk only grows: a smaller one was told before it did. */
static bool
take_disk(Instance *instance, const ProtoDomain *domain, StoreTx *tx)
{
    ProtoInstance *view = &instance->record.view;

    if (!tells_of_disk(instance, domain))
        return false;
    instance->record.has_doubtful_disk_bytes = false;
    if (domain->disk_bytes <= view->disk_bytes)
        return true;
    g_message("Instance %s has a larger disk than was granted: it is taken as it is",
              view->id);
    view->disk_bytes = domain->disk_bytes;
    if (view->next != NULL)
        view->next->disk_bytes = MAX(view->next->disk_bytes, view->disk_bytes);
    instance_cut(instance, tx, LIFECYCLE_BILL_AS_BEFORE, NULL, "seen-resized");
    return true;
}

/* When to book that a domain is in another state.  Of an event it is now; what is found
 * out later is booked so that nothing is billed that was perhaps not used. */
static LedgerMoment
get_moment(const Instance *instance,
           const ProtoDomain *domain,
           LifecycleEvent event,
           Told told)
{
    if (instance_is_on(instance) && event != LIFECYCLE_RUNS && told != TOLD_AS_EVENT)
        return runs_get_end(instance);
    if (event == LIFECYCLE_RUNS || event == LIFECYCLE_PAUSES)
        return runs_get_start(instance, domain);
    return ledger_now(instance->book->store);
}

static void
take_state(Instance *instance, const ProtoDomain *domain, StoreTx *tx, Told told)
{
    LifecycleEvent event = LIFECYCLE_FAIL;
    const char *cause = NULL;
    LedgerMoment when = { 0 };

    if (!get_edge(&instance->record.view, domain, &event, &cause))
        return;
    when = get_moment(instance, domain, event, told);
    instance_transition_at(
        instance, tx, event, &when,
        event == LIFECYCLE_FAIL ? "its domain is gone" : domain->reason, cause);
}

/* Whether the domain tells why it is off, which was not known. */
static bool
has_reason(const Instance *instance, const ProtoDomain *domain)
{
    LifecycleEvent event = LIFECYCLE_FAIL;
    const char *cause = NULL;

    return instance->lacks_reason && domain->reason != NULL &&
           !get_edge(&instance->record.view, domain, &event, &cause);
}

/* The hook tells that a domain ended, and libvirt why, perhaps only later. */
static void
take_reason(Instance *instance, const ProtoDomain *domain, StoreTx *tx)
{
    instance->record.view.reason = g_strdup(domain->reason);
    instance->lacks_reason = false;
    instance_put(instance, tx);
}

/* Whether the domain was looked at before the instance came to be on, whoever asked: a
 * look that was under way while it was started may have seen it off. */
static bool
is_old(const Instance *instance, const ProtoDomain *domain)
{
    return instance_is_on(instance) && domain->state != DOMAIN_STATE_RUNNING &&
           domain->state != DOMAIN_STATE_PAUSED && domain->has_looked_boot_ms &&
           domain->looked_boot_ms < instance->moved_boot_ms;
}

/* What was written down of runs is true whenever it is told; a state may be an older one.
 */
static void
look_at(Instance *instance, const ProtoDomain *domain, Told told)
{
    const ProtoInstance *view = &instance->record.view;
    StoreTx *tx = store_begin(instance->book->store);
    bool was_on = instance_is_on(instance);
    bool is_doubtful = false;
    bool changed = false;

    if (runs_are_news(instance, domain))
        runs_follow(instance, tx, domain);
    is_doubtful = is_old(instance, domain) ||
                  (told != TOLD_WHEN_ASKED && runs_is_doubtful(instance, domain));
    if (!is_doubtful && !runs_have_ended(domain))
        take_state(instance, domain, tx, told);
    if (was_on && view->state == INSTANCE_STATE_STOPPED)
        instance->lacks_reason = view->reason == NULL;
    if (has_reason(instance, domain))
        take_reason(instance, domain, tx);
    changed |= take_size(instance, domain, tx);
    changed |= take_disk(instance, domain, tx);
    changed |= take_guest(instance, domain, tx);
    if (changed)
        instance_put(instance, tx);
    store_commit(tx);
    if (is_doubtful)
        reconcile_look(instance);
}

/* Whether there is anything that look_at() would write. */
static bool
differs(Instance *instance, const ProtoDomain *domain)
{
    const ProtoInstance *view = &instance->record.view;
    LifecycleEvent event = LIFECYCLE_FAIL;
    const char *cause = NULL;

    return get_edge(view, domain, &event, &cause) || runs_are_news(instance, domain) ||
           has_reason(instance, domain) || tells_of_disk(instance, domain) ||
           (instance_is_on(instance) &&
            (view->vcpus != domain->vcpus || view->memory_bytes != domain->memory_bytes ||
             (has_other_guest(view, domain) && !(view->ready && !domain->agent))));
}

/* A host that has another name than it had, or another host that took over the domains
 * of one that is not there any more. */
static void
take_host(Instance *instance, const char *host)
{
    ProtoInstance *view = &instance->record.view;
    StoreTx *tx = store_begin(instance->book->store);

    g_message("Instance %s, which was on host %s, is on host %s", view->id, view->host,
              host);
    g_free(view->host);
    view->host = g_strdup(host);
    instance_cut(instance, tx, LIFECYCLE_BILL_AS_BEFORE, NULL, "seen-moved");
    instance_put(instance, tx);
    store_commit(tx);
}

/* Whether what a host tells of the instance is to be believed: it is the instance's own.
 */
static bool
is_told_by_its_host(Instance *instance, const char *host, const ProtoDomain *domain)
{
    if (instance_is_on_host(instance, host))
        return true;
    if (domain->state == DOMAIN_STATE_ABSENT)
        return false;
    if (instance_get_host(instance) != NULL) {
        g_debug("Instance %s is on host %s: what host %s tells of it is passed over",
                domain->id, instance->record.view.host, host);
        return false;
    }
    take_host(instance, host);
    return true;
}

static void
reconcile(InstanceBook *book, const char *host, const ProtoDomain *domain, Told told)
{
    Instance *instance = instance_get(book, domain->id);

    if (instance == NULL || !is_told_by_its_host(instance, host, domain))
        return;
    if (operation_find_active(book->engine, domain->id) != NULL) {
        instance->needs_look = true;
        instance_stop_look(instance);
        return;
    }
    if (differs(instance, domain))
        look_at(instance, domain, told);
    if (instance_is_on(instance))
        runs_mark_seen(instance);
    if (told == TOLD_IN_A_LIST && instance->record.has_doubtful_disk_bytes)
        reconcile_look(instance);
}

void
reconcile_domain(InstanceBook *book, const char *host, const ProtoDomain *domain)
{
    reconcile(book, host, domain, TOLD_WHEN_ASKED);
}

void
reconcile_event(InstanceBook *book, const char *host, const ProtoDomain *domain)
{
    reconcile(book, host, domain, TOLD_AS_EVENT);
}

/* What was written down of runs is in the ledger. */
typedef struct {
    Host *host;
    ProtoWorkerForgetRunsCall in;
} Forget;

static void
on_forgotten(const void *out, bool continues, const GError *error, gpointer data)
{
}

static void
on_runs_on_disk(gpointer data)
{
    g_autofree Forget *forget = data;

    host_call(forget->host, HOST_LANE_QUERY, &proto_worker_forget_runs, &forget->in,
              INSTANCE_QUICK_MS, on_forgotten, NULL);
}

/* Has the host forget the runs that it told of, once they are on disk; not while an
 * instance that one is of has something else under way. */
static void
forget_runs(InstanceBook *book,
            const char *host,
            const ProtoDomain *domains,
            gsize n_domains)
{
    const BookHost *told = instance_book_get_host(book, host);
    gint64 until_ms = 0;
    Forget *forget = NULL;
    StoreTx *tx = NULL;

    for (gsize i = 0; i < n_domains; i++) {
        if (domains[i].n_runs > 0 &&
            operation_find_active(book->engine, domains[i].id) != NULL)
            return;
        for (gsize j = 0; j < domains[i].n_runs; j++) {
            until_ms = MAX(until_ms, domains[i].runs[j].wall_ms);
        }
    }
    if (until_ms == 0 || told == NULL)
        return;
    forget = g_new0(Forget, 1);
    *forget = (Forget){ told->host, { until_ms } };
    tx = store_begin(book->store);
    store_on_commit(tx, on_runs_on_disk, forget);
    store_commit(tx);
}

void
reconcile_host(InstanceBook *book,
               const char *host,
               const ProtoDomain *domains,
               gsize n_domains)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GHashTableIter iter;
    gpointer value = NULL;

    for (gsize i = 0; i < n_domains; i++) {
        g_hash_table_add(seen, domains[i].id);
        reconcile(book, host, &domains[i], TOLD_IN_A_LIST);
    }
    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Instance *instance = value;
        const ProtoDomain absent = { .id = instance->record.view.id,
                                     .state = DOMAIN_STATE_ABSENT };

        if (instance_is_on_host(instance, host) &&
            !g_hash_table_contains(seen, absent.id))
            reconcile(book, host, &absent, TOLD_IN_A_LIST);
    }
    forget_runs(book, host, domains, n_domains);
}

static void
on_looked(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoWorkerInspectReply *reply = out;
    const BookHost *host = data;
    const char *name = host_get_name(host->host);
    Instance *instance = NULL;

    if (reply == NULL)
        return;
    reconcile_domain(host->book, name, &reply->domain);
    instance = instance_get(host->book, reply->domain.id);
    if (instance != NULL && instance_is_on_host(instance, name) && reply->stats != NULL &&
        !runs_is_other_process(instance, &reply->stats->epoch))
        tick_take(instance, reply->stats);
}

void
reconcile_look(Instance *instance)
{
    const ProtoWorkerInspectCall in = { .id = instance->record.view.id,
                                        .has_stats = true,
                                        .stats = true,
                                        .has_disk = true,
                                        .disk =
                                            instance->record.has_doubtful_disk_bytes };
    BookHost *host = instance_book_get_host(instance->book, instance->record.view.host);

    if (operation_find_active(instance->book->engine, in.id) != NULL) {
        instance->needs_look = true;
    } else if (host != NULL) {
        host_call(host->host, HOST_LANE_QUERY, &proto_worker_inspect, &in,
                  INSTANCE_QUICK_MS, on_looked, host);
    }
}

static void
on_inspected(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoWorkerInspectReply *reply = out;
    const BookHost *host = data;

    /* A host that does not answer now lists all of them when it is back. */
    if (reply != NULL)
        reconcile_domain(host->book, host_get_name(host->host), &reply->domain);
}

void
instance_look(Operation *operation)
{
    Instance *instance = instance_of_operation(operation);
    ProtoWorkerInspectCall in = { .id = operation->record.view.target };
    BookHost *host = NULL;

    if (instance == NULL)
        return;
    instance_tell_waits(instance);
    host = instance_book_get_host(instance->book, instance->record.view.host);
    if (!instance->needs_look || host == NULL ||
        operation_find_active(instance->book->engine, in.id) != NULL)
        return;
    instance->needs_look = false;
    in.has_disk = true;
    in.disk = instance->record.has_doubtful_disk_bytes;
    host_call(host->host, HOST_LANE_QUERY, &proto_worker_inspect, &in, INSTANCE_QUICK_MS,
              on_inspected, host);
}
