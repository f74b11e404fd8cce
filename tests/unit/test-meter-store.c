/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/clock.h"
#include "meter/store.h"
#include "store/chain.h"
#include "wire/pack.h"

#define SERVICE "1b4e28ba-2fa1-4d2b-883f-0016d3cca427"
#define HOUR_MS G_GINT64_CONSTANT(3600000)
#define GIB G_GINT64_CONSTANT(1073741824)
/* 2026-10-01T00:00:00Z */
#define OCTOBER_MS G_GINT64_CONSTANT(1790812800000)
#define MONTH ((Window){ OCTOBER_MS, OCTOBER_MS + 744 * HOUR_MS })

typedef struct {
    char *directory;
    MeterStore *store;
} Fixture;

static void
open_store(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    fixture->store = meter_store_open(fixture->directory, &error);
    g_assert_no_error(error);
}

static void
set_up(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *directory = g_dir_make_tmp("test-meter-XXXXXX", &error);

    g_assert_no_error(error);
    fixture->directory = g_build_filename(directory, "state", NULL);
    open_store(fixture);
    g_assert_true(meter_store_bind(fixture->store, SERVICE, 0, &error));
}

static void
tear_down(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *parent = g_path_get_dirname(fixture->directory);
    g_autoptr(GDir) directory = g_dir_open(fixture->directory, 0, NULL);
    const char *name = NULL;

    meter_store_close(fixture->store);
    while ((name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *path = g_build_filename(fixture->directory, name, NULL);

        g_assert_cmpint(g_unlink(path), ==, 0);
    }
    g_assert_cmpint(g_rmdir(fixture->directory), ==, 0);
    g_assert_cmpint(g_rmdir(parent), ==, 0);
    g_free(fixture->directory);
}

/* Rows */

static ProtoLedgerRow
make_opened(gint64 seq, int instance, gint64 at_ms)
{
    return (ProtoLedgerRow){
        .seq = seq,
        .kind = LEDGER_KIND_OPENED,
        .at_ms = OCTOBER_MS + at_ms,
        .has_segment = true,
        .segment = seq,
        .has_from_ms = true,
        .from_ms = OCTOBER_MS + at_ms,
        .cause = g_strdup("started"),
        .has_resource_kind = true,
        .resource_kind = RESOURCE_KIND_INSTANCE,
        .resource = g_strdup_printf("%08d-1111-4111-8111-111111111111", instance),
        .tenant = g_strdup("blue"),
        .name = g_strdup("web"),
        .host = g_strdup("local"),
        .has_state = true,
        .state = BILLING_STATE_RUNNING,
        .has_vcpus = true,
        .vcpus = 2,
        .has_memory_bytes = true,
        .memory_bytes = GIB,
        .has_disk_bytes = true,
        .disk_bytes = 4 * GIB,
    };
}

static ProtoLedgerRow
make_closed(gint64 seq, gint64 segment, gint64 at_ms)
{
    return (ProtoLedgerRow){
        .seq = seq,
        .kind = LEDGER_KIND_CLOSED,
        .at_ms = OCTOBER_MS + at_ms,
        .has_segment = true,
        .segment = segment,
        .has_to_ms = true,
        .to_ms = OCTOBER_MS + at_ms,
        .cause = g_strdup("stopped"),
    };
}

/* Rows as they come from the controller, with the hash of the last one. */
static bool
take(Fixture *fixture, const ProtoLedgerRow *rows, gsize n_rows, GError **error)
{
    g_autoptr(GByteArray) packed = g_byte_array_new();
    g_autofree char *held = meter_store_get_hash(fixture->store);
    g_autofree char *last = NULL;
    ChainHash hash;

    g_assert_true(chain_from_text(held, &hash));
    for (gsize i = 0; i < n_rows; i++) {
        guint from = packed->len;
        ChainHash leaf;

        wire_struct_pack(&proto_ledger_row_type, &rows[i], packed);
        leaf = chain_leaf(packed->data + from, packed->len - from);
        hash = chain_next(&hash, &leaf);
    }
    last = chain_to_text(&hash);
    return meter_store_apply(fixture->store, packed->data, packed->len, last, error);
}

/* Takes row. */
static void
apply(Fixture *fixture, ProtoLedgerRow row)
{
    g_autoptr(GError) error = NULL;

    take(fixture, &row, 1, &error);
    g_assert_no_error(error);
    proto_ledger_row_clear(&row);
}

/* Takes row. */
static void
assert_refused(Fixture *fixture, ProtoLedgerRow row)
{
    gint64 cursor = meter_store_get_cursor(fixture->store);
    g_autoptr(GError) error = NULL;

    g_assert_false(take(fixture, &row, 1, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, cursor);
    proto_ledger_row_clear(&row);
}

/* Reading */

static UsageFold *
read_from(Fixture *fixture, SegmentReading *reading, guint limit)
{
    UsageFold *fold = usage_fold_new(&reading->window);
    g_autoptr(GError) error = NULL;
    bool more = true;

    while (more) {
        meter_store_read(fixture->store, reading, limit, fold, &more, &error);
        g_assert_no_error(error);
    }
    usage_fold_finish(fold, &error);
    g_assert_no_error(error);
    return fold;
}

static UsageFold *
read_usage(Fixture *fixture, const char *tenant, guint limit)
{
    g_auto(SegmentReading) reading =
        segment_reading_start(fixture->store, tenant, &MONTH);

    return read_from(fixture, &reading, limit);
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
assert_running_hours(Fixture *fixture, const char *expected)
{
    g_autoptr(UsageFold) fold = read_usage(fixture, NULL, 100);
    const GArray *totals = usage_fold_get_totals(fold);

    g_assert_cmpuint(totals->len, ==, 1);
    g_assert_cmpstr(g_array_index(totals, ProtoUsageTotal, 0).running_hours, ==,
                    expected);
}

/* Tests */

static void
row_counts_once(Fixture *fixture, gconstpointer unused)
{
    apply(fixture, make_opened(1, 1, 0));
    apply(fixture, make_opened(1, 1, 0));
    apply(fixture, make_closed(2, 1, HOUR_MS));
    apply(fixture, make_opened(1, 1, 0));
    apply(fixture, make_closed(2, 1, HOUR_MS));
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 2);
    assert_running_hours(fixture, "1.0");
}

static void
rows_outlive_the_process(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    apply(fixture, make_opened(1, 1, 0));
    apply(fixture, make_closed(2, 1, HOUR_MS));
    before = meter_store_get_hash(fixture->store);
    meter_store_close(fixture->store);
    open_store(fixture);
    after = meter_store_get_hash(fixture->store);
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 2);
    g_assert_cmpstr(before, ==, after);
    g_assert_cmpint(meter_store_get_known_ms(fixture->store), ==, OCTOBER_MS + HOUR_MS);
    apply(fixture, make_closed(2, 1, HOUR_MS));
    assert_running_hours(fixture, "1.0");
}

static void
file_has_one_owner(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(meter_store_open(fixture->directory, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
}

static void
batch_is_taken_whole_or_not_at_all(Fixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow rows[] = { make_opened(1, 1, 0), make_closed(2, 2, 0) };
    g_autoptr(GError) error = NULL;
    bool has = true;

    g_assert_false(take(fixture, rows, 2, &error));
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 0);
    g_clear_error(&error);
    g_assert_true(meter_store_has_tenant(fixture->store, "blue", &has, &error));
    g_assert_false(has);
    proto_ledger_row_clear(&rows[0]);
    proto_ledger_row_clear(&rows[1]);
    apply(fixture, make_opened(1, 1, 0));
}

static void
missing_row_is_noticed(Fixture *fixture, gconstpointer unused)
{
    assert_refused(fixture, make_opened(2, 1, 0));
    apply(fixture, make_opened(1, 1, 0));
    assert_refused(fixture, make_closed(3, 1, HOUR_MS));
}

static void
row_that_was_changed_is_noticed(Fixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow row = make_opened(1, 1, 0);
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
missing_opening_is_noticed(Fixture *fixture, gconstpointer unused)
{
    assert_refused(fixture, make_closed(1, 1, HOUR_MS));
}

static void
missing_closing_is_noticed(Fixture *fixture, gconstpointer unused)
{
    apply(fixture, make_opened(1, 1, 0));
    assert_refused(fixture, make_opened(2, 1, HOUR_MS));
}

static void
second_closing_is_refused(Fixture *fixture, gconstpointer unused)
{
    apply(fixture, make_opened(1, 1, 0));
    apply(fixture, make_closed(2, 1, HOUR_MS));
    assert_refused(fixture, make_closed(3, 1, HOUR_MS));
}

static void
other_row_of_a_held_number_is_refused(Fixture *fixture, gconstpointer unused)
{
    apply(fixture, make_opened(1, 1, 0));
    apply(fixture, make_closed(2, 1, HOUR_MS));
    assert_refused(fixture, make_opened(1, 2, 0));
    assert_refused(fixture, make_opened(1, 1, 1));
    assert_refused(fixture, make_closed(2, 1, HOUR_MS + 1));
}

static void
time_that_goes_back_is_refused(Fixture *fixture, gconstpointer unused)
{
    apply(fixture, make_opened(1, 1, HOUR_MS));
    assert_refused(fixture, make_closed(2, 1, HOUR_MS - 1));
    assert_refused(fixture, make_opened(2, 2, HOUR_MS - 1));
    apply(fixture, make_opened(2, 2, HOUR_MS));
}

static void
segment_that_overlaps_is_refused(Fixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow row = make_opened(3, 1, 2 * HOUR_MS);

    apply(fixture, make_opened(1, 1, 0));
    apply(fixture, make_closed(2, 1, HOUR_MS));
    row.from_ms = OCTOBER_MS + HOUR_MS - 1;
    assert_refused(fixture, row);
}

static void
other_ledger_is_refused(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    meter_store_close(fixture->store);
    open_store(fixture);
    g_assert_cmpstr(meter_store_get_service_id(fixture->store), ==, SERVICE);
    g_assert_true(meter_store_bind(fixture->store, SERVICE, 9, &error));
    g_assert_false(meter_store_bind(fixture->store, "two", 9, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
}

static void
ledger_that_lost_rows_is_refused(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    apply(fixture, make_opened(1, 1, 0));
    apply(fixture, make_closed(2, 1, 0));
    g_assert_true(meter_store_bind(fixture->store, SERVICE, 2, &error));
    g_assert_false(meter_store_bind(fixture->store, SERVICE, 1, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
}

static void
open_segment_counts_up_to_what_is_known(Fixture *fixture, gconstpointer unused)
{
    apply(fixture, make_opened(1, 1, 0));
    meter_store_set_known_ms(fixture->store, OCTOBER_MS + HOUR_MS / 2);
    assert_running_hours(fixture, "0.5");
    meter_store_set_known_ms(fixture->store, OCTOBER_MS + 2 * HOUR_MS);
    assert_running_hours(fixture, "2.0");
}

static void
reading_stays_as_of_its_row(Fixture *fixture, gconstpointer unused)
{
    g_auto(SegmentReading) reading = { 0 };
    g_autoptr(UsageFold) fold = NULL;
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    apply(fixture, make_opened(1, 1, 0));
    meter_store_set_known_ms(fixture->store, OCTOBER_MS + HOUR_MS);
    fold = read_usage(fixture, NULL, 1);
    before = print_lines(fold);
    g_clear_pointer(&fold, usage_fold_free);
    reading = segment_reading_start(fixture->store, NULL, &MONTH);
    apply(fixture, make_closed(2, 1, 2 * HOUR_MS));
    apply(fixture, make_opened(3, 1, 2 * HOUR_MS));
    apply(fixture, make_opened(4, 2, 2 * HOUR_MS));
    fold = read_from(fixture, &reading, 1);
    after = print_lines(fold);
    g_assert_cmpstr(before, ==, after);
}

/* Five instances of two tenants, started one after the other and stopped in turn. */
static void
fill(Fixture *fixture)
{
    gint64 seq = 1;

    for (int i = 0; i < 40; i++, seq++) {
        int instance = 5 - i % 5;
        bool opens = i % 10 < 5;
        ProtoLedgerRow row = opens ? make_opened(seq, instance, i * 1000)
                                   : make_closed(seq, seq - 5, i * 1000);

        if (opens && instance % 2 == 0) {
            g_free(row.tenant);
            row.tenant = g_strdup("red");
        }
        apply(fixture, row);
    }
}

static void
pages_are_the_same_as_the_whole(Fixture *fixture, gconstpointer unused)
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
tenants_add_up_to_everybody(Fixture *fixture, gconstpointer unused)
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
lines_come_by_first_time(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(UsageFold) fold = NULL;
    const GArray *lines = NULL;

    apply(fixture, make_opened(1, 9, 0));
    apply(fixture, make_opened(2, 4, 1000));
    apply(fixture, make_opened(3, 6, 1000));
    apply(fixture, make_closed(4, 1, 2000));
    apply(fixture, make_opened(5, 9, 5000));
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
        void (*run)(Fixture *fixture, gconstpointer unused);
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
        { "/meter-store/a-ledger-that-lost-rows-is-refused",
          ledger_that_lost_rows_is_refused },
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
        g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].run, tear_down);
    }
    return g_test_run();
}
