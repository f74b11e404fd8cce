/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/lifecycle.h"
#include "store/store.h"

/**
 * The facts that usage is computed from, written in the transaction of the change they
 * tell of.  An instance's life is cut into segments wherever something changes that is
 * billed; a row opens each and a row closes it.
 */

/**
 * Brings the ledger in line with what the record says now: if its size, host or billing
 * differs from the open segment, that one is closed and, unless nothing is charged any
 * more, another opened at the same instant.  Updates record->open.  cause is a short word
 * for why ("started", "resized").
 */
void ledger_cut(Store *store,
                StoreTx *tx,
                ProtoInstanceRecord *record,
                LifecycleBilling billing,
                const char *cause);

/**
 * Closes the open segment, if there is one, at at_ms, which is not after now: the wall
 * clock stepped forward after it.  Of all instances first, then
 * ledger_begin_after_step() of all: entries come in order of time.
 */
void ledger_end_before_step(StoreTx *tx, ProtoInstanceRecord *record, gint64 at_ms);

/** Opens a segment now that goes on with the one that ended before the step, which is
 * state; what it is of is as the record says. */
void ledger_begin_after_step(Store *store,
                             StoreTx *tx,
                             ProtoInstanceRecord *record,
                             BillingState state);
