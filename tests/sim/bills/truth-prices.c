/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/truth-private.h"

enum {
    PPM = 1000000
};

Exact
truth_round(Exact value, guint places)
{
    Exact unit = exact_ten_to(EXACT_PLACES - places);
    Exact size = value < 0 ? -value : value;
    Exact whole = size / unit;
    Exact rest = size % unit;

    if (rest * 2 > unit || (rest * 2 == unit && whole % 2 != 0))
        whole++;
    return (value < 0 ? -whole : whole) * unit;
}

static const Deal *
find_deal(const Facts *facts, gint64 as_of, gint tenant, gint64 at_ms)
{
    for (guint i = facts->deals->len; i > 0; i--) {
        const Deal *deal = &g_array_index(facts->deals, Deal, i - 1);

        if (deal->seq <= as_of && deal->tenant == tenant && deal->from_ms <= at_ms)
            return deal;
    }
    return tenant >= 0 ? find_deal(facts, as_of, -1, at_ms) : NULL;
}

/* Of the newest version that has begun. */
static const Price *
find_price(const Facts *facts, gint64 as_of, guint card, guint meter, gint64 at_ms)
{
    for (guint i = facts->prices->len; i > 0; i--) {
        const Prices *prices = &g_array_index(facts->prices, Prices, i - 1);

        if (prices->seq <= as_of && prices->card == card && prices->from_ms <= at_ms)
            return &prices->of[meter];
    }
    return NULL;
}

const Price *
truth_find_price(
    const Facts *facts, gint64 as_of, guint tenant, guint meter, gint64 at_ms)
{
    return find_price(facts, as_of, find_deal(facts, as_of, (gint) tenant, at_ms)->card,
                      meter, at_ms);
}

guint
truth_get_currency(const Facts *facts, gint64 as_of, guint tenant, gint64 at_ms)
{
    return find_deal(facts, as_of, (gint) tenant, at_ms)->card / 2;
}

static gint64
take_discount(gint64 nano, gint64 discount_ppm)
{
    Exact exact = (Exact) nano * (PPM - discount_ppm) *
                  exact_ten_to(EXACT_PLACES - TRUTH_PRICE_PLACES) / PPM;

    return (gint64) (truth_round(exact, TRUTH_PRICE_PLACES) /
                     exact_ten_to(EXACT_PLACES - TRUTH_PRICE_PLACES));
}

void
truth_get_prices(const Facts *facts,
                 gint64 as_of,
                 guint tenant,
                 guint meter,
                 guint tier,
                 gint64 at_ms,
                 gint64 *ret_list,
                 gint64 *ret_contracted)
{
    const Deal *deal = find_deal(facts, as_of, (gint) tenant, at_ms);
    const Price *price = find_price(facts, as_of, deal->card, meter, at_ms);
    bool is_later = price->change_ms != 0 && at_ms >= price->change_ms;
    guint name = price->n_tiers > 1 ? tier + 1 : 0;

    *ret_list = is_later ? price->later_nano : price->nano[tier];
    *ret_contracted = deal->meter == (gint) meter && deal->tier == name
                          ? deal->nano
                          : take_discount(*ret_list, deal->discount_ppm);
}
