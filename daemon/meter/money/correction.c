/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/money/correction.h"

#include <string.h>

#include "meter/money/card.h"
#include "meter/money/currency.h"

static bool
read_decimal(const char *text, Decimal *ret_value, GError **error)
{
    if (decimal_parse(text, ret_value))
        return true;
    proto_error_set_internal(error, "books", "A correction has a figure that is none: %s",
                             text);
    return false;
}

static bool
read_figures(const ProtoCorrectedLine *kept, BillLine *line, GError **error)
{
    if (!meter_find(kept->meter, &line->meter)) {
        proto_error_set_internal(error, "books", "A correction is of meter %s",
                                 kept->meter);
        return false;
    }
    return read_decimal(kept->quantity, &line->quantity, error) &&
           read_decimal(kept->estimated, &line->estimated, error) &&
           read_decimal(kept->list_price, &line->list_price, error) &&
           read_decimal(kept->contracted_price, &line->contracted_price, error) &&
           decimal_multiply(line->quantity, line->list_price, &line->list_cost, error) &&
           decimal_multiply(line->quantity, line->contracted_price,
                            &line->contracted_cost, error);
}

bool
correction_give(const RatingTerms *terms,
                const ProtoCorrectedLine *kept,
                const char *why,
                bool takes_back,
                BillTake take,
                gpointer data,
                GError **error)
{
    BillLine line = {
        .category = BILL_CATEGORY_USAGE,
        .is_correction = true,
        .why = why,
        .tenant = terms->tenant,
        .tenant_name = terms->tenant,
        .kind = kept->kind,
        .resource = kept->resource,
        .resource_name = kept->name,
        .labels = kept->labels,
        .host = kept->host,
        .sku = kept->sku,
        .sku_price = kept->sku_price,
        .tier = (guint) kept->tier,
        .from_ms = kept->from_ms,
        .to_ms = kept->to_ms,
        .currency = kept->currency,
        .first_seq = kept->first_seq,
        .last_seq = kept->last_seq,
        .period = terms->period,
        .period_from_ms = terms->window.from_ms,
        .period_to_ms = terms->window.to_ms,
        .invoice = terms->invoice,
    };

    if (!read_figures(kept, &line, error))
        return false;
    if (takes_back) {
        line.quantity = decimal_negate(line.quantity);
        line.estimated = decimal_negate(line.estimated);
        line.list_cost = decimal_negate(line.list_cost);
        line.contracted_cost = decimal_negate(line.contracted_cost);
    }
    return take(&line, data, error);
}

bool
correction_bill(const RatingTerms *terms, BillTake take, gpointer data, GError **error)
{
    g_autoptr(GPtrArray) list = books_list_corrections(&terms->books, terms->tenant);

    if (terms->instead != NULL)
        return true;
    for (guint i = 0; i < list->len; i++) {
        const BooksCorrection *correction = g_ptr_array_index(list, i);

        if (correction->booked_ms != terms->window.from_ms)
            continue;
        if (!correction_give(terms, &correction->note.reversal, correction->note.why,
                             false, take, data, error) ||
            !correction_give(terms, &correction->note.replacement, correction->note.why,
                             false, take, data, error))
            return false;
    }
    return true;
}

void
correction_keep_line(const BillLine *line, ProtoCorrectedLine *ret_kept)
{
    *ret_kept = (ProtoCorrectedLine){
        .kind = line->kind,
        .resource = g_strdup(line->resource),
        .name = g_strdup(line->resource_name),
        .labels = g_strdup(line->labels),
        .host = g_strdup(line->host),
        .sku = g_strdup(line->sku),
        .sku_price = g_strdup(line->sku_price),
        .tier = (gint64) line->tier,
        .meter = g_strdup(meter_get_info(line->meter)->name),
        .from_ms = line->from_ms,
        .to_ms = line->to_ms,
        .quantity = decimal_format(line->quantity, 1),
        .estimated = decimal_format(line->estimated, 1),
        .list_price = decimal_format(line->list_price, 1),
        .contracted_price = decimal_format(line->contracted_price, 1),
        .currency = g_strdup(line->currency),
        .first_seq = line->first_seq,
        .last_seq = line->last_seq,
    };
}

/* What a line may come to: the sum of many of them still has all its places. */
static bool
check_cost(Decimal cost, GError **error)
{
    const Decimal most = { CORRECTION_COST_MOST, 0 };

    if (decimal_compare(cost, most) <= 0 &&
        decimal_compare(decimal_negate(cost), most) <= 0)
        return true;
    proto_error_set_internal(error, "books",
                             "A correction costs more than can be billed");
    return false;
}

static bool
check_places(const BillLine *line, GError **error)
{
    /* One place is written even of what has none. */
    int most = MAX(meter_get_info(line->meter)->places, 1);

    if (line->quantity.places <= most && line->estimated.places <= most &&
        line->list_price.places <= CARD_PRICE_PLACES &&
        line->contracted_price.places <= CARD_PRICE_PLACES)
        return true;
    proto_error_set_internal(error, "books",
                             "A correction has figures of too many places");
    return false;
}

bool
correction_check_line(const ProtoCorrectedLine *kept,
                      const Window *window,
                      GError **error)
{
    BillLine line = { 0 };
    Decimal estimated = { 0 };
    int places = 0;

    if (kept->from_ms < window->from_ms || kept->to_ms > window->to_ms ||
        kept->from_ms > kept->to_ms || !currency_get_places(kept->currency, &places)) {
        proto_error_set_internal(error, "books",
                                 "A correction is of no time of its period, or in no "
                                 "currency");
        return false;
    }
    return read_figures(kept, &line, error) && check_places(&line, error) &&
           decimal_multiply(line.estimated, line.contracted_price, &estimated, error) &&
           check_cost(line.list_cost, error) && check_cost(line.contracted_cost, error) &&
           check_cost(estimated, error);
}
