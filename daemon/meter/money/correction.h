/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/money/bill.h"
#include "meter/money/rating.h"

/**
 * Corrections of periods that are closed: a line is taken back whole and another put in
 * its place, both in the first period that was open when somebody ordered it.  Pure.
 */

/** Gives the lines of corrections that are booked in the period of terms to take. */
bool
correction_bill(const RatingTerms *terms, BillTake take, gpointer data, GError **error);

/** Gives a line that was kept, as a correction: negative if it takes back. why may be
 * NULL. */
bool correction_give(const RatingTerms *terms,
                     const ProtoCorrectedLine *kept,
                     const char *why,
                     bool takes_back,
                     BillTake take,
                     gpointer data,
                     GError **error);

/** What a note keeps of a line; release with proto_corrected_line_clear(). */
void correction_keep_line(const BillLine *line, ProtoCorrectedLine *ret_kept);

/** What a line of a correction may cost at most, in units of its currency. */
#define CORRECTION_COST_MOST G_GINT64_CONSTANT(1000000000000)

/** Whether a line may stand in bills for a period of that time: that it can be read, and
 * summed up with others. */
bool correction_check_line(const ProtoCorrectedLine *kept,
                           const Window *window,
                           GError **error);
