/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "meter-fixture.h"
#include "meter/live.h"

/*
 * What metrics are made of against what is recomputed here from all that a view has, over
 * ledgers made at random, of which most is long gone.
 */

#define MINUTE_MS G_GINT64_CONSTANT(60000)

enum {
    INSTANCES = 12,
    ROWS = 240,
    LEDGERS = 6
};

/* Ledgers */

typedef struct {
    GArray *rows;
    gint64 now_ms;
    /* The open segment of each instance, when it began, and when the one before ended. */
    gint64 segments[INSTANCES];
    gint64 since_ms[INSTANCES];
} Ledger;

static void
add_row(Ledger *ledger, ProtoLedgerRow row)
{
    row.at_ms = METER_FIXTURE_START_MS + ledger->now_ms;
    g_array_append_val(ledger->rows, row);
}

static void
set_text(char **text, const char *value)
{
    g_free(*text);
    *text = g_strdup(value);
}

static void
add_opened(Ledger *ledger, GRand *rand, int i)
{
    gint64 seq = ledger->rows->len + 1;
    ProtoLedgerRow row = meter_fixture_opened(seq, i, ledger->now_ms);

    set_text(&row.tenant, i % 2 == 0 ? "amber" : "blue");
    row.state = (BillingState) g_rand_int_range(rand, 0, BILLING_STATE_N);
    row.resource_kind = i % 3 == 0 ? RESOURCE_KIND_VOLUME : RESOURCE_KIND_INSTANCE;
    ledger->segments[i] = seq;
    ledger->since_ms[i] = ledger->now_ms;
    add_row(ledger, row);
}

/* Some ends are heard of late. */
static void
add_closed(Ledger *ledger, GRand *rand, int i)
{
    gint64 since_ms = ledger->since_ms[i];
    gint64 end_ms = g_rand_boolean(rand) ? ledger->now_ms
                                         : since_ms + (ledger->now_ms - since_ms) / 2;

    add_row(ledger,
            meter_fixture_closed(ledger->rows->len + 1, ledger->segments[i], end_ms));
    ledger->segments[i] = 0;
}

static void
add_stretch(Ledger *ledger, GRand *rand, int i)
{
    static const char *const causes[] = { "outage", "busy", "a\"b" };
    gint64 seq = ledger->rows->len + 1;
    gint64 from_ms = ledger->since_ms[i];

    if (g_rand_boolean(rand)) {
        add_row(ledger,
                meter_fixture_used(seq, ledger->segments[i], from_ms, ledger->now_ms,
                                   (Counter) g_rand_int_range(rand, 0, COUNTER_N),
                                   g_rand_boolean(rand) ? "52:54:00:00:00:01" : NULL,
                                   g_rand_int(rand)));
    } else {
        ProtoLedgerRow row =
            meter_fixture_gap(seq, ledger->segments[i], from_ms, ledger->now_ms);

        set_text(&row.cause, causes[g_rand_int_range(rand, 0, G_N_ELEMENTS(causes))]);
        add_row(ledger, row);
    }
}

static Ledger
make_ledger(GRand *rand)
{
    Ledger ledger = { .rows = g_array_new(FALSE, FALSE, sizeof(ProtoLedgerRow)) };

    g_array_set_clear_func(ledger.rows, (GDestroyNotify) proto_ledger_row_clear);
    while (ledger.rows->len < ROWS) {
        int i = g_rand_int_range(rand, 0, INSTANCES);

        ledger.now_ms += g_rand_int_range(rand, 0, 20) * MINUTE_MS;
        if (ledger.segments[i] == 0)
            add_opened(&ledger, rand, i);
        else if (g_rand_boolean(rand))
            add_closed(&ledger, rand, i);
        else
            add_stretch(&ledger, rand, i);
    }
    return ledger;
}

static void
give_rows(MeterFixture *fixture, const Ledger *ledger, gint64 until)
{
    gint64 from = meter_store_get_cursor(fixture->store);
    g_autoptr(GError) error = NULL;

    meter_fixture_take(fixture, &g_array_index(ledger->rows, ProtoLedgerRow, from),
                       (gsize) (until - from), &error);
    g_assert_no_error(error);
}

/* As it is read */

static void
print_resource(GString *out, const LiveResource *resource)
{
    g_string_append_printf(out, "%s %" G_GINT64_FORMAT " %d %s %s %d/%d",
                           resource->tenant, resource->resource, resource->kind,
                           resource->id, resource->name, resource->is_open,
                           resource->state);
    for (int i = 0; i < LIVE_AMOUNT_N; i++) {
        g_string_append_printf(out, " %" G_GINT64_FORMAT, (gint64) resource->amounts[i]);
    }
    g_string_append_c(out, '\n');
}

static void
print_use(GString *out, const ViewUsage *use)
{
    g_string_append_printf(
        out,
        "%s %" G_GINT64_FORMAT " %s %s/%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n",
        use->tenant, use->resource, use->id, counter_to_string(use->counter), use->device,
        use->quantity, use->estimated);
}

static void
print_gap(const char *cause, gint64 lost_ms, gpointer out)
{
    g_string_append_printf(out, "%s %" G_GINT64_FORMAT "\n", cause, lost_ms);
}

static char *
print_live(View *view, const char *tenant)
{
    LiveMarks *marks = live_marks_new();
    LiveReading *reading = live_reading_new(view, tenant);
    GString *out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    const GArray *resources = NULL;
    const GArray *uses = NULL;
    bool done = false;

    while (!done && live_reading_turn(reading, &done, &error))
        continue;
    g_assert_no_error(error);
    resources = live_reading_finish(reading, marks);
    uses = live_reading_get_uses(reading);
    for (guint i = 0; i < resources->len; i++) {
        print_resource(out, &g_array_index(resources, LiveResource, i));
    }
    for (guint i = 0; i < uses->len; i++) {
        print_use(out, &g_array_index(uses, ViewUsage, i));
    }
    g_assert_true(view_sum_gaps(view, tenant, print_gap, out, &error));
    live_reading_free(reading);
    live_marks_free(marks);
    return g_string_free(out, FALSE);
}

/* As it is recomputed */

static bool
is_kept(const View *view, const LiveResource *last, gint64 last_end_ms)
{
    return last->is_open || last_end_ms >= view_get_head(view)->known_ms - LIVE_KEPT_MS;
}

static void
count_segment(LiveResource *resource, const ViewSegment *segment)
{
    bool runs = segment->state == BILLING_STATE_RUNNING;
    gint64 length_ms = segment->end_ms - segment->start_ms;

    resource->is_open = segment->end_seq == 0;
    resource->state = segment->state;
    if (segment->kind == RESOURCE_KIND_VOLUME) {
        resource->amounts[LIVE_DISK] += (Quantity) length_ms * segment->disk_bytes;
        return;
    }
    if (runs)
        resource->amounts[LIVE_RUNNING] += length_ms;
    if (runs || segment->state == BILLING_STATE_PAUSED) {
        resource->amounts[LIVE_VCPUS] += length_ms * segment->vcpus;
        resource->amounts[LIVE_MEMORY] += (Quantity) length_ms * segment->memory_bytes;
    }
}

/* The resource that row begun opens; false if its tenant holds it no more. */
static bool
recompute_resource(View *view, const ViewSegment *begun, GString *out)
{
    const ViewFilter one = { begun->tenant, begun->resource, { 0, G_MAXINT64 } };
    g_autoptr(ViewSegments) segments = view_segments_new(view, &one);
    LiveResource resource = { .resource = begun->resource,
                              .kind = begun->kind,
                              .tenant = begun->tenant,
                              .id = begun->id,
                              .name = begun->name };
    ViewSegment segment = { 0 };
    gint64 last_end_ms = 0;
    bool has = true;

    while (view_segments_next(segments, &has, &segment, NULL) && has) {
        count_segment(&resource, &segment);
        last_end_ms = segment.end_ms;
    }
    if (!is_kept(view, &resource, last_end_ms))
        return false;
    print_resource(out, &resource);
    return true;
}

static GHashTable *
recompute_resources(View *view, const ViewFilter *all, GString *out)
{
    g_autoptr(ViewSegments) segments = view_segments_new(view, all);
    GHashTable *kept = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    ViewSegment segment = { 0 };
    bool has = true;

    while (view_segments_next(segments, &has, &segment, NULL) && has) {
        if (segment.seq == segment.resource && recompute_resource(view, &segment, out))
            g_hash_table_add(kept, g_memdup2(&segment.resource, sizeof segment.resource));
    }
    return kept;
}

static void
recompute_uses(View *view, const char *tenant, GHashTable *kept, GString *out)
{
    const ViewDays days = { .tenant = tenant, .to_day = G_MAXINT32 };
    g_autoptr(ViewUses) uses = view_uses_new(view, &days, VIEW_EVER, NULL);
    ViewUsage use = { 0 };
    bool has = true;

    while (view_uses_next(uses, &has, &use, NULL) && has) {
        if (g_hash_table_contains(kept, &use.resource))
            print_use(out, &use);
    }
}

static void
recompute_gaps(View *view, const ViewFilter *all, GString *out)
{
    static const char *const causes[] = { "a\"b", "busy", "outage" };

    for (gsize i = 0; i < G_N_ELEMENTS(causes); i++) {
        g_autoptr(ViewGaps) gaps = view_gaps_new(view, all);
        ViewGap gap = { 0 };
        gint64 lost_ms = 0;
        bool is_there = false;
        bool has = true;

        while (view_gaps_next(gaps, &has, &gap, NULL) && has) {
            if (strcmp(gap.cause, causes[i]) != 0)
                continue;
            is_there = true;
            lost_ms += gap.to_ms - gap.from_ms;
        }
        if (is_there)
            print_gap(causes[i], lost_ms, out);
    }
}

static char *
recompute(View *view, const char *tenant)
{
    const ViewFilter all = { .tenant = tenant, .window = { 0, G_MAXINT64 } };
    GString *out = g_string_new(NULL);
    g_autoptr(GHashTable) kept = recompute_resources(view, &all, out);

    recompute_uses(view, tenant, kept, out);
    recompute_gaps(view, &all, out);
    return g_string_free(out, FALSE);
}

static void
assert_as_recomputed(MeterFixture *fixture, gint64 seq)
{
    static const char *const tenants[] = { NULL, "amber", "blue", "nobody" };

    for (gsize i = 0; i < G_N_ELEMENTS(tenants); i++) {
        g_autoptr(View) view = view_open(fixture->store, seq, NULL);
        g_autofree char *told = print_live(view, tenants[i]);
        g_autofree char *expected = recompute(view, tenants[i]);

        g_assert_cmpstr(told, ==, expected);
    }
}

/* Tests */

static void
figures_are_what_all_that_ever_was_says(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) g_test_rand_int());

    for (int i = 0; i < LEDGERS; i++) {
        Ledger ledger = make_ledger(rand);

        for (gint64 until = 20; until <= ROWS; until += 20) {
            give_rows(fixture, &ledger, until);
            assert_as_recomputed(fixture, 0);
        }
        for (gint64 seq = 1; seq < ROWS; seq += 7) {
            assert_as_recomputed(fixture, seq);
        }
        g_array_unref(ledger.rows);
        meter_fixture_tear_down(fixture, NULL);
        meter_fixture_set_up(fixture, NULL);
    }
}

static void
rows_that_wait_are_not_told_of(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) g_test_rand_int());
    Ledger ledger = make_ledger(rand);
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    g_autoptr(View) view = NULL;

    give_rows(fixture, &ledger, ROWS / 2);
    view = view_open(fixture->store, 0, NULL);
    before = print_live(view, NULL);
    meter_store_expect(fixture->store, ROWS + 1);
    give_rows(fixture, &ledger, ROWS);
    g_assert_cmpint(view_get_head(view)->seq, ==, ROWS / 2);
    after = print_live(view, NULL);
    g_assert_cmpstr(after, ==, before);
    g_assert_true(meter_store_flush(fixture->store, NULL));
    assert_as_recomputed(fixture, 0);
    g_array_unref(ledger.rows);
}

static void
figures_outlive_the_process_and_the_database(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) g_test_rand_int());
    Ledger ledger = make_ledger(rand);

    give_rows(fixture, &ledger, ROWS / 2);
    meter_store_close(fixture->store);
    meter_fixture_open(fixture);
    assert_as_recomputed(fixture, 0);
    give_rows(fixture, &ledger, ROWS);
    assert_as_recomputed(fixture, 0);
    meter_fixture_begin_anew(fixture);
    give_rows(fixture, &ledger, ROWS);
    assert_as_recomputed(fixture, 0);
    g_array_unref(ledger.rows);
}

#define TEST(name, function)                                                             \
    g_test_add(name, MeterFixture, NULL, meter_fixture_set_up, function,                 \
               meter_fixture_tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/live/figures-are-what-all-that-ever-was-says",
         figures_are_what_all_that_ever_was_says);
    TEST("/live/rows-that-wait-are-not-told-of", rows_that_wait_are_not_told_of);
    TEST("/live/figures-outlive-the-process-and-the-database",
         figures_outlive_the_process_and_the_database);
    return g_test_run();
}
