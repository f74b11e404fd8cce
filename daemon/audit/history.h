/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * Checks the events and the ledger while they are read, from the first on, in order:
 * numbers without a hole; segments that open and close in turn, that do not overlap and
 * do not run backwards.  Pure.
 */
typedef struct History History;

/** Findings are added to findings. */
History *history_new(GPtrArray *findings);
void history_free(History *history);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(History, history_free)

void history_take_events(History *history, const ProtoEvent *events, gsize n_events);
void history_take_ledger(History *history, const ProtoLedgerRow *rows, gsize n_rows);

/** How many were taken, and the number of the newest. */
gint64 history_count_events(const History *history);
gint64 history_count_ledger(const History *history);
gint64 history_get_event_seq(const History *history);
gint64 history_get_ledger_seq(const History *history);

/** The segment that the ledger leaves open for an instance; 0 if none. */
gint64 history_get_open(const History *history, const char *instance);

/** Whether an event tells of the instance or the template of this id. */
bool history_knows(const History *history, const char *id);
