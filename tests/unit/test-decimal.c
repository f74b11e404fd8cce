/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <locale.h>

#include "meter/money/currency.h"
#include "meter/money/meters.h"
#include "model/decimal.h"

#define G_INT128_MAX ((__int128) (~(unsigned __int128) 0 >> 1))

static Decimal
parse(const char *text)
{
    Decimal value = { 0 };

    g_assert_true(decimal_parse(text, &value));
    return value;
}

static void
assert_shows(Decimal value, int least_places, const char *expected)
{
    g_autofree char *shown = decimal_format(value, least_places);

    g_assert_cmpstr(shown, ==, expected);
}

static void
prints_what_counts(void)
{
    assert_shows(parse("0"), 0, "0");
    assert_shows(parse("0"), 1, "0.0");
    assert_shows(parse("12.50"), 1, "12.5");
    assert_shows(parse("12.50"), 2, "12.50");
    assert_shows(parse("-0.000000001"), 1, "-0.000000001");
    assert_shows(parse("100"), 0, "100");
    assert_shows(parse("100.000"), 0, "100");
    assert_shows(parse("7"), 9, "7.000000000");
    assert_shows(parse("1234567890123456789012345678"), 2,
                 "1234567890123456789012345678.00");
    assert_shows((Decimal){ G_INT128_MAX, 24 }, 1,
                 "170141183460469.231731687303715884105727");
    assert_shows((Decimal){ G_INT128_MAX, 0 }, 24,
                 "170141183460469231731687303715884105727.000000000000000000000000");
}

static void
refuses_what_is_no_decimal(void)
{
    static const char *const bad[] = {
        "",
        "-",
        "+1",
        ".5",
        "5.",
        "1.2.3",
        "1,5",
        "1e3",
        " 1",
        "1 ",
        "0x10",
        "--1",
        "NaN",
        "1.-2",
        "\xd9\xa1",
        "0.1234567890123456789012345",
        "999999999999999999999999999999999999999",
    };
    Decimal value = { 42, 1 };

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_false(decimal_parse(bad[i], &value));
        g_assert_true(value.value == 42);
    }
}

static void
rounds_half_to_even(void)
{
    static const struct {
        const char *text;
        int places;
        const char *expected;
    } cases[] = {
        { "0.125", 2, "0.12" },     { "0.135", 2, "0.14" },
        { "0.1250001", 2, "0.13" }, { "-0.125", 2, "-0.12" },
        { "-0.135", 2, "-0.14" },   { "-0.1250001", 2, "-0.13" },
        { "0.5", 0, "0" },          { "1.5", 0, "2" },
        { "2.5", 0, "2" },          { "-2.5", 0, "-2" },
        { "-0.5", 0, "0" },         { "0.0005", 3, "0.000" },
        { "7", 3, "7.000" },        { "0.004999999999999999999999", 2, "0.00" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Decimal rounded = { 0 };

        g_assert_true(
            decimal_round(parse(cases[i].text), cases[i].places, &rounded, &error));
        g_assert_no_error(error);
        assert_shows(rounded, cases[i].places, cases[i].expected);
    }
}

static void
adds_and_multiplies_exactly(void)
{
    Decimal result = { 0 };

    g_assert_true(decimal_add(parse("0.1"), parse("0.02"), &result, NULL));
    assert_shows(result, 1, "0.12");
    g_assert_true(decimal_subtract(parse("0.1"), parse("0.3"), &result, NULL));
    assert_shows(result, 1, "-0.2");
    g_assert_true(
        decimal_multiply(parse("-2.000009765625"), parse("0.000000001"), &result, NULL));
    assert_shows(result, 1, "-0.000000002000009765625");
    g_assert_true(decimal_multiply(parse("0"), parse("5"), &result, NULL));
    assert_shows(result, 1, "0.0");
}

static void
overflow_is_an_error(void)
{
    const Decimal large = { G_INT128_MAX, 0 };
    const Decimal one = { 1, 0 };
    Decimal result = { 42, 1 };
    g_autoptr(GError) error = NULL;

    g_assert_false(decimal_add(large, one, &result, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
    g_assert_false(decimal_subtract(decimal_negate(large), one, &result, NULL));
    g_assert_false(
        decimal_add(decimal_negate(large), decimal_negate(one), &result, NULL));
    g_assert_false(decimal_add(large, parse("0.1"), &result, NULL));
    g_assert_false(decimal_multiply(large, (Decimal){ 2, 0 }, &result, NULL));
    g_assert_false(decimal_multiply(decimal_negate(large), large, &result, NULL));
    g_assert_false(decimal_round(large, 1, &result, NULL));
    g_assert_false(decimal_multiply(parse("0.0000000000000001"), parse("0.000000001"),
                                    &result, NULL));
    g_assert_true(result.value == 42 && result.places == 1);
}

/* The product of two that are drawn is held against the sum that it stands for. */
static void
a_product_is_a_sum(void)
{
    for (int seed = 0; seed < 10000; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) seed);
        const Decimal price = { g_rand_int(rand), 9 };
        const Decimal first = { g_rand_int(rand), 15 };
        const Decimal second = { g_rand_int(rand), 5 };
        Decimal whole = { 0 };
        Decimal parts = { 0 };
        Decimal part = { 0 };

        g_assert_true(decimal_add(first, second, &whole, NULL) &&
                      decimal_multiply(whole, price, &whole, NULL));
        g_assert_true(decimal_multiply(first, price, &parts, NULL) &&
                      decimal_multiply(second, price, &part, NULL) &&
                      decimal_add(parts, part, &parts, NULL));
        g_assert_cmpint(decimal_compare(whole, parts), ==, 0);
    }
}

static void
reads_what_it_prints(void)
{
    for (int seed = 0; seed < 10000; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) seed);
        const Decimal value = {
            (((__int128) g_rand_int(rand) << 64) | (__int128) g_rand_int(rand)) >>
                g_rand_int_range(rand, 0, 90),
            g_rand_int_range(rand, 0, DECIMAL_PLACES_MAX + 1),
        };
        const Decimal shown = g_rand_boolean(rand) ? decimal_negate(value) : value;
        g_autofree char *text = decimal_format(shown, g_rand_int_range(rand, 0, 5));

        g_assert_cmpint(decimal_compare(parse(text), shown), ==, 0);
    }
}

static void
compares_across_places(void)
{
    g_assert_cmpint(decimal_compare(parse("0.10"), parse("0.1")), ==, 0);
    g_assert_cmpint(decimal_compare(parse("-1"), parse("0.000000001")), <, 0);
    g_assert_cmpint(decimal_compare(parse("2"), parse("1.999999999")), >, 0);
    g_assert_cmpint(decimal_compare((Decimal){ G_INT128_MAX, 0 }, parse("0.5")), >, 0);
    g_assert_cmpint(decimal_compare(parse("0.5"), (Decimal){ G_INT128_MAX, 0 }), <, 0);
    g_assert_cmpint(decimal_compare((Decimal){ -G_INT128_MAX, 0 }, parse("0.5")), <, 0);
    g_assert_cmpint(decimal_compare(parse("0.5"), (Decimal){ -G_INT128_MAX, 0 }), >, 0);
}

static void
currencies_have_their_minor_unit(void)
{
    static const char *const bad[] = { "", "EU", "EURO", "eur", "XTS", "ED ", "UR " };
    int places = 42;

    g_assert_true(currency_get_places("JPY", &places) && places == 0);
    g_assert_true(currency_get_places("EUR", &places) && places == 2);
    g_assert_true(currency_get_places("KWD", &places) && places == 3);
    g_assert_true(currency_get_places("CLF", &places) && places == 4);
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_false(currency_get_places(bad[i], &places));
    }
    g_assert_cmpint(places, ==, 4);
}

static void
meters_have_exact_units(void)
{
    Decimal quantity = { 0 };

    g_assert_true(meter_get_quantity(METER_VCPU, 100000, &quantity, NULL));
    assert_shows(quantity, 1, "1.0");
    g_assert_true(
        meter_get_quantity(METER_MEMORY, (__int128) 1024 * 100000, &quantity, NULL));
    assert_shows(quantity, 1, "1.0");
    g_assert_true(meter_get_quantity(METER_DISK, 1, &quantity, NULL));
    assert_shows(quantity, 1, "0.000000009765625");
    g_assert_true(meter_get_quantity(METER_NET_TX_BYTES, 1, &quantity, NULL));
    assert_shows(quantity, 1, "0.000000001");
    g_assert_true(meter_get_quantity(METER_DISK_READ_OPS, 7, &quantity, NULL));
    assert_shows(quantity, 1, "7.0");
    g_assert_false(meter_get_quantity(METER_DISK, G_INT128_MAX, &quantity, NULL));
}

static void
meters_are_found_by_name(void)
{
    MeterId meter = METER_N;

    for (guint i = 0; i < METER_N; i++) {
        g_assert_true(meter_find(meter_get_info((MeterId) i)->name, &meter));
        g_assert_cmpuint(meter, ==, i);
    }
    g_assert_false(meter_find("vcpu", &meter));
}

int
main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/decimal/prints-what-counts", prints_what_counts);
    g_test_add_func("/decimal/refuses-what-is-no-decimal", refuses_what_is_no_decimal);
    g_test_add_func("/decimal/rounds-half-to-even", rounds_half_to_even);
    g_test_add_func("/decimal/adds-and-multiplies-exactly", adds_and_multiplies_exactly);
    g_test_add_func("/decimal/overflow-is-an-error", overflow_is_an_error);
    g_test_add_func("/decimal/a-product-is-a-sum", a_product_is_a_sum);
    g_test_add_func("/decimal/reads-what-it-prints", reads_what_it_prints);
    g_test_add_func("/decimal/compares-across-places", compares_across_places);
    g_test_add_func("/decimal/currencies-have-their-minor-unit",
                    currencies_have_their_minor_unit);
    g_test_add_func("/decimal/meters-have-exact-units", meters_have_exact_units);
    g_test_add_func("/decimal/meters-are-found-by-name", meters_are_found_by_name);
    return g_test_run();
}
