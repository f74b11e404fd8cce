/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/rpc.h"
#include "sim/bills/facts.h"

/**
 * A vmd-meter: its store, books and calls are the daemon's own, in front of the ledger.
 * It can be killed at any write, and in between; what was written until then is what the
 * next one finds.
 */

/** facts must outlive it. */
void process_begin(Facts *facts);
void process_end(void);

/** Starts it; it may have died in that, see process_is_dead(). */
void process_start(void);
void process_kill(void);
bool process_is_dead(void);

/** Owned by the running one. */
Meter *process_get(void);

/** Follows the ledger for a while: up to a row, in pieces, some of them sent again. */
void process_follow(MeterStore *store, gint64 until);

/** Brings store and books up to now; false if it dies. */
bool process_refresh(void);

/* Calls.  False if it refuses, or dies: what was asked for may be in the ledger all the
 * same. */
bool process_ask_card(const Prices *prices, bool backdate);
bool process_ask_deal(const Deal *deal, bool backdate);

/** quantity or price may be NULL: it stays. */
bool process_ask_fix(const Fix *fix, const char *quantity, const char *price);
bool process_ask_closing(guint month);

/** Whether what it holds is in the ledger. */
bool process_is_whole(void);

/** Looks whether the ledger was put back and accepts that; false if it dies in it, or has
 * to be asked again. */
bool process_recover(void);
