/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * How busy an instance is: what its virtual CPUs ran for between two readings of its
 * counters, of what they could have.  Pure; kept in memory only.
 */
typedef struct {
    /** The reading before. */
    bool has_reading;
    ProtoEpoch epoch;
    gint64 cpu_ns;
    gint64 read_boot_ms;
    gint64 read_end_boot_ms;
    gint64 read_ms;
    /** In thousandths of a percent of all its virtual CPUs; at_ms is 0 while it is not
     * known. */
    gint64 milli_percent;
    /** When the stretch of time began that it is of, and when it was read. */
    gint64 from_ms;
    gint64 at_ms;
} InstanceLoad;

/** Takes a reading that came at now_ms.  The first one of a process only begins. */
void load_take(InstanceLoad *load, const ProtoDomainStats *stats, gint64 now_ms);

void load_clear(InstanceLoad *load);
