/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/prices.h"

#include "base/clock.h"
#include "sim/world.h"

enum {
    BILLION = 1000000000,
    PPM = 1000000,
    HOUR_MS = 3600000,
    /* In a thousand. */
    FREE_RATE = 100,
    TIERED_RATE = 400,
    CHANGED_RATE = 400,
    DISCOUNT_RATE = 500,
    AGREED_RATE = 400,
    SHORTEST_RATE = 300,
    /** Those that an instance holds come first. */
    INSTANCE_METERS = 3,
};

static const char *const cards[] = { "standard", "low", "foreign", "foreign-low" };

G_STATIC_ASSERT(G_N_ELEMENTS(cards) == FACTS_CARDS);

const char *
prices_name_card(guint card)
{
    return cards[card];
}

/* Choosing */

/* Some with one place, and some with all that there are. */
static gint64
choose_nano(void)
{
    return world_chance(500) ? (gint64) world_random(30) * BILLION / 10
                             : (gint64) world_random(2 * BILLION);
}

static void
choose_tiers(Price *price)
{
    price->n_tiers = 2 + world_random(FACTS_TIERS - 1);
    for (guint i = 1; i < price->n_tiers; i++) {
        price->from[i] = price->from[i - 1] + 1 + world_random(100);
        price->nano[i] = choose_nano();
    }
}

static Price
choose_price(gint64 from_ms, bool has_shortest_run)
{
    Price price = { .n_tiers = 1, .is_free = world_chance(FREE_RATE) };

    price.nano[0] = choose_nano();
    if (has_shortest_run)
        price.min_run_ms = 1 + world_random(HOUR_MS);
    if (world_chance(TIERED_RATE)) {
        choose_tiers(&price);
    } else if (world_chance(CHANGED_RATE)) {
        price.change_ms = from_ms + (gint64) (1 + world_random(24 * 40)) * HOUR_MS;
        price.later_nano = choose_nano();
    }
    return price;
}

Prices
prices_choose(guint card, gint64 from_ms)
{
    Prices prices = { .card = card, .from_ms = from_ms };

    for (guint i = 0; i < FACTS_METERS; i++) {
        prices.of[i] =
            choose_price(from_ms, i < INSTANCE_METERS && world_chance(SHORTEST_RATE));
    }
    return prices;
}

Deal
prices_deal(gint tenant, guint card, gint64 from_ms)
{
    Deal deal = { .tenant = tenant, .card = card, .from_ms = from_ms, .meter = -1 };

    if (world_chance(DISCOUNT_RATE))
        deal.discount_ppm = world_random(PPM + 1);
    if (world_chance(AGREED_RATE)) {
        deal.meter = (gint) world_random(FACTS_METERS);
        deal.tier = world_random(FACTS_TIERS + 1);
        deal.nano = choose_nano();
    }
    return deal;
}

/* Writing */

char *
prices_name_sku(guint meter, guint tier)
{
    if (tier == 0)
        return g_strdup(facts_meters[meter]);
    return g_strdup_printf("%s.%u", facts_meters[meter], tier);
}

char *
prices_format(gint64 nano)
{
    return g_strdup_printf("%" G_GINT64_FORMAT ".%09" G_GINT64_FORMAT, nano / BILLION,
                           nano % BILLION);
}

static char **
write_tiers(const Price *price)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new();

    for (guint i = 0; i < price->n_tiers; i++) {
        g_ptr_array_add(texts, g_strdup_printf("%" G_GINT64_FORMAT, price->from[i]));
        g_ptr_array_add(texts, prices_format(price->nano[i]));
    }
    g_ptr_array_add(texts, NULL);
    return (char **) g_ptr_array_steal(texts, NULL);
}

static void
write_line(GArray *lines, guint meter, const Price *price, bool is_later)
{
    ProtoRateLine line = { .sku = g_strdup(facts_meters[meter]),
                           .meter = g_strdup(facts_meters[meter]),
                           .has_min_run_ms = price->min_run_ms > 0,
                           .min_run_ms = price->min_run_ms };

    if (price->n_tiers > 1)
        line.tiers = write_tiers(price);
    else
        line.price = prices_format(is_later ? price->later_nano : price->nano[0]);
    if (is_later)
        line.from = clock_format_time(price->change_ms);
    else if (price->change_ms != 0)
        line.to = clock_format_time(price->change_ms);
    g_array_append_val(lines, line);
}

void
prices_write_card(const Prices *prices, const char *currency, ProtoRateCard *ret_card)
{
    GArray *lines = g_array_new(FALSE, FALSE, sizeof(ProtoRateLine));
    GPtrArray *free = g_ptr_array_new();
    gsize n_lines = 0;

    for (guint i = 0; i < FACTS_METERS; i++) {
        const Price *price = &prices->of[i];

        if (price->is_free) {
            g_ptr_array_add(free, g_strdup(facts_meters[i]));
            continue;
        }
        write_line(lines, i, price, false);
        if (price->change_ms != 0)
            write_line(lines, i, price, true);
    }
    g_ptr_array_add(free, NULL);
    *ret_card = (ProtoRateCard){
        .card = g_strdup(cards[prices->card]),
        .currency = g_strdup(currency),
        .from = clock_format_time(prices->from_ms),
        .lines = g_array_steal(lines, &n_lines),
        .free = (char **) g_ptr_array_free(free, FALSE),
    };
    ret_card->n_lines = n_lines;
    g_array_unref(lines);
}
