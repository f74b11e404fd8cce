/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/clock.h"

static const struct {
    const char *text;
    gint64 ms;
} times[] = {
    { "1970-01-01T00:00:00.000Z", 0 },
    { "1970-01-01T00:00:00.001Z", 1 },
    { "2024-02-29T23:59:59.999Z", 1709251199999 },
    { "2038-01-19T03:14:08.000Z", 2147483648000 },
    { "2100-03-01T00:00:00.000Z", 4107542400000 },
    { "9999-12-31T23:59:59.999Z", 253402300799999 },
};

static void
test_there_and_back(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(times); i++) {
        g_autofree char *text = clock_format_time(times[i].ms);
        gint64 ms = -1;

        g_assert_cmpstr(text, ==, times[i].text);
        g_assert_true(clock_parse_time(times[i].text, &ms));
        g_assert_cmpint(ms, ==, times[i].ms);
    }
}

static void
test_before_1970_is_written(void)
{
    g_autofree char *text = clock_format_time(-1);

    g_assert_cmpstr(text, ==, "1969-12-31T23:59:59.999Z");
}

static void
test_fractions(void)
{
    gint64 ms = -1;

    g_assert_true(clock_parse_time("1970-01-01T00:00:01Z", &ms));
    g_assert_cmpint(ms, ==, 1000);
    g_assert_true(clock_parse_time("1970-01-01T00:00:01.5Z", &ms));
    g_assert_cmpint(ms, ==, 1500);
    g_assert_true(clock_parse_time("1970-01-01T00:00:01.123456789Z", &ms));
    g_assert_cmpint(ms, ==, 1123);
}

static void
test_refuses_what_is_no_time(void)
{
    const char *const texts[] = {
        "",
        "now",
        "2026-01-01",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.5",
        "2026-01-01T00:00:00ZZ",
        "2026-1-01T00:00:00.000Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "1969-12-31T23:59:59Z",
        "-026-01-01T00:00:00Z",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.0000000000000000000000Z",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        gint64 ms = 42;

        g_test_message("%s", texts[i]);
        g_assert_false(clock_parse_time(texts[i], &ms));
        g_assert_cmpint(ms, ==, 42);
    }
}

static void
test_the_boot_clock_goes_on(void)
{
    gint64 before = clock_boot_ms();

    g_assert_cmpint(clock_boot_ms(), >=, before);
    g_assert_cmpuint(strlen(clock_boot_id()), ==, 36);
    g_assert_true(clock_boot_id() == clock_boot_id());
}

static gint64
seven(void)
{
    return 7;
}

static const char *
seventh(void)
{
    return "seventh";
}

static void
test_a_source_stands_in(void)
{
    const ClockSource source = { seven, seven, seventh };

    clock_set_source(&source);
    g_assert_cmpint(clock_wall_ms(), ==, 7);
    g_assert_cmpint(clock_boot_ms(), ==, 7);
    g_assert_cmpstr(clock_boot_id(), ==, "seventh");
    clock_set_source(NULL);
    g_assert_cmpint(clock_wall_ms(), >, 7);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/there-and-back", test_there_and_back);
    g_test_add_func("/clock/before-1970-is-written", test_before_1970_is_written);
    g_test_add_func("/clock/fractions", test_fractions);
    g_test_add_func("/clock/refuses-what-is-no-time", test_refuses_what_is_no_time);
    g_test_add_func("/clock/the-boot-clock-goes-on", test_the_boot_clock_goes_on);
    g_test_add_func("/clock/a-source-stands-in", test_a_source_stands_in);
    return g_test_run();
}
