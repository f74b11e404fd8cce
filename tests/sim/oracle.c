/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/oracle.h"

#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/compare.h"
#include "audit/findings.h"
#include "base/clock.h"
#include "fleet/capacity.h"
#include "instance/hosts.h"
#include "sim/groups-oracle.h"
#include "sim/machine.h"
#include "sim/process.h"
#include "sim/world.h"
#include "store/ledger-check.h"

enum {
    AUDIT_LIMIT_MS = 120000,
    ROWS = 100000,
    /* By how much a segment may be billed too long: a step that is not seen as one. */
    CLOCKS_MS = 100,
    LATE_MS = 130000,
};

/* Quota */

static void
check_quota(const char *tenant)
{
    const Rpc *rpc = &process_get()->rpc;
    Quota used = instance_book_sum(rpc->instances, tenant);
    Quota limit = tenant_get_limit(rpc->tenants, tenant);

    for (int i = 0; i < QUOTA_RESOURCES; i++) {
        if (used.amount[i] < 0 || used.amount[i] > limit.amount[i])
            world_blame("tenant %s holds %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " %s",
                        tenant, used.amount[i], limit.amount[i],
                        quota_resource_to_string((QuotaResource) i));
    }
}

/* What is admitted by is what the rows come to. */
static void
check_sums(void)
{
    g_autoptr(GPtrArray) findings = findings_new();

    compare_quota(process_get()->rpc.instances, findings);
    for (guint i = 0; i < findings->len; i++) {
        const ProtoFinding *finding = findings->pdata[i];

        world_blame("quota: %s: %s", finding->name != NULL ? finding->name : "-",
                    finding->detail);
    }
}

/* A call that hangs is given up after two minutes: so long may a step outlast the
 * operation's own time, or the start of a vmd that finds it late. */
static void
check_deadlines(void)
{
    const GQueue *operations = operation_engine_get_all(process_get()->rpc.engine);

    for (const GList *item = operations->head; item != NULL; item = item->next) {
        const Operation *operation = item->data;
        const ProtoOperation *view = &operation->record.view;
        gint64 late_ms = clock_boot_ms() - MAX(operation->record.deadline_boot_ms,
                                               process_get()->rpc.started_boot_ms);

        if (view->state == OPERATION_STATE_RUNNING && !view->undoing && late_ms > LATE_MS)
            world_blame("operation %s of %s is %" G_GINT64_FORMAT
                        " ms past its deadline at step %s",
                        view->id, view->target_name, late_ms, view->step);
    }
}

/* Hosts: of what has not answered yet nothing is known. */
static void
check_capacity(const Host *host)
{
    const ProtoHost *view = host_get_view(host);
    Quota capacity = capacity_of(host_get_config(host), view);
    HostUse use = hosts_sum_one(process_get()->rpc.instances, view->name);

    for (int i = 0; view->memory_bytes > 0 && i < QUOTA_SIZES; i++) {
        if (use.used.amount[i] > capacity.amount[i] || use.reserved.amount[i] < 0)
            world_blame("host %s has promised %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                        " %s",
                        view->name, use.used.amount[i], capacity.amount[i],
                        quota_resource_to_string((QuotaResource) i));
    }
}

/* Nothing that an instance wants to be apart from is on its host. */
static void
check_apart(const Instance *instance)
{
    const ProtoInstance *view = &instance->record.view;
    GHashTableIter iter;
    gpointer value = NULL;

    if (view->placement == NULL || view->placement->anti_affinity == NULL ||
        view->placement->anti_affinity_soft)
        return;
    g_hash_table_iter_init(&iter, instance->book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const ProtoInstance *other = &((const Instance *) value)->record.view;

        if (other != view && strcmp(other->tenant, view->tenant) == 0 &&
            strcmp(other->host, view->host) == 0 &&
            place_has_labels(other->labels, view->placement->anti_affinity))
            world_blame("instances %s and %s are on one host, and to be kept apart",
                        view->name, other->name);
    }
}

static void
check_places(void)
{
    const GPtrArray *hosts = fleet_get_hosts(process_get()->rpc.fleet);
    GHashTableIter iter;
    gpointer instance = NULL;

    for (guint i = 0; i < hosts->len; i++) {
        check_capacity(hosts->pdata[i]);
    }
    g_hash_table_iter_init(&iter, process_get()->rpc.instances->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &instance)) {
        check_apart(instance);
    }
}

void
oracle_look(void)
{
    GHashTableIter iter;
    gpointer tenant = NULL;

    if (process_get() == NULL)
        return;
    check_deadlines();
    groups_look();
    check_sums();
    check_places();
    g_hash_table_iter_init(&iter, process_get()->rpc.instances->by_tenant);
    while (g_hash_table_iter_next(&iter, &tenant, NULL)) {
        check_quota(tenant);
    }
}

/* The audit */

static void
on_audited(const AuditReport *report, gpointer data)
{
    for (guint i = 0; i < report->findings->len; i++) {
        const ProtoFinding *finding = report->findings->pdata[i];

        if (finding->kind != FINDING_KIND_UNOWNED || !machine_is_stranger(finding->id))
            world_blame("audit: %s %s (%s): %s", finding_kind_to_string(finding->kind),
                        finding->id != NULL ? finding->id : "-",
                        finding->name != NULL ? finding->name : "-", finding->detail);
    }
    *(bool *) data = true;
}

static bool
is_set(gpointer data)
{
    return *(const bool *) data;
}

static void
check_audit(void)
{
    const Rpc *rpc = &process_get()->rpc;
    const AuditSources sources = { rpc->store, rpc->templates, rpc->instances,
                                   rpc->fleet };
    bool done = false;

    audit_start(&sources, on_audited, &done);
    if (!world_run(is_set, &done, AUDIT_LIMIT_MS))
        world_blame("the audit does not end");
}

/* The ledger */

/** What was billed of one resource. */
typedef struct {
    gint64 total_ms;
    /** The end of its last segment, and why; 0 while one is open or none was. */
    gint64 closed_ms;
    char *cause;
    ProtoLedgerRow open;
} Bill;

typedef struct {
    /** "kind/id" to Bill, and the segments that are open to their Bill. */
    GHashTable *bills;
    GHashTable *open;
    LedgerCheck *check;
    bool is_done;
} Reading;

static void
bill_free(gpointer data)
{
    Bill *bill = data;

    g_free(bill->cause);
    proto_ledger_row_clear(&bill->open);
    g_free(bill);
}

static Bill *
get_bill(GHashTable *bills, const ProtoLedgerRow *row)
{
    g_autofree char *key = g_strdup_printf(
        "%s/%s", resource_kind_to_string(row->resource_kind), row->resource);
    Bill *bill = g_hash_table_lookup(bills, key);

    if (bill == NULL) {
        bill = g_new0(Bill, 1);
        g_hash_table_insert(bills, g_steal_pointer(&key), bill);
    }
    return bill;
}

static void
take_opened(Reading *reading, const ProtoLedgerRow *row)
{
    Bill *bill = get_bill(reading->bills, row);
    /* What a step of the clock passed over is not billed. */
    bool may_have_a_gap = bill->cause != NULL && (strcmp(bill->cause, "destroyed") == 0 ||
                                                  strcmp(bill->cause, "clock-step") == 0);

    if (bill->closed_ms != 0 && !may_have_a_gap && bill->closed_ms != row->from_ms)
        world_blame("ledger: %s has a gap of %" G_GINT64_FORMAT " ms", row->name,
                    row->from_ms - bill->closed_ms);
    proto_ledger_row_clear(&bill->open);
    proto_ledger_row_copy(row, &bill->open);
    g_hash_table_insert(reading->open, g_memdup2(&row->seq, sizeof row->seq), bill);
}

static void
take_closed(Reading *reading, const ProtoLedgerRow *row)
{
    Bill *bill = g_hash_table_lookup(reading->open, &row->segment);
    gint64 length_ms = 0;
    gint64 billed_ms = 0;

    if (bill == NULL)
        return;
    length_ms = row->boot_ms - bill->open.boot_ms;
    billed_ms = row->to_ms - bill->open.from_ms;
    if (strcmp(bill->open.boot_id, row->boot_id) == 0) {
        if (length_ms < 0 || billed_ms > length_ms + CLOCKS_MS)
            world_blame("ledger: segment %" G_GINT64_FORMAT
                        " of %s is billed %" G_GINT64_FORMAT
                        " ms, but was %" G_GINT64_FORMAT " ms long",
                        row->segment, bill->open.name, billed_ms, length_ms);
        /* Less than 0 is before the machine was booted: no clock tells how long that was.
         */
        bill->total_ms += MAX(row->boot_ms, 0) - MAX(bill->open.boot_ms, 0);
    }
    if (bill->total_ms > world_now_ms())
        world_blame("ledger: %s was billed for more time than there was",
                    bill->open.name);
    bill->closed_ms = row->to_ms;
    g_free(bill->cause);
    bill->cause = g_strdup(row->cause);
    g_hash_table_remove(reading->open, &row->segment);
}

static void
on_fault(
    gint64 seq, const char *resource, const char *name, const char *text, gpointer data)
{
    world_blame("ledger: row %" G_GINT64_FORMAT " of %s: %s", seq,
                name != NULL ? name : "-", text);
}

static void
on_ledger(const LedgerPage *page, gpointer data)
{
    Reading *reading = data;
    LedgerWalk walk = { 0 };
    ProtoLedgerRow row = { 0 };
    gsize from = 0;

    while (ledger_page_next(page, &walk, &row)) {
        ledger_check_take(reading->check, &row, page->rows->data + from, walk.at - from,
                          &g_array_index(page->hashes, ChainHash, walk.index - 1));
        from = walk.at;
        if (row.kind == LEDGER_KIND_OPENED)
            take_opened(reading, &row);
        if (row.kind == LEDGER_KIND_CLOSED)
            take_closed(reading, &row);
        proto_ledger_row_clear(&row);
    }
    reading->is_done = page->hashes->len == 0;
    if (!reading->is_done)
        store_read_ledger(process_get()->rpc.store, page->last_seq, ROWS, on_ledger,
                          reading);
}

static bool
is_read(gpointer data)
{
    return ((const Reading *) data)->is_done;
}

static void
check_ledger(void)
{
    Store *store = process_get()->rpc.store;
    g_autoptr(GHashTable) bills =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, bill_free);
    g_autoptr(GHashTable) open =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_autoptr(LedgerCheck) check =
        ledger_check_new(store_get_service_id(store), on_fault, NULL);
    Reading reading = { bills, open, check, false };

    store_read_ledger(store, 0, ROWS, on_ledger, &reading);
    if (!world_run(is_read, &reading, AUDIT_LIMIT_MS))
        world_blame("the ledger cannot be read");
}

/* Instances and domains */

static bool
is_like(InstanceState state, const ProtoDomain *domain)
{
    switch (domain != NULL ? domain->state : DOMAIN_STATE_ABSENT) {
    case DOMAIN_STATE_RUNNING:
        return state == INSTANCE_STATE_RUNNING;
    case DOMAIN_STATE_PAUSED:
        return state == INSTANCE_STATE_PAUSED;
    case DOMAIN_STATE_STOPPED:
    case DOMAIN_STATE_CRASHED:
        return state == INSTANCE_STATE_STOPPED;
    case DOMAIN_STATE_ABSENT:
        return state == INSTANCE_STATE_ERROR;
    case DOMAIN_STATE_N:
        break;
    }
    return false;
}

static BillingState
get_billing(InstanceState state)
{
    return state == INSTANCE_STATE_RUNNING  ? BILLING_STATE_RUNNING
           : state == INSTANCE_STATE_PAUSED ? BILLING_STATE_PAUSED
                                            : BILLING_STATE_STOPPED;
}

static void
check_instance(const Instance *instance)
{
    const ProtoInstance *view = &instance->record.view;
    const ProtoOpenSegment *open =
        ledger_find_open(&instance->record, RESOURCE_KIND_INSTANCE);
    const ProtoDomain *domain = fake_fleet_find(machine_get_fleet(view->host), view->id);
    bool is_on =
        view->state == INSTANCE_STATE_RUNNING || view->state == INSTANCE_STATE_PAUSED;

    if (!is_like(view->state, domain))
        world_blame(
            "instance %s is %s, its domain is %s", view->name,
            instance_state_to_string(view->state),
            domain_state_to_string(domain != NULL ? domain->state : DOMAIN_STATE_ABSENT));
    if (is_on && domain != NULL &&
        (view->vcpus != domain->vcpus || view->memory_bytes != domain->memory_bytes))
        world_blame("instance %s has not the size of its domain", view->name);
    if (domain != NULL && domain->has_disk_bytes && view->disk_bytes < domain->disk_bytes)
        world_blame("instance %s has a larger disk than it is charged for", view->name);
    if (open != NULL && open->state != get_billing(view->state))
        world_blame("instance %s is %s and billed as %s", view->name,
                    instance_state_to_string(view->state),
                    billing_state_to_string(open->state));
    if (is_on && open == NULL)
        world_blame("instance %s is on and not billed", view->name);
}

static void
check_instances(void)
{
    GHashTableIter iter;
    gpointer instance = NULL;

    g_hash_table_iter_init(&iter, process_get()->rpc.instances->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &instance)) {
        check_instance(instance);
    }
}

void
oracle_check(void)
{
    oracle_look();
    check_audit();
    check_ledger();
    check_instances();
    groups_check();
    machine_check_strangers();
}

/* The dump */

static int
compare_lines(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static void
add_line(GPtrArray *lines, const WireStruct *type, const void *record)
{
    GString *line = g_string_new(NULL);

    wire_struct_print(type, record, line);
    g_ptr_array_add(lines, g_string_free(line, FALSE));
}

GPtrArray *
oracle_dump(void)
{
    const Rpc *rpc = &process_get()->rpc;
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) templates = template_list(rpc->templates, NULL, G_MAXUINT);
    const GQueue *operations = operation_engine_get_all(rpc->engine);
    GHashTableIter iter;
    gpointer instance = NULL;
    gpointer group = NULL;

    g_hash_table_iter_init(&iter, rpc->instances->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &instance)) {
        add_line(lines, &proto_instance_record_type, &((Instance *) instance)->record);
    }
    for (guint i = 0; i < templates->len; i++) {
        add_line(lines, &proto_template_record_type,
                 &((Template *) templates->pdata[i])->record);
    }
    g_hash_table_iter_init(&iter, rpc->groups->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &group)) {
        g_autofree ProtoGroupRecord *told = groups_copy_told(group);

        add_line(lines, &proto_group_record_type, told);
        proto_group_record_clear(told);
    }
    for (const GList *item = operations->head; item != NULL; item = item->next) {
        add_line(lines, &proto_operation_type, &((Operation *) item->data)->record.view);
    }
    g_ptr_array_sort(lines, compare_lines);
    return lines;
}

void
oracle_compare(const GPtrArray *before, const GPtrArray *after)
{
    guint i = 0;

    while (i < before->len && i < after->len &&
           strcmp(before->pdata[i], after->pdata[i]) == 0) {
        i++;
    }
    if (i < before->len || i < after->len)
        world_blame("vmd held other than it kept:\n%s\n--\n%s",
                    i < before->len ? (char *) before->pdata[i] : "",
                    i < after->len ? (char *) after->pdata[i] : "");
}
