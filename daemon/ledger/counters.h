/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * From readings of an instance's counters to what was used.  Pure: no I/O, no clock.
 *
 * Counters belong to the process that runs the domain, its epoch: within one they only
 * grow, and each new one begins at zero.  What they grow by between two readings is
 * summed up until it is booked: at the end of an hour, where a segment ends, and where
 * readings stop.  What is booked is never more than what the counters say, and never more
 * processor time than there was.
 *
 * What is booked is appended to rows: ProtoLedgerRow without number and time of booking,
 * in order.
 */

/** When readings were taken, by the ledger's clock and by that which runs since boot. */
typedef struct {
    gint64 at_ms;
    gint64 boot_ms;
} CounterTime;

/** An array for rows, which clears them. */
GArray *counters_new_rows(void);

/** What is counted belongs to segment from at on; the one before ended at ended_ms, not
 * after at.  Books what was counted for that. */
void counters_begin_segment(ProtoCounterRecord *counters,
                            gint64 segment,
                            gint64 ended_ms,
                            gint64 at_ms,
                            GArray *rows);

/** The segment has ended, and none follows in which anything is counted.  A reading that
 * still comes is of it. */
void counters_end_segment(ProtoCounterRecord *counters, gint64 at_ms);

/** No reading comes any more of a segment that has ended: books what was read, and the
 * gap from there to its end. */
void counters_finish(ProtoCounterRecord *counters, const char *cause, GArray *rows);

/**
 * Takes a reading of an active domain with vcpus processors, and books where an hour of
 * UTC has ended.  Of an adopted instance the first reading is where counting begins.  A
 * reading that is older than the last is left, and of one that was under way together
 * with it what is more is taken: readings may be in any order.
 */
void counters_read(ProtoCounterRecord *counters,
                   const ProtoDomainStats *stats,
                   gint64 vcpus,
                   const CounterTime *time,
                   GArray *rows);

/** The domain may have run since the last reading and could not be read: books what was
 * read, and the gap up to at.  cause is a short word for why. */
void counters_miss(ProtoCounterRecord *counters,
                   gint64 at_ms,
                   const char *cause,
                   GArray *rows);
