/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "base/clock.h"
#include "meter/money/books.h"
#include "wire/schema.h"

#define CARD(name, version, from, rest)                                                  \
    "{\"card\":\"" name "\",\"version\":" version                                        \
    ",\"currency\":\"EUR\",\"from\":\"" from "\",\"lines\":[" rest "]}"
#define LINE(sku, meter, price)                                                          \
    "{\"sku\":\"" sku "\",\"meter\":\"" meter "\",\"price\":\"" price "\"}"
#define VCPU LINE("vm.vcpu", "vcpu.alloc", "0.01")
#define OCTOBER "2026-10-01T00:00:00Z"
#define NOVEMBER "2026-11-01T00:00:00Z"

static gint64
at(const char *text)
{
    gint64 at_ms = 0;

    g_assert_true(clock_parse_time(text, &at_ms));
    return at_ms;
}

static JsonObject *
parse(const char *text, JsonParser *parser)
{
    g_autoptr(GError) error = NULL;

    json_parser_load_from_data(parser, text, -1, &error);
    g_assert_no_error(error);
    return json_node_get_object(json_parser_get_root(parser));
}

static void
read_rates(const char *text, ProtoRateCard *rates)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;

    wire_struct_parse(&proto_rate_card_type, parse(text, parser), "card",
                      WIRE_PARSE_STRICT, rates, &error);
    g_assert_no_error(error);
}

static bool
try_note(Books *books, const char *topic, const char *note, GError **error)
{
    ProtoLedgerRow row = {
        .seq = books_get_note(books) + 10,
        .kind = LEDGER_KIND_NOTED,
        .at_ms = at("2027-01-01T00:00:00Z"),
        .topic = (char *) (gsize) topic,
        .note = (char *) (gsize) note,
    };

    return books_add(books, &row, error);
}

static void
note(Books *books, const char *topic, const char *text)
{
    g_autoptr(GError) error = NULL;

    try_note(books, topic, text, &error);
    g_assert_no_error(error);
}

static void
assert_refuses_note(Books *books, const char *topic, const char *text, const char *why)
{
    gint64 before = books_get_note(books);
    g_autoptr(GError) error = NULL;

    g_assert_false(try_note(books, topic, text, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
    if (strstr(error->message, why) == NULL)
        g_error("\"%s\" does not say \"%s\"", error->message, why);
    g_assert_cmpint(books_get_note(books), ==, before);
}

/* It counts for nothing, and those after it are taken. */
static void
assert_passes_over(Books *books, const char *topic, const char *text, const char *why)
{
    gint64 before = books_get_note(books);

    note(books, topic, text);
    g_assert_cmpint(books_get_note(books), >, before);
    g_assert_nonnull(books_get_passed(books));
    if (strstr(books_get_passed(books), why) == NULL)
        g_error("\"%s\" does not say \"%s\"", books_get_passed(books), why);
}

static void
assert_refuses_card(const char *text, const char *why)
{
    g_auto(ProtoRateCard) rates = { 0 };
    g_autoptr(GError) error = NULL;

    read_rates(text, &rates);
    g_assert_null(card_new(&rates, "card", &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    if (strstr(error->message, why) == NULL)
        g_error("\"%s\" does not say \"%s\"", error->message, why);
}

static Card *
make_card(const char *text)
{
    g_auto(ProtoRateCard) rates = { 0 };
    g_autoptr(GError) error = NULL;
    Card *card = NULL;

    read_rates(text, &rates);
    card = card_new(&rates, "card", &error);
    g_assert_no_error(error);
    return card;
}

static void
a_bad_card_is_refused_with_its_place(void)
{
    static const struct {
        const char *line;
        const char *why;
    } cases[] = {
        { LINE("vm.vcpu", "vcpu", "1"), "card.lines[0]: there is no meter vcpu" },
        { LINE("vm vcpu", "vcpu.alloc", "1"), "card.lines[0]: a sku is" },
        { LINE("v", "vcpu.alloc", "-1"), "card.lines[0].price: -1 is below zero" },
        { LINE("v", "vcpu.alloc", "0.0000000001"), "more than 9 places" },
        { LINE("v", "vcpu.alloc", "1000000001"), "too much for a unit" },
        { "{\"sku\":\"v\",\"meter\":\"vcpu.alloc\"}", "either a price or tiers" },
        { "{\"sku\":\"v\",\"meter\":\"vcpu.alloc\",\"price\":\"1\",\"tiers\":{\"0\":"
          "\"1\"}}",
          "either a price or tiers" },
        { "{\"sku\":\"v\",\"meter\":\"vcpu.alloc\",\"tiers\":{\"1\":\"1\"}}",
          "none of them is from 0 on" },
        { "{\"sku\":\"v\",\"meter\":\"vcpu.alloc\",\"tiers\":{\"0\":\"1\",\"0.0\":\"2\"}"
          "}",
          "begin at the same quantity" },
        { "{\"sku\":\"v\",\"meter\":\"memory.alloc\",\"tiers\":{\"0\":\"1\",\"0."
          "00000001\":"
          "\"2\"}}",
          "is not a number of what memory.alloc is counted in" },
        { "{\"sku\":\"v\",\"meter\":\"vcpu.alloc\",\"price\":\"1\",\"unit\":\"Hours\"}",
          "the unit of vcpu.alloc is Core-Hours and not Hours" },
        { "{\"sku\":\"v\",\"meter\":\"disk.alloc\",\"price\":\"1\",\"min_run_ms\":60000}",
          "only what an instance holds" },
        { "{\"sku\":\"v\",\"meter\":\"vcpu.alloc\",\"price\":\"1\",\"from\":\"2026-09-"
          "01T00:00:00Z\"}",
          "begins before its card does" },
        { "{\"sku\":\"v\",\"meter\":\"vcpu.alloc\",\"price\":\"1\",\"to\":\"2026-10-"
          "01T00:00:00Z\"}",
          "ends before it begins" },
        { VCPU "," LINE("b", "vcpu.alloc", "1"), "card.lines[1]: overlaps another line" },
        { VCPU "," LINE("vm.vcpu", "memory.alloc", "1"), "is of both vcpu.alloc and" },
        { VCPU ",{\"sku\":\"b\",\"sku_price\":\"vm.vcpu\",\"meter\":\"memory.alloc\","
               "\"price\":\"1\"}",
          "is a sku price of both vm.vcpu and b" },
        { "{\"sku\":\"a\",\"meter\":\"vcpu.alloc\",\"price\":\"1\",\"match\":{\"host\":"
          "\"h\"}},"
          "{\"sku\":\"b\",\"meter\":\"vcpu.alloc\",\"price\":\"1\",\"match\":{"
          "\"template\":\"t\"}}",
          "overlaps another line" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf(
            "{\"card\":\"c\",\"currency\":\"EUR\",\"from\":\"%s\",\"lines\":[%s]}",
            OCTOBER, cases[i].line);

        assert_refuses_card(text, cases[i].why);
    }
    assert_refuses_card("{\"card\":\"c\",\"currency\":\"EUX\",\"from\":\"" OCTOBER
                        "\",\"lines\":[]}",
                        "card.currency: EUX is no currency");
    assert_refuses_card("{\"card\":\"c\",\"currency\":\"EUR\",\"from\":\"" OCTOBER
                        "\",\"lines\":[" VCPU "],\"free\":[\"vcpu.alloc\"]}",
                        "is free and has a price");
    assert_refuses_card("{\"card\":\"c\",\"currency\":\"EUR\",\"from\":\"" OCTOBER
                        "\",\"lines\":[],\"billed\":{\"running\":[\"ip.alloc\"],"
                        "\"paused\":[],\"stopped\":[]}}",
                        "ip.alloc does not depend on the state");
}

static void
the_line_that_asks_for_most_counts(void)
{
    g_autoptr(Card) card = make_card(
        CARD("c", "1", OCTOBER,
             VCPU ",{\"sku\":\"gpu\",\"meter\":\"vcpu.alloc\",\"price\":\"2\","
                  "\"match\":{\"template\":\"gpu\"}},"
                  "{\"sku\":\"both\",\"meter\":\"vcpu.alloc\",\"price\":\"3\","
                  "\"match\":{\"template\":\"gpu:2\",\"labels\":{\"tier\":\"gold\"}}}"));
    static const char *const gold[] = { "a", "b", "tier", "gold", NULL };
    CardSubject subject = { .host = "h" };
    gint64 at_ms = at(OCTOBER);

    g_assert_cmpstr(card_find_line(card, METER_VCPU, at_ms, &subject)->sku, ==,
                    "vm.vcpu");
    subject.template = "gpu:1";
    g_assert_cmpstr(card_find_line(card, METER_VCPU, at_ms, &subject)->sku, ==, "gpu");
    subject.labels = (char **) (gsize) gold;
    g_assert_cmpstr(card_find_line(card, METER_VCPU, at_ms, &subject)->sku, ==, "gpu");
    subject.template = "gpu:2";
    g_assert_cmpstr(card_find_line(card, METER_VCPU, at_ms, &subject)->sku, ==, "both");
    subject.template = "gpus:2";
    g_assert_cmpstr(card_find_line(card, METER_VCPU, at_ms, &subject)->sku, ==,
                    "vm.vcpu");
    g_assert_null(card_find_line(card, METER_MEMORY, at_ms, &subject));
    g_assert_null(card_find_line(card, METER_VCPU, at_ms - 1, &subject));
}

static void
tiers_are_sorted_by_quantity(void)
{
    g_autoptr(Card) card = make_card(CARD(
        "c", "1", OCTOBER,
        "{\"sku\":\"v\",\"meter\":\"vcpu.alloc\",\"tiers\":{\"1000\":\"1\",\"0\":\"3\","
        "\"200.5\":\"2\"}}"));
    const CardSubject subject = { 0 };
    const CardLine *line = card_find_line(card, METER_VCPU, at(OCTOBER), &subject);

    g_assert_cmpuint(line->n_tiers, ==, 3);
    g_assert_cmpstr(line->tiers[0].sku_price, ==, "v.1");
    g_assert_cmpint(line->tiers[0].price_nano, ==, 3000000000);
    g_assert_cmpint((gint64) line->tiers[1].from, ==, 20050000);
    g_assert_cmpint((gint64) line->tiers[2].from, ==, 100000000);
    g_assert_cmpstr(line->tiers[2].sku_price, ==, "v.3");
}

static void
a_bad_note_changes_nothing(void)
{
    g_autoptr(Books) books = books_new();

    assert_refuses_note(books, "gift", "{}", "nobody knows");
    assert_refuses_note(books, "card", "no", "Row 10 of the ledger is no entry");
    assert_refuses_note(books, "card", "[]", "is no entry of the books");
    assert_refuses_note(books, "card", "{\"card\":\"c\"}", "is missing");
    assert_passes_over(books, "card", CARD("c", "2", OCTOBER, VCPU),
                       "the next version of c is 1");
    assert_refuses_note(books, "card", CARD("c", "1", "soon", VCPU), "is not a time");
    assert_passes_over(books, "assignment",
                       "{\"card\":\"c\",\"from_ms\":0,\"discount_ppm\":0}",
                       "There is no rate card");
    assert_passes_over(books, "sealed",
                       "{\"period\":\"2026-10\",\"invoices\":0,\"hash\":\"\"}",
                       "has not that many invoices");
    assert_passes_over(books, "closed",
                       "{\"period\":\"2026-13\",\"from_ms\":0,\"to_ms\":1}",
                       "which is no period");
    assert_passes_over(books, "closed",
                       "{\"period\":\"2026-10\",\"from_ms\":0,\"to_ms\":1}",
                       "at the wrong time");
    note(books, "card", CARD("c", "1", OCTOBER, VCPU));
    assert_passes_over(books, "card", CARD("c", "1", OCTOBER, VCPU),
                       "the next version of c is 2");
}

static void
a_note_is_taken_once(void)
{
    g_autoptr(Books) books = books_new();
    ProtoLedgerRow row = { .seq = 7, .topic = (char *) (gsize) "card" };
    g_autoptr(GPtrArray) cards = NULL;
    const BooksAt all = { books, 7 };

    row.note = (char *) (gsize) CARD("c", "1", OCTOBER, VCPU);
    g_assert_true(books_add(books, &row, NULL));
    g_assert_true(books_add(books, &row, NULL));
    cards = books_list_cards(&all);
    g_assert_cmpuint(cards->len, ==, 1);
}

static gint64
price_of(const Books *books, gint64 seq, const char *tenant, const char *when)
{
    const BooksAt as_of = { books, seq };
    const CardSubject subject = { 0 };
    Tariff tariff = { 0 };

    if (!books_find_tariff(&as_of, tenant, at(when), &tariff))
        return -1;
    return tariff_get_price_nano(
        &tariff, &card_find_line(tariff.card, METER_VCPU, at(when), &subject)->tiers[0]);
}

static void
prices_follow_time_and_row(void)
{
    g_autoptr(Books) books = books_new();
    g_autofree char *assign = g_strdup_printf(
        "{\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT ",\"discount_ppm\":0}",
        at(OCTOBER));
    g_autofree char *agree = g_strdup_printf(
        "{\"tenant\":\"blue\",\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT
        ",\"discount_ppm\":333333}",
        at("2026-10-10T00:00:00Z"));
    g_autofree char *fix = g_strdup_printf(
        "{\"tenant\":\"blue\",\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT
        ",\"discount_ppm\":0,\"prices\":{\"vm.vcpu\":\"0.004\"}}",
        at(NOVEMBER));

    note(books, "card", CARD("c", "1", OCTOBER, VCPU));
    note(books, "assignment", assign);
    note(books, "card", CARD("c", "2", NOVEMBER, LINE("vm.vcpu", "vcpu.alloc", "0.02")));
    note(books, "assignment", agree);
    note(books, "assignment", fix);

    g_assert_cmpint(price_of(books, 10, "red", OCTOBER), ==, -1);
    g_assert_cmpint(price_of(books, 50, "red", "2026-09-30T23:59:59.999Z"), ==, -1);
    g_assert_cmpint(price_of(books, 50, "red", OCTOBER), ==, 10000000);
    g_assert_cmpint(price_of(books, 50, "red", NOVEMBER), ==, 20000000);
    g_assert_cmpint(price_of(books, 20, "red", NOVEMBER), ==, 10000000);
    g_assert_cmpint(price_of(books, 50, "blue", OCTOBER), ==, 10000000);
    g_assert_cmpint(price_of(books, 50, "blue", "2026-10-10T00:00:00Z"), ==, 6666670);
    g_assert_cmpint(price_of(books, 50, "blue", NOVEMBER), ==, 4000000);
    g_assert_cmpint(price_of(books, 40, "blue", NOVEMBER), ==, 13333340);
}

static bool
may_set(
    const Books *books, const char *text, const char *now, bool backdate, GError **error)
{
    const BooksAt all = { books, books_get_note(books) };
    g_auto(ProtoRateCard) rates = { 0 };

    read_rates(text, &rates);
    return books_check_card(&all, &rates, at(now), backdate, error);
}

static bool
may_assign_to(const Books *books,
              const char *tenant,
              const char *card,
              const char *from,
              bool backdate,
              GError **error)
{
    const BooksAt all = { books, books_get_note(books) };
    const ProtoAssignmentNote assignment = {
        .tenant = (char *) (gsize) tenant,
        .card = (char *) (gsize) card,
        .from_ms = at(from),
    };

    return books_check_assignment(&all, &assignment, at("2026-10-15T00:00:00Z"), backdate,
                                  error);
}

static bool
may_assign(
    const Books *books, const char *card, const char *from, bool backdate, GError **error)
{
    return may_assign_to(books, NULL, card, from, backdate, error);
}

static void
assert_why(GError **error, const char *why)
{
    g_assert_nonnull(*error);
    if (strstr((*error)->message, why) == NULL)
        g_error("\"%s\" does not say \"%s\"", (*error)->message, why);
    g_clear_error(error);
}

static void
the_past_is_not_changed_in_passing(void)
{
    g_autoptr(Books) books = books_new();
    g_autoptr(GError) error = NULL;
    const char *now = "2026-10-15T00:00:00Z";
    const char *next =
        "{\"card\":\"c\",\"currency\":\"EUR\",\"from\":\"2026-10-02T00:00:00Z\","
        "\"lines\":[]}";
    g_autofree char *assign = g_strdup_printf(
        "{\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT ",\"discount_ppm\":0}",
        at(OCTOBER));
    g_autofree char *closed =
        g_strdup_printf("{\"period\":\"2026-10\",\"from_ms\":%" G_GINT64_FORMAT
                        ",\"to_ms\":%" G_GINT64_FORMAT "}",
                        at(OCTOBER), at(NOVEMBER));

    note(books, "card", CARD("c", "1", OCTOBER, VCPU));
    g_assert_true(may_set(books, next, now, false, &error));
    g_assert_true(may_assign(books, "c", OCTOBER, false, &error));
    note(books, "assignment", assign);
    g_assert_false(may_set(books, next, now, false, &error));
    assert_why(&error, "card.from: 2026-10-02T00:00:00.000Z is past");
    g_assert_false(may_assign(books, "c", "2026-10-03T00:00:00Z", false, &error));
    assert_why(&error, "is past");
    g_assert_true(may_set(books, next, now, true, &error));
    g_assert_true(may_assign(books, "c", "2026-10-03T00:00:00Z", true, &error));
    note(books, "closed", closed);
    g_assert_false(may_set(books, next, now, true, &error));
    assert_why(&error, "in a period that is closed");
    g_assert_false(may_assign(books, "c", "2026-10-03T00:00:00Z", true, &error));
    assert_why(&error, "in a period that is closed");
}

/* The newest assignment counts, also where an older one begins after it. */
static void
an_assignment_over_an_older_one_changes_the_past(void)
{
    g_autoptr(Books) books = books_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *assign = g_strdup_printf(
        "{\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT ",\"discount_ppm\":0}",
        at("2026-10-10T00:00:00Z"));

    note(books, "card", CARD("c", "1", OCTOBER, VCPU));
    note(books, "assignment", assign);
    g_assert_cmpint(price_of(books, 20, "blue", OCTOBER), ==, -1);
    g_assert_false(may_assign(books, "c", OCTOBER, false, &error));
    assert_why(&error, "from: 2026-10-01T00:00:00.000Z is past");
    g_assert_false(may_assign_to(books, "blue", "c", OCTOBER, false, &error));
    assert_why(&error, "from: 2026-10-01T00:00:00.000Z is past");
    g_assert_true(may_assign_to(books, "blue", "c", OCTOBER, true, &error));
}

static void
an_assignment_of_what_is_to_come_leaves_the_past_alone(void)
{
    g_autoptr(Books) books = books_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *assign = g_strdup_printf(
        "{\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT ",\"discount_ppm\":0}",
        at("2026-10-15T00:00:00Z"));

    note(books, "card", CARD("c", "1", OCTOBER, VCPU));
    note(books, "assignment", assign);
    g_assert_true(may_assign(books, "c", OCTOBER, false, &error));
    g_assert_no_error(error);
}

static void
a_currency_changes_with_the_month(void)
{
    g_autoptr(Books) books = books_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *assign = g_strdup_printf(
        "{\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT ",\"discount_ppm\":0}",
        at(OCTOBER));

    note(books, "card", CARD("c", "1", OCTOBER, VCPU));
    note(books, "card",
         "{\"card\":\"d\",\"version\":1,\"currency\":\"USD\",\"from\":\"" OCTOBER
         "\",\"lines\":[]}");
    note(books, "assignment", assign);
    g_assert_false(may_set(books,
                           "{\"card\":\"c\",\"currency\":\"USD\",\"from\":\"" NOVEMBER
                           "\",\"lines\":[]}",
                           OCTOBER, false, &error));
    assert_why(&error, "card.currency: c is in EUR");
    g_assert_false(may_assign(books, "d", "2026-10-20T00:00:00Z", false, &error));
    assert_why(&error, "a currency changes with the month");
    g_assert_true(may_assign(books, "d", NOVEMBER, false, &error));
    g_assert_false(may_assign(books, "e", NOVEMBER, false, &error));
    assert_why(&error, "There is no rate card \"e\"");
}

/* Blue has a card of its own from the 15th on, and before that what everybody has. */
static void
a_currency_changes_with_the_month_for_everybody(void)
{
    g_autoptr(Books) books = books_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *assign = g_strdup_printf(
        "{\"tenant\":\"blue\",\"card\":\"d\",\"from_ms\":%" G_GINT64_FORMAT
        ",\"discount_ppm\":0}",
        at("2026-10-15T00:00:00Z"));

    note(books, "card", CARD("c", "1", OCTOBER, VCPU));
    note(books, "card",
         "{\"card\":\"d\",\"version\":1,\"currency\":\"USD\",\"from\":\"" OCTOBER
         "\",\"lines\":[]}");
    g_assert_true(
        may_assign_to(books, "blue", "d", "2026-10-15T00:00:00Z", false, &error));
    note(books, "assignment", assign);
    g_assert_false(may_assign(books, "c", OCTOBER, false, &error));
    assert_why(&error, "tenant blue would have prices in EUR and in USD in 2026-10");
    g_assert_false(may_assign(books, "c", "2026-10-10T00:00:00Z", false, &error));
    assert_why(&error, "a currency changes with the month");
    g_assert_true(may_assign(books, "c", "2026-10-15T00:00:00Z", false, &error));
    g_assert_true(may_assign(books, "c", NOVEMBER, false, &error));
    g_assert_true(may_assign(books, "d", OCTOBER, false, &error));
    g_assert_true(may_assign_to(books, "blue", "c", OCTOBER, true, &error));
    g_assert_no_error(error);
}

/* What everybody has begins in November, and blue has something else in October. */
static void
a_card_that_begins_earlier_brings_no_other_currency_into_a_month(void)
{
    g_autoptr(Books) books = books_new();
    g_autoptr(GError) error = NULL;
    const char *now = "2026-10-05T00:00:00Z";
    g_autofree char *all = g_strdup_printf("{\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT
                                           ",\"discount_ppm\":0}",
                                           at(OCTOBER));
    g_autofree char *blue = g_strdup_printf(
        "{\"tenant\":\"blue\",\"card\":\"d\",\"from_ms\":%" G_GINT64_FORMAT
        ",\"discount_ppm\":0}",
        at("2026-10-15T00:00:00Z"));

    note(books, "card", CARD("c", "1", NOVEMBER, VCPU));
    note(books, "card",
         "{\"card\":\"d\",\"version\":1,\"currency\":\"USD\",\"from\":\"" OCTOBER
         "\",\"lines\":[]}");
    note(books, "assignment", all);
    note(books, "assignment", blue);
    g_assert_false(may_set(books, CARD("c", "2", OCTOBER, VCPU), now, true, &error));
    assert_why(&error, "card.from: tenant blue would have prices in EUR and in USD in "
                       "2026-10: a currency changes with the month");
    g_assert_false(
        may_set(books, CARD("c", "2", "2026-10-10T00:00:00Z", VCPU), now, true, &error));
    assert_why(&error, "tenant blue would have prices in EUR and in USD in 2026-10");
    g_assert_true(
        may_set(books, CARD("c", "2", "2026-10-15T00:00:00Z", VCPU), now, true, &error));
    g_assert_true(may_set(books, CARD("c", "2", NOVEMBER, VCPU), now, false, &error));
    g_assert_true(may_set(books, CARD("e", "1", OCTOBER, VCPU), now, true, &error));
    g_assert_no_error(error);
}

static void
a_period_closes_once_and_in_order(void)
{
    g_autoptr(Books) books = books_new();
    g_autofree char *october =
        g_strdup_printf("{\"period\":\"2026-10\",\"from_ms\":%" G_GINT64_FORMAT
                        ",\"to_ms\":%" G_GINT64_FORMAT "}",
                        at(OCTOBER), at(NOVEMBER));
    g_autofree char *september =
        g_strdup_printf("{\"period\":\"2026-09\",\"from_ms\":%" G_GINT64_FORMAT
                        ",\"to_ms\":%" G_GINT64_FORMAT "}",
                        at("2026-09-01T00:00:00Z"), at(OCTOBER));
    static const char invoice[] =
        "{\"period\":\"2026-10\",\"tenant\":\"blue\",\"invoice\":\"INV-2026-10-blue\","
        "\"currency\":\"EUR\",\"total\":\"1.00\",\"lines\":3,\"hash\":\"00\"}";
    const BooksAt early = { books, 9 };
    const BooksAt all = { books, G_MAXINT64 };

    note(books, "closed", october);
    g_assert_null(books_find_period(&early, "2026-10"));
    g_assert_cmpint(books_get_closed_ms(&all), ==, at(NOVEMBER));
    assert_passes_over(books, "closed", october, "at the wrong time");
    assert_passes_over(books, "closed", september, "at the wrong time");
    note(books, "invoice", invoice);
    assert_passes_over(books, "sealed",
                       "{\"period\":\"2026-10\",\"invoices\":2,\"hash\":\"00\"}",
                       "has not that many invoices");
    note(books, "sealed", "{\"period\":\"2026-10\",\"invoices\":1,\"hash\":\"00\"}");
    assert_passes_over(books, "invoice", invoice, "which is not being closed");
    g_assert_cmpint(books_find_period(&all, "2026-10")->sealed_seq, ==, 60);
}

#define CORRECTED(quantity, price, currency, from)                                       \
    "{\"kind\":\"instance\",\"resource\":\"r\",\"name\":\"web\",\"host\":\"local\","     \
    "\"sku\":\"vm.vcpu\",\"sku_price\":\"vm.vcpu\",\"tier\":0,\"meter\":\"vcpu.alloc\"," \
    "\"from_ms\":" from ",\"to_ms\":1790816400000,\"quantity\":\"" quantity              \
    "\",\"estimated\":\"0.0\",\"list_price\":\"" price                                   \
    "\",\"contracted_price\":\"" price "\",\"currency\":\"" currency                     \
    "\",\"first_seq\":1,\"last_seq\":1}"
#define CORRECTION(line)                                                                 \
    "{\"period\":\"2026-10\",\"tenant\":\"blue\",\"why\":\"x\",\"reversal\":" line       \
    ",\"replacement\":" line "}"

/* It would be in every bill of its tenant. */
static void
a_correction_that_no_bill_can_have_is_passed_over(void)
{
    g_autoptr(Books) books = books_new();
    g_autofree char *october =
        g_strdup_printf("{\"period\":\"2026-10\",\"from_ms\":%" G_GINT64_FORMAT
                        ",\"to_ms\":%" G_GINT64_FORMAT "}",
                        at(OCTOBER), at(NOVEMBER));

    assert_passes_over(books, "correction",
                       CORRECTION(CORRECTED("1.0", "0.01", "EUR", "1790812800000")),
                       "which is open");
    note(books, "closed", october);
    assert_passes_over(books, "correction",
                       CORRECTION(CORRECTED("much", "0.01", "EUR", "1790812800000")),
                       "a figure that is none");
    assert_passes_over(books, "correction",
                       CORRECTION(CORRECTED("1.0", "0.01", "EUX", "1790812800000")),
                       "in no currency");
    assert_passes_over(books, "correction",
                       CORRECTION(CORRECTED("1.0", "0.01", "EUR", "0")),
                       "of no time of its period");
    assert_passes_over(
        books, "correction",
        CORRECTION(CORRECTED("-100000000000000.0", "1.0", "EUR", "1790812800000")),
        "costs more than can be billed");
    assert_passes_over(
        books, "correction",
        CORRECTION(CORRECTED("0.0000000000000000001", "1.0", "EUR", "1790812800000")),
        "too many places");
    note(books, "correction",
         CORRECTION(CORRECTED("1.0", "0.01", "EUR", "1790812800000")));
    g_assert_null(books_get_passed(books));
}

/* Invoices */

/* What is appended for a currency is in no name. */
static void
no_two_invoices_have_the_same_number(void)
{
    static const char *const tenants[] = { "blue", "blue-usd", "blue-u", "b" };
    static const char *const currencies[] = { NULL, "USD", "EUR" };
    g_autoptr(Books) books = books_new();
    g_autoptr(GHashTable) made =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const BooksAt at = { books, G_MAXINT64 };

    for (gsize i = 0; i < G_N_ELEMENTS(tenants); i++) {
        for (gsize j = 0; j < G_N_ELEMENTS(currencies); j++) {
            char *id = books_make_invoice_id(&at, "2026-10", tenants[i], currencies[j]);

            g_assert_true(g_hash_table_add(made, id));
        }
    }
    g_assert_true(g_hash_table_contains(made, "INV-2026-10-blue"));
    g_assert_true(g_hash_table_contains(made, "INV-2026-10-blue-USD"));
    g_assert_true(wire_format_check(WIRE_FORMAT_NAME, "blue-usd", NULL));
    g_assert_false(wire_format_check(WIRE_FORMAT_NAME, "blue-USD", NULL));
}

/* Recoveries */

static void
assert_invoice_id(const BooksAt *at, const char *id)
{
    g_autofree char *made = books_make_invoice_id(at, "2026-10", "blue", NULL);

    g_assert_cmpstr(made, ==, id);
}

static void
invoice_after_a_recovery_has_a_number_of_its_own(void)
{
    g_autoptr(Books) books = books_new();
    BooksAt at = { books, G_MAXINT64 };
    gint64 first = 0;

    assert_invoice_id(&at, "INV-2026-10-blue");
    g_assert_null(books_find_recovery(&at));
    note(books, "recovered", "{\"branch\":\"3f2a91c0\",\"why\":\"a disk\",\"lost\":9}");
    first = books_get_note(books);
    note(books, "recovered", "{\"branch\":\"00112233\"}");
    assert_invoice_id(&at, "INV-2026-10.00112233-blue");
    at.seq = first;
    assert_invoice_id(&at, "INV-2026-10.3f2a91c0-blue");
    g_assert_cmpint(books_find_recovery(&at)->note.lost, ==, 9);
    at.seq = first - 1;
    assert_invoice_id(&at, "INV-2026-10-blue");
}

static void
recovery_that_cannot_be_read_is_refused(void)
{
    g_autoptr(Books) books = books_new();

    assert_refuses_note(books, "recovered", "{\"lost\":\"nine\"}", "is no entry");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/books/a-bad-card-is-refused-with-its-place",
                    a_bad_card_is_refused_with_its_place);
    g_test_add_func("/books/the-line-that-asks-for-most-counts",
                    the_line_that_asks_for_most_counts);
    g_test_add_func("/books/tiers-are-sorted-by-quantity", tiers_are_sorted_by_quantity);
    g_test_add_func("/books/a-bad-note-changes-nothing", a_bad_note_changes_nothing);
    g_test_add_func("/books/a-correction-that-no-bill-can-have-is-passed-over",
                    a_correction_that_no_bill_can_have_is_passed_over);
    g_test_add_func("/books/a-note-is-taken-once", a_note_is_taken_once);
    g_test_add_func("/books/prices-follow-time-and-row", prices_follow_time_and_row);
    g_test_add_func("/books/the-past-is-not-changed-in-passing",
                    the_past_is_not_changed_in_passing);
    g_test_add_func("/books/an-assignment-over-an-older-one-changes-the-past",
                    an_assignment_over_an_older_one_changes_the_past);
    g_test_add_func("/books/an-assignment-of-what-is-to-come-leaves-the-past-alone",
                    an_assignment_of_what_is_to_come_leaves_the_past_alone);
    g_test_add_func("/books/a-currency-changes-with-the-month",
                    a_currency_changes_with_the_month);
    g_test_add_func("/books/a-currency-changes-with-the-month-for-everybody",
                    a_currency_changes_with_the_month_for_everybody);
    g_test_add_func(
        "/books/a-card-that-begins-earlier-brings-no-other-currency-into-a-month",
        a_card_that_begins_earlier_brings_no_other_currency_into_a_month);
    g_test_add_func("/books/a-period-closes-once-and-in-order",
                    a_period_closes_once_and_in_order);
    g_test_add_func("/books/no-two-invoices-have-the-same-number",
                    no_two_invoices_have_the_same_number);
    g_test_add_func("/books/an-invoice-after-a-recovery-has-a-number-of-its-own",
                    invoice_after_a_recovery_has_a_number_of_its_own);
    g_test_add_func("/books/a-recovery-that-cannot-be-read-is-refused",
                    recovery_that_cannot_be_read_is_refused);
    return g_test_run();
}
