/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/money/quote.h"

#include "meter/quantity.h"

enum {
    HOUR_MS = 3600000
};

static bool
refuse(const QuoteQuery *query, const char *why, GError **error)
{
    proto_error_set_not_found(error, "price", query->tenant, "No price for \"%s\": %s",
                              query->tenant, why);
    return false;
}

static bool
refuse_unpriced(const QuoteQuery *query, MeterId meter, const Card *card, GError **error)
{
    g_autofree char *why =
        g_strdup_printf("the card %s has no line for %s", card_get_rates(card)->card,
                        meter_get_info(meter)->name);

    return refuse(query, why, error);
}

static bool
add_line(Quote *quote,
         const QuoteQuery *query,
         MeterId meter,
         const CardLine *line,
         gint64 price_nano,
         GError **error)
{
    __int128 amount = (__int128) meter_get_held(meter, query->vcpus, query->memory_bytes,
                                                query->disk_bytes) *
                      quantity_tick(HOUR_MS);
    QuoteLine out = {
        .meter = meter,
        .sku = line->sku,
        .price = { price_nano, CARD_PRICE_PLACES },
    };

    if (!meter_get_quantity(meter, amount, &out.quantity, error) ||
        !decimal_multiply(out.quantity, out.price, &out.cost, error) ||
        !decimal_add(quote->cost, out.cost, &quote->cost, error))
        return false;
    quote->lines[quote->n_lines++] = out;
    return true;
}

/* Volumes and addresses are held whatever their instance does. */
static BillingState
get_state(MeterId meter)
{
    return meter_get_info(meter)->kind == RESOURCE_KIND_INSTANCE ? BILLING_STATE_RUNNING
                                                                 : BILLING_STATE_HELD;
}

bool
quote_make(const BooksAt *at,
           const QuoteQuery *query,
           gint64 at_ms,
           Quote *ret_quote,
           GError **error)
{
    Tariff tariff = { 0 };
    Quote quote = { 0 };

    if (!books_find_tariff(at, query->tenant, at_ms, &tariff))
        return refuse(query, "no rate card is assigned", error);
    for (MeterId meter = METER_INSTANCE_TIME; meter < METER_CPU_TIME; meter++) {
        const CardLine *line = card_find_line(tariff.card, meter, at_ms, &query->subject);

        if (!card_bills(tariff.card, meter, get_state(meter)) ||
            (line == NULL && card_is_free(tariff.card, meter)))
            continue;
        if (line == NULL)
            return refuse_unpriced(query, meter, tariff.card, error);
        if (!add_line(&quote, query, meter, line,
                      tariff_get_price_nano(&tariff, &line->tiers[0]), error))
            return false;
    }
    quote.currency = card_get_rates(tariff.card)->currency;
    *ret_quote = quote;
    return true;
}
