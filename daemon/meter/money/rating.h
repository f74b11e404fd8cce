/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/money/bill.h"
#include "meter/money/books.h"
#include "meter/view.h"
#include "meter/window.h"

/**
 * What one tenant's usage of one period costs: from segments, use and prices to the lines
 * of a bill.  Pure: the same facts give the same lines.  Holds the tenant's usage of the
 * period.
 *
 * Time is cut at midnight (UTC) and where prices change.  What is held is charged in the
 * states of the card's matrix; what is consumed in a day costs what it did when the day
 * began.  Tiers are filled over the tenant's use of a sku in the period, in the order of
 * (begin, resource, segment).  A run that is shorter than a line's shortest is charged as
 * if it had gone on, but not into the next one.
 */
typedef struct Rating Rating;

typedef struct {
    const char *tenant;
    /** "2026-10", and its time: always a whole month. */
    const char *period;
    Window window;
    /** The days whose lines are wanted; tiers count from the period's start. */
    gint64 from_day;
    gint64 to_day;
    BooksAt books;
    /** Put in the place of what the books say: what if it were this card? */
    const Card *instead;
    /** NULL as long as the period is open. */
    const char *invoice;
    /** Of a period that is closed, for what came in late: usage that had no price in it
     * has the first that there is from its end on and before this instant, which ends the
     * period on whose bill it is; 0: that is refused too. */
    gint64 late_until_ms;
    /** Of a bill that is closed: set when there is usage without a price, which is passed
     * over then, and left to the next bill.  NULL: it is refused. */
    bool *unpriced;
} RatingTerms;

/** terms and what it points to must outlive it. */
Rating *rating_new(const RatingTerms *terms);
void rating_free(Rating *rating);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rating, rating_free)

/** Segments come by resource and time.  They may lie outside of the period: those of the
 * longest run that is charged in full are needed from before it. */
void rating_add_segment(Rating *rating, const ViewSegment *segment);

/** What was consumed in a day, by resource; the segments of it are there already. */
bool rating_add_use(Rating *rating, const ViewUsage *use, GError **error);

/**
 * Gives the lines to take, by resource, meter, sku, day and price.  Fails with
 * PROTO_ERROR_ILLEGAL_STATE on usage that has no price, which it names, unless it may be
 * passed over, and on more than one currency.
 */
bool rating_finish(Rating *rating, BillTake take, gpointer data, GError **error);

/** What usage of the period is paid in, also of days whose lines are not wanted; NULL if
 * nothing is.  After rating_finish(). */
const char *rating_get_currency(const Rating *rating);
