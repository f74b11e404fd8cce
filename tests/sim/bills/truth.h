/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/bills/account.h"
#include "sim/bills/facts.h"

/**
 * What facts come to, by the definitions in docs/metering.md and by nothing of
 * vmd-meter's: integers, each sum made anew.
 */

/** Days of a month, from one on and before another, counted over all months; as far as
 * the rows up to as_of say, and of what goes on up to known_ms. */
typedef struct {
    gint64 as_of;
    gint64 known_ms;
    guint month;
    guint from_day;
    guint to_day;
} Question;

/** What the bill of those days has to say, with the corrections that are on it. */
Account *truth_bill(const Facts *facts, const Question *question);

/** What a unit costs a tenant at an instant, in 10^-9: by the card, and what it pays. */
void truth_get_prices(const Facts *facts,
                      gint64 as_of,
                      guint tenant,
                      guint meter,
                      guint tier,
                      gint64 at_ms,
                      gint64 *ret_list,
                      gint64 *ret_contracted);

/** What a tenant pays in at an instant, as of a row. */
guint truth_get_currency(const Facts *facts, gint64 as_of, guint tenant, gint64 at_ms);

/** How much of a meter that is held a stretch is, in each tick of it; and so many of
 * these in the meter's unit. */
gint64 truth_get_size(const Stretch *stretch, guint meter);
Exact truth_get_quantity(guint meter, Exact amount);

/** So much of a meter's unit in the integers that it counts. */
Exact truth_get_amount(guint meter, gint64 quantity);

/** The nearest that money of so many places can be; of two the even one. */
Exact truth_round(Exact value, guint places);
