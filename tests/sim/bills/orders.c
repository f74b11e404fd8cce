/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/orders.h"

#include "sim/bills/bill.h"
#include "sim/bills/ledger.h"
#include "sim/bills/life.h"
#include "sim/bills/prices.h"
#include "sim/bills/process.h"
#include "sim/world.h"

enum {
    HOUR_MS = 3600000,
    /* In a thousand. */
    BACKDATE_RATE = 500,
    MONTH_RATE = 500
};

/* A currency changes with the month. */
static gint64
choose_begin(gint64 from_ms)
{
    return world_chance(MONTH_RATE)
               ? facts_month_start(1 + world_random(FACTS_MONTHS - 1))
               : from_ms;
}

void
orders_change_prices(void)
{
    gint64 now_ms = life_now_ms();
    bool is_backdated = world_chance(BACKDATE_RATE);
    gint64 from_ms = is_backdated
                         ? now_ms - (gint64) world_random(20 * 24) * HOUR_MS
                         : now_ms + (gint64) (1 + world_random(10 * 24)) * HOUR_MS;
    guint card = world_random(FACTS_CARDS);

    if (world_chance(500)) {
        const Prices prices = prices_choose(card, from_ms);

        process_ask_card(&prices, is_backdated);
    } else {
        const Deal deal =
            prices_deal((gint) world_random(FACTS_TENANTS), card, choose_begin(from_ms));

        process_ask_deal(&deal, is_backdated);
    }
}

void
orders_go_abroad(guint month)
{
    guint card = world_random(FACTS_CARDS);
    const Deal deal =
        prices_deal((gint) world_random(FACTS_TENANTS), card, facts_month_start(month));

    process_ask_deal(&deal, false);
}

static char *
format_exact(Exact value, guint places)
{
    gint64 scaled = (gint64) (value / exact_ten_to(EXACT_PLACES - places));
    gint64 unit = (gint64) exact_ten_to(places);

    return places == 0 ? g_strdup_printf("%" G_GINT64_FORMAT, scaled)
                       : g_strdup_printf("%" G_GINT64_FORMAT ".%0*" G_GINT64_FORMAT,
                                         scaled / unit, (int) places, scaled % unit);
}

/* What changes when something else stands there. */
static void
change_fix(Fix *fix, Exact quantity, Exact price)
{
    fix->more_quantity = quantity - fix->quantity;
    fix->more_cost =
        facts_get_cost(quantity, price) - facts_get_cost(fix->quantity, fix->price);
    fix->quantity = quantity;
    fix->price = price;
}

static void
correct_quantity(Fix *fix)
{
    /* Operations have no parts. */
    guint places = fix->meter == 8 || fix->meter == 9 ? 0 : 2;
    Exact quantity = world_random(500) * exact_ten_to(EXACT_PLACES - places);
    g_autofree char *text = format_exact(quantity, places);

    change_fix(fix, quantity, fix->price);
    process_ask_fix(fix, text, NULL);
}

static void
correct_price(Fix *fix)
{
    gint64 nano = world_random(3000000);
    g_autofree char *text = prices_format(nano);

    change_fix(fix, fix->quantity, nano * exact_ten_to(EXACT_PLACES - 9));
    process_ask_fix(fix, NULL, text);
}

bool
orders_correct(const Facts *facts)
{
    guint closed = facts_count_closed(facts, ledger_count());
    const Fix *before = NULL;
    Fix fix = { 0 };

    if (closed == 0 ||
        !bill_pick(process_get()->store, ledger_count(), world_random(closed), &fix))
        return false;
    before = facts_find_fix(facts, &fix);
    if (before != NULL)
        fix = *before;
    if (world_chance(500))
        correct_quantity(&fix);
    else
        correct_price(&fix);
    return true;
}
