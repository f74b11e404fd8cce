/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "meter/quantity.h"
#include "meter/window.h"
#include "proto.h"

#define HOUR_MS G_GINT64_CONSTANT(3600000)
#define DAY_MS (24 * HOUR_MS)
/* 2026-11-01T00:00:00Z */
#define NOVEMBER_MS G_GINT64_CONSTANT(1793491200000)

static void
check_hours(Quantity ticks, const char *expected)
{
    g_autofree char *text = quantity_format_hours(ticks);

    g_assert_cmpstr(text, ==, expected);
}

static void
check_gib_hours(Quantity mib_ticks, const char *expected)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(quantity_format_gib_hours(mib_ticks, &text, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(text, ==, expected);
}

static void
tick_is_floor(void)
{
    g_assert_cmpint(quantity_tick(0), ==, 0);
    g_assert_cmpint(quantity_tick(35), ==, 0);
    g_assert_cmpint(quantity_tick(36), ==, 1);
    g_assert_cmpint(quantity_tick(-1), ==, -1);
    g_assert_cmpint(quantity_tick(-36), ==, -1);
    g_assert_cmpint(quantity_tick(-37), ==, -2);
}

static void
hour_has_100000_ticks(void)
{
    for (gint64 hour = 0; hour < 24 * 366; hour++) {
        gint64 start = NOVEMBER_MS + hour * HOUR_MS;

        g_assert_cmpint(quantity_tick(start + HOUR_MS) - quantity_tick(start), ==,
                        100000);
    }
}

static void
size_counts_a_part_of_a_mib_as_one(void)
{
    const gint64 mib = 1024 * 1024;

    g_assert_cmpint(quantity_mib(0), ==, 0);
    g_assert_cmpint(quantity_mib(1), ==, 1);
    g_assert_cmpint(quantity_mib(mib), ==, 1);
    g_assert_cmpint(quantity_mib(mib + 1), ==, 2);
    g_assert_cmpint(quantity_mib(G_MAXINT64), ==, G_MAXINT64 / mib + 1);
}

static void
hours_are_exact_decimals(void)
{
    check_hours(0, "0.0");
    check_hours(1, "0.00001");
    check_hours(10, "0.0001");
    check_hours(50000, "0.5");
    check_hours(100000, "1.0");
    check_hours(100001, "1.00001");
    check_hours(123450000, "1234.5");
    check_hours(-1, "-0.00001");
    check_hours(-250000, "-2.5");
}

static void
gib_hours_are_exact_decimals(void)
{
    check_gib_hours(0, "0.0");
    /* One MiB for one tick: 1 / 102400000. */
    check_gib_hours(1, "0.000000009765625");
    check_gib_hours(1024 * G_GINT64_CONSTANT(100000), "1.0");
    check_gib_hours(512 * G_GINT64_CONSTANT(100000), "0.5");
    check_gib_hours(1536 * G_GINT64_CONSTANT(74400000), "1116.0");
    check_gib_hours(-512 * G_GINT64_CONSTANT(100000), "-0.5");
}

static void
sum_that_does_not_fit_is_refused(void)
{
    const Quantity largest = (Quantity) (~(unsigned __int128) 0 >> 1);
    Quantity sum = largest;
    g_autoptr(GError) error = NULL;

    g_assert_true(quantity_add(&sum, 5, 0, &error));
    g_assert_false(quantity_add(&sum, 1, 1, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
    g_assert_true(sum == largest);
    g_clear_error(&error);
    sum = -largest - 1;
    g_assert_false(quantity_merge(&sum, -1, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
}

static void
largest_amount_for_all_time_fits(void)
{
    Quantity sum = 0;
    g_autoptr(GError) error = NULL;

    g_assert_true(quantity_add(&sum, G_MAXINT64, G_MAXINT64, &error));
    g_assert_true(quantity_add(&sum, G_MAXINT64, G_MAXINT64, &error));
    g_assert_true(sum == (Quantity) G_MAXINT64 * G_MAXINT64 * 2);
}

static void
gib_hours_that_do_not_fit_are_refused(void)
{
    const Quantity largest = (Quantity) (~(unsigned __int128) 0 >> 1);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(quantity_format_gib_hours(largest / 9765625, &text, &error));
    g_assert_false(quantity_format_gib_hours(largest / 9765625 + 1, &text, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
}

/* The window of a request */

static void
check_refused(const char *from, const char *to, const char *path)
{
    Window window = { -1, -1 };
    g_autoptr(GError) error = NULL;
    const ProtoErrorInvalidParameter *parameters = NULL;

    g_assert_false(window_resolve(from, to, NOVEMBER_MS + DAY_MS, &window, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    parameters = wire_error_get_parameters(error);
    g_assert_cmpstr(parameters->path, ==, path);
    g_assert_cmpint(window.from_ms, ==, -1);
}

static void
check_window(
    const char *from, const char *to, gint64 now_ms, gint64 from_ms, gint64 to_ms)
{
    Window window = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_true(window_resolve(from, to, now_ms, &window, &error));
    g_assert_no_error(error);
    g_assert_cmpint(window.from_ms, ==, from_ms);
    g_assert_cmpint(window.to_ms, ==, to_ms);
}

static void
window_is_this_month_until_now(void)
{
    check_window(NULL, NULL, NOVEMBER_MS + 1, NOVEMBER_MS, NOVEMBER_MS + 1);
    check_window(NULL, NULL, NOVEMBER_MS + 30 * DAY_MS - 1, NOVEMBER_MS,
                 NOVEMBER_MS + 30 * DAY_MS - 1);
    check_window(NULL, NULL, NOVEMBER_MS, NOVEMBER_MS, NOVEMBER_MS);
}

static void
window_may_reach_to_the_end_of_a_month(void)
{
    check_window("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", NOVEMBER_MS + DAY_MS,
                 NOVEMBER_MS, NOVEMBER_MS + 30 * DAY_MS);
}

static void
window_that_makes_no_sense_is_refused(void)
{
    check_refused("yesterday", NULL, "parameters.from");
    check_refused(NULL, "2026-13-01T00:00:00Z", "parameters.to");
    check_refused("2026-11-05T00:00:00Z", NULL, "parameters.from");
    check_refused("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", "parameters.to");
    check_refused("2026-11-01T00:00:01Z", "2026-11-01T00:00:00Z", "parameters.to");
    check_refused(NULL, "2026-10-01T00:00:00Z", "parameters.to");
    check_refused("2026-11-03T00:00:00Z", "2026-11-04T00:00:00Z", "parameters.from");
    check_refused("2026-11-01T00:00:00Z", "2027-11-03T00:00:00.001Z", "parameters.to");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ticks/are-the-floor-of-an-instant", tick_is_floor);
    g_test_add_func("/ticks/an-hour-has-100000", hour_has_100000_ticks);
    g_test_add_func("/ticks/a-part-of-a-mib-counts-as-one",
                    size_counts_a_part_of_a_mib_as_one);
    g_test_add_func("/ticks/hours-are-exact", hours_are_exact_decimals);
    g_test_add_func("/ticks/gib-hours-are-exact", gib_hours_are_exact_decimals);
    g_test_add_func("/ticks/a-sum-that-does-not-fit-is-refused",
                    sum_that_does_not_fit_is_refused);
    g_test_add_func("/ticks/the-largest-amount-for-all-time-fits",
                    largest_amount_for_all_time_fits);
    g_test_add_func("/ticks/gib-hours-that-do-not-fit-are-refused",
                    gib_hours_that_do_not_fit_are_refused);
    g_test_add_func("/window/is-this-month-until-now", window_is_this_month_until_now);
    g_test_add_func("/window/may-reach-to-the-end-of-a-month",
                    window_may_reach_to_the_end_of_a_month);
    g_test_add_func("/window/that-makes-no-sense-is-refused",
                    window_that_makes_no_sense_is_refused);
    return g_test_run();
}
