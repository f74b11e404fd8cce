/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/money/rating.h"
#include "meter/store.h"
#include "meter/view.h"

/**
 * What came in after a period was closed: a use that was booked late, the end of a run
 * that was not known.  It is billed in the next period as a correction: the lines that
 * are no longer true are taken back, and those that are true by now put in their place.
 */
typedef struct Late Late;

/**
 * Looks for it as of view, for the period that follows the newest of those that are
 * closed in books, which may be closed itself (then closed is its place among them, else
 * their number).  All must outlive it.
 */
Late *late_new(MeterStore *store,
               View *view,
               const Books *books,
               guint closed,
               const char *tenant,
               GError **error);
void late_free(Late *late);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Late, late_free)

/** Appends the names of the tenants that it concerns, perhaps; owned by late. */
void late_collect_tenants(const Late *late, GPtrArray *names);

/** Gives the lines of corrections for the tenant of terms, by period; of no line that
 * somebody corrected, which stays what he said. */
bool late_bill(
    Late *late, const RatingTerms *terms, BillTake take, gpointer data, GError **error);

/** Gives the lines of a closed period as they are billed by now: with all that came late
 * up to the newest closing, without what somebody corrected. */
bool late_rate(MeterStore *store,
               const BooksAt *books,
               const BooksPeriod *period,
               const char *tenant,
               BillTake take,
               gpointer data,
               GError **error);
