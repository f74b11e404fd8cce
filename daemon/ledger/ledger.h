/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/lifecycle.h"
#include "store/store.h"

/**
 * The facts that usage is computed from, written in the transaction of the change they
 * tell of.  The life of a resource (an instance, its volume, its address) is cut into
 * segments wherever something changes that is billed; a row opens each and a row closes
 * it.
 */

/** When something happened: by the ledger's clock and by that which runs since boot, and
 * by how much it may have been later. */
typedef struct {
    gint64 at_ms;
    gint64 boot_ms;
    gint64 uncertain_ms;
} LedgerMoment;

LedgerMoment ledger_now(Store *store);

/** The open segment of a kind, or NULL. */
const ProtoOpenSegment *ledger_find_open(const ProtoInstanceRecord *record,
                                         ResourceKind kind);

/**
 * Brings the ledger in line with what the record says now: where its size, host or
 * billing differs from an open segment, that one is closed and, unless nothing is charged
 * any more, another opened at the same instant, which is when, or a segment's beginning
 * if that is later.  Updates record->segments.  cause is a short word for why
 * ("started", "resized").
 */
void ledger_cut(Store *store,
                StoreTx *tx,
                ProtoInstanceRecord *record,
                LifecycleBilling billing,
                const LedgerMoment *when,
                const char *cause);

/**
 * Closes all open segments at when: the wall clock stepped forward after it.  What they
 * were is kept, for ledger_begin_after_step() to open them again.
 */
void ledger_end_before_step(Store *store,
                            StoreTx *tx,
                            ProtoInstanceRecord *record,
                            const LedgerMoment *when);

/** Opens at when all segments that go on from before the step. */
void ledger_begin_after_step(Store *store,
                             StoreTx *tx,
                             ProtoInstanceRecord *record,
                             const LedgerMoment *when);

/** Tells that the wall clock was at from_ms when it was set to to_ms. */
void ledger_add_step(Store *store, StoreTx *tx, gint64 from_ms, gint64 to_ms);

/** Adds a row that counters made, of a segment of the instance. */
void ledger_add_reading(Store *store, StoreTx *tx, ProtoLedgerRow *row);

/** Adds an entry of the books; returns its row.  tenant may be NULL. */
gint64 ledger_add_note(
    Store *store, StoreTx *tx, const char *topic, const char *tenant, const char *note);
