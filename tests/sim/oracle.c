/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/oracle.h"

#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "sim/machine.h"
#include "sim/process.h"
#include "sim/world.h"

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

void
oracle_look(void)
{
    GHashTableIter iter;
    gpointer tenant = NULL;

    if (process_get() == NULL)
        return;
    check_deadlines();
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
                                   rpc->host };
    bool done = false;

    audit_start(&sources, on_audited, &done);
    if (!world_run(is_set, &done, AUDIT_LIMIT_MS))
        world_blame("the audit does not end");
}

/* The ledger */

/** What was billed of one instance. */
typedef struct {
    gint64 total_ms;
    /** The end of its last segment, and why; NULL while one is open or none was. */
    char *closed_at;
    char *cause;
    ProtoLedgerRow open;
} Bill;

static void
bill_free(gpointer data)
{
    Bill *bill = data;

    g_free(bill->closed_at);
    g_free(bill->cause);
    proto_ledger_row_clear(&bill->open);
    g_free(bill);
}

static Bill *
get_bill(GHashTable *bills, const char *instance)
{
    Bill *bill = g_hash_table_lookup(bills, instance);

    if (bill == NULL) {
        bill = g_new0(Bill, 1);
        g_hash_table_insert(bills, g_strdup(instance), bill);
    }
    return bill;
}

static void
take_opened(Bill *bill, const ProtoLedgerRow *row)
{
    /* What a step of the clock passed over is not billed. */
    bool may_have_a_gap = bill->cause != NULL && (strcmp(bill->cause, "destroyed") == 0 ||
                                                  strcmp(bill->cause, "clock-step") == 0);

    if (bill->closed_at != NULL && !may_have_a_gap &&
        strcmp(bill->closed_at, row->at) != 0)
        world_blame("ledger: %s has a gap from %s to %s", row->name, bill->closed_at,
                    row->at);
    proto_ledger_row_clear(&bill->open);
    proto_ledger_row_copy(row, &bill->open);
}

/* How long it is by the wall clock, by which it is billed. */
static gint64
get_billed_ms(const ProtoLedgerRow *opened, const ProtoLedgerRow *closed)
{
    gint64 from_ms = 0;
    gint64 to_ms = 0;

    clock_parse_time(opened->at, &from_ms);
    clock_parse_time(closed->at, &to_ms);
    return to_ms - from_ms;
}

static void
take_closed(Bill *bill, const ProtoLedgerRow *row)
{
    bool is_same_boot = g_strcmp0(bill->open.boot_id, row->boot_id) == 0;
    gint64 length_ms = row->boot_ms - bill->open.boot_ms;

    if (is_same_boot && length_ms < 0)
        world_blame("ledger: segment %" G_GINT64_FORMAT " of %s is %" G_GINT64_FORMAT
                    " ms long",
                    row->segment, row->name, length_ms);
    if (is_same_boot && get_billed_ms(&bill->open, row) > length_ms + CLOCKS_MS)
        world_blame("ledger: segment %" G_GINT64_FORMAT
                    " of %s is billed %" G_GINT64_FORMAT " ms, but was %" G_GINT64_FORMAT
                    " ms long",
                    row->segment, row->name, get_billed_ms(&bill->open, row), length_ms);
    if (is_same_boot)
        bill->total_ms += length_ms;
    g_free(bill->closed_at);
    bill->closed_at = g_strdup(row->at);
    g_free(bill->cause);
    bill->cause = g_strdup(row->cause);
}

typedef struct {
    GHashTable *bills;
    bool is_done;
} Reading;

static void
on_ledger(const ProtoLedgerRow *rows, gsize n_rows, gpointer data)
{
    Reading *reading = data;

    for (gsize i = 0; i < n_rows; i++) {
        Bill *bill = get_bill(reading->bills, rows[i].instance);

        if (rows[i].kind == LEDGER_KIND_OPENED) {
            take_opened(bill, &rows[i]);
        } else {
            take_closed(bill, &rows[i]);
        }
        if (bill->total_ms > world_now_ms())
            world_blame("ledger: %s was billed for more time than there was",
                        rows[i].name);
    }
    reading->is_done = true;
}

static bool
is_read(gpointer data)
{
    return ((const Reading *) data)->is_done;
}

static void
check_ledger(void)
{
    g_autoptr(GHashTable) bills =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, bill_free);
    Reading reading = { bills, false };

    store_read_ledger(process_get()->rpc.store, 0, ROWS, on_ledger, &reading);
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
    const ProtoLedgerRow *open = instance->record.open;
    const ProtoDomain *domain = fake_fleet_find(machine_get_fleet(), view->id);
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

    g_hash_table_iter_init(&iter, rpc->instances->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &instance)) {
        add_line(lines, &proto_instance_record_type, &((Instance *) instance)->record);
    }
    for (guint i = 0; i < templates->len; i++) {
        add_line(lines, &proto_template_record_type,
                 &((Template *) templates->pdata[i])->record);
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
