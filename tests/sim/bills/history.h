/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** What came of some seeds. */
typedef struct {
    guint deaths;
    guint forks;
    guint bills;
    guint corrections;
    guint64 rows;
} Counts;

/** Lives through one seed; returns whether all was well, and adds to counts.  ret_hash is
 * of all that happened. */
bool history_run(guint32 seed, bool verbose, Counts *counts, guint64 *ret_hash);
