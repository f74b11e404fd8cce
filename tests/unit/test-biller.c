/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "meter-fixture.h"
#include "meter/money/biller.h"
#include "meter/report/format.h"
#include "meter/view.h"

#define HOUR_MS G_GINT64_CONSTANT(3600000)
#define DAY_MS (24 * HOUR_MS)
#define OCTOBER_MS METER_FIXTURE_START_MS
#define NOVEMBER_MS (OCTOBER_MS + 31 * DAY_MS)
#define DECEMBER_MS (NOVEMBER_MS + 30 * DAY_MS)

static const char card[] =
    "{\"card\":\"c\",\"version\":1,\"currency\":\"EUR\",\"from\":\"2026-10-01T00:00:"
    "00Z\","
    "\"lines\":[{\"sku\":\"vcpu\",\"meter\":\"vcpu.alloc\",\"price\":\"0.01\"},"
    "{\"sku\":\"sent\",\"meter\":\"net.tx.bytes\",\"price\":\"1\"}],"
    "\"free\":[\"instance.time\",\"memory.alloc\"]}";

static void
note(MeterFixture *fixture, gint64 seq, const char *topic, const char *text, gint64 at_ms)
{
    meter_fixture_apply(fixture, meter_fixture_noted(seq, topic, text, at_ms));
}

/* For six hours of the 30th it costs twice as much. */
static const char back_and_forth[] =
    "{\"card\":\"c\",\"version\":1,\"currency\":\"EUR\",\"from\":\"2026-10-01T00:00:"
    "00Z\",\"lines\":["
    "{\"sku\":\"vcpu\",\"meter\":\"vcpu.alloc\",\"price\":\"0.01\","
    "\"to\":\"2026-10-30T06:00:00Z\"},"
    "{\"sku\":\"vcpu\",\"meter\":\"vcpu.alloc\",\"price\":\"0.02\","
    "\"from\":\"2026-10-30T06:00:00Z\",\"to\":\"2026-10-30T12:00:00Z\"},"
    "{\"sku\":\"vcpu\",\"meter\":\"vcpu.alloc\",\"price\":\"0.01\","
    "\"from\":\"2026-10-30T12:00:00Z\"}],"
    "\"free\":[\"instance.time\",\"memory.alloc\"]}";

static void
note_prices(MeterFixture *fixture, const char *of)
{
    g_autofree char *assignment = g_strdup_printf(
        "{\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT ",\"discount_ppm\":0}",
        OCTOBER_MS);

    note(fixture, 1, "card", of, 0);
    note(fixture, 2, "assignment", assignment, 0);
}

static void
note_closed(
    MeterFixture *fixture, gint64 seq, const char *period, gint64 from_ms, gint64 to_ms)
{
    g_autofree char *closed =
        g_strdup_printf("{\"period\":\"%s\",\"from_ms\":%" G_GINT64_FORMAT
                        ",\"to_ms\":%" G_GINT64_FORMAT "}",
                        period, from_ms, to_ms);

    note(fixture, seq, "closed", closed, to_ms - OCTOBER_MS + 2 * DAY_MS);
}

static Books *
read_books(MeterFixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(View) view = view_open(fixture->store, 0, &error);
    g_autoptr(ViewMarks) marks = view_marks_new(view, LEDGER_KIND_NOTED, NULL);
    Books *books = books_new();
    const ProtoLedgerRow *row = NULL;

    while (view_marks_next(marks, &row, &error) && row != NULL) {
        g_assert_true(books_add(books, row, &error));
    }
    g_assert_no_error(error);
    return books;
}

/* Cost by kind of line. */
typedef struct {
    Decimal usage;
    Decimal corrections;
    guint n_corrections;
} Costs;

static bool
add_line(const BillLine *line, gpointer data, GError **error)
{
    Costs *costs = data;
    Decimal *sum = line->is_correction ? &costs->corrections : &costs->usage;

    if (line->category == BILL_CATEGORY_ADJUSTMENT)
        return true;
    costs->n_corrections += line->is_correction ? 1 : 0;
    return decimal_add(*sum, line->contracted_cost, sum, error);
}

static Costs
bill(MeterFixture *fixture, const char *period)
{
    g_autoptr(Books) books = read_books(fixture);
    const BillQuery query = { .period = period };
    g_autoptr(GError) error = NULL;
    g_autoptr(Biller) biller = biller_new(fixture->store, books, &query, &error);
    BillTotal total = { 0 };
    Costs costs = { 0 };
    bool more = true;

    g_assert_no_error(error);
    while (more) {
        biller_next(biller, add_line, &costs, &more, &total, &error);
        g_assert_no_error(error);
    }
    return costs;
}

static void
assert_cost(Decimal cost, const char *expected)
{
    g_autofree char *text = decimal_format(cost, 0);

    g_assert_cmpstr(text, ==, expected);
}

/* Two vCPUs at 0.01: 0.48 a day. */
static void
an_end_that_is_known_late_is_given_back(MeterFixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow end = { 0 };
    Costs october = { 0 };
    Costs november = { 0 };

    note_prices(fixture, card);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    note_closed(fixture, 4, "2026-10", OCTOBER_MS, NOVEMBER_MS);
    october = bill(fixture, "2026-10");
    assert_cost(october.usage, "14.88");

    /* It had ended on the 21st. */
    end = meter_fixture_closed(5, 3, 20 * DAY_MS);
    end.at_ms = NOVEMBER_MS + 3 * DAY_MS;
    meter_fixture_apply(fixture, end);
    october = bill(fixture, "2026-10");
    assert_cost(october.usage, "14.88");
    g_assert_cmpuint(october.n_corrections, ==, 0);
    november = bill(fixture, "2026-11");
    assert_cost(november.usage, "0");
    assert_cost(november.corrections, "-5.28");
}

/* The first and the third stretch of that day are billed alike. */
static void
a_price_that_comes_back_is_given_back_for_each_stretch(MeterFixture *fixture,
                                                       gconstpointer unused)
{
    ProtoLedgerRow end = { 0 };
    Costs october = { 0 };
    Costs november = { 0 };

    note_prices(fixture, back_and_forth);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    note_closed(fixture, 4, "2026-10", OCTOBER_MS, NOVEMBER_MS);
    october = bill(fixture, "2026-10");
    assert_cost(october.usage, "15");

    /* It had ended on the 30th at six in the evening. */
    end = meter_fixture_closed(5, 3, 29 * DAY_MS + 18 * HOUR_MS);
    end.at_ms = NOVEMBER_MS + 3 * DAY_MS;
    meter_fixture_apply(fixture, end);
    november = bill(fixture, "2026-11");
    assert_cost(november.corrections, "-0.6");
}

static void
a_use_that_is_booked_late_is_billed_once(MeterFixture *fixture, gconstpointer unused)
{
    Costs costs = { 0 };
    ProtoLedgerRow use = { 0 };

    note_prices(fixture, card);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    meter_fixture_apply(
        fixture,
        meter_fixture_used(4, 3, 0, HOUR_MS, COUNTER_NET_TX_BYTES, "mac", 3000000000));
    note_closed(fixture, 5, "2026-10", OCTOBER_MS, NOVEMBER_MS);
    use = meter_fixture_used(6, 3, HOUR_MS, 2 * HOUR_MS, COUNTER_NET_TX_BYTES, "mac",
                             2000000000);
    use.at_ms = NOVEMBER_MS + 3 * DAY_MS;
    meter_fixture_apply(fixture, use);
    assert_cost(bill(fixture, "2026-10").usage, "17.88");
    costs = bill(fixture, "2026-11");
    /* -3 and +5. */
    g_assert_cmpuint(costs.n_corrections, ==, 2);
    assert_cost(costs.corrections, "2");

    note_closed(fixture, 7, "2026-11", NOVEMBER_MS, DECEMBER_MS);
    assert_cost(bill(fixture, "2026-11").corrections, "2");
    costs = bill(fixture, "2026-12");
    g_assert_cmpuint(costs.n_corrections, ==, 0);
}

/* An entry that closes October once more does not fit, and counts for nothing. */
static void
a_closing_that_does_not_fit_hides_no_late_use(MeterFixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow use = { 0 };

    note_prices(fixture, card);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    note_closed(fixture, 4, "2026-10", OCTOBER_MS, NOVEMBER_MS);
    note_closed(fixture, 5, "2026-10", OCTOBER_MS, NOVEMBER_MS);
    use = meter_fixture_used(6, 3, 0, HOUR_MS, COUNTER_NET_TX_BYTES, "mac", 2000000000);
    use.at_ms = NOVEMBER_MS + 3 * DAY_MS;
    meter_fixture_apply(fixture, use);
    assert_cost(bill(fixture, "2026-11").corrections, "2");
}

/* Why period cannot be billed. */
static char *
refuse_bill(MeterFixture *fixture, const char *period)
{
    g_autoptr(Books) books = read_books(fixture);
    const BillQuery query = { .period = period };
    g_autoptr(GError) error = NULL;
    g_autoptr(Biller) biller = biller_new(fixture->store, books, &query, &error);
    BillTotal total = { 0 };
    Costs costs = { 0 };
    bool more = true;

    g_assert_no_error(error);
    while (more && biller_next(biller, add_line, &costs, &more, &total, &error)) {
        continue;
    }
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_ILLEGAL_STATE);
    return g_strdup(error->message);
}

/* A card as of version, of which lines are more than the one of vCPUs. */
static void
note_version(
    MeterFixture *fixture, gint64 seq, int version, const char *from, const char *lines)
{
    gint64 at_ms = version == 1 ? 0 : (version == 2 ? 36 : 65) * DAY_MS;
    g_autofree char *text = g_strdup_printf(
        "{\"card\":\"c\",\"version\":%d,\"currency\":\"EUR\",\"from\":\"%s\","
        "\"lines\":[{\"sku\":\"vcpu\",\"meter\":\"vcpu.alloc\",\"price\":\"0.01\"}%s],"
        "\"free\":[\"instance.time\",\"memory.alloc\"]}",
        version, from, lines);

    note(fixture, seq, "card", text, at_ms);
}

/* What was used in October of a meter that then had no price is heard of when October is
 * closed: it gets the first price that the meter has from then on. */
static void
what_is_late_and_had_no_price_gets_the_next_one(MeterFixture *fixture,
                                                gconstpointer unused)
{
    static const char sent[] =
        ",{\"sku\":\"sent\",\"meter\":\"net.tx.bytes\",\"price\":\"2\"}";
    static const char dear[] =
        ",{\"sku\":\"sent\",\"meter\":\"net.tx.bytes\",\"price\":\"7\"}";
    g_autofree char *assignment = g_strdup_printf(
        "{\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT ",\"discount_ppm\":0}",
        OCTOBER_MS);
    ProtoLedgerRow use = { 0 };
    g_autofree char *why = NULL;

    note_version(fixture, 1, 1, "2026-10-01T00:00:00Z", "");
    note(fixture, 2, "assignment", assignment, 0);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    note_closed(fixture, 4, "2026-10", OCTOBER_MS, NOVEMBER_MS);
    use = meter_fixture_used(5, 3, 0, HOUR_MS, COUNTER_NET_TX_BYTES, "mac", 3000000000);
    use.at_ms = NOVEMBER_MS + 3 * DAY_MS;
    meter_fixture_apply(fixture, use);
    why = refuse_bill(fixture, "2026-11");
    g_assert_nonnull(strstr(why, "net.tx.bytes"));
    g_assert_nonnull(strstr(why, "2026-10 is closed"));
    g_assert_nonnull(strstr(why, "from 2026-11-01T00:00:00"));

    note_version(fixture, 6, 2, "2026-11-02T00:00:00Z", sent);
    assert_cost(bill(fixture, "2026-11").corrections, "6");
    assert_cost(bill(fixture, "2026-10").usage, "14.88");

    /* And keeps it. */
    note_closed(fixture, 7, "2026-11", NOVEMBER_MS, DECEMBER_MS);
    note_version(fixture, 8, 3, "2026-12-01T00:00:00Z", dear);
    assert_cost(bill(fixture, "2026-11").corrections, "6");
    g_assert_cmpuint(bill(fixture, "2026-12").n_corrections, ==, 0);
}

/* Dollars from November on, and euros until then. */
static void
note_dollars(MeterFixture *fixture, gint64 seq)
{
    static const char dollars[] =
        "{\"card\":\"d\",\"version\":1,\"currency\":\"USD\","
        "\"from\":\"2026-11-01T00:00:00Z\",\"lines\":["
        "{\"sku\":\"vcpu\",\"meter\":\"vcpu.alloc\",\"price\":\"0.01\"},"
        "{\"sku\":\"sent\",\"meter\":\"net.tx.bytes\",\"price\":\"2\"}],"
        "\"free\":[\"instance.time\",\"memory.alloc\"]}";
    g_autofree char *assignment = g_strdup_printf(
        "{\"card\":\"d\",\"from_ms\":%" G_GINT64_FORMAT ",\"discount_ppm\":0}",
        NOVEMBER_MS);

    note(fixture, seq, "card", dollars, 0);
    note(fixture, seq + 1, "assignment", assignment, 0);
}

static void
use_late(MeterFixture *fixture, gint64 seq)
{
    ProtoLedgerRow use = meter_fixture_used(seq, 3, HOUR_MS, 2 * HOUR_MS,
                                            COUNTER_NET_TX_BYTES, "mac", 3000000000);

    use.at_ms = NOVEMBER_MS + 3 * DAY_MS;
    meter_fixture_apply(fixture, use);
}

/* Each total of a bill in a line, with what its lines come to. */
static char *
list_totals(MeterFixture *fixture, const BillQuery *query)
{
    g_autoptr(Books) books = read_books(fixture);
    g_autoptr(GError) error = NULL;
    g_autoptr(Biller) biller = biller_new(fixture->store, books, query, &error);
    GString *out = g_string_new(NULL);
    BillTotal total = { 0 };
    bool more = true;

    g_assert_no_error(error);
    for (;;) {
        Costs costs = { 0 };
        g_autofree char *cost = NULL;

        biller_next(biller, add_line, &costs, &more, &total, &error);
        g_assert_no_error(error);
        if (!more)
            return g_string_free(out, FALSE);
        g_assert_true(decimal_add(costs.usage, costs.corrections, &costs.usage, NULL));
        g_assert_cmpint(decimal_compare(costs.usage, total.cost), ==, 0);
        cost = decimal_format(total.cost, 0);
        g_string_append_printf(out, "%s %s %s %d\n", total.invoice, total.currency, cost,
                               total.has_usage);
    }
}

/* Two vCPUs for thirty days, and what three GB cost in October. */
static void
what_is_paid_in_another_currency_has_a_total_of_its_own(MeterFixture *fixture,
                                                        gconstpointer unused)
{
    const BillQuery november = { .period = "2026-11" };
    const gint64 first = NOVEMBER_MS / DAY_MS;
    const BillQuery to_come = { .period = "2026-11",
                                .from_day = first + 20,
                                .to_day = first + 21 };
    g_autofree char *open = NULL;
    g_autofree char *closed = NULL;
    g_autofree char *day = NULL;
    ProtoLedgerRow end = { 0 };

    note_prices(fixture, card);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    note_dollars(fixture, 4);
    note_closed(fixture, 6, "2026-10", OCTOBER_MS, NOVEMBER_MS);
    use_late(fixture, 7);
    end = meter_fixture_closed(8, 3, 41 * DAY_MS);
    end.at_ms = NOVEMBER_MS + 10 * DAY_MS;
    meter_fixture_apply(fixture, end);
    open = list_totals(fixture, &november);
    g_assert_cmpstr(open, ==, "(null) USD 4.8 1\n(null) EUR 3 0\n");
    note_closed(fixture, 9, "2026-11", NOVEMBER_MS, DECEMBER_MS);
    closed = list_totals(fixture, &november);
    g_assert_cmpstr(closed, ==,
                    "INV-2026-11-blue USD 4.8 1\nINV-2026-11-blue-EUR EUR 3 0\n");
    /* Nothing was there any more on that day. */
    day = list_totals(fixture, &to_come);
    g_assert_cmpstr(day, ==, "INV-2026-11-blue USD 0 0\nINV-2026-11-blue-EUR EUR 3 0\n");
}

/* What had no price in October has the first one after it, in what that is in. */
static void
what_is_late_may_have_a_price_in_another_currency(MeterFixture *fixture,
                                                  gconstpointer unused)
{
    const BillQuery november = { .period = "2026-11" };
    g_autofree char *assignment = g_strdup_printf(
        "{\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT ",\"discount_ppm\":0}",
        OCTOBER_MS);
    ProtoLedgerRow end = { 0 };
    g_autofree char *totals = NULL;

    note_version(fixture, 1, 1, "2026-10-01T00:00:00Z", "");
    note(fixture, 2, "assignment", assignment, 0);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    note_dollars(fixture, 4);
    note_closed(fixture, 6, "2026-10", OCTOBER_MS, NOVEMBER_MS);
    use_late(fixture, 7);
    /* It had ended with October's last day but one: 0.48 less. */
    end = meter_fixture_closed(8, 3, 30 * DAY_MS);
    end.at_ms = NOVEMBER_MS + 3 * DAY_MS;
    meter_fixture_apply(fixture, end);
    totals = list_totals(fixture, &november);
    g_assert_cmpstr(totals, ==, "(null) EUR -0.48 0\n(null) USD 6 0\n");
}

static void
go_through(Biller *biller)
{
    g_autoptr(GError) error = NULL;
    BillTotal total = { 0 };
    Costs costs = { 0 };
    bool more = true;

    while (more) {
        g_assert_true(biller_next(biller, add_line, &costs, &more, &total, &error));
    }
}

/* What is rounded down is what was computed since the instance is there: half a tick that
 * comes in late for October makes October's a whole one, and takes November's away. */
static void
what_comes_late_moves_what_is_carried_on(MeterFixture *fixture, gconstpointer unused)
{
    static const struct {
        gint64 seq;
        gint64 from_ms;
        gint64 booked_ms;
    } halves[] = {
        { 4, 0, HOUR_MS },
        { 6, 31 * DAY_MS, 34 * DAY_MS },
        { 8, HOUR_MS, 64 * DAY_MS },
    };

    Costs costs = { 0 };

    note_prices(fixture,
                "{\"card\":\"c\",\"version\":1,\"currency\":\"EUR\","
                "\"from\":\"2026-10-01T00:00:00Z\","
                "\"lines\":[{\"sku\":\"cpu\",\"meter\":\"cpu.time\",\"price\":\"1000\"}],"
                "\"free\":[\"instance.time\",\"memory.alloc\",\"vcpu.alloc\"]}");
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    for (gsize i = 0; i < G_N_ELEMENTS(halves); i++) {
        ProtoLedgerRow use = meter_fixture_used(halves[i].seq, 3, halves[i].from_ms,
                                                halves[i].from_ms + HOUR_MS,
                                                COUNTER_CPU_TIME, "", 18000000);

        use.at_ms = OCTOBER_MS + halves[i].booked_ms;
        meter_fixture_apply(fixture, use);
        if (i == 0)
            note_closed(fixture, 5, "2026-10", OCTOBER_MS, NOVEMBER_MS);
        if (i == 1)
            note_closed(fixture, 7, "2026-11", NOVEMBER_MS, DECEMBER_MS);
    }
    assert_cost(bill(fixture, "2026-10").usage, "0");
    assert_cost(bill(fixture, "2026-11").usage, "0.01");
    costs = bill(fixture, "2026-12");
    g_assert_cmpuint(costs.n_corrections, ==, 2);
    assert_cost(costs.corrections, "0");
}

/* Pages through a bill; returns how many cards are named in its foot. */
static guint
count_cards(MeterFixture *fixture, const char *period, gint64 as_of)
{
    g_autoptr(Books) books = read_books(fixture);
    const BillQuery query = { .period = period, .as_of = as_of };
    g_autoptr(GError) error = NULL;
    g_autoptr(Biller) biller = biller_new(fixture->store, books, &query, &error);

    g_assert_no_error(error);
    go_through(biller);
    return biller_get_foot(biller)->cards->len;
}

static void
what_comes_later_names_no_card(MeterFixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow use = { 0 };

    note_prices(fixture, card);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_closed(4, 3, DAY_MS));
    note_closed(fixture, 5, "2026-10", OCTOBER_MS, NOVEMBER_MS);
    g_assert_cmpuint(count_cards(fixture, "2026-11", 5), ==, 0);
    use = meter_fixture_used(6, 3, 0, HOUR_MS, COUNTER_NET_TX_BYTES, "mac", 3000000000);
    use.at_ms = NOVEMBER_MS + 3 * DAY_MS;
    meter_fixture_apply(fixture, use);
    g_assert_cmpuint(count_cards(fixture, "2026-11", 5), ==, 0);
    g_assert_cmpuint(count_cards(fixture, "2026-11", 6), ==, 1);
}

static void
what_cannot_be_billed_is_refused(MeterFixture *fixture, gconstpointer unused)
{
    static const struct {
        BillQuery query;
        int code;
    } cases[] = {
        { { .period = "October" }, PROTO_ERROR_INVALID_PARAMETER },
        { { .period = "2027-01" }, PROTO_ERROR_INVALID_PARAMETER },
        { { .period = "2026-10", .as_of = 99 }, PROTO_ERROR_INVALID_PARAMETER },
        { { .period = "2026-10", .tenant = "nobody" }, PROTO_ERROR_NOT_FOUND },
        { { .period = "2026-10", .from_day = 1, .to_day = 2 },
          PROTO_ERROR_INVALID_PARAMETER },
    };

    g_autoptr(Books) books = NULL;

    note_prices(fixture, card);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    books = read_books(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(biller_new(fixture->store, books, &cases[i].query, &error));
        g_assert_error(error, PROTO_ERROR, cases[i].code);
    }
}

static bool
fold_line(const BillLine *line, gpointer data, GError **error)
{
    return report_fold_add(data, line, error);
}

static char *
write_report(MeterFixture *fixture, const char *period, const ReportFormat *format)
{
    const guint groups = REPORT_BY_TENANT | REPORT_BY_INSTANCE | REPORT_BY_METER;
    g_autoptr(Books) books = read_books(fixture);
    const BillQuery query = { .period = period };
    g_autoptr(GError) error = NULL;
    g_autoptr(Biller) biller = biller_new(fixture->store, books, &query, &error);
    g_autoptr(ReportFold) fold = report_fold_new(groups, NULL);
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(ReportRow));
    GString *out = g_string_new(NULL);
    ReportContext context = { .groups = groups };
    BillTotal total = { 0 };
    bool more = true;

    g_assert_no_error(error);
    context.foot = biller_get_foot(biller);
    context.window = context.foot->window;
    format->begin(&context, out);
    for (;; context.tenant++) {
        g_assert_true(biller_next(biller, fold_line, fold, &more, &total, &error));
        if (!more)
            break;
        format->tenant(&context, report_fold_get_rows(fold), &total, out);
        report_fold_clear(fold);
    }
    format->end(&context, none, out);
    return g_string_free(out, FALSE);
}

/* Against tests/golden/report/NAME; REGENERATE=1 writes it. */
static void
assert_golden(const char *period, const ReportFormat *format, const char *text)
{
    g_autofree char *file = g_strdup_printf("%s.%s", period, format->name);
    g_autofree char *path = g_build_filename(g_getenv("GOLDEN"), "report", file, NULL);
    g_autofree char *expected = NULL;

    if (g_getenv("REGENERATE") != NULL)
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_true(g_file_get_contents(path, &expected, NULL, NULL));
    g_assert_cmpstr(text, ==, expected);
}

static BillFoot
bill_foot(MeterFixture *fixture)
{
    g_autoptr(Books) books = read_books(fixture);
    const BillQuery query = { .period = "2026-10" };
    g_autoptr(GError) error = NULL;
    g_autoptr(Biller) biller = biller_new(fixture->store, books, &query, &error);

    g_assert_no_error(error);
    go_through(biller);
    return *biller_get_foot(biller);
}

/* Booked after ten hours. */
static void
miss(MeterFixture *fixture, gint64 seq, gint64 from_ms, gint64 to_ms)
{
    ProtoLedgerRow gap = meter_fixture_gap(seq, 3, from_ms, to_ms);

    gap.at_ms = OCTOBER_MS + 10 * HOUR_MS;
    meter_fixture_apply(fixture, gap);
}

static void
what_is_missed_twice_counts_once(MeterFixture *fixture, gconstpointer unused)
{
    BillFoot foot = { 0 };

    note_prices(fixture, card);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    miss(fixture, 4, 4 * HOUR_MS, 6 * HOUR_MS);
    miss(fixture, 5, HOUR_MS, 2 * HOUR_MS);
    miss(fixture, 6, HOUR_MS, 5 * HOUR_MS);
    meter_fixture_apply(fixture, meter_fixture_closed(7, 3, 10 * HOUR_MS));
    foot = bill_foot(fixture);
    g_assert_cmpint(foot.gaps, ==, 3);
    g_assert_cmpint(foot.expected_ms, ==, 10 * HOUR_MS);
    g_assert_cmpint(foot.metered_ms, ==, 5 * HOUR_MS);
}

static void
a_gap_that_was_made_up_for_hides_none(MeterFixture *fixture, gconstpointer unused)
{
    BillFoot foot = { 0 };

    note_prices(fixture, card);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_gap(4, 3, 0, HOUR_MS));
    meter_fixture_apply(
        fixture, meter_fixture_used(5, 3, 0, HOUR_MS, COUNTER_NET_TX_BYTES, "mac", 1));
    meter_fixture_apply(fixture, meter_fixture_gap(6, 3, 0, 2 * HOUR_MS));
    meter_fixture_apply(fixture, meter_fixture_closed(7, 3, 10 * HOUR_MS));
    foot = bill_foot(fixture);
    g_assert_cmpint(foot.gaps, ==, 1);
    g_assert_cmpint(foot.metered_ms, ==, 8 * HOUR_MS);
}

/* A month with a gap and a use that is in part estimated, closed, and the next one with
 * what came in late. */
static void
reports_are_the_same_for_ever(MeterFixture *fixture, gconstpointer unused)
{
    static const ReportFormat *const formats[] = { &report_table, &report_csv,
                                                   &report_json };
    static const char *const periods[] = { "2026-10", "2026-11" };
    ProtoLedgerRow use = { 0 };

    note_prices(fixture, card);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 5 * HOUR_MS));
    use = meter_fixture_used(4, 3, 5 * HOUR_MS, 7 * HOUR_MS, COUNTER_NET_TX_BYTES, "mac",
                             1234567891);
    use.has_estimated = true;
    use.estimated = 234567891;
    meter_fixture_apply(fixture, use);
    meter_fixture_apply(fixture, meter_fixture_gap(5, 3, 7 * HOUR_MS, 8 * HOUR_MS));
    note_closed(fixture, 6, "2026-10", OCTOBER_MS, NOVEMBER_MS);
    use = meter_fixture_closed(7, 3, 30 * DAY_MS);
    use.at_ms = NOVEMBER_MS + 3 * DAY_MS;
    meter_fixture_apply(fixture, use);
    for (gsize i = 0; i < G_N_ELEMENTS(periods); i++) {
        for (gsize j = 0; j < G_N_ELEMENTS(formats); j++) {
            g_autofree char *text = write_report(fixture, periods[i], formats[j]);

            assert_golden(periods[i], formats[j], text);
        }
    }
}

#define TEST(name, function)                                                             \
    g_test_add("/biller/" name, MeterFixture, NULL, meter_fixture_set_up, function,      \
               meter_fixture_tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("a-closing-that-does-not-fit-hides-no-late-use",
         a_closing_that_does_not_fit_hides_no_late_use);
    TEST("a-gap-that-was-made-up-for-hides-none", a_gap_that_was_made_up_for_hides_none);
    TEST("an-end-that-is-known-late-is-given-back",
         an_end_that_is_known_late_is_given_back);
    TEST("a-price-that-comes-back-is-given-back-for-each-stretch",
         a_price_that_comes_back_is_given_back_for_each_stretch);
    TEST("a-use-that-is-booked-late-is-billed-once",
         a_use_that_is_booked_late_is_billed_once);
    TEST("reports-are-the-same-for-ever", reports_are_the_same_for_ever);
    TEST("what-is-paid-in-another-currency-has-a-total-of-its-own",
         what_is_paid_in_another_currency_has_a_total_of_its_own);
    TEST("what-is-late-may-have-a-price-in-another-currency",
         what_is_late_may_have_a_price_in_another_currency);
    TEST("what-comes-late-moves-what-is-carried-on",
         what_comes_late_moves_what_is_carried_on);
    TEST("what-comes-later-names-no-card", what_comes_later_names_no_card);
    TEST("what-cannot-be-billed-is-refused", what_cannot_be_billed_is_refused);
    TEST("what-is-late-and-had-no-price-gets-the-next-one",
         what_is_late_and_had_no_price_gets_the_next_one);
    TEST("what-is-missed-twice-counts-once", what_is_missed_twice_counts_once);
    return g_test_run();
}
