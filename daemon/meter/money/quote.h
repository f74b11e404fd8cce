/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/money/books.h"

/**
 * What an instance will cost in an hour in which it runs, for what it holds: by the card
 * and what was agreed on as they are now, and by the first tier of each price.  What it
 * consumes comes on top.  Pure.
 */

typedef struct {
    const char *tenant;
    gint64 vcpus;
    gint64 memory_bytes;
    gint64 disk_bytes;
    CardSubject subject;
} QuoteQuery;

/** What an hour of a meter comes to; pointers are the card's. */
typedef struct {
    MeterId meter;
    const char *sku;
    Decimal quantity;
    Decimal price;
    Decimal cost;
} QuoteLine;

/** A meter that costs nothing has no line. */
typedef struct {
    const char *currency;
    Decimal cost;
    QuoteLine lines[METER_CPU_TIME];
    guint n_lines;
} Quote;

/** Fails with PROTO_ERROR_NOT_FOUND if no card is assigned at that time, or the card has
 * no line for something. */
bool quote_make(const BooksAt *at,
                const QuoteQuery *query,
                gint64 at_ms,
                Quote *ret_quote,
                GError **error);
