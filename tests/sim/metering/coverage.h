/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "sim/metering/guests.h"

/**
 * Whether what nobody measured is told of: between the last reading of a process and the
 * start of the next that is read, and between the last reading of all and the end of a
 * segment, there has to be a gap.
 */

void coverage_begin(void);
void coverage_end(void);

/** A reading that is on vmd's disk, by the ledger's time, of a process that had run for
 * age_ms then. */
void
coverage_add_reading(const Guest *guest, const Life *life, gint64 at_ms, gint64 age_ms);

/** Blames time that is neither measured nor told to be a gap. */
void coverage_check(const GArray *rows);
