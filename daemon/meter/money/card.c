/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/money/card.h"

#include <string.h>

#include "base/clock.h"
#include "meter/money/currency.h"
#include "meter/refuse.h"

enum {
    RUN_MAX_MS = 3600000
};

/* A billion of the currency for a unit is a mistake. */
static const __int128 price_max_nano = (__int128) 1000000000 * 1000000000;

struct Card {
    ProtoRateCard rates;
    gint64 from_ms;
    char *hash;
    GArray *lines;
    guint32 free;
    /* Of a state the meters that are charged, as bits. */
    guint32 billed[BILLING_STATE_N];
};

#define BIT(meter) ((guint32) 1 << (meter))

/* Unless the card says otherwise. */
static const guint32 billed_by_default[] = {
    [BILLING_STATE_RUNNING] =
        BIT(METER_INSTANCE_TIME) | BIT(METER_VCPU) | BIT(METER_MEMORY),
    [BILLING_STATE_PAUSED] = BIT(METER_VCPU) | BIT(METER_MEMORY),
    [BILLING_STATE_STOPPED] = 0,
    [BILLING_STATE_HELD] = BIT(METER_DISK) | BIT(METER_ADDRESS),
};

G_STATIC_ASSERT(G_N_ELEMENTS(billed_by_default) == BILLING_STATE_N);

static void
line_clear(gpointer data)
{
    CardLine *line = data;

    for (guint i = 0; i < line->n_tiers; i++) {
        g_free(line->tiers[i].sku_price);
    }
    g_free(line->tiers);
    g_free(line->sku);
}

void
card_free(Card *card)
{
    if (card == NULL)
        return;
    g_array_unref(card->lines);
    proto_rate_card_clear(&card->rates);
    g_free(card->hash);
    g_free(card);
}

/* Reading a line */

bool
card_read_price(const char *text,
                const char *path,
                gint64 *ret_price_nano,
                GError **error)
{
    Decimal price = { 0 };
    Decimal nano = { 0 };

    if (!decimal_parse(text, &price))
        return refuse_parameter(error, path, "%s is not a price like 0.0125", text);
    if (price.value < 0)
        return refuse_parameter(error, path, "%s is below zero", text);
    if (!decimal_round(price, CARD_PRICE_PLACES, &nano, NULL) ||
        nano.value > price_max_nano)
        return refuse_parameter(error, path, "%s is too much for a unit", text);
    if (decimal_compare(nano, price) != 0)
        return refuse_parameter(error, path, "%s has more than %d places", text,
                                CARD_PRICE_PLACES);
    *ret_price_nano = (gint64) nano.value;
    return true;
}

/* A threshold of the meter's unit in the integers that it is counted in. */
static bool
read_threshold(
    const char *text, MeterId meter, const char *path, __int128 *ret_from, GError **error)
{
    const MeterInfo *info = meter_get_info(meter);
    Decimal from = { 0 };

    if (!decimal_parse(text, &from) || from.value < 0)
        return refuse_parameter(error, path, "%s is not a quantity", text);
    if (from.places > info->places || !decimal_round(from, info->places, &from, NULL) ||
        from.value % info->factor != 0)
        return refuse_parameter(
            error, path, "%s is not a number of what %s is counted in", text, info->name);
    *ret_from = from.value / info->factor;
    return true;
}

static gint
compare_tiers(gconstpointer a, gconstpointer b)
{
    const CardTier *left = a;
    const CardTier *right = b;

    return (left->from > right->from) - (left->from < right->from);
}

static bool
read_tiers(const ProtoRateLine *row,
           const char *path,
           const char *name,
           CardLine *line,
           GError **error)
{
    guint count = g_strv_length(row->tiers) / 2;
    g_autofree char *here = g_strdup_printf("%s.tiers", path);

    line->tiers = g_new0(CardTier, count);
    line->n_tiers = count;
    for (guint i = 0; i < count; i++) {
        if (!read_threshold(row->tiers[(gsize) i * 2], line->meter, here,
                            &line->tiers[i].from, error) ||
            !card_read_price(row->tiers[(gsize) i * 2 + 1], here,
                             &line->tiers[i].price_nano, error))
            return false;
    }
    qsort(line->tiers, count, sizeof *line->tiers, compare_tiers);
    if (count == 0 || line->tiers[0].from != 0)
        return refuse_parameter(error, here, "none of them is from 0 on");
    for (guint i = 0; i < count; i++) {
        line->tiers[i].sku_price = g_strdup_printf("%s.%u", name, i + 1);
        if (i > 0 && line->tiers[i].from == line->tiers[i - 1].from)
            return refuse_parameter(error, here,
                                    "two of them begin at the same quantity");
    }
    return true;
}

static bool
read_prices(const ProtoRateLine *row, const char *path, CardLine *line, GError **error)
{
    const char *name = row->sku_price != NULL ? row->sku_price : row->sku;
    g_autofree char *here = g_strdup_printf("%s.price", path);

    if ((row->price == NULL) == (row->tiers == NULL))
        return refuse_parameter(error, here, "a line has either a price or tiers");
    if (row->tiers != NULL)
        return read_tiers(row, path, name, line, error);
    line->tiers = g_new0(CardTier, 1);
    line->n_tiers = 1;
    line->tiers[0].sku_price = g_strdup(name);
    return card_read_price(row->price, here, &line->tiers[0].price_nano, error);
}

static bool
is_identifier(const char *text)
{
    gsize length =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return length > 0 && text[length] == '\0';
}

static bool
read_times(const Card *card,
           const ProtoRateLine *row,
           const char *path,
           CardLine *line,
           GError **error)
{
    line->from_ms = card->from_ms;
    line->to_ms = G_MAXINT64;
    if (row->from != NULL && !clock_parse_time(row->from, &line->from_ms))
        return refuse_parameter(error, path, "from %s is not a time", row->from);
    if (row->to != NULL && !clock_parse_time(row->to, &line->to_ms))
        return refuse_parameter(error, path, "to %s is not a time", row->to);
    if (line->from_ms < card->from_ms)
        return refuse_parameter(error, path, "begins before its card does");
    if (line->from_ms >= line->to_ms)
        return refuse_parameter(error, path, "ends before it begins");
    return true;
}

static bool
read_line(const Card *card,
          const ProtoRateLine *row,
          const char *path,
          CardLine *line,
          GError **error)
{
    const MeterInfo *info = NULL;

    line->sku = g_strdup(row->sku);
    line->match = row->match;
    line->min_run_ms = row->has_min_run_ms ? row->min_run_ms : 0;
    if (!is_identifier(row->sku) ||
        (row->sku_price != NULL && !is_identifier(row->sku_price)))
        return refuse_parameter(error, path, "a sku is letters, digits and ._-");
    if (!meter_find(row->meter, &line->meter))
        return refuse_parameter(error, path, "there is no meter %s", row->meter);
    info = meter_get_info(line->meter);
    if (row->unit != NULL && strcmp(row->unit, info->unit) != 0)
        return refuse_parameter(error, path, "the unit of %s is %s and not %s",
                                row->meter, info->unit, row->unit);
    if (line->min_run_ms < 0 || line->min_run_ms > RUN_MAX_MS)
        return refuse_parameter(error, path, "a shortest run is at most an hour");
    if (line->min_run_ms > 0 && line->meter > METER_MEMORY)
        return refuse_parameter(error, path,
                                "only what an instance holds has a shortest run");
    return read_times(card, row, path, line, error) &&
           read_prices(row, path, line, error);
}

/* What a line asks for */

static guint
count_conditions(const ProtoRateMatch *match)
{
    guint count = 0;

    if (match == NULL)
        return 0;
    if (match->labels != NULL)
        count = g_strv_length(match->labels) / 2;
    return count + (match->template != NULL ? 1 : 0) + (match->host != NULL ? 1 : 0);
}

static const char *
find_label(char *const *labels, const char *key)
{
    for (gsize i = 0; labels != NULL && labels[i] != NULL; i += 2) {
        if (strcmp(labels[i], key) == 0)
            return labels[i + 1];
    }
    return NULL;
}

/* Whether nothing can have both. */
static bool
excludes_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) != 0;
}

/* "name" is every version of it. */
static bool
fits_template(const char *asked, const char *template)
{
    gsize length = strlen(asked);

    if (template == NULL || strncmp(template, asked, length) != 0)
        return false;
    return template[length] == '\0' ||
           (template[length] == ':' && strchr(asked, ':') == NULL);
}

static bool
excludes(const ProtoRateMatch *a, const ProtoRateMatch *b)
{
    if (a == NULL || b == NULL)
        return false;
    if (excludes_text(a->host, b->host))
        return true;
    if (a->template != NULL && b->template != NULL &&
        !fits_template(a->template, b->template) &&
        !fits_template(b->template, a->template))
        return true;
    for (gsize i = 0; a->labels != NULL && a->labels[i] != NULL; i += 2) {
        if (excludes_text(a->labels[i + 1], find_label(b->labels, a->labels[i])))
            return true;
    }
    return false;
}

static bool
fits(const ProtoRateMatch *match, const CardSubject *subject)
{
    if (match == NULL)
        return true;
    if (match->template != NULL && !fits_template(match->template, subject->template))
        return false;
    if (match->host != NULL && g_strcmp0(match->host, subject->host) != 0)
        return false;
    for (gsize i = 0; match->labels != NULL && match->labels[i] != NULL; i += 2) {
        if (g_strcmp0(find_label(subject->labels, match->labels[i]),
                      match->labels[i + 1]) != 0)
            return false;
    }
    return true;
}

/* Checking a card as a whole */

static bool
is_same_price(const CardLine *a, const CardLine *b)
{
    for (guint i = 0; i < a->n_tiers; i++) {
        for (guint j = 0; j < b->n_tiers; j++) {
            if (strcmp(a->tiers[i].sku_price, b->tiers[j].sku_price) == 0)
                return true;
        }
    }
    return false;
}

static bool
check_pair(const CardLine *a, const CardLine *b, const char *path, GError **error)
{
    bool is_same_sku = strcmp(a->sku, b->sku) == 0;

    if (is_same_price(a, b) && !is_same_sku)
        return refuse_parameter(error, path, "%s is a sku price of both %s and %s",
                                a->tiers[0].sku_price, a->sku, b->sku);
    if (is_same_sku && a->meter != b->meter)
        return refuse_parameter(error, path, "sku %s is of both %s and %s", a->sku,
                                meter_get_info(a->meter)->name,
                                meter_get_info(b->meter)->name);
    if (a->meter == b->meter && a->from_ms < b->to_ms && b->from_ms < a->to_ms &&
        count_conditions(a->match) == count_conditions(b->match) &&
        !excludes(a->match, b->match))
        return refuse_parameter(error, path,
                                "overlaps another line of %s: both could be meant",
                                meter_get_info(a->meter)->name);
    return true;
}

static bool
check_pairs(const Card *card, const char *path, GError **error)
{
    for (guint i = 0; i < card->lines->len; i++) {
        g_autofree char *here = g_strdup_printf("%s.lines[%u]", path, i);

        for (guint j = 0; j < i; j++) {
            if (!check_pair(&g_array_index(card->lines, CardLine, j),
                            &g_array_index(card->lines, CardLine, i), here, error))
                return false;
        }
        if (card_is_free(card, g_array_index(card->lines, CardLine, i).meter))
            return refuse_parameter(error, here, "its meter is free and has a price");
    }
    return true;
}

static bool
read_lines(Card *card, const char *path, GError **error)
{
    for (gsize i = 0; i < card->rates.n_lines; i++) {
        g_autofree char *here = g_strdup_printf("%s.lines[%" G_GSIZE_FORMAT "]", path, i);
        CardLine line = { 0 };
        bool good = read_line(card, &card->rates.lines[i], here, &line, error);

        g_array_append_val(card->lines, line);
        if (!good)
            return false;
    }
    return true;
}

static bool
read_meters(char *const *names,
            const char *path,
            guint32 allowed,
            guint32 *ret_meters,
            GError **error)
{
    guint32 meters = 0;

    for (gsize i = 0; names != NULL && names[i] != NULL; i++) {
        MeterId meter = METER_N;

        if (!meter_find(names[i], &meter))
            return refuse_parameter(error, path, "there is no meter %s", names[i]);
        if ((allowed & BIT(meter)) == 0)
            return refuse_parameter(error, path, "%s does not depend on the state",
                                    names[i]);
        meters |= BIT(meter);
    }
    *ret_meters = meters;
    return true;
}

static bool
read_billed(Card *card, const char *path, GError **error)
{
    const ProtoBilledStates *states = card->rates.billed;
    g_autofree char *here = g_strdup_printf("%s.billed", path);
    const guint32 held = billed_by_default[BILLING_STATE_RUNNING];
    guint32 *billed = card->billed;

    memcpy(billed, billed_by_default, sizeof card->billed);
    return states == NULL || (read_meters(states->running, here, held,
                                          &billed[BILLING_STATE_RUNNING], error) &&
                              read_meters(states->paused, here, held,
                                          &billed[BILLING_STATE_PAUSED], error) &&
                              read_meters(states->stopped, here, held,
                                          &billed[BILLING_STATE_STOPPED], error));
}

static bool
read_card(Card *card, const char *path, GError **error)
{
    const ProtoRateCard *rates = &card->rates;
    g_autofree char *currency = g_strdup_printf("%s.currency", path);
    g_autofree char *from = g_strdup_printf("%s.from", path);
    g_autofree char *free = g_strdup_printf("%s.free", path);
    int places = 0;

    if (!currency_get_places(rates->currency, &places))
        return refuse_parameter(error, currency, "%s is no currency of ISO 4217",
                                rates->currency);
    if (!clock_parse_time(rates->from, &card->from_ms))
        return refuse_parameter(error, from, "%s is not a time", rates->from);
    return read_meters(rates->free, free, G_MAXUINT32, &card->free, error) &&
           read_billed(card, path, error) && read_lines(card, path, error) &&
           check_pairs(card, path, error);
}

Card *
card_new(const ProtoRateCard *rates, const char *path, GError **error)
{
    g_autoptr(Card) card = g_new0(Card, 1);
    g_autoptr(GString) text = g_string_new(NULL);

    card->lines = g_array_new(FALSE, FALSE, sizeof(CardLine));
    g_array_set_clear_func(card->lines, line_clear);
    wire_struct_copy(&proto_rate_card_type, rates, &card->rates);
    wire_struct_print(&proto_rate_card_type, &card->rates, text);
    card->hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str, -1);
    return read_card(card, path, error) ? g_steal_pointer(&card) : NULL;
}

/* Asking */

const ProtoRateCard *
card_get_rates(const Card *card)
{
    return &card->rates;
}

gint64
card_get_from_ms(const Card *card)
{
    return card->from_ms;
}

const char *
card_get_hash(const Card *card)
{
    return card->hash;
}

gint64
card_get_longest_run_ms(const Card *card)
{
    gint64 longest_ms = 0;

    for (guint i = 0; i < card->lines->len; i++) {
        longest_ms = MAX(longest_ms, g_array_index(card->lines, CardLine, i).min_run_ms);
    }
    return longest_ms;
}

bool
card_asks_for_labels(const Card *card)
{
    for (guint i = 0; i < card->lines->len; i++) {
        const ProtoRateMatch *match = g_array_index(card->lines, CardLine, i).match;

        if (match != NULL && match->labels != NULL)
            return true;
    }
    return false;
}

const CardLine *
card_find_line(const Card *card, MeterId meter, gint64 at_ms, const CardSubject *subject)
{
    const CardLine *found = NULL;

    for (guint i = 0; i < card->lines->len; i++) {
        const CardLine *line = &g_array_index(card->lines, CardLine, i);

        if (line->meter != meter || at_ms < line->from_ms || at_ms >= line->to_ms ||
            !fits(line->match, subject))
            continue;
        if (found == NULL ||
            count_conditions(line->match) > count_conditions(found->match))
            found = line;
    }
    return found;
}

bool
card_is_free(const Card *card, MeterId meter)
{
    return (card->free & BIT(meter)) != 0;
}

bool
card_bills(const Card *card, MeterId meter, BillingState state)
{
    return (card->billed[state] & BIT(meter)) != 0;
}

bool
card_has_sku_price(const Card *card, const char *sku_price)
{
    for (guint i = 0; i < card->lines->len; i++) {
        const CardLine *line = &g_array_index(card->lines, CardLine, i);

        for (guint j = 0; j < line->n_tiers; j++) {
            if (strcmp(line->tiers[j].sku_price, sku_price) == 0)
                return true;
        }
    }
    return false;
}

void
card_collect_changes(const Card *card, GArray *instants)
{
    g_array_append_val(instants, card->from_ms);
    for (guint i = 0; i < card->lines->len; i++) {
        const CardLine *line = &g_array_index(card->lines, CardLine, i);

        g_array_append_val(instants, line->from_ms);
        g_array_append_val(instants, line->to_ms);
    }
}
