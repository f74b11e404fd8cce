/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ledger/ledger.h"

#include <string.h>

#include "base/clock.h"

static gint64
add_event(StoreTx *tx, const ProtoLedgerRow *row, EventKind kind)
{
    ProtoEvent event = {
        .kind = kind,
        .tenant = g_strdup(row->tenant),
        .subject = g_strdup(row->instance),
        .name = g_strdup(row->name),
        .state = g_strdup(billing_state_to_string(row->state)),
        .detail = g_strdup(row->cause),
    };

    return store_add_event(tx, &event);
}

/* An instant by both clocks: what ends and what begins at a cut has the same. */
typedef struct {
    gint64 at_ms;
    gint64 boot_ms;
} Moment;

static void
stamp(ProtoLedgerRow *row, const Moment *now, const char *cause)
{
    g_free(row->cause);
    row->cause = g_strdup(cause);
    g_free(row->at);
    row->at = clock_format_time(now->at_ms);
    row->boot_ms = now->boot_ms;
    g_free(row->boot_id);
    row->boot_id = g_strdup(clock_boot_id());
}

static void
close_segment(StoreTx *tx,
              ProtoInstanceRecord *record,
              const Moment *now,
              const char *cause)
{
    ProtoLedgerRow *row = record->open;

    stamp(row, now, cause);
    row->kind = LEDGER_KIND_CLOSED;
    row->seq = add_event(tx, row, EVENT_KIND_USAGE_CLOSED);
    store_add_ledger(tx, row, now->at_ms);
    proto_ledger_row_clear(row);
    g_clear_pointer(&record->open, g_free);
}

static void
open_segment(StoreTx *tx,
             ProtoInstanceRecord *record,
             BillingState state,
             const Moment *now,
             const char *cause)
{
    const ProtoInstance *view = &record->view;
    ProtoLedgerRow *row = g_new0(ProtoLedgerRow, 1);

    *row = (ProtoLedgerRow){
        .kind = LEDGER_KIND_OPENED,
        .tenant = g_strdup(view->tenant),
        .instance = g_strdup(view->id),
        .name = g_strdup(view->name),
        .host = g_strdup(view->host != NULL ? view->host : ""),
        .state = state,
        .vcpus = view->vcpus,
        .memory_bytes = view->memory_bytes,
        .disk_bytes = view->disk_bytes,
        .generation = view->generation,
    };
    stamp(row, now, cause);
    row->seq = add_event(tx, row, EVENT_KIND_USAGE_OPENED);
    row->segment = row->seq;
    store_add_ledger(tx, row, now->at_ms);
    record->open = row;
}

/* What is to be charged from now on; false if nothing. */
static bool
get_billing(const ProtoInstanceRecord *record,
            LifecycleBilling billing,
            BillingState *ret_state)
{
    switch (billing) {
    case LIFECYCLE_BILL_NOTHING:
        return false;
    case LIFECYCLE_BILL_AS_BEFORE:
        if (record->open != NULL)
            *ret_state = record->open->state;
        return record->open != NULL;
    case LIFECYCLE_BILL_RUNNING:
        *ret_state = BILLING_STATE_RUNNING;
        return true;
    case LIFECYCLE_BILL_PAUSED:
        *ret_state = BILLING_STATE_PAUSED;
        return true;
    case LIFECYCLE_BILL_STOPPED:
        *ret_state = BILLING_STATE_STOPPED;
        return true;
    case LIFECYCLE_BILL_DISK_IF_ANY:
        *ret_state = BILLING_STATE_STOPPED;
        return record->open != NULL;
    }
    return false;
}

static bool
is_same(const ProtoLedgerRow *row, const ProtoInstance *view, BillingState state)
{
    return row->state == state && row->vcpus == view->vcpus &&
           row->memory_bytes == view->memory_bytes &&
           row->disk_bytes == view->disk_bytes && row->generation == view->generation &&
           g_strcmp0(row->host, view->host) == 0;
}

void
ledger_cut(Store *store,
           StoreTx *tx,
           ProtoInstanceRecord *record,
           LifecycleBilling billing,
           const char *cause)
{
    const Moment now = { store_ledger_now_ms(store), clock_boot_ms() };
    BillingState state = BILLING_STATE_STOPPED;
    bool charged = get_billing(record, billing, &state);

    if (record->open != NULL && charged && is_same(record->open, &record->view, state))
        return;
    if (record->open != NULL)
        close_segment(tx, record, &now, cause);
    if (charged)
        open_segment(tx, record, state, &now, cause);
}

void
ledger_end_before_step(StoreTx *tx, ProtoInstanceRecord *record, gint64 at_ms)
{
    const Moment before = { at_ms, clock_boot_ms() };

    if (record->open != NULL)
        close_segment(tx, record, &before, "clock-step");
}

void
ledger_begin_after_step(Store *store,
                        StoreTx *tx,
                        ProtoInstanceRecord *record,
                        BillingState state)
{
    const Moment now = { store_ledger_now_ms(store), clock_boot_ms() };

    open_segment(tx, record, state, &now, "clock-step");
}
