/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/money/correction.h"
#include "meter/money/late.h"
#include "meter/refuse.h"
#include "meter/rpc-private.h"

/* What a correction is looked for with, and what was found. */
typedef struct {
    const ProtoBillingCorrectCall *in;
    const BooksPeriod *period;
    gint64 day;
    bool is_found;
    ProtoCorrectedLine found;
} Search;

static void
search_clear(Search *search)
{
    proto_corrected_line_clear(&search->found);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Search, search_clear)

static bool
is_meant(const Search *search,
         const char *resource,
         const char *sku_price,
         gint64 from_ms)
{
    return strcmp(resource, search->in->resource) == 0 &&
           strcmp(sku_price, search->in->sku_price) == 0 &&
           calendar_day_of(from_ms) == search->day;
}

static bool
look_at(const BillLine *line, gpointer data, GError **error)
{
    Search *search = data;

    if (!is_meant(search, line->resource, line->sku_price, line->from_ms))
        return true;
    if (search->is_found) {
        proto_error_set_illegal_state(error, "ambiguous",
                                      "%s has more than one line of %s at %s on that day",
                                      line->resource_name, line->sku, line->sku_price);
        return false;
    }
    search->is_found = true;
    correction_keep_line(line, &search->found);
    return true;
}

/* The line as it is billed by now, with what came late. */
static bool
find_line(const Ask *ask, const BooksAt *at, Search *search, GError **error)
{
    if (!late_rate(ask->meter->store, at, search->period, search->in->tenant, look_at,
                   search, error))
        return false;
    if (search->is_found)
        return true;
    proto_error_set_not_found(
        error, "line", search->in->sku_price, "%s has no line of %s at %s on that day",
        search->in->period, search->in->resource, search->in->sku_price);
    return false;
}

/* What stands in the line's place by now; ret_seq is the note that put it there. */
static void
find_replacement(const BooksAt *at, Search *search, gint64 *ret_seq)
{
    g_autoptr(GPtrArray) list = books_list_corrections(at, search->in->tenant);

    for (guint i = 0; i < list->len; i++) {
        const BooksCorrection *correction = g_ptr_array_index(list, i);
        const ProtoCorrectedLine *line = &correction->note.replacement;

        if (strcmp(correction->note.period, search->in->period) != 0 ||
            !is_meant(search, line->resource, line->sku_price, line->from_ms))
            continue;
        proto_corrected_line_clear(&search->found);
        wire_struct_copy(&proto_corrected_line_type, line, &search->found);
        *ret_seq = correction->seq;
    }
}

static bool
check_period(const BooksAt *at, Search *search, GError **error)
{
    const BooksPeriod *period = books_find_period(at, search->in->period);
    gint64 day_ms = 0;

    if (period == NULL) {
        proto_error_set_illegal_state(
            error, "open", "%s is not closed: what is wrong in it can be set right",
            search->in->period);
        return false;
    }
    if (!clock_parse_time(search->in->day, &day_ms) || day_ms < period->window.from_ms ||
        day_ms >= period->window.to_ms)
        return refuse_parameter(error, "parameters.day", "%s is no day of %s",
                                search->in->day, search->in->period);
    search->period = period;
    search->day = calendar_day_of(day_ms);
    return true;
}

static void
set_text(char **place, const char *text)
{
    g_free(*place);
    *place = g_strdup(text);
}

static bool
change_quantity(const Search *search, ProtoCorrectedLine *line, GError **error)
{
    Decimal quantity = { 0 };
    MeterId meter = METER_N;
    const char *text = search->in->quantity;

    if (text == NULL)
        return true;
    if (decimal_parse(text, &quantity) && quantity.value >= 0 &&
        meter_find(line->meter, &meter) &&
        quantity.places <= meter_get_info(meter)->places) {
        set_text(&line->quantity, text);
        set_text(&line->estimated, "0.0");
        return true;
    }
    return refuse_parameter(error, "parameters.quantity", "%s is no quantity of %s", text,
                            line->meter);
}

static bool
change_price(const Search *search, ProtoCorrectedLine *line, GError **error)
{
    gint64 price_nano = 0;

    if (search->in->price == NULL)
        return true;
    if (!card_read_price(search->in->price, "parameters.price", &price_nano, error))
        return false;
    set_text(&line->contracted_price, search->in->price);
    return true;
}

static void
negate(char **figure)
{
    Decimal value = { 0 };

    if (!decimal_parse(*figure, &value))
        return;
    g_free(*figure);
    *figure = decimal_format(decimal_negate(value), 1);
}

static bool
multiply(const ProtoCorrectedLine *line, const char *price_text, Decimal *ret_cost)
{
    Decimal quantity = { 0 };
    Decimal price = { 0 };

    return decimal_parse(line->quantity, &quantity) &&
           decimal_parse(price_text, &price) &&
           decimal_multiply(quantity, price, ret_cost, NULL);
}

/* A correction stays for ever: what bills could not be summed up with is refused. */
static bool
check_costs(const ProtoBillingCorrectCall *in,
            const ProtoCorrectedLine *line,
            GError **error)
{
    const char *asked = in->quantity != NULL ? "parameters.quantity" : "parameters.price";
    const char *const prices[] = { line->list_price, line->contracted_price };
    const Decimal most = { CORRECTION_COST_MOST, 0 };

    for (gsize i = 0; i < G_N_ELEMENTS(prices); i++) {
        Decimal cost = { 0 };

        if (!multiply(line, prices[i], &cost) || decimal_compare(cost, most) > 0)
            return refuse_parameter(error, asked,
                                    "%s at a price of %s costs more than can be billed",
                                    line->quantity, prices[i]);
    }
    return true;
}

static char *
get_cost(const ProtoCorrectedLine *line)
{
    Decimal cost = { 0 };

    return multiply(line, line->contracted_price, &cost) ? decimal_format(cost, 1)
                                                         : g_strdup("");
}

/* Noting */

typedef struct {
    WireCall *call;
    char *before;
    char *after;
    char *currency;
} Correct;

static void
on_corrected(gint64 seq, const GError *error, gpointer data)
{
    Correct *correct = data;
    const ProtoBillingCorrectReply reply = {
        .seq = seq,
        .before = correct->before,
        .after = correct->after,
        .currency = correct->currency,
    };

    if (error != NULL) {
        wire_call_fail(correct->call, g_error_copy(error));
    } else {
        wire_call_reply(correct->call, &reply);
    }
    g_free(correct->before);
    g_free(correct->after);
    g_free(correct->currency);
    g_free(correct);
}

static bool
is_same_figures(const ProtoCorrectedLine *a, const ProtoCorrectedLine *b)
{
    return strcmp(a->quantity, b->quantity) == 0 &&
           strcmp(a->contracted_price, b->contracted_price) == 0;
}

static void
note_correction(const Ask *ask,
                const Search *search,
                ProtoCorrectionNote *note,
                gint64 corrects)
{
    Correct *correct = g_new0(Correct, 1);

    *correct = (Correct){
        .call = ask->call,
        .before = get_cost(&search->found),
        .after = get_cost(&note->replacement),
        .currency = g_strdup(search->found.currency),
    };
    if (is_same_figures(&search->found, &note->replacement)) {
        on_corrected(corrects, NULL, correct);
        return;
    }
    bookkeeper_note(ask->meter->bookkeeper, LEDGER_TOPIC_CORRECTION, search->in->tenant,
                    note, on_corrected, correct);
}

static void
correct_ready(const Ask *ask)
{
    const ProtoBillingCorrectCall *in = ask->in;
    const BooksAt at = ask_get_books(ask);
    g_auto(Search) search = { .in = in };
    g_auto(ProtoCorrectionNote) note = { 0 };
    GError *error = NULL;
    gint64 corrects = 0;

    if (!check_period(&at, &search, &error) || !find_line(ask, &at, &search, &error)) {
        wire_call_fail(ask->call, error);
        return;
    }
    find_replacement(&at, &search, &corrects);
    wire_struct_copy(&proto_corrected_line_type, &search.found, &note.reversal);
    wire_struct_copy(&proto_corrected_line_type, &search.found, &note.replacement);
    negate(&note.reversal.quantity);
    negate(&note.reversal.estimated);
    if (!change_quantity(&search, &note.replacement, &error) ||
        !change_price(&search, &note.replacement, &error) ||
        !check_costs(in, &note.replacement, &error)) {
        wire_call_fail(ask->call, error);
        return;
    }
    note.period = g_strdup(in->period);
    note.tenant = g_strdup(in->tenant);
    note.why = g_strdup(in->why);
    note.has_corrects = corrects != 0;
    note.corrects = corrects;
    note_correction(ask, &search, &note, corrects);
}

void
meter_correct(WireCall *call, const ProtoBillingCorrectCall *in)
{
    ask_start(call, in, correct_ready);
}
