/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/money/bill.h"
#include "meter/money/books.h"
#include "meter/store.h"
#include "meter/view.h"

/**
 * Bills of a period: a function of the ledger up to a row, the period and nothing else.
 * A period that is closed is billed as of the row that closed it.  One tenant at a time,
 * so that a turn of the main loop may end between two of them, and no more is held than
 * the usage of one.  Usage of a period is in one currency; what is billed late or
 * corrected of those before may be in others, and each has a total of its own.
 */
typedef struct Biller Biller;

typedef struct {
    /** NULL: every tenant. */
    const char *tenant;
    /** "2026-10" */
    const char *period;
    /** The days whose lines are wanted; both 0: all of the period. */
    gint64 from_day;
    gint64 to_day;
    /** The row as of which; 0: the newest. */
    gint64 as_of;
    /** What if it were this card?  NULL: what the books say. */
    const Card *instead;
} BillQuery;

/** What a tenant's lines in one currency come to. */
typedef struct {
    const char *tenant;
    /** NULL if there are no lines. */
    const char *currency;
    gint64 lines;
    /** Whether some of them are for usage of the period itself. */
    bool has_usage;
    /** Of a closed period: whether the tenant used something without a price, which is in
     * no line and left to the next period. */
    bool has_unpriced;
    /** Exact, without the adjustment. */
    Decimal list_cost;
    Decimal cost;
    /** What of cost is for usage that is not known to lie just there. */
    Decimal estimated_cost;
    /** To be paid; and what the one rounding changed.  Only of a whole period. */
    bool is_payable;
    Decimal total;
    Decimal rounding;
    int places;
    const char *invoice;
} BillTotal;

/** What all of it rests on. */
typedef struct {
    const char *period;
    Window window;
    bool is_closed;
    /** The row of the ledger as of which, its hash, and when it was booked. */
    gint64 seq;
    char *hash;
    gint64 at_ms;
    /** Time in which instances were there, and in which what they consumed was measured;
     * and how many gaps there are. */
    gint64 expected_ms;
    gint64 metered_ms;
    gint64 gaps;
    /** The cards that were used: const Card *. */
    GPtrArray *cards;
    /** Where the ledger went on from an older copy of itself: const BooksRecovery *. */
    GPtrArray *recoveries;
} BillFoot;

/** Holds the books; query is copied.  Fails with PROTO_ERROR_INVALID_PARAMETER on
 * what is no period, on one that has not begun and on a row that is not there, and with
 * PROTO_ERROR_NOT_FOUND on a tenant that never had anything. */
Biller *
biller_new(MeterStore *store, Books *books, const BillQuery *query, GError **error);
void biller_free(Biller *biller);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Biller, biller_free)

/** The lines of the next tenant and currency to take, and what they come to; ret_more is
 * false when there was none.  That of the usage comes first.  ret_total holds until the
 * next call. */
bool biller_next(Biller *biller,
                 BillTake take,
                 gpointer data,
                 bool *ret_more,
                 BillTotal *ret_total,
                 GError **error);

/** Complete when there is no more tenant; owned by the biller. */
const BillFoot *biller_get_foot(const Biller *biller);
