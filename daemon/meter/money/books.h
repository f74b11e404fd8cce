/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/money/card.h"
#include "meter/window.h"
#include "proto.h"

/**
 * What the notes of the ledger decide: rate cards, who has which, which periods are
 * closed, what was corrected.  Notes are only ever added, so whatever is asked is asked
 * as of a row: what was noted later does not exist then.  Pure.
 */
typedef struct Books Books;

/** The books as of a row. */
typedef struct {
    const Books *books;
    gint64 seq;
} BooksAt;

Books *books_new(void);
/** For who reads them over more than one turn of the main loop: cards and periods live as
 * long as their books. */
Books *books_ref(Books *books);
void books_unref(Books *books);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Books, books_unref)

/**
 * Takes the next note of the ledger.  One that was taken already changes nothing.  One
 * that does not fit to those before it, which nobody would have noted by vmd-meter, is
 * passed over: it is kept for books_list_passed(), and counts for nothing.  Fails, with
 * nothing taken, on what is no entry at all: vmd takes none that this version cannot
 * read.
 */
bool books_add(Books *books, const ProtoLedgerRow *row, GError **error);

/** An entry that was passed over, and why: "it ...". */
typedef struct {
    gint64 seq;
    char *why;
} BooksPassed;

/** Those of them that there are, const BooksPassed *, in the order of rows. */
GPtrArray *books_list_passed(const BooksAt *at);

/** Why the newest note was passed over; NULL if it was not. */
const char *books_get_passed(const Books *books);

/** The row of the newest note that was taken; 0 if there is none. */
gint64 books_get_note(const Books *books);

/* Prices */

/** Which card holds for a tenant, and what was agreed on. */
typedef struct {
    const Card *card;
    const ProtoAssignmentNote *assignment;
} Tariff;

/** What holds for tenant (NULL: for one without a card of its own) at an instant; false
 * if nothing does. */
bool books_find_tariff(const BooksAt *at,
                       const char *tenant,
                       gint64 at_ms,
                       Tariff *ret_tariff);

/** What a unit costs that tenant, in 10^-9: what was agreed on, or the card's less the
 * discount, rounded half to even. */
gint64 tariff_get_price_nano(const Tariff *tariff, const CardTier *tier);

/** Appends the instants, gint64, at which what tenant pays may change. */
void books_collect_changes(const BooksAt *at, const char *tenant, GArray *instants);

/** For g_array_sort() of them. */
gint books_compare_instants(gconstpointer a, gconstpointer b);

/** A version of a card; the newest if version is 0.  NULL if there is none. */
const Card *books_find_card(const BooksAt *at, const char *name, gint64 version);

/** The row that has it. */
gint64 books_get_card_seq(const BooksAt *at, const Card *card);

/** The row of the newest assignment of the same tenant, if it says the same; else 0. */
gint64 books_find_same_assignment(const BooksAt *at, const ProtoAssignmentNote *note);

/** All versions of all cards, const Card *, in the order in which they were noted. */
GPtrArray *books_list_cards(const BooksAt *at);

/** The assignments, const ProtoAssignmentNote *, in the order in which they were noted.
 */
GPtrArray *books_list_assignments(const BooksAt *at);

/** The longest time for which a run that is shorter is charged. */
gint64 books_get_longest_run_ms(const BooksAt *at);

/* Periods */

typedef struct {
    /** "2026-10" */
    char *name;
    Window window;
    /** The row from which on it is closed: it is billed as of this one. */
    gint64 seq;
    /** ProtoInvoiceNote *, in the order in which they were noted. */
    GPtrArray *invoices;
    /** The row that says that all invoices are there; 0 if none does. */
    gint64 sealed_seq;
    char *hash;
    /** The tenants of whom something without a price is left to the next period's bills;
     * NULL if there are none. */
    char **unpriced;
} BooksPeriod;

/** NULL if it is not closed. */
const BooksPeriod *books_find_period(const BooksAt *at, const char *name);

/** Those that are closed, const BooksPeriod *, in the order of time. */
GPtrArray *books_list_periods(const BooksAt *at);

/** Up to where periods are closed; 0 if none is. */
gint64 books_get_closed_ms(const BooksAt *at);

/* Corrections */

typedef struct {
    ProtoCorrectionNote note;
    gint64 seq;
    /** Where the period begins that was the first open one when it was noted. */
    gint64 booked_ms;
} BooksCorrection;

/** Those of tenant, or of all if it is NULL, const BooksCorrection *. */
GPtrArray *books_list_corrections(const BooksAt *at, const char *tenant);

/* Recoveries */

typedef struct {
    ProtoRecoveredNote note;
    /** The row that accepted that the ledger goes on from an older copy of itself. */
    gint64 seq;
} BooksRecovery;

/** All of them, const BooksRecovery *, in the order in which they were noted. */
GPtrArray *books_list_recoveries(const BooksAt *at);

/** The newest of them; NULL if there is none. */
const BooksRecovery *books_find_recovery(const BooksAt *at);

/** The number of the invoice of a period and a tenant: "INV-2026-10-blue", or after a
 * recovery "INV-2026-10.3f2a91c0-blue".  What the tenant has to pay in more currencies is
 * on one for each, and all but the first, for which currency is NULL, name it:
 * "INV-2026-10-blue-USD".  Free with g_free(). */
char *books_make_invoice_id(const BooksAt *at,
                            const char *period,
                            const char *tenant,
                            const char *currency);

/* What may be noted.  These fail with PROTO_ERROR_INVALID_PARAMETER or
 * PROTO_ERROR_CONFLICT. */

/** Gives the card its number, from the newest version that there is. Nothing that is
 * closed may change, and what has passed only with backdate. */
bool books_check_card(const BooksAt *at,
                      ProtoRateCard *rates,
                      gint64 now_ms,
                      bool backdate,
                      GError **error);

bool books_check_assignment(const BooksAt *at,
                            const ProtoAssignmentNote *assignment,
                            gint64 now_ms,
                            bool backdate,
                            GError **error);
