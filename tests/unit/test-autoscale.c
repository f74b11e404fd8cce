/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group/autoscale.h"
#include "group/weekly.h"
#include "instance/load.h"

enum {
    NOW_MS = 100000000
};

static ProtoGroupScaling
tracking(const char *target)
{
    return (ProtoGroupScaling){
        .track = GROUP_TRACK_CPU,
        .target = (char *) (gsize) target,
        .tolerance_percent = 10,
        .step_out = 4,
        .step_in = 2,
        .cooldown_out_ms = 1000,
        .cooldown_in_ms = 5000,
    };
}

static AutoscaleView
seen(gint64 n, gint64 value)
{
    return (AutoscaleView){
        .min = 1,
        .max = 20,
        .wanted = n,
        .n_up = n,
        .value = value * AUTOSCALE_UNIT,
        .n_told = n,
        .told_ms = NOW_MS - 100,
        .changed_ms = NOW_MS - 10000,
        .now_ms = NOW_MS,
    };
}

static gint64
decide(const ProtoGroupScaling *scaling, const AutoscaleView *view)
{
    AutoscaleResult result = autoscale_decide(scaling, view);

    g_assert_nonnull(result.why);
    g_free(result.why);
    return result.wanted;
}

/* Target */

static void
test_load_above_the_target_asks_for_more(void)
{
    const ProtoGroupScaling scaling = tracking("50");
    const AutoscaleView view = seen(4, 75);

    g_assert_cmpint(decide(&scaling, &view), ==, 6);
}

static void
test_load_below_the_target_asks_for_less(void)
{
    const ProtoGroupScaling scaling = tracking("50");
    const AutoscaleView view = seen(4, 25);

    g_assert_cmpint(decide(&scaling, &view), ==, 2);
}

static void
test_near_the_target_nothing_is_done(void)
{
    const ProtoGroupScaling scaling = tracking("50");

    for (gint64 value = 45; value <= 55; value++) {
        const AutoscaleView view = seen(10, value);

        g_assert_cmpint(decide(&scaling, &view), ==, 10);
    }
}

static void
test_a_step_is_not_larger_than_allowed(void)
{
    const ProtoGroupScaling scaling = tracking("10");
    const AutoscaleView busy = seen(4, 100);
    const AutoscaleView idle = seen(12, 1);

    g_assert_cmpint(decide(&scaling, &busy), ==, 8);
    g_assert_cmpint(decide(&scaling, &idle), ==, 10);
}

static void
test_bounds_are_kept(void)
{
    const ProtoGroupScaling scaling = tracking("10");
    AutoscaleView busy = seen(18, 100);
    AutoscaleView idle = seen(2, 0);

    g_assert_cmpint(decide(&scaling, &busy), ==, 20);
    g_assert_cmpint(decide(&scaling, &idle), ==, 1);
    idle.min = 0;
    g_assert_cmpint(decide(&scaling, &idle), ==, 0);
}

static void
test_it_cools_down(void)
{
    const ProtoGroupScaling scaling = tracking("50");
    AutoscaleView busy = seen(4, 100);
    AutoscaleView idle = seen(4, 10);

    busy.changed_ms = idle.changed_ms = NOW_MS - 900;
    g_assert_cmpint(decide(&scaling, &busy), ==, 4);
    busy.changed_ms = idle.changed_ms = NOW_MS - 1000;
    g_assert_cmpint(decide(&scaling, &busy), ==, 8);
    g_assert_cmpint(decide(&scaling, &idle), ==, 4);
    /* A clock that was put back. */
    busy.changed_ms = NOW_MS + 50;
    g_assert_cmpint(decide(&scaling, &busy), ==, 8);
}

static void
test_in_doubt_nothing_is_done(void)
{
    const ProtoGroupScaling scaling = tracking("50");
    AutoscaleView moving = seen(4, 100);
    AutoscaleView silent = seen(4, 100);
    AutoscaleView stale = seen(4, 100);
    AutoscaleView held = seen(4, 100);

    moving.n_moving = 1;
    silent.n_told = 0;
    stale.told_ms = stale.changed_ms - 1;
    held.wanted = 6;
    g_assert_cmpint(decide(&scaling, &moving), ==, 4);
    g_assert_cmpint(decide(&scaling, &silent), ==, 4);
    g_assert_cmpint(decide(&scaling, &stale), ==, 4);
    g_assert_cmpint(decide(&scaling, &held), ==, 6);
}

/* The value may be from before they were gone, and those that are left may be few. */
static void
test_an_outage_is_no_reason_for_less(void)
{
    ProtoGroupScaling scaling = tracking("50");
    AutoscaleView view = seen(4, 25);

    scaling.track = GROUP_TRACK_METRIC;
    for (view.n_up = 0; view.n_up < 4; view.n_up++) {
        g_assert_cmpint(decide(&scaling, &view), ==, 4);
    }
    g_assert_cmpint(decide(&scaling, &view), ==, 2);
}

/* Ten are wanted, and there is room for four: that may stay so. */
static void
test_without_room_fewer_can_be_wanted(void)
{
    const ProtoGroupScaling scaling = tracking("50");
    AutoscaleView view = seen(4, 50);

    view.wanted = 10;
    g_assert_cmpint(decide(&scaling, &view), ==, 10);
    view.lacks_room = true;
    g_assert_cmpint(decide(&scaling, &view), ==, 8);
    view.value = 110 * AUTOSCALE_UNIT;
    g_assert_cmpint(decide(&scaling, &view), ==, 9);
    view.value = 1000 * AUTOSCALE_UNIT;
    g_assert_cmpint(decide(&scaling, &view), ==, 10);
    /* Of none at work nothing can be said. */
    view.n_up = 0;
    view.value = 0;
    g_assert_cmpint(decide(&scaling, &view), ==, 10);
}

static void
test_who_is_set_aside_does_not_count_as_at_work(void)
{
    const ProtoGroupScaling scaling = tracking("50");
    AutoscaleView view = seen(4, 100);

    view.n_up = 3;
    view.n_aside = 1;
    g_assert_cmpint(decide(&scaling, &view), ==, 7);
    view.value = 50 * AUTOSCALE_UNIT;
    g_assert_cmpint(decide(&scaling, &view), ==, 4);
    view.value = 33 * AUTOSCALE_UNIT;
    g_assert_cmpint(decide(&scaling, &view), ==, 3);
    view.n_up = 0;
    view.n_aside = 4;
    g_assert_cmpint(decide(&scaling, &view), ==, 4);
}

static void
test_from_none_the_first_one_begins(void)
{
    ProtoGroupScaling scaling = tracking("50");
    AutoscaleView view = seen(0, 7);

    view.min = 0;
    view.n_told = 1;
    scaling.track = GROUP_TRACK_METRIC;
    g_assert_cmpint(decide(&scaling, &view), ==, 1);
    view.value = 0;
    g_assert_cmpint(decide(&scaling, &view), ==, 0);
}

/* Whatever it sees, it stays in its bounds, and done again it does nothing more. */
static void
test_it_never_leaves_its_bounds(void)
{
    for (int i = 0; i < 20000; i++) {
        const ProtoGroupScaling scaling = tracking(i % 2 == 0 ? "50" : "0.5");
        AutoscaleView view = seen(g_test_rand_int_range(0, 30), 0);
        gint64 wanted = 0;

        view.min = g_test_rand_int_range(0, 10);
        view.max = view.min + g_test_rand_int_range(0, 20);
        view.wanted = g_test_rand_int_range((gint32) view.min, (gint32) view.max + 1);
        view.value = g_test_rand_int_range(0, G_MAXINT32);
        view.n_moving = g_test_rand_int_range(0, 2);
        view.n_aside = g_test_rand_int_range(0, 4);
        view.lacks_room = g_test_rand_int_range(0, 2) == 1;
        wanted = decide(&scaling, &view);
        g_assert_cmpint(wanted, >=, view.min);
        g_assert_cmpint(wanted, <=, view.max);
        g_assert_cmpint(wanted, <=, view.wanted + scaling.step_out);
        g_assert_cmpint(wanted, >=, view.wanted - scaling.step_in);
        view.changed_ms = wanted != view.wanted ? NOW_MS : view.changed_ms;
        view.wanted = wanted;
        g_assert_cmpint(decide(&scaling, &view), ==, wanted);
    }
}

/* Schedule */

static gint64
at(const char *time)
{
    g_autoptr(GDateTime) when = g_date_time_new_from_iso8601(time, NULL);

    return g_date_time_to_unix(when) * 1000;
}

static void
test_a_schedule_is_followed_once(void)
{
    char *schedule[] = { (char *) (gsize) "Mon..Fri 08:00", (char *) (gsize) "10",
                         (char *) (gsize) "Mon..Fri 18:00", (char *) (gsize) "2", NULL };
    const ProtoGroupScaling scaling = { .schedule = schedule };
    AutoscaleView view = { .min = 1, .max = 8, .wanted = 2, .n_up = 2 };
    AutoscaleResult result = { 0 };

    /* A Wednesday. */
    view.now_ms = at("2026-10-07T08:00:01Z");
    view.scheduled_ms = at("2026-10-06T18:00:00Z");
    result = autoscale_decide(&scaling, &view);
    g_assert_cmpint(result.wanted, ==, 8);
    g_assert_cmpint(result.scheduled_ms, ==, at("2026-10-07T08:00:00Z"));
    g_assert_cmpint(result.wake_ms, ==, at("2026-10-07T18:00:00Z"));
    g_free(result.why);
    /* What somebody tells it after that stands until the next time. */
    view.scheduled_ms = result.scheduled_ms;
    view.wanted = 4;
    g_assert_cmpint(decide(&scaling, &view), ==, 4);
}

static void
test_a_schedule_goes_on_when_the_clock_is_put_back(void)
{
    char *schedule[] = { (char *) (gsize) "08:00", (char *) (gsize) "10",
                         (char *) (gsize) "18:00", (char *) (gsize) "2", NULL };
    const ProtoGroupScaling scaling = { .schedule = schedule };
    AutoscaleView view = seen(4, 0);

    view.now_ms = at("2026-10-07T08:30:00Z");
    view.scheduled_ms = at("2026-11-07T18:00:00Z");
    g_assert_cmpint(decide(&scaling, &view), ==, 10);
    /* By a little: that was followed already. */
    view.now_ms = at("2026-10-07T17:59:59Z");
    view.scheduled_ms = at("2026-10-07T18:00:00Z");
    g_assert_cmpint(decide(&scaling, &view), ==, 4);
}

static void
test_a_schedule_beside_a_target_is_the_least(void)
{
    char *schedule[] = { (char *) (gsize) "08:00", (char *) (gsize) "5", NULL };
    ProtoGroupScaling scaling = tracking("50");
    AutoscaleView view = seen(7, 1);

    scaling.schedule = schedule;
    view.scheduled_ms = NOW_MS;
    g_assert_cmpint(decide(&scaling, &view), ==, 5);
    view.wanted = 3;
    g_assert_cmpint(decide(&scaling, &view), ==, 5);
}

static void
test_times_of_the_week_are_read(void)
{
    static const struct {
        const char *text;
        const char *last;
        const char *next;
    } good[] = {
        { "08:30", "2026-10-06T08:30:00Z", "2026-10-07T08:30:00Z" },
        { "*-*-* 08:30:00", "2026-10-06T08:30:00Z", "2026-10-07T08:30:00Z" },
        { "Mon..Fri 07:00", "2026-10-07T07:00:00Z", "2026-10-08T07:00:00Z" },
        { "Sat,Sun 10:00", "2026-10-04T10:00:00Z", "2026-10-10T10:00:00Z" },
        { "Fri..Mon 10:00", "2026-10-05T10:00:00Z", "2026-10-09T10:00:00Z" },
        { "Wed 08:00", "2026-10-07T08:00:00Z", "2026-10-14T08:00:00Z" },
        { "daily", "2026-10-07T00:00:00Z", "2026-10-08T00:00:00Z" },
        { "weekly", "2026-10-05T00:00:00Z", "2026-10-12T00:00:00Z" },
    };

    static const char *const bad[] = {
        "",          "8:30",        "24:00",          "08:60",      "08:30:01",  "Mon",
        "Foo 08:00", "Mon.. 08:00", "Mon..Foo 08:00", "Mon, 08:00", "08:00 Mon", "08:00 ",
        " 08:00",    "*-*-1 08:00", "*:00/5",         "hourly",
    };
    gint64 now_ms = at("2026-10-07T08:00:00Z");

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        Weekly weekly = { 0 };

        g_assert_true(weekly_parse(good[i].text, &weekly));
        g_assert_cmpint(weekly_last(&weekly, now_ms), ==, at(good[i].last));
        g_assert_cmpint(weekly_next(&weekly, now_ms), ==, at(good[i].next));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        Weekly weekly = { 0 };

        if (weekly_parse(bad[i], &weekly))
            g_error("\"%s\" was taken for a time", bad[i]);
    }
}

/* Numbers */

static void
test_numbers_are_read_exactly(void)
{
    static const struct {
        const char *text;
        gint64 number;
    } good[] = { { "0", 0 },      { "37.5", 37500 }, { "0.001", 1 },
                 { "0.0009", 0 }, { "100", 100000 }, { "12.3456", 12345 } };

    static const char *const bad[] = {
        "", ".", "1.", ".5", "-1", "1e3", "1 ", "0x1", "1.2.3", "99999999999999999999"
    };

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        gint64 number = -1;

        g_assert_true(autoscale_read_number(good[i].text, &number));
        g_assert_cmpint(number, ==, good[i].number);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        gint64 number = -1;

        g_assert_false(autoscale_read_number(bad[i], &number));
    }
}

/* Load */

static void
take_from_to(
    InstanceLoad *load, gint64 pid, gint64 cpu_ms, gint64 boot_ms, gint64 end_boot_ms)
{
    ProtoVcpuStats vcpus[] = { { 0, true, cpu_ms * 500000 },
                               { 1, true, cpu_ms * 500000 } };
    const ProtoDomainStats stats = {
        .epoch = { .boot_id = (char *) (gsize) "b", .pid = pid },
        .read_boot_ms = boot_ms,
        .read_end_boot_ms = end_boot_ms,
        .vcpus = vcpus,
        .n_vcpus = 2,
    };

    load_take(load, &stats, boot_ms + 5);
}

static void
take(InstanceLoad *load, gint64 pid, gint64 cpu_ms, gint64 boot_ms)
{
    take_from_to(load, pid, cpu_ms, boot_ms, boot_ms);
}

static void
test_load_is_what_was_run_of_what_could_be(void)
{
    InstanceLoad load = { 0 };

    take(&load, 7, 1000, 10000);
    g_assert_cmpint(load.at_ms, ==, 0);
    take(&load, 7, 2000, 11000);
    g_assert_cmpint(load.milli_percent, ==, 50000);
    g_assert_cmpint(load.from_ms, ==, 10005);
    g_assert_cmpint(load.at_ms, ==, 11005);
    /* The same reading again, and one that is older. */
    take(&load, 7, 2000, 11000);
    take(&load, 7, 1500, 10500);
    /* Another process begins anew. */
    take(&load, 8, 50, 12000);
    g_assert_cmpint(load.at_ms, ==, 0);
    take(&load, 8, 9050, 13000);
    g_assert_cmpint(load.milli_percent, ==, 100000);
    load_clear(&load);
}

/* A worker is not relied on to be sane. */
static void
test_a_reading_that_ended_before_it_began_is_no_news_again(void)
{
    InstanceLoad load = { 0 };

    take_from_to(&load, 7, 1000, 10000, 9000);
    take_from_to(&load, 7, 2000, 10000, 9000);
    take_from_to(&load, 7, 2000, 9500, 9000);
    g_assert_cmpint(load.at_ms, ==, 0);
    take(&load, 7, 2000, 11000);
    g_assert_cmpint(load.milli_percent, ==, 50000);
    load_clear(&load);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/autoscale/more", test_load_above_the_target_asks_for_more);
    g_test_add_func("/autoscale/less", test_load_below_the_target_asks_for_less);
    g_test_add_func("/autoscale/near", test_near_the_target_nothing_is_done);
    g_test_add_func("/autoscale/step", test_a_step_is_not_larger_than_allowed);
    g_test_add_func("/autoscale/bounds", test_bounds_are_kept);
    g_test_add_func("/autoscale/cools-down", test_it_cools_down);
    g_test_add_func("/autoscale/doubt", test_in_doubt_nothing_is_done);
    g_test_add_func("/autoscale/outage", test_an_outage_is_no_reason_for_less);
    g_test_add_func("/autoscale/without-room", test_without_room_fewer_can_be_wanted);
    g_test_add_func("/autoscale/aside", test_who_is_set_aside_does_not_count_as_at_work);
    g_test_add_func("/autoscale/from-none", test_from_none_the_first_one_begins);
    g_test_add_func("/autoscale/never-leaves-its-bounds",
                    test_it_never_leaves_its_bounds);
    g_test_add_func("/autoscale/schedule-once", test_a_schedule_is_followed_once);
    g_test_add_func("/autoscale/schedule-and-clock",
                    test_a_schedule_goes_on_when_the_clock_is_put_back);
    g_test_add_func("/autoscale/schedule-is-the-least",
                    test_a_schedule_beside_a_target_is_the_least);
    g_test_add_func("/autoscale/weekly", test_times_of_the_week_are_read);
    g_test_add_func("/autoscale/numbers", test_numbers_are_read_exactly);
    g_test_add_func("/autoscale/load", test_load_is_what_was_run_of_what_could_be);
    g_test_add_func("/autoscale/load-of-a-mad-worker",
                    test_a_reading_that_ended_before_it_began_is_no_news_again);
    return g_test_run();
}
