/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "base/clock.h"
#include "meter/usage.h"

#define HOUR_MS G_GINT64_CONSTANT(3600000)
#define GIB G_GINT64_CONSTANT(1073741824)
#define MONTH_HOURS 744
/* 2026-10-01T00:00:00Z */
#define OCTOBER_MS G_GINT64_CONSTANT(1790812800000)

static UsageSegment
make_segment(BillingState state, gint64 vcpus, gint64 start_ms, gint64 end_ms)
{
    return (UsageSegment){
        .tenant = "blue",
        .instance = "11111111-1111-4111-8111-111111111111",
        .name = "web",
        .state = state,
        .vcpus = vcpus,
        .memory_bytes = 2 * GIB,
        .disk_bytes = 10 * GIB,
        .start_ms = OCTOBER_MS + start_ms,
        .end_ms = OCTOBER_MS + end_ms,
    };
}

static UsageFold *
fold_of(const UsageSegment *segments, gsize n_segments, gint64 from_ms, gint64 to_ms)
{
    const Window window = { OCTOBER_MS + from_ms, OCTOBER_MS + to_ms };
    UsageFold *fold = usage_fold_new(&window);
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < n_segments; i++) {
        g_assert_true(usage_fold_add(fold, &segments[i], &error));
        g_assert_no_error(error);
    }
    g_assert_true(usage_fold_finish(fold, &error));
    g_assert_no_error(error);
    return fold;
}

static const ProtoUsageLine *
line_of(UsageFold *fold, guint index)
{
    GArray *lines = usage_fold_get_lines(fold);

    g_assert_cmpuint(index, <, lines->len);
    return &g_array_index(lines, ProtoUsageLine, index);
}

static const ProtoUsageTotal *
total_of(UsageFold *fold, guint index)
{
    GArray *totals = usage_fold_get_totals(fold);

    g_assert_cmpuint(index, <, totals->len);
    return &g_array_index(totals, ProtoUsageTotal, index);
}

static void
running_charges_everything(void)
{
    const UsageSegment segment =
        make_segment(BILLING_STATE_RUNNING, 3, HOUR_MS, 3 * HOUR_MS);
    g_autoptr(UsageFold) fold = fold_of(&segment, 1, 0, MONTH_HOURS * HOUR_MS);
    const ProtoUsageLine *line = line_of(fold, 0);

    g_assert_cmpstr(line->running_hours, ==, "2.0");
    g_assert_cmpstr(line->vcpu_hours, ==, "6.0");
    g_assert_cmpstr(line->memory_gib_hours, ==, "4.0");
    g_assert_cmpstr(line->disk_gib_hours, ==, "20.0");
    g_assert_cmpstr(line->from, ==, "2026-10-01T01:00:00.000Z");
    g_assert_cmpstr(line->to, ==, "2026-10-01T03:00:00.000Z");
}

static void
paused_is_not_running(void)
{
    const UsageSegment segment = make_segment(BILLING_STATE_PAUSED, 3, 0, HOUR_MS);
    g_autoptr(UsageFold) fold = fold_of(&segment, 1, 0, MONTH_HOURS * HOUR_MS);
    const ProtoUsageLine *line = line_of(fold, 0);

    g_assert_cmpstr(line->running_hours, ==, "0.0");
    g_assert_cmpstr(line->vcpu_hours, ==, "3.0");
    g_assert_cmpstr(line->memory_gib_hours, ==, "2.0");
    g_assert_cmpstr(line->disk_gib_hours, ==, "10.0");
}

static void
stopped_charges_the_disk_alone(void)
{
    const UsageSegment segment = make_segment(BILLING_STATE_STOPPED, 3, 0, HOUR_MS);
    g_autoptr(UsageFold) fold = fold_of(&segment, 1, 0, MONTH_HOURS * HOUR_MS);
    const ProtoUsageLine *line = line_of(fold, 0);

    g_assert_cmpstr(line->running_hours, ==, "0.0");
    g_assert_cmpstr(line->vcpu_hours, ==, "0.0");
    g_assert_cmpstr(line->memory_gib_hours, ==, "0.0");
    g_assert_cmpstr(line->disk_gib_hours, ==, "10.0");
}

static void
resize_splits_the_line(void)
{
    const UsageSegment segments[] = {
        make_segment(BILLING_STATE_RUNNING, 1, 0, HOUR_MS),
        make_segment(BILLING_STATE_RUNNING, 4, HOUR_MS, 2 * HOUR_MS),
    };
    g_autoptr(UsageFold) fold = fold_of(segments, 2, 0, MONTH_HOURS * HOUR_MS);

    g_assert_cmpuint(usage_fold_get_lines(fold)->len, ==, 2);
    g_assert_cmpstr(line_of(fold, 0)->vcpu_hours, ==, "1.0");
    g_assert_cmpstr(line_of(fold, 1)->vcpu_hours, ==, "4.0");
    g_assert_cmpstr(line_of(fold, 0)->to, ==, line_of(fold, 1)->from);
    g_assert_cmpint(total_of(fold, 0)->instances, ==, 1);
    g_assert_cmpstr(total_of(fold, 0)->vcpu_hours, ==, "5.0");
}

static void
stop_and_start_keep_the_line(void)
{
    const UsageSegment segments[] = {
        make_segment(BILLING_STATE_RUNNING, 2, 0, HOUR_MS),
        make_segment(BILLING_STATE_STOPPED, 2, HOUR_MS, 3 * HOUR_MS),
        make_segment(BILLING_STATE_RUNNING, 2, 3 * HOUR_MS, 4 * HOUR_MS),
    };
    g_autoptr(UsageFold) fold = fold_of(segments, 3, 0, MONTH_HOURS * HOUR_MS);
    const ProtoUsageLine *line = line_of(fold, 0);

    g_assert_cmpuint(usage_fold_get_lines(fold)->len, ==, 1);
    g_assert_cmpstr(line->running_hours, ==, "2.0");
    g_assert_cmpstr(line->vcpu_hours, ==, "4.0");
    g_assert_cmpstr(line->disk_gib_hours, ==, "40.0");
    g_assert_cmpstr(line->from, ==, "2026-10-01T00:00:00.000Z");
    g_assert_cmpstr(line->to, ==, "2026-10-01T04:00:00.000Z");
}

static void
time_that_is_not_charged_splits_the_line(void)
{
    const UsageSegment segments[] = {
        make_segment(BILLING_STATE_RUNNING, 2, 0, HOUR_MS),
        make_segment(BILLING_STATE_RUNNING, 2, 2 * HOUR_MS, 3 * HOUR_MS),
    };
    g_autoptr(UsageFold) fold = fold_of(segments, 2, 0, MONTH_HOURS * HOUR_MS);

    g_assert_cmpuint(usage_fold_get_lines(fold)->len, ==, 2);
    g_assert_cmpstr(total_of(fold, 0)->running_hours, ==, "2.0");
}

static void
rename_shows_from_then_on(void)
{
    UsageSegment segments[] = {
        make_segment(BILLING_STATE_RUNNING, 2, 0, HOUR_MS),
        make_segment(BILLING_STATE_RUNNING, 2, HOUR_MS, 3 * HOUR_MS),
    };
    g_autoptr(UsageFold) fold = NULL;

    segments[1].name = "shop";
    fold = fold_of(segments, 2, 0, MONTH_HOURS * HOUR_MS);
    g_assert_cmpstr(line_of(fold, 0)->name, ==, "web");
    g_assert_cmpstr(line_of(fold, 1)->name, ==, "shop");
}

static void
window_is_half_open(void)
{
    const UsageSegment segment =
        make_segment(BILLING_STATE_RUNNING, 1, HOUR_MS, 2 * HOUR_MS);
    g_autoptr(UsageFold) before = fold_of(&segment, 1, 0, HOUR_MS);
    g_autoptr(UsageFold) after = fold_of(&segment, 1, 2 * HOUR_MS, 3 * HOUR_MS);
    g_autoptr(UsageFold) within =
        fold_of(&segment, 1, HOUR_MS + HOUR_MS / 4, HOUR_MS + HOUR_MS / 2);

    g_assert_cmpuint(usage_fold_get_lines(before)->len, ==, 0);
    g_assert_cmpuint(usage_fold_get_totals(before)->len, ==, 0);
    g_assert_cmpuint(usage_fold_get_lines(after)->len, ==, 0);
    g_assert_cmpstr(line_of(within, 0)->running_hours, ==, "0.25");
}

static void
empty_segments_count_nothing(void)
{
    const UsageSegment segments[] = {
        make_segment(BILLING_STATE_RUNNING, 1, 0, HOUR_MS),
        make_segment(BILLING_STATE_RUNNING, 9, HOUR_MS, HOUR_MS),
        make_segment(BILLING_STATE_RUNNING, 1, HOUR_MS, 2 * HOUR_MS),
    };
    g_autoptr(UsageFold) fold = fold_of(segments, 3, 0, MONTH_HOURS * HOUR_MS);

    g_assert_cmpuint(usage_fold_get_lines(fold)->len, ==, 1);
    g_assert_cmpstr(line_of(fold, 0)->running_hours, ==, "2.0");
}

static void
month_is_never_longer_than_itself(void)
{
    UsageSegment segments[2000];
    gint64 month_ms = MONTH_HOURS * HOUR_MS;
    gint64 start_ms = -12345;
    g_autoptr(UsageFold) fold = NULL;

    for (int i = 0; i < 2000; i++) {
        gint64 end_ms = i == 1999 ? month_ms + 98765 : (month_ms / 2000) * (i + 1) + i;

        segments[i] = make_segment(BILLING_STATE_RUNNING, 1, start_ms, end_ms);
        start_ms = end_ms;
    }
    fold = fold_of(segments, 2000, 0, month_ms);
    g_assert_cmpuint(usage_fold_get_lines(fold)->len, ==, 1);
    g_assert_cmpstr(line_of(fold, 0)->running_hours, ==, "744.0");
}

static void
tenants_have_their_own_totals(void)
{
    UsageSegment segments[] = {
        make_segment(BILLING_STATE_RUNNING, 1, 0, HOUR_MS),
        make_segment(BILLING_STATE_RUNNING, 1, 0, HOUR_MS),
        make_segment(BILLING_STATE_RUNNING, 1, HOUR_MS, 2 * HOUR_MS),
    };
    g_autoptr(UsageFold) fold = NULL;

    segments[1].instance = "22222222-2222-4222-8222-222222222222";
    segments[2].tenant = "red";
    fold = fold_of(segments, 3, 0, MONTH_HOURS * HOUR_MS);
    g_assert_cmpuint(usage_fold_get_totals(fold)->len, ==, 2);
    g_assert_cmpstr(total_of(fold, 0)->tenant, ==, "blue");
    g_assert_cmpint(total_of(fold, 0)->instances, ==, 2);
    g_assert_cmpstr(total_of(fold, 0)->vcpu_hours, ==, "2.0");
    g_assert_cmpstr(total_of(fold, 1)->tenant, ==, "red");
    g_assert_cmpint(total_of(fold, 1)->instances, ==, 1);
    g_assert_cmpstr(total_of(fold, 1)->vcpu_hours, ==, "1.0");
}

static void
overlap_is_refused(void)
{
    const Window window = { OCTOBER_MS, OCTOBER_MS + MONTH_HOURS * HOUR_MS };
    g_autoptr(UsageFold) fold = usage_fold_new(&window);
    const UsageSegment first = make_segment(BILLING_STATE_RUNNING, 1, 0, 2 * HOUR_MS);
    const UsageSegment second =
        make_segment(BILLING_STATE_RUNNING, 1, 2 * HOUR_MS - 1, 3 * HOUR_MS);
    g_autoptr(GError) error = NULL;

    g_assert_true(usage_fold_add(fold, &first, &error));
    g_assert_false(usage_fold_add(fold, &second, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
}

static void
largest_sizes_do_not_wrap(void)
{
    UsageSegment segment = make_segment(BILLING_STATE_RUNNING, G_MAXINT64, 0, HOUR_MS);
    g_autoptr(UsageFold) fold = NULL;

    segment.disk_bytes = G_MAXINT64;
    fold = fold_of(&segment, 1, 0, MONTH_HOURS * HOUR_MS);
    g_assert_cmpstr(line_of(fold, 0)->vcpu_hours, ==, "9223372036854775807.0");
    g_assert_cmpstr(line_of(fold, 0)->disk_gib_hours, ==, "8589934592.0");
}

/*
 * Histories at random.  The oracle walks time tick by tick's edge instead of segment by
 * segment: it sums, for every whole tick of the window, what was charged when the tick
 * came.  That is the definition, slow and in another order.
 */

enum {
    HISTORIES = 300,
    SPAN_TICKS = 600,
    TICK = 36
};

typedef struct {
    UsageSegment segments[64];
    gsize n_segments;
    /* Texts that the segments borrow. */
    char instances[8][37];
} History;

static void
make_history(GRand *rand, History *history)
{
    gint32 instances = g_rand_int_range(rand, 1, 5);

    history->n_segments = 0;
    for (gint32 i = 0; i < instances; i++) {
        gint64 at_ms = g_rand_int_range(rand, -500, SPAN_TICKS * TICK / 2);
        gint32 count = g_rand_int_range(rand, 1, 12);

        g_snprintf(history->instances[i], sizeof history->instances[i],
                   "%08d-1111-4111-8111-111111111111", i);
        for (gint32 j = 0; j < count; j++) {
            gint64 end_ms = at_ms + g_rand_int_range(rand, 0, 3000);
            UsageSegment segment =
                make_segment((BillingState) g_rand_int_range(rand, 0, BILLING_STATE_N),
                             g_rand_int_range(rand, 1, 4), at_ms, end_ms);

            segment.tenant = i < 2 ? "blue" : "red";
            segment.instance = history->instances[i];
            segment.memory_bytes = g_rand_int_range(rand, 1, 4) * GIB / 4;
            segment.disk_bytes = g_rand_int_range(rand, 1, 4) * GIB / 4;
            history->segments[history->n_segments++] = segment;
            at_ms = end_ms + (g_rand_boolean(rand) ? 0 : g_rand_int_range(rand, 0, 99));
        }
    }
}

/* Hundred-thousandths of a vCPU-hour, and of a quarter GiB-hour of disk. */
typedef struct {
    gint64 running;
    gint64 vcpu;
    gint64 memory_quarters;
    gint64 disk_quarters;
} Counted;

/* Which segment is charged with the step from tick n - 1 to n: the one within which the
 * instant of tick n lies, its end included. */
static Counted
count_by_ticks(const History *history, const char *tenant, gint64 from_ms, gint64 to_ms)
{
    Counted counted = { 0 };

    for (gint64 tick = from_ms / TICK + 1; tick <= to_ms / TICK; tick++) {
        gint64 at_ms = OCTOBER_MS + tick * TICK;

        for (gsize i = 0; i < history->n_segments; i++) {
            const UsageSegment *segment = &history->segments[i];
            bool holds = segment->state == BILLING_STATE_RUNNING ||
                         segment->state == BILLING_STATE_PAUSED;

            if (strcmp(segment->tenant, tenant) != 0 || at_ms <= segment->start_ms ||
                at_ms > segment->end_ms)
                continue;
            counted.running += segment->state == BILLING_STATE_RUNNING ? 1 : 0;
            counted.vcpu += holds ? segment->vcpus : 0;
            counted.memory_quarters += holds ? segment->memory_bytes / (GIB / 4) : 0;
            counted.disk_quarters += segment->disk_bytes / (GIB / 4);
        }
    }
    return counted;
}

/* Reads an exact decimal back as a number of 1 / (4 * 10^5). */
static gint64
read_fine(const char *text)
{
    const char *point = strchr(text, '.');
    gint64 value = g_ascii_strtoll(text, NULL, 10) * 10000000;
    gint64 scale = 1000000;

    g_assert_nonnull(point);
    for (const char *p = point + 1; *p != '\0'; p++, scale /= 10) {
        g_assert_cmpint(scale, >, 0);
        value += (*p - '0') * scale;
    }
    g_assert_cmpint(value % 25, ==, 0);
    return value / 25;
}

static Counted
count_by_fold(const History *history, const char *tenant, gint64 from_ms, gint64 to_ms)
{
    g_autoptr(UsageFold) fold =
        fold_of(history->segments, history->n_segments, from_ms, to_ms);
    GArray *totals = usage_fold_get_totals(fold);
    Counted counted = { 0 };

    for (guint i = 0; i < totals->len; i++) {
        const ProtoUsageTotal *total = total_of(fold, i);

        if (strcmp(total->tenant, tenant) != 0)
            continue;
        counted.running += read_fine(total->running_hours) / 4;
        counted.vcpu += read_fine(total->vcpu_hours) / 4;
        counted.memory_quarters += read_fine(total->memory_gib_hours);
        counted.disk_quarters += read_fine(total->disk_gib_hours);
    }
    return counted;
}

static void
assert_same(const Counted *left, const Counted *right)
{
    g_assert_cmpint(left->running, ==, right->running);
    g_assert_cmpint(left->vcpu, ==, right->vcpu);
    g_assert_cmpint(left->memory_quarters, ==, right->memory_quarters);
    g_assert_cmpint(left->disk_quarters, ==, right->disk_quarters);
}

static void
totals_are_what_an_oracle_counts(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) g_test_rand_int());

    for (int i = 0; i < HISTORIES; i++) {
        History history;
        gint64 from_ms = g_rand_int_range(rand, 0, SPAN_TICKS * TICK / 2);
        gint64 to_ms = from_ms + g_rand_int_range(rand, 1, SPAN_TICKS * TICK);
        const char *tenant = g_rand_boolean(rand) ? "blue" : "red";
        Counted folded;
        Counted counted;

        make_history(rand, &history);
        folded = count_by_fold(&history, tenant, from_ms, to_ms);
        counted = count_by_ticks(&history, tenant, from_ms, to_ms);
        assert_same(&folded, &counted);
    }
}

static void
parts_of_a_window_add_up_to_the_whole(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) g_test_rand_int());

    for (int i = 0; i < HISTORIES; i++) {
        History history;
        gint64 at_ms = 0;
        Counted sum = { 0 };
        Counted whole;

        make_history(rand, &history);
        while (at_ms < SPAN_TICKS * TICK) {
            gint64 step_ms = g_rand_int_range(rand, 1, 4000);
            gint64 next_ms = MIN(at_ms + step_ms, SPAN_TICKS * TICK);
            Counted part = count_by_fold(&history, "blue", at_ms, next_ms);

            sum.running += part.running;
            sum.vcpu += part.vcpu;
            sum.memory_quarters += part.memory_quarters;
            sum.disk_quarters += part.disk_quarters;
            at_ms = next_ms;
        }
        whole = count_by_fold(&history, "blue", 0, SPAN_TICKS * TICK);
        assert_same(&sum, &whole);
    }
}

static void
lines_add_up_to_the_totals(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) g_test_rand_int());

    for (int i = 0; i < HISTORIES; i++) {
        History history;
        g_autoptr(UsageFold) fold = NULL;
        gint64 lines = 0;
        gint64 totals = 0;

        make_history(rand, &history);
        fold = fold_of(history.segments, history.n_segments, 0, SPAN_TICKS * TICK);
        for (guint j = 0; j < usage_fold_get_lines(fold)->len; j++) {
            lines += read_fine(line_of(fold, j)->disk_gib_hours);
        }
        for (guint j = 0; j < usage_fold_get_totals(fold)->len; j++) {
            totals += read_fine(total_of(fold, j)->disk_gib_hours);
        }
        g_assert_cmpint(lines, ==, totals);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/usage/running-charges-everything", running_charges_everything);
    g_test_add_func("/usage/paused-is-not-running", paused_is_not_running);
    g_test_add_func("/usage/stopped-charges-the-disk-alone",
                    stopped_charges_the_disk_alone);
    g_test_add_func("/usage/a-resize-splits-the-line", resize_splits_the_line);
    g_test_add_func("/usage/stop-and-start-keep-the-line", stop_and_start_keep_the_line);
    g_test_add_func("/usage/time-not-charged-splits-the-line",
                    time_that_is_not_charged_splits_the_line);
    g_test_add_func("/usage/a-rename-shows-from-then-on", rename_shows_from_then_on);
    g_test_add_func("/usage/a-window-is-half-open", window_is_half_open);
    g_test_add_func("/usage/empty-segments-count-nothing", empty_segments_count_nothing);
    g_test_add_func("/usage/a-month-is-never-longer-than-itself",
                    month_is_never_longer_than_itself);
    g_test_add_func("/usage/tenants-have-their-own-totals",
                    tenants_have_their_own_totals);
    g_test_add_func("/usage/an-overlap-is-refused", overlap_is_refused);
    g_test_add_func("/usage/the-largest-sizes-do-not-wrap", largest_sizes_do_not_wrap);
    g_test_add_func("/usage/totals-are-what-an-oracle-counts",
                    totals_are_what_an_oracle_counts);
    g_test_add_func("/usage/parts-add-up-to-the-whole",
                    parts_of_a_window_add_up_to_the_whole);
    g_test_add_func("/usage/lines-add-up-to-the-totals", lines_add_up_to_the_totals);
    return g_test_run();
}
