/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/bills/facts.h"

/**
 * What vmd-meter meets outside of itself, in place of the daemon's own controller, calls
 * and their answers: a vmd that has the ledger, and an admin who asks.
 */

/** What is in the facts once a row of the ledger has it. */
typedef struct {
    Prices prices;
    Deal deal;
    Fix fix;
} Pending;

/** The answer to a call, which is one. */
typedef struct {
    bool is_good;
} Answer;

void vmd_begin(Facts *facts);
void vmd_end(void);

/** What is true once vmd has written what is asked for next. */
void vmd_expect(Pending pending);
