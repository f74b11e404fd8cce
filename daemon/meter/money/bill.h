/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/money/meters.h"
#include "model/decimal.h"
#include "proto.h"

/**
 * The lines of a bill, as every format of a report takes them: one for a resource, a sku
 * price, a day and a price.  They come by tenant, within it by resource, sku, day and
 * price; what was corrected of earlier periods comes after that, and the adjustment that
 * makes the sum payable last.
 */

typedef enum {
    BILL_CATEGORY_USAGE,
    /** The one rounding of an invoice: has a cost and no quantity, resource or price. */
    BILL_CATEGORY_ADJUSTMENT
} BillCategory;

/** A line; all of it is borrowed, and holds until the next one. */
typedef struct {
    BillCategory category;
    /** Takes back, or puts in the place of, a line of a period that is closed.  Its
     * times are the original ones; what takes back has a negative quantity and cost. */
    bool is_correction;
    /** Why, of a correction that somebody ordered; else NULL. */
    const char *why;

    const char *tenant;
    /** What to show for it; the same where it has no other name. */
    const char *tenant_name;

    /* Usage only. */
    ResourceKind kind;
    const char *resource;
    /** Its name and labels as they were then; the labels are a JSON object, or NULL. */
    const char *resource_name;
    const char *labels;
    const char *host;

    /* Usage only. */
    const char *sku;
    const char *sku_price;
    MeterId meter;
    /** From 0 on; a sku price without tiers has the one. */
    guint tier;
    /** The first and the last instant, which is excluded, at which it was used.  Within
     * one UTC day; of an adjustment those of the billing period. */
    gint64 from_ms;
    gint64 to_ms;
    /** In the meter's unit; and how much of it is not known to lie just there. */
    Decimal quantity;
    Decimal estimated;
    /** Of one unit, with nine places. */
    Decimal list_price;
    Decimal contracted_price;

    /** Exact: price times quantity. */
    Decimal list_cost;
    Decimal contracted_cost;
    const char *currency;

    /** The segment of the resource that it is of, the first if there are more. */
    gint64 segment;
    /** The rows of the ledger it follows from: the first and the last. */
    gint64 first_seq;
    gint64 last_seq;

    /** The period it is billed in: "2026-10". */
    const char *period;
    gint64 period_from_ms;
    gint64 period_to_ms;
    /** NULL as long as the period is open. */
    const char *invoice;
} BillLine;

/** Takes a line; false, with an error, ends the bill. */
typedef bool (*BillTake)(const BillLine *line, gpointer data, GError **error);
