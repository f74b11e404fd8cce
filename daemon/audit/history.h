/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * Checks the events while they are read, from the first on, in order: numbers without a
 * hole.  Pure.
 */
typedef struct History History;

/** Findings are added to findings. */
History *history_new(GPtrArray *findings);
void history_free(History *history);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(History, history_free)

void history_take_events(History *history, const ProtoEvent *events, gsize n_events);

/** How many were taken, and the number of the newest. */
gint64 history_count_events(const History *history);
gint64 history_get_event_seq(const History *history);

/** Whether an event tells of the instance or the template of this id. */
bool history_knows(const History *history, const char *id);
