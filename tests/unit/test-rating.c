/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/money/quote.h"
#include "meter/money/rating.h"
#include "meter/report/format.h"

#define GIB G_GINT64_CONSTANT(1073741824)
#define HOUR_MS G_GINT64_CONSTANT(3600000)
/* 2026-10-01T00:00:00Z */
#define OCTOBER_MS G_GINT64_CONSTANT(1790812800000)
#define NOVEMBER_MS (OCTOBER_MS + 744 * HOUR_MS)
#define OCTOBER "2026-10-01T00:00:00Z"

#define LINE(sku, meter, price)                                                          \
    "{\"sku\":\"" sku "\",\"meter\":\"" meter "\",\"price\":\"" price "\"},"
#define USED(price)                                                                      \
    LINE("vm.cpu", "cpu.time", price)                                                    \
    LINE("io.read", "disk.read.bytes", price)                                            \
    LINE("io.write", "disk.write.bytes", price)                                          \
    LINE("io.reads", "disk.read.ops", price)                                             \
    LINE("io.writes", "disk.write.ops", price)                                           \
    LINE("net.rx", "net.rx.bytes", price)                                                \
    "{\"sku\":\"net.tx\",\"meter\":\"net.tx.bytes\",\"price\":\"" price "\"}"
#define HELD(vcpu)                                                                       \
    LINE("vm.time", "instance.time", "0.001")                                            \
    vcpu LINE("vm.memory", "memory.alloc", "0.005") LINE("vol", "disk.alloc", "0.0003")  \
        LINE("ip", "ip.alloc", "0.002")
#define CARD(version, from, lines)                                                       \
    "{\"card\":\"c\",\"version\":" version ",\"currency\":\"EUR\",\"from\":\"" from      \
    "\",\"lines\":[" lines "]}"
#define FLAT(price) HELD(LINE("vm.vcpu", "vcpu.alloc", price)) USED("0.1")
#define TIERED                                                                           \
    HELD("{\"sku\":\"vm.vcpu\",\"meter\":\"vcpu.alloc\",\"tiers\":{\"0\":\"3\",\"10\":"  \
         "\"2\",\"12.5\":\"1\"}},")                                                      \
    USED("0.1")
#define SHORTEST(ms)                                                                     \
    HELD("{\"sku\":\"vm.vcpu\",\"meter\":\"vcpu.alloc\",\"price\":\"1\",\"min_run_"      \
         "ms\":" ms "},")                                                                \
    USED("0.1")

static void
note(Books *books, const char *topic, const char *text)
{
    const ProtoLedgerRow row = {
        .seq = books_get_note(books) + 1,
        .kind = LEDGER_KIND_NOTED,
        .topic = (char *) (gsize) topic,
        .note = (char *) (gsize) text,
    };
    g_autoptr(GError) error = NULL;

    books_add(books, &row, &error);
    g_assert_no_error(error);
}

static void
assign(Books *books, gint64 from_ms, gint64 discount_ppm)
{
    g_autofree char *text =
        g_strdup_printf("{\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT
                        ",\"discount_ppm\":%" G_GINT64_FORMAT "}",
                        from_ms, discount_ppm);

    note(books, "assignment", text);
}

static Books *
books_of(const char *card)
{
    Books *books = books_new();

    note(books, "card", card);
    assign(books, OCTOBER_MS, 0);
    return books;
}

static RatingTerms
terms_of(const Books *books)
{
    return (RatingTerms){
        .tenant = "blue",
        .period = "2026-10",
        .window = { OCTOBER_MS, NOVEMBER_MS },
        .from_day = calendar_day_of(OCTOBER_MS),
        .to_day = calendar_day_of(NOVEMBER_MS),
        .books = { books, G_MAXINT64 },
    };
}

static ViewSegment
make_segment(
    ResourceKind kind, gint64 resource, BillingState state, gint64 from_ms, gint64 to_ms)
{
    return (ViewSegment){
        .seq = resource,
        .resource = resource,
        .kind = kind,
        .id = "11111111-1111-4111-8111-111111111111",
        .tenant = "blue",
        .name = "web",
        .host = "local",
        .state = state,
        .vcpus = kind == RESOURCE_KIND_INSTANCE ? 2 : 0,
        .memory_bytes = kind == RESOURCE_KIND_INSTANCE ? 4 * GIB : 0,
        .disk_bytes = kind == RESOURCE_KIND_VOLUME ? 10 * GIB : 0,
        .start_ms = OCTOBER_MS + from_ms,
        .end_seq = resource + 1,
        .end_ms = OCTOBER_MS + to_ms,
    };
}

/* A bill as text: "sku day price quantity cost" by line, and what it comes to. */
typedef struct {
    GString *text;
    Decimal cost;
    gint64 lines;
} Sum;

static bool
add_line(const BillLine *line, gpointer data, GError **error)
{
    Sum *sum = data;
    Decimal product = { 0 };

    g_assert_true(
        decimal_multiply(line->quantity, line->contracted_price, &product, NULL));
    g_assert_cmpint(decimal_compare(product, line->contracted_cost), ==, 0);
    g_assert_true(decimal_add(sum->cost, line->contracted_cost, &sum->cost, NULL));
    g_string_append_printf(sum->text, "%s ", line->sku_price);
    report_append_time(sum->text, line->from_ms);
    g_string_append_c(sum->text, ' ');
    report_append_decimal(sum->text, line->contracted_price, 0);
    g_string_append_c(sum->text, ' ');
    report_append_decimal(sum->text, line->quantity, 0);
    g_string_append_c(sum->text, ' ');
    report_append_decimal(sum->text, line->contracted_cost, 0);
    g_string_append_c(sum->text, '\n');
    sum->lines++;
    return true;
}

static Sum
bill(const RatingTerms *terms, const ViewSegment *segments, gsize count)
{
    g_autoptr(Rating) rating = rating_new(terms);
    g_autoptr(GError) error = NULL;
    Sum sum = { .text = g_string_new(NULL) };

    for (gsize i = 0; i < count; i++) {
        rating_add_segment(rating, &segments[i]);
    }
    rating_finish(rating, add_line, &sum, &error);
    g_assert_no_error(error);
    return sum;
}

static void
assert_bill(const char *card,
            const ViewSegment *segments,
            gsize count,
            const char *expected)
{
    g_autoptr(Books) books = books_of(card);
    const RatingTerms terms = terms_of(books);
    Sum sum = bill(&terms, segments, count);

    g_assert_cmpstr(sum.text->str, ==, expected);
    g_string_free(sum.text, TRUE);
}

static void
a_day_is_billed_by_hand(void)
{
    const ViewSegment segments[] = {
        make_segment(RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_RUNNING, 22 * HOUR_MS,
                     25 * HOUR_MS),
        make_segment(RESOURCE_KIND_VOLUME, 2, BILLING_STATE_HELD, 22 * HOUR_MS,
                     24 * HOUR_MS),
        make_segment(RESOURCE_KIND_ADDRESS, 3, BILLING_STATE_HELD, 22 * HOUR_MS,
                     23 * HOUR_MS),
    };

    assert_bill(CARD("1", OCTOBER, FLAT("0.01")), segments, G_N_ELEMENTS(segments),
                "vm.time 2026-10-01T22:00:00Z 0.001 2 0.002\n"
                "vm.time 2026-10-02T00:00:00Z 0.001 1 0.001\n"
                "vm.vcpu 2026-10-01T22:00:00Z 0.01 4 0.04\n"
                "vm.vcpu 2026-10-02T00:00:00Z 0.01 2 0.02\n"
                "vm.memory 2026-10-01T22:00:00Z 0.005 8 0.04\n"
                "vm.memory 2026-10-02T00:00:00Z 0.005 4 0.02\n"
                "vol 2026-10-01T22:00:00Z 0.0003 20 0.006\n"
                "ip 2026-10-01T22:00:00Z 0.002 1 0.002\n");
}

static void
paused_holds_and_stopped_is_free(void)
{
    const ViewSegment segments[] = {
        make_segment(RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_PAUSED, 0, HOUR_MS),
        make_segment(RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_STOPPED, HOUR_MS,
                     9 * HOUR_MS),
    };

    assert_bill(CARD("1", OCTOBER, FLAT("0.01")), segments, G_N_ELEMENTS(segments),
                "vm.vcpu 2026-10-01T00:00:00Z 0.01 2 0.02\n"
                "vm.memory 2026-10-01T00:00:00Z 0.005 4 0.02\n");
}

static void
a_price_change_splits_a_line(void)
{
    const ViewSegment segment = make_segment(
        RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_PAUSED, 10 * HOUR_MS, 14 * HOUR_MS);
    g_autoptr(Books) books = books_of(CARD("1", OCTOBER, FLAT("0.01")));
    const RatingTerms terms = terms_of(books);
    Sum sum = { 0 };

    note(books, "card", CARD("2", "2026-10-01T13:00:00Z", FLAT("0.02")));
    assign(books, OCTOBER_MS + 13 * HOUR_MS + HOUR_MS / 2, 500000);
    sum = bill(&terms, &segment, 1);
    g_assert_cmpstr(sum.text->str, ==,
                    "vm.vcpu 2026-10-01T10:00:00Z 0.01 6 0.06\n"
                    "vm.vcpu 2026-10-01T13:00:00Z 0.02 1 0.02\n"
                    "vm.vcpu 2026-10-01T13:30:00Z 0.01 1 0.01\n"
                    "vm.memory 2026-10-01T10:00:00Z 0.005 14 0.07\n"
                    "vm.memory 2026-10-01T13:30:00Z 0.0025 2 0.005\n");
    g_string_free(sum.text, TRUE);
}

static void
tiers_fill_in_the_order_of_use(void)
{
    const ViewSegment segments[] = {
        make_segment(RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_PAUSED, 2 * HOUR_MS,
                     4 * HOUR_MS),
        make_segment(RESOURCE_KIND_INSTANCE, 3, BILLING_STATE_PAUSED, 0, 5 * HOUR_MS),
    };
    g_autoptr(Books) books = books_of(CARD("1", OCTOBER, TIERED));
    RatingTerms terms = terms_of(books);
    Sum sum = bill(&terms, segments, G_N_ELEMENTS(segments));
    const char *rest = strstr(sum.text->str, "vm.vcpu.1");

    /* The one that began first takes the first tier whole. */
    g_assert_true(g_str_has_prefix(sum.text->str,
                                   "vm.vcpu.2 2026-10-01T02:00:00Z 2 2.5 5\n"
                                   "vm.vcpu.3 2026-10-01T02:00:00Z 1 1.5 1.5\n"));
    g_assert_true(g_str_has_prefix(rest, "vm.vcpu.1 2026-10-01T00:00:00Z 3 10 30\n"));
    g_string_free(sum.text, TRUE);
}

/* What is asked for beforehand is what comes on the bill, but for tiers and runs. */
static void
an_hour_is_quoted_as_it_is_billed(void)
{
    const ViewSegment segments[] = {
        make_segment(RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_RUNNING, 0, HOUR_MS),
        make_segment(RESOURCE_KIND_VOLUME, 1, BILLING_STATE_HELD, 0, HOUR_MS),
        make_segment(RESOURCE_KIND_ADDRESS, 1, BILLING_STATE_HELD, 0, HOUR_MS),
    };
    const QuoteQuery query = { .tenant = "blue",
                               .vcpus = 2,
                               .memory_bytes = 4 * GIB,
                               .disk_bytes = 10 * GIB,
                               .subject = { NULL, "local", NULL } };
    g_autoptr(Books) books = books_of(CARD("1", OCTOBER, FLAT("0.01")));
    RatingTerms terms = { 0 };
    g_autoptr(GError) error = NULL;
    Quote quote = { 0 };
    Sum sum = { 0 };

    assign(books, OCTOBER_MS, 250000);
    terms = terms_of(books);
    sum = bill(&terms, segments, G_N_ELEMENTS(segments));
    quote_make(&terms.books, &query, OCTOBER_MS, &quote, &error);
    g_assert_no_error(error);
    g_assert_cmpint(decimal_compare(quote.cost, sum.cost), ==, 0);
    g_assert_cmpint(quote.n_lines, ==, sum.lines);
    g_assert_cmpstr(quote.currency, ==, "EUR");
    g_string_free(sum.text, TRUE);
}

static void
what_has_no_price_is_not_quoted(void)
{
    const QuoteQuery query = { .tenant = "blue", .vcpus = 1, .subject = { .host = "" } };
    g_autoptr(Books) books =
        books_of(CARD("1", OCTOBER, LINE("vm.time", "instance.time", "1") USED("0.1")));
    const BooksAt at = { books, G_MAXINT64 };
    g_autoptr(GError) error = NULL;
    Quote quote = { 0 };

    g_assert_false(quote_make(&at, &query, OCTOBER_MS, &quote, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, "vcpu.alloc"));
    g_clear_error(&error);
    g_assert_false(quote_make(&at, &query, OCTOBER_MS - 1, &quote, &error));
    g_assert_nonnull(strstr(error->message, "no rate card"));
}

/* Six hours of two vCPUs have passed by then. */
static void
tiers_go_on_from_what_was_used_before_them(void)
{
    const ViewSegment segment = make_segment(
        RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_PAUSED, 7 * HOUR_MS, 15 * HOUR_MS);
    g_autoptr(Books) books = books_of(CARD("1", OCTOBER, FLAT("0.01")));
    const RatingTerms terms = terms_of(books);
    Sum sum = { 0 };

    note(books, "card", CARD("2", "2026-10-01T13:00:00Z", TIERED));
    sum = bill(&terms, &segment, 1);
    g_assert_true(g_str_has_prefix(sum.text->str,
                                   "vm.vcpu 2026-10-01T07:00:00Z 0.01 12 0.12\n"
                                   "vm.vcpu.2 2026-10-01T13:00:00Z 2 0.5 1\n"
                                   "vm.vcpu.3 2026-10-01T13:00:00Z 1 3.5 3.5\n"));
    g_string_free(sum.text, TRUE);
}

static void
a_short_run_is_charged_as_the_shortest(void)
{
    const ViewSegment segments[] = {
        /* Resized within one run: 30 s in all. */
        make_segment(RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_RUNNING, 0, 10000),
        make_segment(RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_RUNNING, 10000, 30000),
        make_segment(RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_STOPPED, 30000, 50000),
        /* Begins before the shortest of the one before is over. */
        make_segment(RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_RUNNING, 50000, 60000),
    };
    g_autoptr(Books) books = books_of(CARD("1", OCTOBER, SHORTEST("60000")));
    const RatingTerms terms = terms_of(books);
    Sum sum = bill(&terms, segments, G_N_ELEMENTS(segments));

    /* 50 s and 60 s of two vCPUs: ticks are floors of instants. */
    g_assert_nonnull(strstr(sum.text->str, "vm.vcpu 2026-10-01T00:00:00Z 1 0.0611"));
    g_string_free(sum.text, TRUE);
}

static void
usage_without_a_price_is_named(void)
{
    const ViewSegment segment =
        make_segment(RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_RUNNING, 0, HOUR_MS);
    g_autoptr(Books) bare = books_new();
    g_autoptr(Books) poor = books_of(
        CARD("1", OCTOBER, "{\"sku\":\"a\",\"meter\":\"vcpu.alloc\",\"price\":\"1\"}"));
    const Books *const books[] = { bare, poor };
    static const char *const why[] = {
        "Usage without a price: instance.time of instance web "
        "(11111111-1111-4111-8111-111111111111) of tenant blue from "
        "2026-10-01T00:00:00.000Z to 2026-10-02T00:00:00.000Z: no rate card is assigned "
        "then",
        "version 1 of the card c has no line for it",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(books); i++) {
        const RatingTerms terms = terms_of(books[i]);
        g_autoptr(Rating) rating = rating_new(&terms);
        g_autoptr(GError) error = NULL;

        rating_add_segment(rating, &segment);
        g_assert_false(rating_finish(rating, add_line, NULL, &error));
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_ILLEGAL_STATE);
        g_assert_nonnull(strstr(error->message, why[i]));
    }
}

static void
use_is_rounded_down_and_adds_up(void)
{
    const ViewSegment segment =
        make_segment(RESOURCE_KIND_INSTANCE, 1, BILLING_STATE_STOPPED, 0, 48 * HOUR_MS);
    g_autoptr(Books) books = books_of(CARD("1", OCTOBER, FLAT("0.01")));
    const RatingTerms terms = terms_of(books);
    g_autoptr(Rating) rating = rating_new(&terms);
    g_autoptr(GError) error = NULL;
    Sum sum = { .text = g_string_new(NULL) };
    ViewUsage use = { .resource = 1, .counter = COUNTER_CPU_TIME, .first_seq = 5 };

    use.day = terms.from_day;
    use.before = 20000000;
    use.quantity = 20000000;
    rating_add_segment(rating, &segment);
    g_assert_true(rating_add_use(rating, &use, &error));
    use.day++;
    use.before = 40000000;
    use.quantity = 31999999;
    g_assert_true(rating_add_use(rating, &use, &error));
    use = (ViewUsage){ .resource = 1, .counter = COUNTER_NET_TX_BYTES, .quantity = 3 };
    use.day = terms.from_day;
    g_assert_true(rating_add_use(rating, &use, &error));
    g_assert_true(rating_finish(rating, add_line, &sum, &error));
    g_assert_cmpstr(sum.text->str, ==,
                    "vm.cpu 2026-10-01T00:00:00Z 0.1 0.00001 0.000001\n"
                    "net.tx 2026-10-01T00:00:00Z 0.1 0.000000003 0.0000000003\n");
    g_string_free(sum.text, TRUE);
}

/* Histories that are drawn, held against a count tick by tick */

enum {
    TICK_MS = 36,
    SEGMENTS_MAX = 40,
    SEEDS = 300,
    /* Three minutes before a midnight and as much after it. */
    SPAN_MS = 360000
};

#define SPAN_START_MS (24 * HOUR_MS - SPAN_MS / 2)

typedef struct {
    ViewSegment segments[SEGMENTS_MAX];
    gsize count;
    gint64 change_ms;
    gint64 discount_ms;
} History;

static void
draw(GRand *rand, History *history)
{
    static const char *const names[] = { "web", "db" };
    gint32 resources = g_rand_int_range(rand, 1, 5);

    *history = (History){ 0 };
    history->change_ms = OCTOBER_MS + SPAN_START_MS + g_rand_int_range(rand, 0, SPAN_MS);
    history->discount_ms =
        OCTOBER_MS + SPAN_START_MS + g_rand_int_range(rand, 0, SPAN_MS);
    for (gint32 i = 0; i < resources; i++) {
        ResourceKind kind = (ResourceKind) g_rand_int_range(rand, 0, RESOURCE_KIND_N);
        gint64 at_ms = SPAN_START_MS + g_rand_int_range(rand, 0, SPAN_MS / 2);
        gint32 count = g_rand_int_range(rand, 1, 8);

        for (gint32 j = 0; j < count; j++) {
            gint64 end_ms = at_ms + g_rand_int_range(rand, 0, SPAN_MS / 6);
            BillingState state = kind == RESOURCE_KIND_INSTANCE
                                     ? (BillingState) g_rand_int_range(rand, 0, 3)
                                     : BILLING_STATE_HELD;
            ViewSegment segment = make_segment(kind, i * 100 + 1, state, at_ms, end_ms);

            segment.seq += j;
            segment.name = names[g_rand_int_range(rand, 0, 2)];
            segment.vcpus *= g_rand_int_range(rand, 1, 4);
            segment.disk_bytes += g_rand_int_range(rand, 0, 2) * GIB / 2;
            history->segments[history->count++] = segment;
            at_ms = end_ms + (g_rand_boolean(rand) ? 0 : g_rand_int_range(rand, 0, 9999));
        }
    }
}

static Books *
books_of_history(const History *history)
{
    Books *books = books_of(CARD("1", OCTOBER, FLAT("0.01")));
    g_autofree char *from = clock_format_time(history->change_ms);
    g_autofree char *second =
        g_strdup_printf("{\"card\":\"c\",\"version\":2,\"currency\":\"EUR\",\"from\":\"%"
                        "s\",\"lines\":[%s]}",
                        from, FLAT("0.03"));

    note(books, "card", second);
    assign(books, history->discount_ms, 250000);
    return books;
}

/* In 10^-9 of the currency and ticks and MiB: what one step of a segment costs. */
static __int128
price_step(const History *history, const ViewSegment *segment, gint64 at_ms)
{
    bool is_on = segment->state == BILLING_STATE_RUNNING;
    bool holds = is_on || segment->state == BILLING_STATE_PAUSED;
    gint64 vcpu = at_ms > history->change_ms ? 30000000 : 10000000;
    __int128 price = 0;

    if (segment->kind == RESOURCE_KIND_INSTANCE) {
        price += is_on ? 1000000 : 0;
        price += holds ? vcpu * segment->vcpus + 5000000 * 4 : 0;
    } else if (segment->kind == RESOURCE_KIND_VOLUME) {
        price += 300000 / 2 * (segment->disk_bytes / (GIB / 2));
    } else {
        price += 2000000;
    }
    return at_ms > history->discount_ms ? price * 3 / 4 : price;
}

static Decimal
count_ticks(const History *history)
{
    gint64 first = (OCTOBER_MS + SPAN_START_MS) / TICK_MS - 1;
    gint64 last = (OCTOBER_MS + 48 * HOUR_MS) / TICK_MS;
    Decimal sum = { 0, 14 };

    for (gsize i = 0; i < history->count; i++) {
        const ViewSegment *segment = &history->segments[i];

        for (gint64 tick = MAX(first, segment->start_ms / TICK_MS); tick <= last;
             tick++) {
            gint64 at_ms = tick * TICK_MS;

            if (at_ms > segment->end_ms)
                break;
            if (at_ms > segment->start_ms)
                sum.value += price_step(history, segment, at_ms);
        }
    }
    return sum;
}

static void
a_bill_is_what_an_oracle_counts(void)
{
    for (guint32 seed = 0; seed < SEEDS; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autoptr(Books) books = NULL;
        RatingTerms terms = { 0 };
        History history;
        Sum sum = { 0 };

        draw(rand, &history);
        books = books_of_history(&history);
        terms = terms_of(books);
        sum = bill(&terms, history.segments, history.count);
        if (decimal_compare(sum.cost, count_ticks(&history)) != 0)
            g_error("seed %u: the bill is not what was used:\n%s", seed, sum.text->str);
        g_string_free(sum.text, TRUE);
    }
}

static Decimal
cost_of_days(const Books *books, const History *history, gint64 from_day, gint64 to_day)
{
    RatingTerms terms = terms_of(books);
    Sum sum = { 0 };

    terms.from_day += from_day;
    terms.to_day = terms.from_day - from_day + to_day;
    sum = bill(&terms, history->segments, history->count);
    g_string_free(sum.text, TRUE);
    return sum.cost;
}

static void
days_and_groups_add_up_to_the_whole(void)
{
    for (guint32 seed = 0; seed < SEEDS; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autoptr(Books) tiered = books_of(CARD("1", OCTOBER, TIERED));
        g_autoptr(Books) flat = NULL;
        History history;

        draw(rand, &history);
        flat = books_of_history(&history);
        for (int i = 0; i < 2; i++) {
            const Books *books = i == 0 ? flat : tiered;
            Decimal whole = cost_of_days(books, &history, 0, 31);
            Decimal first = cost_of_days(books, &history, 0, 1);
            Decimal rest = cost_of_days(books, &history, 1, 31);

            g_assert_true(decimal_add(first, rest, &rest, NULL));
            g_assert_cmpint(decimal_compare(whole, rest), ==, 0);
        }
    }
}

static bool
fold_line(const BillLine *line, gpointer data, GError **error)
{
    return report_fold_add(data, line, error);
}

static Decimal
sum_of_groups(const RatingTerms *terms, const History *history, guint groups)
{
    g_autoptr(ReportFold) fold = report_fold_new(groups, NULL);
    g_autoptr(Rating) rating = rating_new(terms);
    g_autoptr(GError) error = NULL;
    Decimal sum = { 0 };
    const GArray *rows = NULL;

    for (gsize i = 0; i < history->count; i++) {
        rating_add_segment(rating, &history->segments[i]);
    }
    rating_finish(rating, fold_line, fold, &error);
    g_assert_no_error(error);
    rows = report_fold_get_rows(fold);
    for (guint i = 0; i < rows->len; i++) {
        const BillLine *line = &g_array_index(rows, ReportRow, i).line;

        g_assert_true(decimal_add(sum, line->contracted_cost, &sum, NULL));
    }
    return sum;
}

static void
every_grouping_comes_to_the_same(void)
{
    for (guint32 seed = 0; seed < SEEDS / 10; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autoptr(Books) books = NULL;
        RatingTerms terms = { 0 };
        History history;
        Decimal whole = { 0 };

        draw(rand, &history);
        books = books_of_history(&history);
        terms = terms_of(books);
        whole = sum_of_groups(&terms, &history, 0);
        for (guint groups = 1; groups < 16; groups++) {
            Decimal sum = sum_of_groups(&terms, &history, groups);

            g_assert_cmpint(decimal_compare(sum, whole), ==, 0);
        }
    }
}

static void
bad_groups_are_refused(void)
{
    static const char *const bad[] = { "", "tenant,", "host",
                                       "label:", "label:a,label:b" };
    guint groups = 0;
    char *label = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(report_read_groups(bad[i], &groups, &label, &error));
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rating/a-day-is-billed-by-hand", a_day_is_billed_by_hand);
    g_test_add_func("/rating/paused-holds-and-stopped-is-free",
                    paused_holds_and_stopped_is_free);
    g_test_add_func("/rating/a-price-change-splits-a-line", a_price_change_splits_a_line);
    g_test_add_func("/rating/tiers-fill-in-the-order-of-use",
                    tiers_fill_in_the_order_of_use);
    g_test_add_func("/rating/an-hour-is-quoted-as-it-is-billed",
                    an_hour_is_quoted_as_it_is_billed);
    g_test_add_func("/rating/what-has-no-price-is-not-quoted",
                    what_has_no_price_is_not_quoted);
    g_test_add_func("/rating/tiers-go-on-from-what-was-used-before-them",
                    tiers_go_on_from_what_was_used_before_them);
    g_test_add_func("/rating/a-short-run-is-charged-as-the-shortest",
                    a_short_run_is_charged_as_the_shortest);
    g_test_add_func("/rating/usage-without-a-price-is-named",
                    usage_without_a_price_is_named);
    g_test_add_func("/rating/use-is-rounded-down-and-adds-up",
                    use_is_rounded_down_and_adds_up);
    g_test_add_func("/rating/a-bill-is-what-an-oracle-counts",
                    a_bill_is_what_an_oracle_counts);
    g_test_add_func("/rating/days-and-groups-add-up-to-the-whole",
                    days_and_groups_add_up_to_the_whole);
    g_test_add_func("/rating/every-grouping-comes-to-the-same",
                    every_grouping_comes_to_the_same);
    g_test_add_func("/rating/bad-groups-are-refused", bad_groups_are_refused);
    return g_test_run();
}
