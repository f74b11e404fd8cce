/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "proto.h"

/**
 * What must hold of the ledger, whatever happened.  It is held against the truth of
 * guests.h and against what vmd was told of that.
 */

void oracle_begin(void);
void oracle_end(void);

/** vmd is about to be told of a reading of counters, and was told. */
void oracle_expect_reading(const ProtoDomainStats *stats);
void oracle_end_reading(const ProtoDomainStats *stats);

/** vmd was killed: of what it was told only what is on its disk counts. */
void oracle_forget_readings(void);

/** Reads the ledger and blames what is not as it has to be.  Runs the main loop. */
void oracle_check(void);

/** The same of a ledger that is not that of the guests any more: only whether it is whole
 * in itself. */
void oracle_check_chain(void);

/** Rows seen by oracle_check(), of all seeds. */
guint64 oracle_count_rows(void);
