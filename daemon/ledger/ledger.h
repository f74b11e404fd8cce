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
