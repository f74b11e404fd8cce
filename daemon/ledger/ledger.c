/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ledger/ledger.h"

#include <string.h>

#include "base/clock.h"

LedgerMoment
ledger_now(Store *store)
{
    return (LedgerMoment){ store_ledger_now_ms(store), clock_boot_ms(), 0 };
}

static ProtoOpenSegment *
find_open(const ProtoInstanceRecord *record, ResourceKind kind)
{
    for (gsize i = 0; i < record->n_segments; i++) {
        if (record->segments[i].kind == kind)
            return &record->segments[i];
    }
    return NULL;
}

const ProtoOpenSegment *
ledger_find_open(const ProtoInstanceRecord *record, ResourceKind kind)
{
    return find_open(record, kind);
}

/* Rows */

static void
add_closed(Store *store,
           StoreTx *tx,
           const ProtoOpenSegment *open,
           const LedgerMoment *when,
           const char *cause)
{
    g_auto(ProtoLedgerRow) row = {
        .kind = LEDGER_KIND_CLOSED,
        .at_ms = store_ledger_now_ms(store),
        .has_segment = true,
        .segment = open->seq,
        .has_to_ms = true,
        .to_ms = when->at_ms,
        .cause = g_strdup(cause),
        .has_estimated = when->uncertain_ms > 0,
        .estimated = when->uncertain_ms,
        .has_boot_ms = true,
        .boot_ms = when->boot_ms,
        .boot_id = g_strdup(clock_boot_id()),
    };

    store_add_ledger(tx, &row);
}

/* What goes with the row of each kind of resource; the rest is of all. */
static void
fill_opened(ProtoLedgerRow *row, const ProtoOpenSegment *open)
{
    bool is_instance = open->kind == RESOURCE_KIND_INSTANCE;

    row->has_vcpus = row->has_memory_bytes = row->has_generation = is_instance;
    row->has_disk_bytes = open->kind != RESOURCE_KIND_ADDRESS;
    row->vcpus = open->vcpus;
    row->memory_bytes = open->memory_bytes;
    row->disk_bytes = open->disk_bytes;
    row->generation = open->generation;
}

static void
add_opened(StoreTx *tx,
           const ProtoInstance *view,
           ProtoOpenSegment *open,
           gint64 now_ms,
           const char *cause)
{
    g_auto(ProtoLedgerRow) row = {
        .kind = LEDGER_KIND_OPENED,
        .at_ms = now_ms,
        .has_from_ms = true,
        .from_ms = open->from_ms,
        .cause = g_strdup(cause),
        .has_resource_kind = true,
        .resource_kind = open->kind,
        .resource = g_strdup(view->id),
        .tenant = g_strdup(view->tenant),
        .name = g_strdup(view->name),
        .labels = view->labels != NULL && *view->labels != NULL ? g_strdupv(view->labels)
                                                                : NULL,
        .template = g_strdup(view->template),
        .host = g_strdup(open->host),
        .has_state = true,
        .state = open->state,
        .has_boot_ms = true,
        .boot_ms = open->boot_ms,
        .boot_id = g_strdup(open->boot_id),
    };

    fill_opened(&row, open);
    store_add_ledger(tx, &row);
    open->seq = row.seq;
}

/* Segments */

static void
open_segment(Store *store,
             StoreTx *tx,
             ProtoInstanceRecord *record,
             const ProtoOpenSegment *wanted,
             const LedgerMoment *when,
             const char *cause)
{
    ProtoOpenSegment open = { 0 };

    proto_open_segment_copy(wanted, &open);
    open.from_ms = when->at_ms;
    open.boot_ms = when->boot_ms;
    g_free(open.boot_id);
    open.boot_id = g_strdup(clock_boot_id());
    add_opened(tx, &record->view, &open, store_ledger_now_ms(store), cause);
    record->segments =
        g_renew(ProtoOpenSegment, record->segments, record->n_segments + 1);
    record->segments[record->n_segments++] = open;
}

static void
close_segment(Store *store,
              StoreTx *tx,
              ProtoInstanceRecord *record,
              ProtoOpenSegment *open,
              const LedgerMoment *when,
              const char *cause)
{
    gsize index = (gsize) (open - record->segments);

    add_closed(store, tx, open, when, cause);
    proto_open_segment_clear(open);
    memmove(open, open + 1, (--record->n_segments - index) * sizeof *open);
}

/* Cutting */

/* What is to be charged of the instance from now on; false if nothing. */
static bool
get_billing(const ProtoOpenSegment *open, LifecycleBilling billing, BillingState *ret)
{
    switch (billing) {
    case LIFECYCLE_BILL_NOTHING:
        return false;
    case LIFECYCLE_BILL_AS_BEFORE:
        if (open != NULL)
            *ret = open->state;
        return open != NULL;
    case LIFECYCLE_BILL_RUNNING:
        *ret = BILLING_STATE_RUNNING;
        return true;
    case LIFECYCLE_BILL_PAUSED:
        *ret = BILLING_STATE_PAUSED;
        return true;
    case LIFECYCLE_BILL_STOPPED:
        *ret = BILLING_STATE_STOPPED;
        return true;
    case LIFECYCLE_BILL_DISK_IF_ANY:
        *ret = BILLING_STATE_STOPPED;
        return open != NULL;
    }
    return false;
}

/* The segment of a kind that the record asks for; strings are borrowed. */
static ProtoOpenSegment
make_wanted(const ProtoInstance *view, ResourceKind kind, BillingState state)
{
    ProtoOpenSegment wanted = {
        .kind = kind,
        .state = state,
        .host = view->host != NULL ? view->host : (char *) (gsize) "",
        .boot_id = (char *) (gsize) "",
    };

    if (kind != RESOURCE_KIND_ADDRESS)
        wanted.disk_bytes = view->disk_bytes;
    if (kind == RESOURCE_KIND_INSTANCE) {
        wanted.vcpus = view->vcpus;
        wanted.memory_bytes = view->memory_bytes;
        wanted.generation = view->generation;
    } else {
        wanted.state = BILLING_STATE_HELD;
    }
    return wanted;
}

static bool
is_same(const ProtoOpenSegment *a, const ProtoOpenSegment *b)
{
    return a->state == b->state && a->vcpus == b->vcpus &&
           a->memory_bytes == b->memory_bytes && a->disk_bytes == b->disk_bytes &&
           a->generation == b->generation && strcmp(a->host, b->host) == 0;
}

/* A segment does not end before it began, however late that is learnt. */
static LedgerMoment
not_before(const LedgerMoment *when, const ProtoOpenSegment *open)
{
    LedgerMoment moment = *when;

    if (open == NULL || moment.at_ms >= open->from_ms)
        return moment;
    /* Between the two a clock may have stepped. */
    if (strcmp(open->boot_id, clock_boot_id()) == 0) {
        moment.boot_ms = open->boot_ms;
    } else {
        moment.boot_ms =
            MIN(moment.boot_ms + open->from_ms - moment.at_ms, clock_boot_ms());
    }
    moment.at_ms = open->from_ms;
    return moment;
}

void
ledger_cut(Store *store,
           StoreTx *tx,
           ProtoInstanceRecord *record,
           LifecycleBilling billing,
           const LedgerMoment *when,
           const char *cause)
{
    BillingState state = BILLING_STATE_STOPPED;
    bool charged =
        get_billing(find_open(record, RESOURCE_KIND_INSTANCE), billing, &state);

    for (int kind = 0; kind < RESOURCE_KIND_N; kind++) {
        ProtoOpenSegment *open = find_open(record, (ResourceKind) kind);
        const ProtoOpenSegment wanted =
            make_wanted(&record->view, (ResourceKind) kind, state);
        const LedgerMoment moment = not_before(when, open);

        if (open != NULL && charged && is_same(open, &wanted))
            continue;
        if (open != NULL)
            close_segment(store, tx, record, open, &moment, cause);
        if (charged)
            open_segment(store, tx, record, &wanted, &moment, cause);
    }
}

/* Steps of the clock */

static const char clock_step[] = "clock-step";

void
ledger_end_before_step(Store *store,
                       StoreTx *tx,
                       ProtoInstanceRecord *record,
                       const LedgerMoment *when)
{
    for (gsize i = 0; i < record->n_segments; i++) {
        const LedgerMoment moment = not_before(when, &record->segments[i]);

        add_closed(store, tx, &record->segments[i], &moment, clock_step);
    }
}

void
ledger_begin_after_step(Store *store,
                        StoreTx *tx,
                        ProtoInstanceRecord *record,
                        const LedgerMoment *when)
{
    for (gsize i = 0; i < record->n_segments; i++) {
        ProtoOpenSegment *open = &record->segments[i];

        open->from_ms = when->at_ms;
        open->boot_ms = when->boot_ms;
        g_free(open->boot_id);
        open->boot_id = g_strdup(clock_boot_id());
        add_opened(tx, &record->view, open, store_ledger_now_ms(store), clock_step);
    }
}

void
ledger_add_step(Store *store, StoreTx *tx, gint64 from_ms, gint64 to_ms)
{
    g_auto(ProtoLedgerRow) row = {
        .kind = LEDGER_KIND_CLOCK,
        .at_ms = store_ledger_now_ms(store),
        .has_from_ms = true,
        .from_ms = from_ms,
        .has_to_ms = true,
        .to_ms = to_ms,
        .cause = g_strdup(clock_step),
    };

    store_add_ledger(tx, &row);
}

void
ledger_add_reading(Store *store, StoreTx *tx, ProtoLedgerRow *row)
{
    row->at_ms = store_ledger_now_ms(store);
    store_add_ledger(tx, row);
}

gint64
ledger_add_note(
    Store *store, StoreTx *tx, const char *topic, const char *tenant, const char *note)
{
    g_auto(ProtoLedgerRow) row = {
        .kind = LEDGER_KIND_NOTED,
        .at_ms = store_ledger_now_ms(store),
        .topic = g_strdup(topic),
        .tenant = g_strdup(tenant),
        .note = g_strdup(note),
    };

    store_add_ledger(tx, &row);
    return row.seq;
}
