/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/book.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "instance/disabled.h"
#include "instance/held.h"
#include "instance/tick.h"
#include "instance/workflows.h"
#include "tenant/gate.h"

enum {
    CLOCK_SECONDS = 10
};

static void
instance_free(Instance *instance)
{
    g_clear_handle_id(&instance->stop_source, g_source_remove);
    instance_waits_free(instance);
    proto_instance_record_clear(&instance->record);
    readings_clear(&instance->readings);
    load_clear(&instance->load);
    g_free(instance);
}

static int
compare_names(gconstpointer a, gconstpointer b, gpointer data)
{
    return strcmp(a, b);
}

static void
add_held(gpointer owner, const char *tenant, Quota *sum)
{
    Quota held = held_get_of_tenant(owner, tenant);

    held.amount[QUOTA_ADDRESSES] = held.amount[QUOTA_INSTANCES];
    quota_add_times(sum, &held, 1);
}

static void
tenant_free(gpointer data)
{
    BookTenant *tenant = data;

    g_hash_table_unref(tenant->instances);
    g_hash_table_unref(tenant->apart);
    g_free(tenant);
}

static GHashTable *
make_hosts(InstanceBook *book)
{
    const GPtrArray *all = fleet_get_hosts(book->fleet);
    GHashTable *hosts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);

    for (guint i = 0; i < all->len; i++) {
        BookHost *host = g_new0(BookHost, 1);

        *host = (BookHost){ .book = book, .host = all->pdata[i] };
        g_hash_table_insert(hosts, (gpointer) (gsize) host_get_name(host->host), host);
    }
    return hosts;
}

InstanceBook *
instance_book_new(Store *store,
                  OperationEngine *engine,
                  TenantBook *tenants,
                  TemplateBook *templates,
                  Fleet *fleet,
                  const Config *config)
{
    InstanceBook *book = g_new0(InstanceBook, 1);

    book->store = store;
    book->engine = engine;
    book->tenants = tenants;
    book->templates = templates;
    book->fleet = fleet;
    book->config = config;
    book->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                        (GDestroyNotify) instance_free);
    book->by_name = g_tree_new_full(compare_names, NULL, g_free, NULL);
    book->by_tenant = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, tenant_free);
    tenant_book_add_holder(tenants, add_held, book);
    book->hosts = make_hosts(book);
    for (gsize i = 0; i < instance_n_workflows; i++) {
        operation_engine_add(engine, instance_workflows[i], book);
    }
    return book;
}

void
instance_book_free(InstanceBook *book)
{
    if (book == NULL)
        return;
    g_clear_handle_id(&book->clock_source, g_source_remove);
    tick_stop(book);
    disabled_stop(book);
    g_hash_table_unref(book->hosts);
    g_hash_table_unref(book->by_tenant);
    g_tree_unref(book->by_name);
    g_hash_table_unref(book->by_id);
    g_free(book);
}

static BookTenant *
ensure_tenant(InstanceBook *book, const char *name)
{
    BookTenant *tenant = instance_book_get_tenant(book, name);

    if (tenant == NULL) {
        tenant = g_new0(BookTenant, 1);
        tenant->instances = g_hash_table_new(NULL, NULL);
        tenant->apart = g_hash_table_new(NULL, NULL);
        g_hash_table_insert(book->by_tenant, g_strdup(name), tenant);
    }
    return tenant;
}

static bool
is_kept_apart(const ProtoPlacement *wish)
{
    return wish != NULL && wish->anti_affinity != NULL && !wish->anti_affinity_soft;
}

void
instance_add(InstanceBook *book, Instance *instance)
{
    const ProtoInstance *view = &instance->record.view;
    Template *template = template_get(book->templates, instance->record.template_id);
    BookTenant *tenant = ensure_tenant(book, view->tenant);

    instance->book = book;
    g_hash_table_insert(book->by_id, view->id, instance);
    g_tree_insert(book->by_name, g_strdup_printf("%s/%s", view->tenant, view->name),
                  instance);
    g_hash_table_add(tenant->instances, instance);
    if (is_kept_apart(view->placement))
        g_hash_table_add(tenant->apart, instance);
    held_follow(instance);
    if (template != NULL)
        template_note_use(template, view->host);
}

static void
load_row(gpointer record, gpointer data)
{
    Instance *instance = g_new0(Instance, 1);
    g_autofree ProtoInstanceRecord *owned = record;

    instance->record = *owned;
    instance_add(data, instance);
}

static void
load_counters(gpointer record, gpointer data)
{
    g_autofree ProtoCounterRecord *owned = record;
    Instance *instance = instance_get(data, owned->instance);

    if (instance != NULL) {
        readings_keep(&instance->readings, owned);
        store_pass_ledger_ms(instance->book->store, owned->at_ms);
    }
    proto_counter_record_clear(owned);
}

/* The newest fact of this boot tells how the two clocks stood: a step while nobody looked
 * is seen too. */
static void
set_clock(InstanceBook *book)
{
    const ProtoOpenSegment *newest = NULL;
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const ProtoInstanceRecord *record = &((Instance *) value)->record;

        for (gsize i = 0; i < record->n_segments; i++) {
            const ProtoOpenSegment *open = &record->segments[i];

            if (strcmp(open->boot_id, clock_boot_id()) == 0 &&
                (newest == NULL || open->seq > newest->seq))
                newest = open;
        }
    }
    if (newest != NULL) {
        ledger_clock_set(&book->clock, newest->from_ms, newest->boot_ms);
    } else {
        ledger_clock_set(&book->clock, clock_wall_ms(), clock_boot_ms());
    }
}

static gboolean
on_clock(gpointer data)
{
    instance_book_follow_clock(data);
    return G_SOURCE_CONTINUE;
}

bool
instance_book_load(InstanceBook *book, GError **error)
{
    if (!store_load(book->store, STORE_INSTANCE, &proto_instance_record_type, load_row,
                    book, error) ||
        !store_load(book->store, STORE_COUNTER, &proto_counter_record_type, load_counters,
                    book, error))
        return false;
    set_clock(book);
    ledger_clock_watch(&book->clock, store_get_ledger_ms(book->store));
    book->clock_source = g_timeout_add_seconds(CLOCK_SECONDS, on_clock, book);
    return true;
}

Instance *
instance_get(InstanceBook *book, const char *id)
{
    return g_hash_table_lookup(book->by_id, id);
}

Instance *
instance_get_by_name(InstanceBook *book, const char *tenant, const char *name)
{
    g_autofree char *key = g_strdup_printf("%s/%s", tenant, name);

    return g_tree_lookup(book->by_name, key);
}

Instance *
instance_find(InstanceBook *book,
              const char *tenant,
              bool is_admin,
              const char *text,
              GError **error)
{
    Instance *instance = instance_get(book, text);

    if (instance != NULL && !is_admin &&
        strcmp(instance->record.view.tenant, tenant) != 0)
        instance = NULL;
    if (instance == NULL)
        instance = instance_get_by_name(book, tenant, text);
    if (instance == NULL)
        proto_error_set_not_found(error, "instance", text, "There is no instance \"%s\"",
                                  text);
    return instance;
}

/** An instance that was written; it may be gone when that is on disk. */
typedef struct {
    InstanceBook *book;
    char id[40];
} Change;

static void
on_put(gpointer data)
{
    g_autofree Change *change = data;
    Instance *instance = instance_get(change->book, change->id);

    if (instance != NULL)
        instance_tell_waits(instance);
}

void
instance_put(Instance *instance, StoreTx *tx)
{
    const ProtoInstance *view = &instance->record.view;
    Change *change = NULL;

    /* What is removed in the same transaction is not to come back. */
    g_return_if_fail(instance_get(instance->book, view->id) == instance);
    held_follow(instance);
    store_put(tx, STORE_INSTANCE, view->id, view->tenant, view->name,
              &proto_instance_record_type, &instance->record);
    if (instance->record.group != NULL && instance->book->listener.put != NULL)
        instance->book->listener.put(instance, tx, instance->book->listener.data);
    if (instance->waits == NULL)
        return;
    change = g_new0(Change, 1);
    change->book = instance->book;
    g_strlcpy(change->id, view->id, sizeof change->id);
    store_on_commit(tx, on_put, change);
}

static void
on_removed(gpointer data)
{
    instance_tell_waits(data);
    instance_free(data);
}

void
instance_remove(Instance *instance, StoreTx *tx)
{
    InstanceBook *book = instance->book;
    const ProtoInstance *view = &instance->record.view;
    g_autofree char *key = g_strdup_printf("%s/%s", view->tenant, view->name);
    Template *template = template_get(book->templates, instance->record.template_id);
    BookTenant *tenant = instance_book_get_tenant(book, view->tenant);

    if (instance->record.group != NULL && book->listener.removed != NULL)
        book->listener.removed(instance, tx, book->listener.data);
    store_delete(tx, STORE_INSTANCE, view->id);
    store_delete(tx, STORE_COUNTER, view->id);
    held_forget(instance);
    g_hash_table_remove(tenant->instances, instance);
    g_hash_table_remove(tenant->apart, instance);
    g_tree_remove(book->by_name, key);
    g_hash_table_steal(book->by_id, view->id);
    if (template != NULL)
        template->n_instances--;
    store_on_commit(tx, on_removed, instance);
}

/* Change */

static void
add_state_event(Instance *instance, StoreTx *tx)
{
    const ProtoInstance *view = &instance->record.view;
    ProtoEvent event = {
        .kind = EVENT_KIND_INSTANCE_STATE,
        .tenant = g_strdup(view->tenant),
        .subject = g_strdup(view->id),
        .name = g_strdup(view->name),
        .state = g_strdup(instance_state_to_string(view->state)),
        .detail = g_strdup(view->reason),
    };

    store_add_event(tx, &event);
}

static void
forget_guest(ProtoInstance *view)
{
    view->agent = false;
    view->ready = false;
    g_clear_pointer(&view->addresses, g_strfreev);
}

void
instance_transition_at(Instance *instance,
                       StoreTx *tx,
                       LifecycleEvent event,
                       const LedgerMoment *when,
                       const char *reason,
                       const char *cause)
{
    ProtoInstance *view = &instance->record.view;
    InstanceState next = view->state;

    if (!lifecycle_next(view->state, event, &next)) {
        g_warning("Instance %s is %s: event %d leads nowhere", view->id,
                  instance_state_to_string(view->state), event);
        return;
    }
    text_replace(&view->reason, reason);
    instance->lacks_reason = false;
    if (next != view->state) {
        view->state = next;
        instance->moved_boot_ms = clock_boot_ms();
        g_free(view->changed_at);
        view->changed_at =
            clock_format_time(when != NULL ? when->at_ms : clock_wall_ms());
        if (next != INSTANCE_STATE_RUNNING && next != INSTANCE_STATE_PAUSED)
            forget_guest(view);
        add_state_event(instance, tx);
    }
    instance_cut(instance, tx, lifecycle_get_billing(next), when, cause);
    if (next != INSTANCE_STATE_DESTROYED)
        instance_put(instance, tx);
}

void
instance_transition(Instance *instance,
                    StoreTx *tx,
                    LifecycleEvent event,
                    const char *reason,
                    const char *cause)
{
    instance_transition_at(instance, tx, event, NULL, reason, cause);
}

/* The ledger */

/* Everything ends before what begins after: rows come in order of time.  What begins does
 * so at one moment, for the segments and for their counters. */
static void
cut_all(InstanceBook *book, StoreTx *tx, const LedgerMoment *before)
{
    const LedgerMoment after = ledger_now(book->store);
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        ledger_end_before_step(book->store, tx, &((Instance *) value)->record, before);
    }
    ledger_add_step(book->store, tx, before->at_ms, after.at_ms);
    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Instance *instance = value;

        if (instance->record.n_segments == 0)
            continue;
        ledger_begin_after_step(book->store, tx, &instance->record, &after);
        tick_follow_segment(instance, tx, before->at_ms, after.at_ms);
        instance_put(instance, tx);
    }
}

static void
cut_at_step(InstanceBook *book, StoreTx *tx, gint64 before_ms)
{
    const LedgerMoment before = {
        .at_ms = MAX(before_ms, store_get_ledger_ms(book->store)),
        .boot_ms = clock_boot_ms(),
    };

    /* While the ledger's time stands still there is nothing that a step could pass over.
     */
    if (before.at_ms >= store_ledger_now_ms(book->store))
        return;
    g_message("The clock has stepped forward: what it passed over is not billed");
    cut_all(book, tx, &before);
}

void
instance_book_follow_clock(InstanceBook *book)
{
    gint64 before_ms = 0;
    StoreTx *tx = NULL;

    ledger_clock_watch(&book->clock, store_get_ledger_ms(book->store));
    if (!ledger_clock_has_stepped(&book->clock, &before_ms))
        return;
    tx = store_begin(book->store);
    cut_at_step(book, tx, before_ms);
    store_commit(tx);
}

void
instance_cut(Instance *instance,
             StoreTx *tx,
             LifecycleBilling billing,
             const LedgerMoment *when,
             const char *cause)
{
    InstanceBook *book = instance->book;
    const ProtoOpenSegment *open = NULL;
    LedgerMoment moment = { 0 };
    gint64 before_ms = 0;
    gint64 cut_ms = 0;

    if (ledger_clock_has_stepped(&book->clock, &before_ms))
        cut_at_step(book, tx, before_ms);
    moment = when != NULL ? *when : ledger_now(book->store);
    ledger_cut(book->store, tx, &instance->record, billing, &moment, cause);
    /* A segment never begins before the one that it follows. */
    open = ledger_find_open(&instance->record, RESOURCE_KIND_INSTANCE);
    cut_ms = open != NULL ? MAX(moment.at_ms, open->from_ms) : moment.at_ms;
    tick_follow_segment(instance, tx, cut_ms, cut_ms);
}

/* The host */

bool
instance_is_on(const Instance *instance)
{
    InstanceState state = instance->record.view.state;

    return state == INSTANCE_STATE_RUNNING || state == INSTANCE_STATE_PAUSED;
}

Host *
instance_get_host(const Instance *instance)
{
    return fleet_find(instance->book->fleet, instance->record.view.host);
}

BookTenant *
instance_book_get_tenant(InstanceBook *book, const char *name)
{
    return g_hash_table_lookup(book->by_tenant, name);
}

BookHost *
instance_book_get_host(InstanceBook *book, const char *name)
{
    return name != NULL ? g_hash_table_lookup(book->hosts, name) : NULL;
}

bool
instance_is_on_host(const Instance *instance, const char *host)
{
    return g_strcmp0(instance->record.view.host, host) == 0;
}

char *
instance_get_seen_at(const Instance *instance)
{
    const Host *host = instance_get_host(instance);

    return host != NULL ? host_get_view(host)->seen_at : NULL;
}

void
instance_call(const Instance *instance,
              HostLane lane,
              const WireMethod *method,
              const void *in,
              gint64 timeout_ms,
              WireLinkReply reply,
              gpointer data)
{
    fleet_call(instance->book->fleet, instance->record.view.host, lane, method, in,
               timeout_ms, reply, data);
}

/* Sizes */

static ProtoSize
larger(const ProtoSize *a, const ProtoSize *b)
{
    return (ProtoSize){ MAX(a->vcpus, b->vcpus), MAX(a->memory_bytes, b->memory_bytes),
                        MAX(a->disk_bytes, b->disk_bytes) };
}

ProtoSize
instance_get_held_size(Instance *instance)
{
    const ProtoInstance *view = &instance->record.view;
    const Operation *active =
        view->operation != NULL ? operation_find(instance->book->engine, view->operation)
                                : NULL;
    ProtoSize size = { view->vcpus, view->memory_bytes, view->disk_bytes };

    if (view->next != NULL)
        size = larger(&size, view->next);
    if (instance->record.has_doubtful_disk_bytes)
        size.disk_bytes = MAX(size.disk_bytes, instance->record.doubtful_disk_bytes);
    if (active != NULL && active->record.new_size != NULL)
        size = larger(&size, active->record.new_size);
    return size;
}

ProtoSize
instance_get_next_size(const Instance *instance)
{
    const ProtoInstance *view = &instance->record.view;

    if (view->next != NULL)
        return *view->next;
    return (ProtoSize){ view->vcpus, view->memory_bytes, view->disk_bytes };
}

Quota
instance_book_sum(InstanceBook *book, const char *tenant)
{
    const BookTenant *one =
        tenant != NULL ? instance_book_get_tenant(book, tenant) : NULL;
    GHashTableIter iter;
    gpointer instance = NULL;
    Quota sum = { 0 };

    if (tenant != NULL && one == NULL)
        return sum;
    g_hash_table_iter_init(&iter, one != NULL ? one->instances : book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &instance)) {
        ProtoSize size = instance_get_held_size(instance);

        quota_add(&sum, &size, 1);
    }
    return sum;
}

bool
instance_permit(Instance *instance, OperationKind kind, GError **error)
{
    const ProtoInstance *view = &instance->record.view;
    Operation *active = operation_find_active(instance->book->engine, view->id);

    if (active != NULL) {
        proto_error_set_conflict(
            error, "instance", view->name, active->record.view.id,
            "Instance \"%s\": %s is under way (operation %s)", view->name,
            operation_kind_to_string(active->record.view.kind), active->record.view.id);
        return false;
    }
    if (!lifecycle_permits(view->state, kind)) {
        g_autofree char *why =
            view->reason != NULL ? g_strdup_printf(" (%s)", view->reason) : g_strdup("");

        proto_error_set_illegal_state(error, instance_state_to_string(view->state),
                                      "Instance \"%s\" is %s%s: it cannot be %s",
                                      view->name, instance_state_to_string(view->state),
                                      why, instance_get_participle(kind));
        return false;
    }
    return true;
}

Instance *
instance_of_operation(Operation *operation)
{
    return instance_get(operation_get_owner(operation), operation->record.view.target);
}
