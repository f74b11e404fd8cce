/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "proto.h"

/**
 * What was read of an instance's counters.  Between two readings it is kept as it is
 * stored, packed: taken apart, that of 10,000 instances is 9 MiB more.
 */
typedef struct {
    /** A ProtoCounterRecord, shared with what writes it down; NULL before the first. */
    GByteArray *packed;
    /** The segment that what is read belongs to; 0: none, nothing is counted. */
    gint64 segment;
    /** Up to when it is known: read, or told as a gap. */
    gint64 known_ms;
} InstanceReadings;

/** Takes it apart, to be read or to be changed and kept again; the caller clears it. */
void readings_open(const InstanceReadings *readings,
                   const char *instance,
                   ProtoCounterRecord *ret_counters);

/** Keeps what counters, which stays the caller's, is now. */
void readings_keep(InstanceReadings *readings, const ProtoCounterRecord *counters);

void readings_clear(InstanceReadings *readings);
