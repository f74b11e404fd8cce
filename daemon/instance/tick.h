/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/book.h"

/**
 * Reads the counters of what runs, at every full minute and before a domain ends, and has
 * the ledger book what was used.
 */

/** Begins to read, on each host by itself. */
void tick_start(InstanceBook *book);
void tick_stop(InstanceBook *book);

/** The segment of the instance ended at ended_ms, and what is open now began at at_ms:
 * what is counted goes there. */
void tick_follow_segment(Instance *instance, StoreTx *tx, gint64 ended_ms, gint64 at_ms);

/** Takes what the host told of the instance's counters. */
void tick_take(Instance *instance, const ProtoDomainStats *stats);
