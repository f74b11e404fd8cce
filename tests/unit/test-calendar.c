/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "meter/calendar.h"

/* 1970-01-01 is day 0 of GDate's day 719163. */
static const gint64 glib_epoch = 719163;

enum {
    LAST_DAY = 40000
};

static void
days_are_those_of_glib(void)
{
    for (gint64 day = 0; day < LAST_DAY; day++) {
        g_autoptr(GDate) date = g_date_new_julian((guint32) (day + glib_epoch));
        g_autofree char *expected =
            g_strdup_printf("%04d-%02d-%02d", g_date_get_year(date),
                            (int) g_date_get_month(date), g_date_get_day(date));
        g_autofree char *text = calendar_format_day(day);

        g_assert_cmpstr(text, ==, expected);
    }
}

static void
months_join_without_a_hole(void)
{
    for (gint64 day = -100000; day < LAST_DAY; day++) {
        gint64 month = calendar_month_of(day);

        g_assert_cmpint(calendar_month_first_day(month), <=, day);
        g_assert_cmpint(calendar_month_first_day(month + 1), >, day);
    }
}

static void
instants_fall_into_their_day(void)
{
    g_assert_cmpint(calendar_day_of(0), ==, 0);
    g_assert_cmpint(calendar_day_of(-1), ==, -1);
    g_assert_cmpint(calendar_day_of(CALENDAR_DAY_MS - 1), ==, 0);
    g_assert_cmpint(calendar_day_of(CALENDAR_DAY_MS), ==, 1);
    g_assert_cmpint(calendar_day_start(-1), ==, -CALENDAR_DAY_MS);
}

static void
month_has_its_instants(void)
{
    gint64 month = 0;
    Window window = { 0 };
    g_autofree char *text = NULL;

    g_assert_true(calendar_parse_month("2026-10", &month));
    window = calendar_month_window(month);
    text = calendar_format_month(month);
    g_assert_cmpint(month, ==, 24321);
    g_assert_cmpint(window.from_ms, ==, G_GINT64_CONSTANT(1790812800000));
    g_assert_cmpint(window.to_ms, ==, G_GINT64_CONSTANT(1793491200000));
    g_assert_cmpstr(text, ==, "2026-10");
}

static void
what_is_no_month_is_refused(void)
{
    static const char *const texts[] = { "",         "2026",    "2026-",   "2026-1",
                                         "2026-13",  "2026-00", "1969-12", "2026-10 ",
                                         " 2026-10", "2026/10", "202610",  "2026-10-01",
                                         "2026-1a",  "+026-10" };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        gint64 month = -1;

        g_assert_false(calendar_parse_month(texts[i], &month));
        g_assert_cmpint(month, ==, -1);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/calendar/days-are-those-of-glib", days_are_those_of_glib);
    g_test_add_func("/calendar/months-join-without-a-hole", months_join_without_a_hole);
    g_test_add_func("/calendar/instants-fall-into-their-day",
                    instants_fall_into_their_day);
    g_test_add_func("/calendar/a-month-has-its-instants", month_has_its_instants);
    g_test_add_func("/calendar/what-is-no-month-is-refused", what_is_no_month_is_refused);
    return g_test_run();
}
