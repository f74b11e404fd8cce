/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/bills/truth.h"

/* What the files of the oracle share: truth.c makes bills, truth-usage.c knows what there
 * was, truth-prices.c what it costs. */

enum {
    TRUTH_PRICE_PLACES = 9,
    /** Of stretches, of which there are fewer. */
    TRUTH_TAILS_MAX = 256
};

/** What is charged of a run that was too short, after its end: as of its last stretch. */
typedef struct {
    const Stretch *last;
    gint64 from_ms;
    gint64 to_ms;
} Tail;

/** What is asked, of a tenant's use of a meter. */
typedef struct {
    const Facts *facts;
    const Question *question;
    guint tenant;
    guint meter;
    /** Of a meter that is used: what an instance had used when a day began. */
    Exact used[FACTS_INSTANCES][FACTS_DAYS + 1];
    Tail tails[TRUTH_TAILS_MAX];
    guint n_tails;
} Scope;

/** Prepares for what is asked. */
void scope_init(Scope *scope,
                const Facts *facts,
                const Question *question,
                guint tenant,
                guint meter);

/** What a time within a day has of the meter, in the integers that it counts; into cells
 * if there are any.  What is used lies where its day begins. */
Exact scope_sum_up(const Scope *scope, gint64 from_ms, gint64 to_ms, Account *account);

/** The price of a meter for a tenant at an instant, as of a row. */
const Price *truth_find_price(
    const Facts *facts, gint64 as_of, guint tenant, guint meter, gint64 at_ms);

/** The day, of all months, in which an instant lies. */
guint truth_get_day(gint64 at_ms);
