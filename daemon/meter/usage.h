/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/window.h"
#include "proto.h"

/**
 * From segments to usage.  Pure: no I/O, no clock; the same segments in the same order
 * give the same bytes.  Holds one line and the totals, whatever the number of segments.
 */

/** A stretch of an instance's life; one that has not ended ends where the facts do. */
typedef struct {
    const char *tenant;
    const char *instance;
    const char *name;
    BillingState state;
    gint64 vcpus;
    gint64 memory_bytes;
    gint64 disk_bytes;
    gint64 start_ms;
    gint64 end_ms;
} UsageSegment;

typedef struct UsageFold UsageFold;

/** Counts what lies in window. */
UsageFold *usage_fold_new(const Window *window);
void usage_fold_free(UsageFold *fold);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsageFold, usage_fold_free)

/**
 * Adds a segment.  They come by tenant, by instance, and within an instance by time.
 * Stretches of one size that touch each other are one line, whatever their states.
 * Fails when segments overlap and when a sum does not fit.
 */
bool usage_fold_add(UsageFold *fold, const UsageSegment *segment, GError **error);

/** Nothing more comes: the last line and the last total are complete. */
bool usage_fold_finish(UsageFold *fold, GError **error);

/** The lines that are complete and were not dropped yet: ProtoUsageLine.  Owned by fold.
 */
GArray *usage_fold_get_lines(UsageFold *fold);

/** Drops the lines that were read. */
void usage_fold_drop_lines(UsageFold *fold);

/** The totals that are complete, ProtoUsageTotal, in the order of the tenants.  Owned by
 * fold. */
GArray *usage_fold_get_totals(UsageFold *fold);
