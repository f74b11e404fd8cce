/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/bill.h"

#include <stdio.h>
#include <string.h>

#include "meter/money/late.h"
#include "meter/report/format.h"
#include "meter/view.h"
#include "sim/bills/life.h"
#include "sim/bills/truth.h"
#include "sim/world.h"

enum {
    /* 1970-01-01 to 2026-10-01. */
    FIRST_DAY = 20727,
    PRICE_PLACES = 9
};

static const ReportFormat *const formats[BILL_FORMATS] = { &report_table, &report_csv,
                                                           &report_json, &report_focus };

/* Reading */

Books *
bill_read_books(MeterStore *store)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(View) view = view_open(store, 0, &error);
    g_autoptr(ViewMarks) marks = NULL;
    Books *books = books_new();
    const ProtoLedgerRow *row = NULL;

    if (view != NULL)
        marks = view_marks_new(view, LEDGER_KIND_NOTED, NULL);
    while (marks != NULL && view_marks_next(marks, &row, &error) && row != NULL &&
           books_add(books, row, &error)) {
    }
    if (error != NULL)
        world_blame("I20: the books: %s", error->message);
    return books;
}

static gint64
get_day(guint day)
{
    return FIRST_DAY + (gint64) day;
}

static BillQuery
make_query(const BillWish *wish)
{
    BillQuery query = { .tenant = wish->tenant,
                        .period = facts_months[wish->month],
                        .as_of = wish->is_newest ? 0 : wish->as_of,
                        .instead = wish->instead };

    if (wish->to_day != 0) {
        query.from_day = get_day(wish->from_day);
        query.to_day = get_day(wish->to_day);
    }
    return query;
}

/** Is told of all lines of a bill, and after those of a tenant of what they come to. */
typedef struct {
    BillTake line;
    void (*total)(const BillTotal *total, gpointer data);
    gpointer data;
} Reader;

static void
read_lines(MeterStore *store, const BillWish *wish, const Reader *reader)
{
    const BillQuery query = make_query(wish);
    g_autoptr(Books) books = bill_read_books(store);
    g_autoptr(GError) error = NULL;
    g_autoptr(Biller) biller = biller_new(store, books, &query, &error);
    BillTotal total = { 0 };
    bool more = biller != NULL;

    if (more && wish->meanwhile != NULL)
        wish->meanwhile(store);
    while (more &&
           biller_next(biller, reader->line, reader->data, &more, &total, &error)) {
        if (more && reader->total != NULL)
            reader->total(&total, reader->data);
    }
    /* Who never had anything has no bill. */
    if (error != NULL && (wish->tenant == NULL || biller != NULL))
        world_blame("I14: the bill of %s: %s", query.period, error->message);
}

/* A line */

static Exact
to_exact(Decimal value)
{
    return value.value * exact_ten_to((guint) (EXACT_PLACES - value.places));
}

static guint
find(const char *const *names, const char *name)
{
    guint i = 0;

    while (strcmp(names[i], name) != 0) {
        i++;
    }
    return i;
}

static guint
get_instance(const BillLine *line)
{
    return (guint) g_ascii_strtoull(line->resource, NULL, 10);
}

static guint
get_line_day(const BillLine *line)
{
    return (guint) (line->from_ms / FACTS_DAY_MS - FIRST_DAY);
}

static guint
get_look(const BillLine *line)
{
    return (guint) g_ascii_strtoull(line->resource_name + strlen("guest-"), NULL, 10);
}

/** What the lines of a bill come to. */
typedef struct {
    const Facts *facts;
    const BillWish *wish;
    Account *account;
    /** Of the tenant and the currency at hand, which is NULL before the first line. */
    const char *currency;
    Exact cost;
    Exact adjustment;
} Reading;

static void
check_cost(const BillLine *line)
{
    const Exact quantity = line->quantity.value;
    const Exact price = line->contracted_price.value;
    const Decimal cost = { quantity * price,
                           line->quantity.places + line->contracted_price.places };
    const Decimal list_cost = { quantity * line->list_price.value,
                                line->quantity.places + line->list_price.places };

    if (to_exact(cost) != to_exact(line->contracted_cost) ||
        to_exact(list_cost) != to_exact(line->list_cost))
        world_blame("I16: a line of %s is not price times quantity", line->sku);
}

/* What is held costs what it did at its time, what is used what it did when its day
 * began. */
static void
check_price(const Reading *reading, const BillLine *line)
{
    gint64 as_of =
        facts_resolve(reading->facts, reading->wish->month, reading->wish->as_of);
    guint tenant = find(facts_tenants, line->tenant);
    gint64 at_ms = (guint) line->meter < FACTS_FIRST_USED
                       ? line->from_ms
                       : facts_day_start(get_line_day(line));
    gint64 list = 0;
    gint64 contracted = 0;

    if (reading->wish->instead != NULL)
        return;
    if (truth_get_currency(reading->facts, as_of, tenant, at_ms) !=
        facts_find_currency(reading->facts, line->currency))
        world_blame("I16: %s of %s is in another currency", line->sku, line->tenant);
    truth_get_prices(reading->facts, as_of, tenant, (guint) line->meter, line->tier,
                     at_ms, &list, &contracted);
    if (to_exact(line->list_price) != to_exact((Decimal){ list, PRICE_PLACES }) ||
        to_exact(line->contracted_price) !=
            to_exact((Decimal){ contracted, PRICE_PLACES }))
        world_blame("I16: %s of %s has not the price of its time", line->sku,
                    line->tenant);
}

static void
check_look(const BillLine *line)
{
    g_autofree char *label = life_make_label(get_look(line));
    g_autofree char *labels = g_strdup_printf("{\"team\":\"%s\"}", label);

    if (g_strcmp0(line->labels, labels) != 0)
        world_blame("I21: %s has the labels of another: %s", line->resource_name,
                    line->labels);
}

static void
check_currency(Reading *reading, const BillLine *line)
{
    const char *currency = g_intern_string(line->currency);

    if (reading->currency != NULL && reading->currency != currency)
        world_blame("I16: %s and %s are summed up for %s", reading->currency, currency,
                    line->tenant);
    reading->currency = currency;
}

static bool
take_line(const BillLine *line, gpointer data, GError **error)
{
    Reading *reading = data;
    Account *account = reading->account;
    const Sum sum = { to_exact(line->quantity), to_exact(line->contracted_cost) };
    guint tenant = find(facts_tenants, line->tenant);
    guint currency = facts_find_currency(reading->facts, line->currency);

    check_currency(reading, line);
    if (line->category == BILL_CATEGORY_ADJUSTMENT) {
        reading->adjustment += sum.cost;
        return true;
    }
    check_cost(line);
    check_look(line);
    reading->cost += sum.cost;
    if (line->is_correction) {
        sum_add(&account->corrections[currency][tenant][line->meter], sum, 1);
        return true;
    }
    check_price(reading, line);
    if (sum.quantity < 0 || sum.cost < 0)
        world_blame("I16: a line of %s is negative", line->sku);
    sum_add(&account->usage[tenant][line->meter][line->tier], sum, 1);
    account_add_cell(account, (guint) line->meter, get_instance(line), get_line_day(line),
                     get_look(line), sum.quantity);
    return true;
}

/* One rounding, of the whole. */
static void
take_total(const BillTotal *total, gpointer data)
{
    Reading *reading = data;
    guint currency = total->currency != NULL
                         ? facts_find_currency(reading->facts, total->currency)
                         : 0;
    guint places = reading->facts->currencies[currency].places;

    if (reading->currency != NULL && strcmp(reading->currency, total->currency) != 0)
        world_blame("I16: the lines of %s are in another currency", total->tenant);
    if (to_exact(total->cost) != reading->cost)
        world_blame("I16: the lines of %s are not its cost", total->tenant);
    if (total->is_payable &&
        (to_exact(total->total) != truth_round(reading->cost, places) ||
         to_exact(total->rounding) != reading->adjustment ||
         to_exact(total->total) != reading->cost + reading->adjustment))
        world_blame("I16: the bill of %s is not rounded once, as a whole", total->tenant);
    if (total->is_payable != (total->lines > 0 && reading->wish->to_day == 0))
        world_blame("I16: it is wrong whether %s has to pay", total->tenant);
    reading->currency = NULL;
    reading->cost = reading->adjustment = 0;
}

void
bill_add(MeterStore *store, const Facts *facts, const BillWish *wish, Account *account)
{
    Reading reading = { .facts = facts, .wish = wish, .account = account };
    const Reader reader = { take_line, take_total, &reading };

    read_lines(store, wish, &reader);
}

/* Writing */

/** Lines on their way into a report. */
typedef struct {
    const ReportFormat *format;
    ReportContext context;
    ReportFold *fold;
    GString *out;
} Writing;

static bool
write_line(const BillLine *line, gpointer data, GError **error)
{
    Writing *writing = data;

    return writing->format->line(&writing->context, writing->fold, line, writing->out,
                                 error);
}

static void
write_tenant(Writing *writing, const BillTotal *total)
{
    if (total->lines == 0)
        return;
    writing->format->tenant(&writing->context, report_fold_get_rows(writing->fold), total,
                            writing->out);
    report_fold_clear(writing->fold);
    writing->context.tenant++;
}

char *
bill_write(MeterStore *store, const BillWish *wish, guint format)
{
    const guint groups = REPORT_BY_TENANT | REPORT_BY_INSTANCE | REPORT_BY_METER;
    const BillQuery query = make_query(wish);
    g_autoptr(Books) books = bill_read_books(store);
    g_autoptr(GError) error = NULL;
    g_autoptr(Biller) biller = biller_new(store, books, &query, &error);
    g_autoptr(ReportFold) fold = report_fold_new(groups, NULL);
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(ReportRow));
    Writing writing = { formats[format], { .groups = groups }, fold, g_string_new(NULL) };
    BillTotal total = { 0 };
    bool more = biller != NULL;

    if (biller != NULL) {
        writing.context.foot = biller_get_foot(biller);
        writing.context.window = writing.context.foot->window;
        writing.context.focus.provider = "Operator";
        writing.format->begin(&writing.context, writing.out);
    }
    while (more && biller_next(biller, write_line, &writing, &more, &total, &error)) {
        if (more)
            write_tenant(&writing, &total);
    }
    if (error != NULL)
        world_blame("I14: the report of %s: %s", query.period, error->message);
    else
        writing.format->end(&writing.context, none, writing.out);
    return g_string_free(writing.out, FALSE);
}

/* Lines of a closed month */

/* What is corrected by it; a sku price has no number where there is but one. */
static Fix
get_place(const BillLine *line)
{
    return (Fix){
        .tenant = find(facts_tenants, line->tenant),
        .instance = get_instance(line),
        .meter = (guint) line->meter,
        .tier = strcmp(line->sku_price, line->sku) != 0 ? line->tier + 1 : 0,
        .day = get_line_day(line),
    };
}

static bool
pick_line(const BillLine *line, gpointer data, GError **error)
{
    Fix fix = get_place(line);

    fix.quantity = to_exact(line->quantity);
    fix.price = to_exact(line->contracted_price);
    g_array_append_val((GArray *) data, fix);
    return true;
}

bool
bill_pick(MeterStore *store, gint64 as_of, guint month, Fix *ret_fix)
{
    g_autoptr(GArray) picks = g_array_new(FALSE, FALSE, sizeof(Fix));
    g_autoptr(Books) books = bill_read_books(store);
    const BooksAt at = { books, as_of };
    const BooksPeriod *period = books_find_period(&at, facts_months[month]);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; period != NULL && i < FACTS_TENANTS; i++) {
        if (!late_rate(store, &at, period, facts_tenants[i], pick_line, picks, &error))
            world_blame("I20: the lines of %s: %s", period->name, error->message);
    }
    if (picks->len == 0)
        return false;
    *ret_fix = g_array_index(picks, Fix, world_random(picks->len));
    ret_fix->month = month;
    return true;
}

typedef struct {
    Fix fix;
    Sum sum;
} Place;

static bool
add_to_place(const BillLine *line, gpointer data, GError **error)
{
    Place *place = data;
    Fix fix = { 0 };

    if (line->category != BILL_CATEGORY_USAGE)
        return true;
    fix = get_place(line);
    if (fix.instance == place->fix.instance && fix.meter == place->fix.meter &&
        fix.tier == place->fix.tier && fix.day == place->fix.day)
        sum_add(&place->sum,
                (Sum){ to_exact(line->quantity), to_exact(line->contracted_cost) }, 1);
    return true;
}

Sum
bill_sum_line(MeterStore *store, gint64 as_of, const Fix *fix)
{
    Place place = { .fix = *fix };
    const Reader reader = { add_to_place, NULL, &place };

    for (guint month = fix->month; month < FACTS_MONTHS; month++) {
        const BillWish wish = { .as_of = as_of,
                                .month = month,
                                .tenant = facts_tenants[fix->tenant] };

        read_lines(store, &wish, &reader);
    }
    return place.sum;
}
