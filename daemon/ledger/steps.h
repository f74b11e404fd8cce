/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * Steps of the wall clock, seen by the boot clock, which has none.  Usage is billed by
 * the wall clock's instants; a step forward would be billed though nobody used it, so
 * every open segment is cut there: ledger_end_before_step() and
 * ledger_begin_after_step(). A step back needs nothing: the ledger's time stands still
 * until the wall clock has caught up.
 */
typedef struct {
    gint64 wall_ms;
    gint64 boot_ms;
    bool is_behind;
} LedgerClock;

/** Where both clocks stand together from now on. */
void ledger_clock_set(LedgerClock *clock, gint64 wall_ms, gint64 boot_ms);

/** Whether the wall clock has stepped forward since the last look; ret_wall_ms is then
 * what it would show if it had not. */
bool ledger_clock_has_stepped(LedgerClock *clock, gint64 *ret_wall_ms);

/** By how much the wall clock is behind that of the ledger's newest row: it was set back,
 * or was wrong when the machine started.  0: it is not. */
gint64 ledger_clock_get_behind_ms(gint64 newest_ms);

/** Warns once when the wall clock is behind, and says once that it no longer is. */
void ledger_clock_watch(LedgerClock *clock, gint64 newest_ms);
