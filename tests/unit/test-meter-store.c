/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "meter-fixture.h"
#include "meter/lost.h"
#include "meter/usage.h"
#include "meter/view.h"
#include "wire/pack.h"

#define SERVICE METER_FIXTURE_SERVICE
#define OCTOBER_MS METER_FIXTURE_START_MS
#define HOUR_MS G_GINT64_CONSTANT(3600000)
#define MONTH ((Window){ OCTOBER_MS, OCTOBER_MS + 744 * HOUR_MS })

/* Takes row. */
static void
assert_refused(MeterFixture *fixture, ProtoLedgerRow row)
{
    gint64 cursor = meter_store_get_cursor(fixture->store);
    g_autoptr(GError) error = NULL;

    g_assert_false(meter_fixture_take(fixture, &row, 1, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, cursor);
    proto_ledger_row_clear(&row);
}

/* Reading */

static UsageFold *
read_view(View *view, const char *tenant)
{
    const ViewFilter filter = { .tenant = tenant, .window = MONTH };
    g_autoptr(ViewSegments) segments = view_segments_new(view, &filter);
    UsageFold *fold = usage_fold_new(&filter.window);
    g_autoptr(GError) error = NULL;
    ViewSegment segment;
    bool has = true;

    while (view_segments_next(segments, &has, &segment, &error) && has) {
        const UsageSegment counted = {
            .tenant = segment.tenant,
            .instance = segment.id,
            .name = segment.name,
            .state = segment.state,
            .vcpus = segment.vcpus,
            .memory_bytes = segment.memory_bytes,
            .disk_bytes = segment.disk_bytes,
            .start_ms = segment.start_ms,
            .end_ms = segment.end_ms,
        };

        usage_fold_add(fold, &counted, &error);
    }
    g_assert_no_error(error);
    usage_fold_finish(fold, &error);
    g_assert_no_error(error);
    return fold;
}

static UsageFold *
read_usage(MeterFixture *fixture, const char *tenant, guint page_rows)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(View) view = view_open(fixture->store, 0, &error);

    g_assert_no_error(error);
    view_set_page_rows(view, page_rows);
    return read_view(view, tenant);
}

/* All lines as one text, to compare. */
static char *
print_lines(UsageFold *fold)
{
    const GArray *lines = usage_fold_get_lines(fold);
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < lines->len; i++) {
        wire_struct_print(&proto_usage_line_type,
                          &g_array_index(lines, ProtoUsageLine, i), text);
        g_string_append_c(text, '\n');
    }
    return g_string_free(text, FALSE);
}

static void
assert_running_hours(MeterFixture *fixture, const char *expected)
{
    g_autoptr(UsageFold) fold = read_usage(fixture, NULL, 100);
    const GArray *totals = usage_fold_get_totals(fold);

    g_assert_cmpuint(totals->len, ==, 1);
    g_assert_cmpstr(g_array_index(totals, ProtoUsageTotal, 0).running_hours, ==,
                    expected);
}

/* Tests */

static void
row_counts_once(MeterFixture *fixture, gconstpointer unused)
{
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, HOUR_MS));
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, HOUR_MS));
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 2);
    assert_running_hours(fixture, "1.0");
}

static void
rows_outlive_the_process(MeterFixture *fixture, gconstpointer unused)
{
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, HOUR_MS));
    before = meter_store_get_hash(fixture->store);
    meter_store_close(fixture->store);
    meter_fixture_open(fixture);
    after = meter_store_get_hash(fixture->store);
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 2);
    g_assert_cmpstr(before, ==, after);
    g_assert_cmpint(meter_store_get_known_ms(fixture->store), ==, OCTOBER_MS + HOUR_MS);
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, HOUR_MS));
    assert_running_hours(fixture, "1.0");
}

static void
file_has_one_owner(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(meter_store_open(fixture->directory, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
}

static void
batch_is_taken_whole_or_not_at_all(MeterFixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow rows[] = { meter_fixture_opened(1, 1, 0),
                              meter_fixture_closed(2, 2, 0) };
    g_autoptr(GError) error = NULL;
    bool has = true;
    g_autoptr(View) view = NULL;

    g_assert_false(meter_fixture_take(fixture, rows, 2, &error));
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 0);
    g_clear_error(&error);
    view = view_open(fixture->store, 0, &error);
    g_assert_true(view_has_tenant(view, "blue", &has, &error));
    g_assert_false(has);
    proto_ledger_row_clear(&rows[0]);
    proto_ledger_row_clear(&rows[1]);
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
}

static void
missing_row_is_noticed(MeterFixture *fixture, gconstpointer unused)
{
    assert_refused(fixture, meter_fixture_opened(2, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    assert_refused(fixture, meter_fixture_closed(3, 1, HOUR_MS));
}

static void
row_that_was_changed_is_noticed(MeterFixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow row = meter_fixture_opened(1, 1, 0);
    g_autoptr(GByteArray) packed = g_byte_array_new();
    g_autofree char *hash = meter_store_get_hash(fixture->store);
    g_autoptr(GError) error = NULL;

    wire_struct_pack(&proto_ledger_row_type, &row, packed);
    g_assert_false(
        meter_store_apply(fixture->store, packed->data, packed->len, hash, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 0);
    proto_ledger_row_clear(&row);
}

static void
missing_opening_is_noticed(MeterFixture *fixture, gconstpointer unused)
{
    assert_refused(fixture, meter_fixture_closed(1, 1, HOUR_MS));
}

static void
missing_closing_is_noticed(MeterFixture *fixture, gconstpointer unused)
{
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    assert_refused(fixture, meter_fixture_opened(2, 1, HOUR_MS));
}

static void
second_closing_is_refused(MeterFixture *fixture, gconstpointer unused)
{
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, HOUR_MS));
    assert_refused(fixture, meter_fixture_closed(3, 1, HOUR_MS));
}

static void
other_row_of_a_held_number_is_refused(MeterFixture *fixture, gconstpointer unused)
{
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, HOUR_MS));
    assert_refused(fixture, meter_fixture_opened(1, 2, 0));
    assert_refused(fixture, meter_fixture_opened(1, 1, 1));
    assert_refused(fixture, meter_fixture_closed(2, 1, HOUR_MS + 1));
}

static void
time_that_goes_back_is_refused(MeterFixture *fixture, gconstpointer unused)
{
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, HOUR_MS));
    assert_refused(fixture, meter_fixture_closed(2, 1, HOUR_MS - 1));
    assert_refused(fixture, meter_fixture_opened(2, 2, HOUR_MS - 1));
    meter_fixture_apply(fixture, meter_fixture_opened(2, 2, HOUR_MS));
}

static void
segment_that_overlaps_is_refused(MeterFixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow row = meter_fixture_opened(3, 1, 2 * HOUR_MS);

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, HOUR_MS));
    row.from_ms = OCTOBER_MS + HOUR_MS - 1;
    assert_refused(fixture, row);
}

static void
other_ledger_is_refused(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    meter_store_close(fixture->store);
    meter_fixture_open(fixture);
    g_assert_cmpstr(meter_store_get_service_id(fixture->store), ==, SERVICE);
    g_assert_true(meter_store_bind(fixture->store, SERVICE, &error));
    g_assert_false(meter_store_bind(fixture->store, "two", &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
}

/* Forks */

static void
assert_fork(MeterFixture *fixture, const char *seq, const char *hash)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(meter_store_has_fork(fixture->store));
    g_assert_null(view_open(fixture->store, 0, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_ILLEGAL_STATE);
    g_assert_nonnull(strstr(error->message, seq));
    g_assert_nonnull(strstr(error->message, hash));
}

static void
assert_no_fork(MeterFixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(View) view = view_open(fixture->store, 0, &error);

    g_assert_no_error(error);
    g_assert_nonnull(view);
    g_assert_false(meter_store_has_fork(fixture->store));
}

static void
ledger_that_forked_is_not_reported(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, 0));
    g_assert_true(meter_store_set_fork(fixture->store, 1, "cafe", &error));
    assert_fork(fixture, "row 1 ", "cafe");
    meter_store_close(fixture->store);
    meter_fixture_open(fixture);
    assert_fork(fixture, "row 1 ", "cafe");
    g_assert_true(meter_store_clear_fork(fixture->store, &error));
    assert_no_fork(fixture);
}

static void
fork_that_is_told_is_not_reported_until_it_is_accepted(MeterFixture *fixture,
                                                       gconstpointer unused)
{
    ProtoLedgerRow row = meter_fixture_noted(2, NULL, "{}", 0);
    g_autofree char *hash = NULL;

    row.kind = LEDGER_KIND_FORKED;
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, row);
    hash = meter_store_get_hash(fixture->store);
    assert_fork(fixture, "Row 2 ", hash);
    meter_store_close(fixture->store);
    meter_fixture_open(fixture);
    assert_fork(fixture, "Row 2 ", hash);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 2, 0));
    g_free(hash);
    hash = meter_store_get_hash(fixture->store);
    assert_fork(fixture, "Row 2 ", hash);
    meter_fixture_apply(fixture, meter_fixture_noted(4, "recovered", "{}", 0));
    assert_no_fork(fixture);
    meter_store_close(fixture->store);
    meter_fixture_open(fixture);
    assert_no_fork(fixture);
}

static void
recovery_that_is_held_accepts_nothing_new(MeterFixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow old = meter_fixture_noted(1, "recovered", "{}", 0);
    ProtoLedgerRow other = meter_fixture_noted(1, "recovered", "{}", 1);
    ProtoLedgerRow card = meter_fixture_noted(2, "card", "{}", 1);
    g_autoptr(GByteArray) packed = g_byte_array_new();

    meter_fixture_apply(fixture, meter_fixture_noted(1, "recovered", "{}", 0));
    wire_struct_pack(&proto_ledger_row_type, &old, packed);
    g_assert_false(meter_store_is_recovery(fixture->store, packed->data, packed->len));
    g_byte_array_set_size(packed, 0);
    wire_struct_pack(&proto_ledger_row_type, &other, packed);
    g_assert_true(meter_store_is_recovery(fixture->store, packed->data, packed->len));
    g_assert_false(
        meter_store_is_recovery(fixture->store, packed->data, packed->len / 2));
    g_byte_array_set_size(packed, 0);
    wire_struct_pack(&proto_ledger_row_type, &card, packed);
    g_assert_false(meter_store_is_recovery(fixture->store, packed->data, packed->len));
    proto_ledger_row_clear(&old);
    proto_ledger_row_clear(&other);
    proto_ledger_row_clear(&card);
}

static void
view_of_what_is_gone_fails(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(View) view = NULL;
    g_autoptr(ViewSegments) segments = NULL;
    const ViewFilter filter = { .window = MONTH };
    ViewSegment segment;
    bool has = false;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    view = view_open(fixture->store, 0, &error);
    segments = view_segments_new(view, &filter);
    meter_fixture_begin_anew(fixture);
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 0);
    g_assert_false(view_segments_next(segments, &has, &segment, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_ILLEGAL_STATE);
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    assert_no_fork(fixture);
}

static void
rows_are_not_forgotten_before_they_are_kept(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Lost) lost = NULL;
    bool done = false;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    lost = lost_new(fixture->store, &error);
    g_assert_true(lost_step(lost, &done, &error) && done);
    g_assert_true(meter_store_is_kept(fixture->store));
    /* It came after that. */
    meter_fixture_apply(fixture, meter_fixture_opened(2, 2, 0));
    g_assert_false(meter_store_begin_anew(fixture->store, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 2);
    meter_fixture_begin_anew(fixture);
    g_assert_true(meter_store_is_kept(fixture->store));
}

/* Batches */

static gint64
get_newest_seen(MeterFixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(View) view = view_open(fixture->store, 0, &error);

    g_assert_no_error(error);
    return view_get_head(view)->seq;
}

static void
rows_that_were_expected_are_written_together(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    meter_store_expect(fixture->store, 3);
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, 0));
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 2);
    g_assert_cmpint(get_newest_seen(fixture), ==, 0);
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, HOUR_MS));
    g_assert_cmpint(get_newest_seen(fixture), ==, 3);
    meter_store_expect(fixture->store, 9);
    meter_fixture_apply(fixture, meter_fixture_opened(4, 2, HOUR_MS));
    g_assert_true(meter_store_flush(fixture->store, &error));
    g_assert_cmpint(get_newest_seen(fixture), ==, 4);
}

static void
bad_row_holds_up_no_good_ones(MeterFixture *fixture, gconstpointer unused)
{
    meter_store_expect(fixture->store, 9);
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, 0));
    for (int i = 0; i < 2; i++) {
        ProtoLedgerRow bad = meter_fixture_closed(i == 0 ? 3 : 1, 1, 0);
        g_autoptr(GError) error = NULL;

        g_assert_false(meter_fixture_take(fixture, &bad, 1, &error));
        proto_ledger_row_clear(&bad);
    }
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 0);
    /* From the beginning again: now each is on disk at once. */
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    g_assert_cmpint(get_newest_seen(fixture), ==, 1);
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, 0));
    g_assert_cmpint(get_newest_seen(fixture), ==, 2);
    assert_refused(fixture, meter_fixture_closed(3, 1, 0));
    g_assert_cmpint(get_newest_seen(fixture), ==, 2);
}

static void
open_segment_counts_up_to_what_is_known(MeterFixture *fixture, gconstpointer unused)
{
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_store_set_known_ms(fixture->store, OCTOBER_MS + HOUR_MS / 2);
    assert_running_hours(fixture, "0.5");
    meter_store_set_known_ms(fixture->store, OCTOBER_MS + 2 * HOUR_MS);
    assert_running_hours(fixture, "2.0");
}

static void
reading_stays_as_of_its_row(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(View) view = NULL;
    g_autoptr(UsageFold) fold = NULL;
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_store_set_known_ms(fixture->store, OCTOBER_MS + HOUR_MS);
    fold = read_usage(fixture, NULL, 1);
    before = print_lines(fold);
    g_clear_pointer(&fold, usage_fold_free);
    view = view_open(fixture->store, 0, &error);
    g_assert_no_error(error);
    meter_fixture_apply(fixture, meter_fixture_closed(2, 1, 2 * HOUR_MS));
    meter_fixture_apply(fixture, meter_fixture_opened(3, 1, 2 * HOUR_MS));
    meter_fixture_apply(fixture, meter_fixture_opened(4, 2, 2 * HOUR_MS));
    fold = read_view(view, NULL);
    after = print_lines(fold);
    g_assert_cmpstr(before, ==, after);
}

/* Five instances of two tenants, started one after the other and stopped in turn. */
static void
fill(MeterFixture *fixture)
{
    gint64 seq = 1;

    for (int i = 0; i < 40; i++, seq++) {
        int instance = 5 - i % 5;
        bool opens = i % 10 < 5;
        ProtoLedgerRow row = opens ? meter_fixture_opened(seq, instance, i * 1000)
                                   : meter_fixture_closed(seq, seq - 5, i * 1000);

        if (opens && instance % 2 == 0) {
            g_free(row.tenant);
            row.tenant = g_strdup("red");
        }
        meter_fixture_apply(fixture, row);
    }
}

static void
pages_are_the_same_as_the_whole(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(UsageFold) whole = NULL;
    g_autofree char *expected = NULL;

    fill(fixture);
    whole = read_usage(fixture, NULL, 1000);
    expected = print_lines(whole);
    for (guint limit = 1; limit < 25; limit++) {
        g_autoptr(UsageFold) paged = read_usage(fixture, NULL, limit);
        g_autofree char *text = print_lines(paged);

        g_assert_cmpstr(text, ==, expected);
    }
}

static void
tenants_add_up_to_everybody(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(UsageFold) everybody = NULL;
    g_autoptr(UsageFold) blue = NULL;
    g_autoptr(UsageFold) red = NULL;
    g_autofree char *all_text = NULL;
    g_autofree char *blue_text = NULL;
    g_autofree char *red_text = NULL;
    g_autofree char *both = NULL;

    fill(fixture);
    everybody = read_usage(fixture, NULL, 3);
    blue = read_usage(fixture, "blue", 3);
    red = read_usage(fixture, "red", 3);
    all_text = print_lines(everybody);
    blue_text = print_lines(blue);
    red_text = print_lines(red);
    both = g_strconcat(blue_text, red_text, NULL);
    g_assert_cmpstr(all_text, ==, both);
    g_assert_null(strstr(blue_text, "\"red\""));
}

static void
lines_come_by_first_time(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(UsageFold) fold = NULL;
    const GArray *lines = NULL;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 9, 0));
    meter_fixture_apply(fixture, meter_fixture_opened(2, 4, 1000));
    meter_fixture_apply(fixture, meter_fixture_opened(3, 6, 1000));
    meter_fixture_apply(fixture, meter_fixture_closed(4, 1, 2000));
    meter_fixture_apply(fixture, meter_fixture_opened(5, 9, 5000));
    meter_store_set_known_ms(fixture->store, OCTOBER_MS + 9000);
    fold = read_usage(fixture, NULL, 2);
    lines = usage_fold_get_lines(fold);
    g_assert_cmpuint(lines->len, ==, 4);
    for (guint i = 0; i < 4; i++) {
        static const char expected[] = { '9', '9', '4', '6' };

        g_assert_cmpint(g_array_index(lines, ProtoUsageLine, i).instance[7], ==,
                        expected[i]);
    }
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(MeterFixture *fixture, gconstpointer unused);
    } tests[] = {
        { "/meter-store/a-row-counts-once", row_counts_once },
        { "/meter-store/rows-outlive-the-process", rows_outlive_the_process },
        { "/meter-store/the-file-has-one-owner", file_has_one_owner },
        { "/meter-store/a-batch-is-taken-whole-or-not-at-all",
          batch_is_taken_whole_or_not_at_all },
        { "/meter-store/a-missing-opening-is-noticed", missing_opening_is_noticed },
        { "/meter-store/a-missing-closing-is-noticed", missing_closing_is_noticed },
        { "/meter-store/a-second-closing-is-refused", second_closing_is_refused },
        { "/meter-store/another-row-of-a-held-number-is-refused",
          other_row_of_a_held_number_is_refused },
        { "/meter-store/time-that-goes-back-is-refused", time_that_goes_back_is_refused },
        { "/meter-store/a-missing-row-is-noticed", missing_row_is_noticed },
        { "/meter-store/a-row-that-was-changed-is-noticed",
          row_that_was_changed_is_noticed },
        { "/meter-store/a-segment-that-overlaps-is-refused",
          segment_that_overlaps_is_refused },
        { "/meter-store/another-ledger-is-refused", other_ledger_is_refused },
        { "/meter-store/a-ledger-that-forked-is-not-reported",
          ledger_that_forked_is_not_reported },
        { "/meter-store/a-fork-that-is-told-is-not-reported-until-it-is-accepted",
          fork_that_is_told_is_not_reported_until_it_is_accepted },
        { "/meter-store/a-recovery-that-is-held-accepts-nothing-new",
          recovery_that_is_held_accepts_nothing_new },
        { "/meter-store/a-view-of-what-is-gone-fails", view_of_what_is_gone_fails },
        { "/meter-store/rows-are-not-forgotten-before-they-are-kept",
          rows_are_not_forgotten_before_they_are_kept },
        { "/meter-store/rows-that-were-expected-are-written-together",
          rows_that_were_expected_are_written_together },
        { "/meter-store/a-bad-row-holds-up-no-good-ones", bad_row_holds_up_no_good_ones },
        { "/meter-store/an-open-segment-counts-up-to-what-is-known",
          open_segment_counts_up_to_what_is_known },
        { "/meter-store/a-reading-stays-as-of-its-row", reading_stays_as_of_its_row },
        { "/meter-store/pages-are-the-same-as-the-whole",
          pages_are_the_same_as_the_whole },
        { "/meter-store/tenants-add-up-to-everybody", tenants_add_up_to_everybody },
        { "/meter-store/lines-come-by-first-time", lines_come_by_first_time },
    };

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].name, MeterFixture, NULL, meter_fixture_set_up, tests[i].run,
                   meter_fixture_tear_down);
    }
    return g_test_run();
}
