/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/money/biller.h"

#include <string.h>

#include "meter/calendar.h"
#include "meter/money/correction.h"
#include "meter/money/currency.h"
#include "meter/money/late.h"
#include "meter/money/rating.h"
#include "meter/refuse.h"

/*
 * Segments, use and gaps come in the same order: a tenant's are read until the next one
 * comes, of which the first is then held.
 */
struct Biller {
    char *tenant;
    char *period;
    gint64 from_day;
    gint64 to_day;
    const Card *instead;
    Books *held;
    BooksAt books;
    View *view;
    ViewSegments *segments;
    ViewUses *uses;
    ViewGaps *gaps;
    bool has_segment;
    bool has_use;
    bool has_gap;
    ViewSegment segment;
    ViewUsage use;
    ViewGap gap;
    BillFoot foot;
    /* What came in late for periods before; NULL if it is billed elsewhere. */
    Late *late;
    /* Those that something is corrected for in the period, in the order of names. */
    GPtrArray *corrected;
    guint corrected_at;

    /* Of the tenant that is billed: what it pays in, const char *, in the order in which
     * that was met, and how many of them are billed. */
    char *current;
    GPtrArray *currencies;
    guint billed;
    char *invoice;
    BillTake take;
    gpointer data;
    BillTotal total;
};

/* Opening */

/* A closed period is looked at as of the row that closed it. */
static bool
open_view(Biller *biller, MeterStore *store, gint64 as_of, GError **error)
{
    const BooksPeriod *closed = NULL;

    biller->view = view_open(store, as_of, error);
    if (biller->view == NULL)
        return false;
    biller->books = (BooksAt){ biller->held, view_get_head(biller->view)->seq };
    closed = books_find_period(&biller->books, biller->period);
    if (closed == NULL)
        return true;
    biller->foot.is_closed = true;
    biller->books.seq = closed->seq;
    view_free(biller->view);
    biller->view = view_open(store, closed->seq, error);
    return biller->view != NULL;
}

static bool
check_query(Biller *biller, const BillQuery *query, GError **error)
{
    const ViewHead *head = view_get_head(biller->view);
    const Window *window = &biller->foot.window;
    gint64 first_day = calendar_day_of(window->from_ms);
    gint64 last_day = calendar_day_of(window->to_ms);
    bool has = true;

    if (window->from_ms > head->known_ms)
        return refuse_parameter(error, "parameters.period", "%s has not begun",
                                query->period);
    biller->from_day = query->to_day != 0 ? query->from_day : first_day;
    biller->to_day = query->to_day != 0 ? query->to_day : last_day;
    if (biller->from_day < first_day || biller->to_day > last_day ||
        biller->from_day >= biller->to_day)
        return refuse_parameter(error, "parameters.from", "are no days of %s",
                                query->period);
    if (query->tenant != NULL &&
        !view_has_tenant(biller->view, query->tenant, &has, error))
        return false;
    if (!has) {
        proto_error_set_not_found(error, "tenant", query->tenant,
                                  "There is no tenant \"%s\"", query->tenant);
        return false;
    }
    return true;
}

static bool
next_segment(Biller *biller, GError **error)
{
    return view_segments_next(biller->segments, &biller->has_segment, &biller->segment,
                              error);
}

static bool
next_use(Biller *biller, GError **error)
{
    return view_uses_next(biller->uses, &biller->has_use, &biller->use, error);
}

static bool
next_gap(Biller *biller, GError **error)
{
    return view_gaps_next(biller->gaps, &biller->has_gap, &biller->gap, error);
}

static bool
start_reading(Biller *biller, GError **error)
{
    const Window *window = &biller->foot.window;
    gint64 longest_ms = books_get_longest_run_ms(&biller->books);
    ViewFilter filter = { .tenant = biller->tenant, .window = *window };
    const ViewDays days = { .tenant = biller->tenant,
                            .from_day = calendar_day_of(window->from_ms),
                            .to_day = calendar_day_of(window->to_ms) };

    if (biller->instead != NULL)
        longest_ms = MAX(longest_ms, card_get_longest_run_ms(biller->instead));
    biller->gaps = view_gaps_new(biller->view, &filter);
    filter.window.from_ms -= longest_ms;
    biller->segments = view_segments_new(biller->view, &filter);
    biller->uses = view_uses_new(biller->view, &days, VIEW_BY_DAY, error);
    return biller->uses != NULL && next_segment(biller, error) &&
           next_use(biller, error) && next_gap(biller, error);
}

static gint
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Its place among the closed periods, or their number. */
static guint
find_place(const Biller *biller, const GPtrArray *periods)
{
    guint place = 0;

    while (place < periods->len &&
           strcmp(((const BooksPeriod *) g_ptr_array_index(periods, place))->name,
                  biller->period) != 0) {
        place++;
    }
    return place;
}

/* What is late is billed in the first period that is open, and in what it was then. */
static bool
find_late(Biller *biller, MeterStore *store, GError **error)
{
    g_autoptr(GPtrArray) periods = books_list_periods(&biller->books);
    gint64 closed_ms = books_get_closed_ms(&biller->books);
    guint place = find_place(biller, periods);

    if (biller->instead != NULL || place == 0 ||
        (place == periods->len && biller->foot.window.from_ms != closed_ms))
        return true;
    biller->late =
        late_new(store, biller->view, biller->books.books, place, biller->tenant, error);
    return biller->late != NULL;
}

static void
find_corrected(Biller *biller)
{
    g_autoptr(GPtrArray) list = books_list_corrections(&biller->books, biller->tenant);

    for (guint i = 0; i < list->len && biller->instead == NULL; i++) {
        const BooksCorrection *correction = g_ptr_array_index(list, i);

        if (correction->booked_ms == biller->foot.window.from_ms)
            g_ptr_array_add(biller->corrected, correction->note.tenant);
    }
    if (biller->late != NULL)
        late_collect_tenants(biller->late, biller->corrected);
    g_ptr_array_sort(biller->corrected, compare_names);
}

Biller *
biller_new(MeterStore *store, Books *books, const BillQuery *query, GError **error)
{
    g_autoptr(Biller) biller = g_new0(Biller, 1);
    gint64 month = 0;

    if (!calendar_parse_month(query->period, &month)) {
        refuse_parameter(error, "parameters.period", "%s is not a month like 2026-10",
                         query->period);
        return NULL;
    }
    biller->held = books_ref(books);
    biller->tenant = g_strdup(query->tenant);
    biller->period = g_strdup(query->period);
    biller->instead = query->instead;
    biller->foot.cards = g_ptr_array_new();
    biller->corrected = g_ptr_array_new();
    biller->currencies = g_ptr_array_new();
    biller->foot.period = biller->period;
    biller->foot.window = calendar_month_window(month);
    if (!open_view(biller, store, query->as_of, error) ||
        !check_query(biller, query, error) || !start_reading(biller, error) ||
        !find_late(biller, store, error))
        return NULL;
    find_corrected(biller);
    biller->foot.recoveries = books_list_recoveries(&biller->books);
    biller->foot.seq = view_get_head(biller->view)->seq;
    biller->foot.hash = chain_to_text(&view_get_head(biller->view)->hash);
    biller->foot.at_ms = view_get_head(biller->view)->at_ms;
    return g_steal_pointer(&biller);
}

void
biller_free(Biller *biller)
{
    if (biller == NULL)
        return;
    view_segments_free(biller->segments);
    view_uses_free(biller->uses);
    view_gaps_free(biller->gaps);
    late_free(biller->late);
    view_free(biller->view);
    if (biller->foot.cards != NULL)
        g_ptr_array_unref(biller->foot.cards);
    if (biller->foot.recoveries != NULL)
        g_ptr_array_unref(biller->foot.recoveries);
    if (biller->corrected != NULL)
        g_ptr_array_unref(biller->corrected);
    if (biller->currencies != NULL)
        g_ptr_array_unref(biller->currencies);
    books_unref(biller->held);
    g_free(biller->foot.hash);
    g_free(biller->tenant);
    g_free(biller->period);
    g_free(biller->current);
    g_free(biller->invoice);
    g_free(biller);
}

/* Coverage */

static gint64
overlap(gint64 from_ms, gint64 to_ms, const Window *window)
{
    return MAX(0, MIN(to_ms, window->to_ms) - MAX(from_ms, window->from_ms));
}

static Window
get_wanted(const Biller *biller)
{
    return (Window){ calendar_day_start(biller->from_day),
                     calendar_day_start(biller->to_day) };
}

static void
expect(Biller *biller, const ViewSegment *segment)
{
    const Window wanted = get_wanted(biller);
    bool is_on =
        segment->state == BILLING_STATE_RUNNING || segment->state == BILLING_STATE_PAUSED;
    gint64 there_ms = 0;

    if (segment->kind != RESOURCE_KIND_INSTANCE || !is_on)
        return;
    there_ms = overlap(segment->start_ms, segment->end_ms, &wanted);
    biller->foot.expected_ms += there_ms;
    biller->foot.metered_ms += there_ms;
}

static gint
compare_starts(gconstpointer a, gconstpointer b)
{
    const Window *left = a;
    const Window *right = b;

    return (left->from_ms > right->from_ms) - (left->from_ms < right->from_ms);
}

/* Gaps of a resource come as they were booked; what some of them share is missed once. */
static void
miss(Biller *biller, GArray *missed)
{
    const Window wanted = get_wanted(biller);
    gint64 until_ms = 0;

    g_array_sort(missed, compare_starts);
    for (guint i = 0; i < missed->len; i++) {
        const Window *gap = &g_array_index(missed, Window, i);

        biller->foot.metered_ms -=
            overlap(MAX(gap->from_ms, until_ms), gap->to_ms, &wanted);
        until_ms = MAX(until_ms, gap->to_ms);
    }
    g_array_set_size(missed, 0);
}

static bool
miss_gaps(Biller *biller, GError **error)
{
    g_autoptr(GArray) missed = g_array_new(FALSE, FALSE, sizeof(Window));
    const Window wanted = get_wanted(biller);
    gint64 resource = 0;

    while (biller->has_gap && strcmp(biller->gap.tenant, biller->current) == 0) {
        const Window gap = { biller->gap.from_ms, biller->gap.to_ms };

        if (biller->gap.resource != resource)
            miss(biller, missed);
        resource = biller->gap.resource;
        if (biller->gap.filled_seq == 0 && overlap(gap.from_ms, gap.to_ms, &wanted) > 0) {
            biller->foot.gaps++;
            g_array_append_val(missed, gap);
        }
        if (!next_gap(biller, error))
            return false;
    }
    miss(biller, missed);
    return true;
}

/* A tenant */

static bool
add_estimated(BillTotal *total, const BillLine *line, GError **error)
{
    Decimal cost = { 0 };

    if (line->estimated.value == 0)
        return true;
    return decimal_multiply(line->estimated, line->contracted_price, &cost, error) &&
           decimal_add(total->estimated_cost, cost, &total->estimated_cost, error);
}

/* Whether that is what is billed now: the first that is met.  Others have their turn. */
static bool
meet_currency(Biller *biller, const char *currency)
{
    BillTotal *total = &biller->total;
    const char *known = NULL;

    if (total->currency != NULL && strcmp(currency, total->currency) == 0)
        return true;
    known = g_intern_string(currency);
    if (!g_ptr_array_find(biller->currencies, known, NULL))
        g_ptr_array_add(biller->currencies, (gpointer) (gsize) known);
    if (total->currency == NULL)
        total->currency = known;
    return total->currency == known;
}

static bool
count_line(const BillLine *line, gpointer data, GError **error)
{
    Biller *biller = data;
    BillTotal *total = &biller->total;

    if (!meet_currency(biller, line->currency))
        return true;
    total->lines++;
    total->has_usage |= !line->is_correction;
    return decimal_add(total->cost, line->contracted_cost, &total->cost, error) &&
           decimal_add(total->list_cost, line->list_cost, &total->list_cost, error) &&
           add_estimated(total, line, error) && biller->take(line, biller->data, error);
}

/* Who has no lines may be here for what came in after the row as of which it is. */
static void
note_cards(Biller *biller)
{
    g_autoptr(GArray) instants = g_array_new(FALSE, FALSE, sizeof(gint64));
    const Window wanted = get_wanted(biller);
    Tariff tariff = { 0 };

    if (biller->total.lines == 0)
        return;
    g_array_append_val(instants, wanted.from_ms);
    books_collect_changes(&biller->books, biller->current, instants);
    for (guint i = 0; i < instants->len; i++) {
        gint64 at_ms = g_array_index(instants, gint64, i);

        if (at_ms >= wanted.from_ms && at_ms < wanted.to_ms && biller->instead == NULL &&
            books_find_tariff(&biller->books, biller->current, at_ms, &tariff) &&
            !g_ptr_array_find(biller->foot.cards, tariff.card, NULL))
            g_ptr_array_add(biller->foot.cards, (gpointer) (gsize) tariff.card);
    }
}

/* What the period is paid in comes first, whichever days of it are asked for. */
static bool
finish_usage(Biller *biller, Rating *rating, GError **error)
{
    const char *currency = NULL;

    if (!rating_finish(rating, count_line, biller, error))
        return false;
    currency = rating_get_currency(rating);
    if (currency != NULL)
        meet_currency(biller, currency);
    return true;
}

static bool
rate_usage(Biller *biller, const RatingTerms *terms, GError **error)
{
    g_autoptr(Rating) rating = rating_new(terms);

    while (biller->has_segment && strcmp(biller->segment.tenant, biller->current) == 0) {
        expect(biller, &biller->segment);
        rating_add_segment(rating, &biller->segment);
        if (!next_segment(biller, error))
            return false;
    }
    while (biller->has_use && strcmp(biller->use.tenant, biller->current) == 0) {
        if (!rating_add_use(rating, &biller->use, error) || !next_use(biller, error))
            return false;
    }
    return miss_gaps(biller, error) && finish_usage(biller, rating, error);
}

/* The one rounding, of a period as a whole. */
static bool
adjust(Biller *biller, const RatingTerms *terms, GError **error)
{
    BillTotal *total = &biller->total;
    BillLine line = {
        .category = BILL_CATEGORY_ADJUSTMENT,
        .tenant = terms->tenant,
        .tenant_name = terms->tenant,
        .from_ms = terms->window.from_ms,
        .to_ms = terms->window.to_ms,
        .currency = total->currency,
        .period = terms->period,
        .period_from_ms = terms->window.from_ms,
        .period_to_ms = terms->window.to_ms,
        .invoice = terms->invoice,
    };

    total->is_payable = total->currency != NULL &&
                        terms->from_day == calendar_day_of(terms->window.from_ms) &&
                        terms->to_day == calendar_day_of(terms->window.to_ms);
    if (total->currency == NULL ||
        !currency_get_places(total->currency, &total->places) || !total->is_payable)
        return true;
    if (!decimal_round(total->cost, total->places, &total->total, error) ||
        !decimal_subtract(total->total, total->cost, &total->rounding, error))
        return false;
    line.list_cost = line.contracted_cost = total->rounding;
    return total->rounding.value == 0 || biller->take(&line, biller->data, error);
}

/* All of the tenant in the first currency that is met, or what else there is in another.
 */
static bool
bill_lines(Biller *biller, const RatingTerms *terms, GError **error)
{
    if (biller->billed == 0 && !rate_usage(biller, terms, error))
        return false;
    return correction_bill(terms, count_line, biller, error) &&
           (biller->late == NULL ||
            late_bill(biller->late, terms, count_line, biller, error));
}

/* The next currency of the tenant: NULL, the first, is not known yet. */
static bool
bill_in(Biller *biller, const char *currency, GError **error)
{
    RatingTerms terms = {
        .tenant = biller->current,
        .period = biller->period,
        .window = biller->foot.window,
        .from_day = biller->from_day,
        .to_day = biller->to_day,
        .books = biller->books,
        .instead = biller->instead,
    };

    g_clear_pointer(&biller->invoice, g_free);
    if (biller->foot.is_closed && biller->instead == NULL)
        terms.invoice = biller->invoice = books_make_invoice_id(
            &biller->books, biller->period, biller->current, currency);
    biller->total = (BillTotal){ .tenant = biller->current,
                                 .invoice = terms.invoice,
                                 .currency = currency };
    if (biller->foot.is_closed && biller->instead == NULL)
        terms.unpriced = &biller->total.has_unpriced;
    if (!bill_lines(biller, &terms, error))
        return false;
    biller->billed++;
    note_cards(biller);
    return adjust(biller, &terms, error);
}

static void
choose_first(const char **next, const char *name)
{
    if (*next == NULL || strcmp(name, *next) < 0)
        *next = name;
}

/* Who comes next in the order of names; NULL if nobody does. */
static const char *
find_next(Biller *biller)
{
    const char *next = NULL;

    while (biller->corrected_at < biller->corrected->len && biller->current != NULL &&
           strcmp(g_ptr_array_index(biller->corrected, biller->corrected_at),
                  biller->current) <= 0) {
        biller->corrected_at++;
    }
    if (biller->has_segment)
        choose_first(&next, biller->segment.tenant);
    if (biller->has_use)
        choose_first(&next, biller->use.tenant);
    if (biller->corrected_at < biller->corrected->len)
        choose_first(&next, g_ptr_array_index(biller->corrected, biller->corrected_at));
    return next;
}

static bool
bill_tenant(Biller *biller, char *name, GError **error)
{
    g_free(biller->current);
    biller->current = name;
    biller->billed = 0;
    g_ptr_array_set_size(biller->currencies, 0);
    return bill_in(biller, NULL, error);
}

bool
biller_next(Biller *biller,
            BillTake take,
            gpointer data,
            bool *ret_more,
            BillTotal *ret_total,
            GError **error)
{
    const char *next = NULL;
    bool good = true;

    *ret_more = true;
    biller->take = take;
    biller->data = data;
    if (biller->billed < biller->currencies->len) {
        good =
            bill_in(biller, g_ptr_array_index(biller->currencies, biller->billed), error);
    } else {
        next = find_next(biller);
        *ret_more = next != NULL;
        good = next == NULL || bill_tenant(biller, g_strdup(next), error);
    }
    if (good && *ret_more)
        *ret_total = biller->total;
    return good;
}

const BillFoot *
biller_get_foot(const Biller *biller)
{
    return &biller->foot;
}
