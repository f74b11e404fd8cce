/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "meter-fixture.h"
#include "meter/view.h"
#include "store/database.h"

#define START_MS METER_FIXTURE_START_MS
#define HOUR_MS G_GINT64_CONSTANT(3600000)
#define MONTH ((Window){ START_MS, START_MS + 744 * HOUR_MS })
#define EVER ((Window){ 0, G_MAXINT64 })

static View *
open_view(MeterFixture *fixture, gint64 seq)
{
    g_autoptr(GError) error = NULL;
    View *view = view_open(fixture->store, seq, &error);

    g_assert_no_error(error);
    view_set_page_rows(view, 2);
    return view;
}

/* What the view says, as one text: a line a segment. */
static char *
print_segments(View *view, const ViewFilter *filter)
{
    g_autoptr(ViewSegments) segments = view_segments_new(view, filter);
    g_autoptr(GError) error = NULL;
    GString *text = g_string_new(NULL);
    ViewSegment segment;
    bool has = true;

    while (view_segments_next(segments, &has, &segment, &error) && has) {
        g_string_append_printf(text,
                               "%s %d/%.8s #%" G_GINT64_FORMAT " %" G_GINT64_FORMAT
                               "..%" G_GINT64_FORMAT "%s\n",
                               segment.tenant, segment.kind, segment.id, segment.seq,
                               segment.start_ms - START_MS, segment.end_ms - START_MS,
                               segment.end_seq != 0 ? " ended" : "");
    }
    g_assert_no_error(error);
    return g_string_free(text, FALSE);
}

static void
assert_segments(View *view, const ViewFilter *filter, const char *expected)
{
    g_autofree char *text = print_segments(view, filter);

    g_assert_cmpstr(text, ==, expected);
}

static char *
print_gaps(View *view)
{
    const ViewFilter filter = { .window = EVER };
    g_autoptr(ViewGaps) gaps = view_gaps_new(view, &filter);
    g_autoptr(GError) error = NULL;
    GString *text = g_string_new(NULL);
    ViewGap gap;
    bool has = true;

    while (view_gaps_next(gaps, &has, &gap, &error) && has) {
        g_string_append_printf(text,
                               "%s #%" G_GINT64_FORMAT " %" G_GINT64_FORMAT
                               "..%" G_GINT64_FORMAT " %s %s/%s <%" G_GINT64_FORMAT "\n",
                               gap.tenant, gap.seq, gap.from_ms - START_MS,
                               gap.to_ms - START_MS, gap.cause,
                               gap.has_counter ? counter_to_string(gap.counter) : "all",
                               gap.device, gap.filled_seq);
    }
    g_assert_no_error(error);
    return g_string_free(text, FALSE);
}

static void
assert_gaps(View *view, const char *expected)
{
    g_autofree char *text = print_gaps(view);

    g_assert_cmpstr(text, ==, expected);
}

static void
assert_gaps_now(MeterFixture *fixture, const char *expected)
{
    g_autoptr(View) view = open_view(fixture, 0);

    assert_gaps(view, expected);
}

/* The numbers and texts of rows of a kind. */
static char *
print_marks(View *view, LedgerKind kind, const char *topic)
{
    g_autoptr(ViewMarks) marks = view_marks_new(view, kind, topic);
    g_autoptr(GError) error = NULL;
    GString *text = g_string_new(NULL);
    const ProtoLedgerRow *row = NULL;

    while (view_marks_next(marks, &row, &error) && row != NULL) {
        g_string_append_printf(text, "%" G_GINT64_FORMAT ":%s ", row->seq,
                               row->note != NULL ? row->note : "");
        g_assert_cmpuint(strlen(row->hash), ==, 64);
    }
    g_assert_no_error(error);
    return g_string_free(text, FALSE);
}

static void
assert_marks(View *view, LedgerKind kind, const char *topic, const char *expected)
{
    g_autofree char *text = print_marks(view, kind, topic);

    g_assert_cmpstr(text, ==, expected);
}

/* Entries with the numbers from first to last, in one batch. */
static void
apply_notes(MeterFixture *fixture, gint64 first, gint64 last)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(ProtoLedgerRow));
    g_autoptr(GError) error = NULL;

    g_array_set_clear_func(rows, (GDestroyNotify) proto_ledger_row_clear);
    for (gint64 seq = first; seq <= last; seq++) {
        g_autofree char *note = g_strdup_printf("n%" G_GINT64_FORMAT, seq);
        ProtoLedgerRow row =
            meter_fixture_noted(seq, seq % 13 == 0 ? "card" : "other", note, seq);

        g_array_append_val(rows, row);
    }
    meter_fixture_take(fixture, (const ProtoLedgerRow *) (gpointer) rows->data, rows->len,
                       &error);
    g_assert_no_error(error);
}

/* Tests */

static void
rows_after_it_do_not_exist(MeterFixture *fixture, gconstpointer unused)
{
    const ViewFilter all = { .window = MONTH };
    g_autoptr(View) first = NULL;
    g_autoptr(View) second = NULL;
    g_autoptr(View) third = NULL;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_opened(2, 2, 1000));
    meter_fixture_apply(fixture, meter_fixture_closed(3, 1, 2000));
    first = open_view(fixture, 1);
    second = open_view(fixture, 2);
    third = open_view(fixture, 3);
    assert_segments(first, &all, "blue 0/00000001 #1 0..0\n");
    assert_segments(second, &all,
                    "blue 0/00000001 #1 0..1000\nblue 0/00000002 #2 1000..1000\n");
    assert_segments(third, &all,
                    "blue 0/00000001 #1 0..2000 ended\nblue 0/00000002 #2 1000..2000\n");
}

static void
newest_view_counts_up_to_what_is_known(MeterFixture *fixture, gconstpointer unused)
{
    const ViewFilter all = { .window = MONTH };
    g_autoptr(View) newest = NULL;
    g_autoptr(View) given = NULL;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_store_set_known_ms(fixture->store, START_MS + HOUR_MS);
    newest = open_view(fixture, 0);
    given = open_view(fixture, 1);
    g_assert_cmpint(view_get_head(newest)->seq, ==, 1);
    g_assert_cmpint(view_get_head(newest)->at_ms, ==, START_MS);
    assert_segments(newest, &all, "blue 0/00000001 #1 0..3600000\n");
    assert_segments(given, &all, "blue 0/00000001 #1 0..0\n");
}

static void
empty_ledger_has_a_view(MeterFixture *fixture, gconstpointer unused)
{
    const ViewFilter all = { .window = EVER };
    g_autoptr(View) view = open_view(fixture, 0);
    ChainHash begin = chain_begin(METER_FIXTURE_SERVICE);

    g_assert_cmpint(view_get_head(view)->seq, ==, 0);
    g_assert_true(chain_is_equal(&view_get_head(view)->hash, &begin));
    assert_segments(view, &all, "");
}

static void
row_that_is_not_held_is_refused(MeterFixture *fixture, gconstpointer unused)
{
    static const gint64 rows[] = { -1, 2, G_MAXINT64 };

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(view_open(fixture->store, rows[i], &error));
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    }
}

static void
hash_is_that_of_the_row(MeterFixture *fixture, gconstpointer unused)
{
    /* Around two rows of which the store keeps the hash. */
    static const gint64 stops[] = { 1, 700, 1023, 1024, 1025, 2047, 2048, 2100 };
    char *hashes[G_N_ELEMENTS(stops)] = { NULL };
    gint64 seq = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(stops); i++) {
        apply_notes(fixture, seq + 1, stops[i]);
        seq = stops[i];
        hashes[i] = meter_store_get_hash(fixture->store);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(stops); i++) {
        g_autoptr(View) view = open_view(fixture, stops[i]);
        g_autofree char *hash = chain_to_text(&view_get_head(view)->hash);

        g_assert_cmpstr(hash, ==, hashes[i]);
        g_assert_cmpint(view_get_head(view)->at_ms, ==, START_MS + stops[i]);
        g_free(hashes[i]);
    }
}

static void
window_has_what_touches_it(MeterFixture *fixture, gconstpointer unused)
{
    ViewFilter filter = { .window = { START_MS + 1000, START_MS + 2000 } };
    g_autoptr(View) view = NULL;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_opened(2, 2, 0));
    meter_fixture_apply(fixture, meter_fixture_closed(3, 1, 1000));
    meter_fixture_apply(fixture, meter_fixture_closed(4, 2, 1001));
    meter_fixture_apply(fixture, meter_fixture_opened(5, 3, 1999));
    meter_fixture_apply(fixture, meter_fixture_opened(6, 4, 2000));
    view = open_view(fixture, 0);
    assert_segments(view, &filter,
                    "blue 0/00000002 #2 0..1001 ended\nblue 0/00000003 #5 1999..2000\n");
}

static void
resources_are_told_apart(MeterFixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow volume = meter_fixture_opened(2, 1, 0);
    ProtoLedgerRow red = meter_fixture_opened(3, 2, 0);
    ViewFilter filter = { .window = EVER };
    g_autoptr(View) view = NULL;
    g_autoptr(GError) error = NULL;

    volume.resource_kind = RESOURCE_KIND_VOLUME;
    volume.state = BILLING_STATE_HELD;
    g_free(red.tenant);
    red.tenant = g_strdup("red");
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, volume);
    meter_fixture_apply(fixture, red);
    meter_fixture_apply(fixture, meter_fixture_closed(4, 1, 5));
    meter_fixture_apply(fixture, meter_fixture_opened(5, 1, 5));
    view = open_view(fixture, 0);
    assert_segments(view, &filter,
                    "blue 0/00000001 #1 0..5 ended\nblue 0/00000001 #5 5..5\n"
                    "blue 1/00000001 #2 0..5\nred 0/00000002 #3 0..5\n");
    filter.tenant = "red";
    assert_segments(view, &filter, "red 0/00000002 #3 0..5\n");
    filter.resource = 1;
    assert_segments(view, &filter, "");
    filter.tenant = "blue";
    assert_segments(view, &filter,
                    "blue 0/00000001 #1 0..5 ended\nblue 0/00000001 #5 5..5\n");
    g_assert_true(view_find_resource(view, RESOURCE_KIND_VOLUME,
                                     "00000001-1111-4111-8111-111111111111", NULL,
                                     &filter.resource, &error));
    g_assert_cmpint(filter.resource, ==, 2);
    g_assert_true(view_find_resource(view, RESOURCE_KIND_VOLUME,
                                     "00000001-1111-4111-8111-111111111111", "red",
                                     &filter.resource, &error));
    g_assert_cmpint(filter.resource, ==, 0);
}

static void
use_that_spans_a_gap_makes_up_for_it(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(View) before = NULL;
    g_autoptr(View) after = NULL;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_gap(2, 1, 1000, 3000));
    meter_fixture_apply(fixture,
                        meter_fixture_used(3, 1, 1001, 4000, COUNTER_CPU_TIME, NULL, 7));
    before = open_view(fixture, 0);
    meter_fixture_apply(fixture,
                        meter_fixture_used(4, 1, 1000, 4000, COUNTER_CPU_TIME, NULL, 7));
    after = open_view(fixture, 0);
    assert_gaps(before, "blue #2 1000..3000 unreachable all/ <0\n");
    assert_gaps(after, "blue #2 1000..3000 unreachable all/ <4\n");
}

static void
gap_of_a_counter_wants_that_counter(MeterFixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow gap = meter_fixture_gap(2, 1, 1000, 3000);

    gap.has_counter = true;
    gap.counter = COUNTER_NET_RX_BYTES;
    gap.device = g_strdup("nic");
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, gap);
    meter_fixture_apply(
        fixture, meter_fixture_used(3, 1, 1000, 3000, COUNTER_NET_TX_BYTES, "nic", 7));
    meter_fixture_apply(
        fixture, meter_fixture_used(4, 1, 1000, 3000, COUNTER_NET_RX_BYTES, "other", 7));
    assert_gaps_now(fixture, "blue #2 1000..3000 unreachable net_rx_bytes/nic <0\n");
    meter_fixture_apply(
        fixture, meter_fixture_used(5, 1, 1000, 3000, COUNTER_NET_RX_BYTES, "nic", 7));
    assert_gaps_now(fixture, "blue #2 1000..3000 unreachable net_rx_bytes/nic <5\n");
}

static void
gap_is_remembered_over_a_restart(MeterFixture *fixture, gconstpointer unused)
{
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture, meter_fixture_gap(2, 1, 1000, 3000));
    meter_store_close(fixture->store);
    meter_fixture_open(fixture);
    meter_fixture_apply(fixture,
                        meter_fixture_used(3, 1, 1000, 3000, COUNTER_CPU_TIME, NULL, 7));
    assert_gaps_now(fixture, "blue #2 1000..3000 unreachable all/ <3\n");
}

static void
entries_come_in_order(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(View) view = NULL;

    apply_notes(fixture, 1, 40);
    view = open_view(fixture, 27);
    assert_marks(view, LEDGER_KIND_NOTED, "card", "13:n13 26:n26 ");
    assert_marks(view, LEDGER_KIND_CLOCK, NULL, "");
    assert_marks(view, LEDGER_KIND_NOTED, NULL,
                 "1:n1 2:n2 3:n3 4:n4 5:n5 6:n6 7:n7 8:n8 9:n9 10:n10 11:n11 12:n12 "
                 "13:n13 14:n14 15:n15 16:n16 17:n17 18:n18 19:n19 20:n20 21:n21 22:n22 "
                 "23:n23 24:n24 25:n25 26:n26 27:n27 ");
}

static void
database_of_an_older_version_is_made_anew(MeterFixture *fixture, gconstpointer unused)
{
    g_autofree char *path = g_build_filename(fixture->directory, "meter.db", NULL);
    g_autoptr(GError) error = NULL;
    Database *database = NULL;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_store_close(fixture->store);
    database = database_open(path, &error);
    g_assert_no_error(error);
    g_assert_true(database_set_version(database, 2, &error));
    database_close(database);
    meter_fixture_open(fixture);
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 0);
    g_assert_true(meter_store_bind(fixture->store, METER_FIXTURE_SERVICE, &error));
    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(MeterFixture *fixture, gconstpointer unused);
    } tests[] = {
        { "/view/rows-after-it-do-not-exist", rows_after_it_do_not_exist },
        { "/view/the-newest-counts-up-to-what-is-known",
          newest_view_counts_up_to_what_is_known },
        { "/view/an-empty-ledger-has-one", empty_ledger_has_a_view },
        { "/view/a-row-that-is-not-held-is-refused", row_that_is_not_held_is_refused },
        { "/view/the-hash-is-that-of-the-row", hash_is_that_of_the_row },
        { "/view/a-window-has-what-touches-it", window_has_what_touches_it },
        { "/view/resources-are-told-apart", resources_are_told_apart },
        { "/view/use-that-spans-a-gap-makes-up-for-it",
          use_that_spans_a_gap_makes_up_for_it },
        { "/view/a-gap-of-a-counter-wants-that-counter",
          gap_of_a_counter_wants_that_counter },
        { "/view/a-gap-is-remembered-over-a-restart", gap_is_remembered_over_a_restart },
        { "/view/entries-come-in-order", entries_come_in_order },
        { "/view/a-database-of-an-older-version-is-made-anew",
          database_of_an_older_version_is_made_anew },
    };

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].name, MeterFixture, NULL, meter_fixture_set_up, tests[i].run,
                   meter_fixture_tear_down);
    }
    return g_test_run();
}
