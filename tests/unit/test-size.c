/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "proto.h"
#include "units.h"

static const gint64 mib = 1024 * 1024;

static void
test_accepts_units_of_1024(void)
{
    const struct {
        const char *text;
        gint64 bytes;
    } rows[] = {
        { "1M", mib },
        { "1MiB", mib },
        { "1G", 1024 * mib },
        { "1GiB", 1024 * mib },
        { "2T", 2 * 1024 * 1024 * mib },
        { "1TiB", 1024 * 1024 * mib },
        { "9999999M", 9999999 * mib },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        gint64 bytes = 0;

        g_assert_true(units_parse_size(rows[i].text, &bytes, &error));
        g_assert_no_error(error);
        g_assert_cmpint(bytes, ==, rows[i].bytes);
    }
}

static void
test_refuses_what_means_different_things(void)
{
    const char *const texts[] = {
        "",      "1",         "1024", "0G",   "01G", "1g",   "1GB",       "1Gi",
        "1KB",   "1K",        "1 G",  "-1G",  "+1G", "1.5G", "G",         "1e3G",
        "1GiBB", "10000000M", "1P",   "0x1G", "1G ", " 1G",  "99999999T",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        gint64 bytes = 42;

        g_assert_false(units_parse_size(texts[i], &bytes, &error));
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
        g_assert_cmpint(bytes, ==, 42);
    }
}

static void
assert_hint(const char *text, const char *hint)
{
    g_autoptr(GError) error = NULL;
    gint64 bytes = 0;

    g_assert_false(units_parse_size(text, &bytes, &error));
    g_assert_nonnull(strstr(error->message, hint));
    g_assert_nonnull(strstr(error->message, text));
}

static void
test_says_what_to_type(void)
{
    assert_hint("1GB", "write 1G");
    assert_hint("4g", "write 4G");
    assert_hint("16Mib", "write 16M");
    assert_hint("1024", "write 1024M or 1024G");
    assert_hint("512K", "whole M");
    assert_hint("much", "such as 2G");
}

static void
test_largest_size_does_not_overflow(void)
{
    g_autoptr(GError) error = NULL;
    gint64 bytes = 0;

    /* 2^63 bytes are 8388608 TiB. */
    g_assert_true(units_parse_size("8388607T", &bytes, &error));
    g_assert_cmpint(bytes, >, 0);
    g_assert_false(units_parse_size("8388608T", &bytes, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
}

static void
test_durations(void)
{
    const struct {
        const char *text;
        gint64 ms;
    } rows[] = {
        { "0", 0 },       { "90", 90000 },  { "500ms", 500 },
        { "30s", 30000 }, { "5m", 300000 }, { "2h", 7200000 },
    };

    const char *const bad[] = { "", "s", "1d", "-1s", "1.5s", "12345678", "1 s" };
    gint64 ms = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_true(units_parse_duration(rows[i].text, &ms, NULL));
        g_assert_cmpint(ms, ==, rows[i].ms);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(units_parse_duration(bad[i], &ms, NULL));
}

static void
test_times_are_completed(void)
{
    const struct {
        const char *text;
        const char *whole;
    } rows[] = {
        { "2026-10", "2026-10-01T00:00:00Z" },
        { "2026-10-31", "2026-10-31T00:00:00Z" },
        { "2026-10-31T12:30:00Z", "2026-10-31T12:30:00Z" },
        { "2026-10-31T12:30:00.250Z", "2026-10-31T12:30:00.250Z" },
    };

    const char *const bad[] = { "",           "2026",      "2026-13",
                                "2026-02-30", "yesterday", "2026-10-01T00:00:00+02:00" };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *whole = units_parse_time(rows[i].text, NULL);

        g_assert_cmpstr(whole, ==, rows[i].whole);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(units_parse_time(bad[i], &error));
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    }
}

static void
assert_size(gint64 bytes, const char *text)
{
    g_autoptr(GString) out = g_string_new(NULL);

    units_append_size(out, bytes);
    g_assert_cmpstr(out->str, ==, text);
}

static void
test_sizes_for_people(void)
{
    assert_size(0, "0");
    assert_size(1, "1 B");
    assert_size(1023, "1023 B");
    assert_size(1024, "1 KiB");
    assert_size(1536 * mib, "1.5 GiB");
    assert_size(1024 * mib, "1 GiB");
    assert_size(10 * 1024 * mib, "10 GiB");
    assert_size(G_MAXINT64, "8192.0 PiB");
}

static void
assert_duration(gint64 ms, const char *text)
{
    g_autoptr(GString) out = g_string_new(NULL);

    units_append_duration(out, ms);
    g_assert_cmpstr(out->str, ==, text);
}

static void
test_durations_for_people(void)
{
    assert_duration(0, "0.00 s");
    assert_duration(120, "0.12 s");
    assert_duration(5100, "5.1 s");
    assert_duration(190000, "3m 10s");
    assert_duration(7500000, "2h 5m");
}

static void
assert_age(const char *time, gint64 now, const char *text)
{
    g_autoptr(GString) out = g_string_new(NULL);

    units_append_age(out, units_get_age(time, now * G_USEC_PER_SEC));
    g_assert_cmpstr(out->str, ==, text);
}

static void
test_ages(void)
{
    /* 2026-10-01T00:00:00Z */
    const gint64 then = 1790812800;
    const char *const time = "2026-10-01T00:00:00.000Z";

    assert_age(time, then + 5, "5s");
    assert_age(time, then + 119, "119s");
    assert_age(time, then + 120, "2m");
    assert_age(time, then + 7200, "2h");
    assert_age(time, then + 9 * 86400, "9d");
    assert_age(time, then - 60, "0s");
    g_assert_cmpint(units_get_age("soon", 0), ==, -1);
    g_assert_cmpint(units_get_age("2026-10-01", 0), ==, -1);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/size/accepts-units-of-1024", test_accepts_units_of_1024);
    g_test_add_func("/size/refuses-what-means-different-things",
                    test_refuses_what_means_different_things);
    g_test_add_func("/size/says-what-to-type", test_says_what_to_type);
    g_test_add_func("/size/largest-does-not-overflow",
                    test_largest_size_does_not_overflow);
    g_test_add_func("/size/for-people", test_sizes_for_people);
    g_test_add_func("/duration/parse", test_durations);
    g_test_add_func("/duration/for-people", test_durations_for_people);
    g_test_add_func("/time/is-completed", test_times_are_completed);
    g_test_add_func("/time/ages", test_ages);
    return g_test_run();
}
