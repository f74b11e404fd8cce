/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "meter-fixture.h"
#include "meter/calendar.h"
#include "meter/rollup.h"
#include "meter/verify.h"
#include "meter/view.h"

/*
 * Sums of use against what is recomputed here row by row, as simply as it can be: a text
 * a sum, over ledgers made at random.
 */

#define START_MS METER_FIXTURE_START_MS
#define DAY_MS ((gint64) CALENDAR_DAY_MS)
#define FIRST_DAY (START_MS / DAY_MS)

enum {
    INSTANCES = 4,
    ROWS = 160,
    SPAN_DAYS = 80,
    LEDGERS = 12,
    VIEWS = 6
};

/* Ledgers */

typedef struct {
    GArray *rows;
    /* Of each instance: the row that opened it. */
    gint64 segments[INSTANCES];
} Ledger;

static const char *const devices[] = { NULL, "52:54:00:00:00:02", "52:54:00:00:00:01" };

static void
add_use(Ledger *ledger, GRand *rand)
{
    gint64 seq = ledger->rows->len + 1;
    gint64 segment = ledger->segments[g_rand_int_range(rand, 0, INSTANCES)];
    /* Some span days, some end at midnight, some have no length. */
    gint64 from_ms = g_rand_int_range(rand, 0, SPAN_DAYS * 24) * (DAY_MS / 24) +
                     (g_rand_boolean(rand) ? 0 : g_rand_int_range(rand, 0, 3600000));
    gint64 hours = g_rand_int_range(rand, 0, g_rand_boolean(rand) ? 2 : 100);
    ProtoLedgerRow row =
        meter_fixture_used(seq, segment, from_ms, from_ms + hours * (DAY_MS / 24),
                           (Counter) g_rand_int_range(rand, 0, COUNTER_N),
                           devices[g_rand_int_range(rand, 0, G_N_ELEMENTS(devices))],
                           g_rand_int_range(rand, 0, 4) == 0 ? 0 : g_rand_int(rand));

    row.at_ms = START_MS + 200 * DAY_MS;
    row.has_estimated = g_rand_boolean(rand);
    if (row.has_estimated)
        row.estimated = (gint64) (g_rand_double(rand) * (double) row.quantity);
    g_array_append_val(ledger->rows, row);
}

static Ledger
make_ledger(GRand *rand)
{
    Ledger ledger = { .rows = g_array_new(FALSE, FALSE, sizeof(ProtoLedgerRow)) };

    g_array_set_clear_func(ledger.rows, (GDestroyNotify) proto_ledger_row_clear);
    for (int i = 0; i < INSTANCES; i++) {
        ProtoLedgerRow row = meter_fixture_opened(i + 1, 9 - i, 0);

        if (i % 2 == 1) {
            g_free(row.tenant);
            row.tenant = g_strdup("amber");
        }
        ledger.segments[i] = row.seq;
        g_array_append_val(ledger.rows, row);
    }
    while (ledger.rows->len < ROWS) {
        if (g_rand_int_range(rand, 0, 40) == 0) {
            ProtoLedgerRow row =
                meter_fixture_noted(ledger.rows->len + 1, "closed", "{}", 200 * DAY_MS);

            g_array_append_val(ledger.rows, row);
        } else {
            add_use(&ledger, rand);
        }
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

/* Recomputing */

typedef struct {
    gint64 quantity;
    gint64 estimated;
    gint64 rows;
    gint64 before;
} Sum;

static gint64
share_until(const ProtoLedgerRow *row, gint64 quantity, gint64 at_ms)
{
    if (at_ms >= row->to_ms)
        return quantity;
    if (at_ms <= row->from_ms)
        return 0;
    return (gint64) ((__int128) quantity * (at_ms - row->from_ms) /
                     (row->to_ms - row->from_ms));
}

/* What row says of a day; false if it does not touch it. */
static bool
count_day(const ProtoLedgerRow *row, gint64 day, Sum *sum)
{
    gint64 from_ms = day * DAY_MS;
    gint64 to_ms = from_ms + DAY_MS;
    gint64 certain = row->quantity - row->estimated;
    bool touches = row->from_ms == row->to_ms
                       ? row->from_ms >= from_ms && row->from_ms < to_ms
                       : row->from_ms < to_ms && row->to_ms > from_ms;

    if (!touches)
        return false;
    if (row->from_ms == row->to_ms) {
        *sum = (Sum){ row->quantity, row->estimated, 1, 0 };
        return true;
    }
    sum->estimated = share_until(row, row->estimated, to_ms) -
                     share_until(row, row->estimated, from_ms);
    sum->quantity = share_until(row, certain, to_ms) -
                    share_until(row, certain, from_ms) + sum->estimated;
    sum->rows = 1;
    return true;
}

static const ProtoLedgerRow *
get_row(const Ledger *ledger, gint64 seq)
{
    return &g_array_index(ledger->rows, ProtoLedgerRow, seq - 1);
}

static char *
print_key(const Ledger *ledger, const ProtoLedgerRow *row, gint64 day)
{
    const ProtoLedgerRow *opened = get_row(ledger, row->segment);

    return g_strdup_printf("%s %03d %s/%d day %03d", opened->tenant, (int) opened->seq,
                           row->device != NULL ? row->device : "", row->counter,
                           (int) (day - FIRST_DAY));
}

static void
count_row(const Ledger *ledger,
          const ProtoLedgerRow *row,
          const ViewDays *days,
          ViewGrain grain,
          GHashTable *sums)
{
    for (gint64 day = FIRST_DAY; day < FIRST_DAY + 2 * SPAN_DAYS; day++) {
        bool is_before = grain != VIEW_EVER && day < days->from_day;
        Sum part = { 0 };
        g_autofree char *key =
            print_key(ledger, row, grain == VIEW_BY_DAY ? day : FIRST_DAY);
        Sum *sum = NULL;

        if (!count_day(row, day, &part) || (grain != VIEW_EVER && day >= days->to_day))
            continue;
        sum = g_hash_table_lookup(sums, key);
        if (sum == NULL) {
            sum = g_new0(Sum, 1);
            g_hash_table_insert(sums, g_steal_pointer(&key), sum);
        }
        if (is_before) {
            sum->before += part.quantity;
        } else {
            sum->quantity += part.quantity;
            sum->estimated += part.estimated;
            sum->rows += part.rows;
        }
    }
}

static int
compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The sums as lines in the order of their keys; before is that of the counter so far. */
static char *
print_sums(GHashTable *sums, ViewGrain grain)
{
    g_autofree const char **keys =
        (const char **) (gpointer) g_hash_table_get_keys_as_array(sums, NULL);
    guint n_keys = g_hash_table_size(sums);
    GString *text = g_string_new(NULL);
    g_autofree char *counter = g_strdup("");
    gint64 before = 0;

    qsort(keys, n_keys, sizeof keys[0], compare_texts);
    for (guint i = 0; i < n_keys; i++) {
        const Sum *sum = g_hash_table_lookup(sums, keys[i]);
        gsize length = (gsize) (strstr(keys[i], " day ") - keys[i]);

        if (strncmp(counter, keys[i], MAX(length, strlen(counter))) != 0)
            before = 0;
        g_free(counter);
        counter = g_strndup(keys[i], length);
        if (sum->rows > 0)
            g_string_append_printf(text,
                                   "%.*s: %" G_GINT64_FORMAT " ~%" G_GINT64_FORMAT
                                   " (%d) after %" G_GINT64_FORMAT "\n",
                                   grain == VIEW_BY_DAY ? 200 : (int) length, keys[i],
                                   sum->quantity, sum->estimated,
                                   grain == VIEW_BY_DAY ? (int) sum->rows : 0,
                                   before + sum->before);
        before += sum->quantity + sum->before;
    }
    return g_string_free(text, FALSE);
}

static char *
recompute(const Ledger *ledger, gint64 as_of, const ViewDays *days, ViewGrain grain)
{
    g_autoptr(GHashTable) sums =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    for (gint64 seq = 1; seq <= as_of; seq++) {
        const ProtoLedgerRow *row = get_row(ledger, seq);

        if (row->kind == LEDGER_KIND_USED &&
            (days->tenant == NULL ||
             strcmp(get_row(ledger, row->segment)->tenant, days->tenant) == 0) &&
            (days->resource == 0 || row->segment == days->resource))
            count_row(ledger, row, days, grain, sums);
    }
    return print_sums(sums, grain);
}

/* Reading */

static char *
read_uses(View *view, const ViewDays *days, ViewGrain grain)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViewUses) uses = view_uses_new(view, days, grain, &error);
    GString *text = g_string_new(NULL);
    ViewUsage use;
    bool has = true;

    while (view_uses_next(uses, &has, &use, &error) && has) {
        g_autofree char *day = g_strdup_printf(" day %03d", (int) (use.day - FIRST_DAY));

        g_assert_cmpint(use.estimated, <=, use.quantity);
        g_string_append_printf(text,
                               "%s %03d %s/%d%s: %" G_GINT64_FORMAT " ~%" G_GINT64_FORMAT
                               " (%d) after %" G_GINT64_FORMAT "\n",
                               use.tenant, (int) use.resource, use.device, use.counter,
                               grain == VIEW_BY_DAY ? day : "", use.quantity,
                               use.estimated, grain == VIEW_BY_DAY ? (int) use.rows : 0,
                               use.before);
    }
    g_assert_no_error(error);
    return g_string_free(text, FALSE);
}

static void
assert_as_recomputed(View *view, const Ledger *ledger, const ViewDays *days)
{
    static const ViewGrain grains[] = { VIEW_BY_DAY, VIEW_AT_ONCE, VIEW_EVER };

    for (gsize i = 0; i < G_N_ELEMENTS(grains); i++) {
        g_autofree char *text = read_uses(view, days, grains[i]);
        g_autofree char *expected =
            recompute(ledger, view_get_head(view)->seq, days, grains[i]);

        g_assert_cmpstr(text, ==, expected);
    }
}

static ViewDays
choose_days(GRand *rand)
{
    static const char *const tenants[] = { NULL, "amber", "blue", "nobody" };
    /* Whole months, or anything. */
    bool is_months = g_rand_boolean(rand);
    gint64 from = is_months ? FIRST_DAY + (g_rand_boolean(rand) ? 0 : 31)
                            : FIRST_DAY + g_rand_int_range(rand, 0, SPAN_DAYS);

    return (ViewDays){
        .tenant = tenants[g_rand_int_range(rand, 0, G_N_ELEMENTS(tenants))],
        .resource = g_rand_int_range(rand, -INSTANCES, INSTANCES + 1) > 0
                        ? g_rand_int_range(rand, 1, INSTANCES + 1)
                        : 0,
        .from_day = from,
        .to_day = is_months ? FIRST_DAY + 61 : from + g_rand_int_range(rand, 1, 60),
    };
}

/* Tests */

static void
sums_are_what_the_rows_say(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) g_test_rand_int());

    for (int i = 0; i < LEDGERS; i++) {
        Ledger ledger = make_ledger(rand);

        while (meter_store_get_cursor(fixture->store) < ROWS) {
            gint64 cursor = meter_store_get_cursor(fixture->store);
            g_autoptr(View) view = NULL;
            ViewDays days = choose_days(rand);
            gint64 until = cursor + g_rand_int_range(rand, 1, 60);

            give_rows(fixture, &ledger, MIN(ROWS, until));
            view = view_open(fixture->store, 0, NULL);
            assert_as_recomputed(view, &ledger, &days);
        }
        g_array_unref(ledger.rows);
        meter_fixture_tear_down(fixture, NULL);
        meter_fixture_set_up(fixture, NULL);
    }
}

static void
sums_of_any_row_can_be_had(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) g_test_rand_int());
    Ledger ledger = make_ledger(rand);

    give_rows(fixture, &ledger, ROWS / 2);
    give_rows(fixture, &ledger, ROWS);
    for (gint64 seq = 1; seq <= ROWS; seq++) {
        g_autoptr(View) view = view_open(fixture->store, seq, NULL);
        ViewDays days = choose_days(rand);

        assert_as_recomputed(view, &ledger, &days);
    }
    g_array_unref(ledger.rows);
}

static void
view_stays_while_rows_come(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) g_test_rand_int());
    Ledger ledger = make_ledger(rand);
    View *views[VIEWS] = { NULL };
    const ViewDays all = { .from_day = FIRST_DAY, .to_day = FIRST_DAY + 2 * SPAN_DAYS };

    for (int i = 0; i < VIEWS; i++) {
        g_autoptr(ViewUses) begun = NULL;

        give_rows(fixture, &ledger, (i + 1) * ROWS / (VIEWS + 1));
        views[i] = view_open(fixture->store, 0, NULL);
        begun = view_uses_new(views[i], &all, VIEW_EVER, NULL);
        g_assert_nonnull(begun);
    }
    give_rows(fixture, &ledger, ROWS);
    for (int i = 0; i < VIEWS; i++) {
        ViewDays days = choose_days(rand);

        assert_as_recomputed(views[i], &ledger, &days);
        view_free(views[i]);
    }
    g_array_unref(ledger.rows);
}

/* Of the rows that wait one closes the books. */
static void
view_sees_nothing_that_is_not_written(MeterFixture *fixture, gconstpointer unused)
{
    const ViewDays days = { .from_day = FIRST_DAY, .to_day = FIRST_DAY + 1 };
    g_autoptr(View) view = NULL;
    g_autoptr(ViewUses) uses = NULL;
    ViewUsage use = { 0 };
    bool has = false;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture,
                        meter_fixture_used(2, 1, 0, 1000, COUNTER_CPU_TIME, NULL, 5));
    meter_store_expect(fixture->store, 5);
    meter_fixture_apply(fixture,
                        meter_fixture_used(3, 1, 1000, 2000, COUNTER_CPU_TIME, NULL, 2));
    meter_fixture_apply(fixture, meter_fixture_noted(4, "closed", "{}", 2000));
    view = view_open(fixture->store, 0, NULL);
    g_assert_cmpint(view_get_head(view)->seq, ==, 2);
    uses = view_uses_new(view, &days, VIEW_BY_DAY, NULL);
    g_assert_true(meter_store_flush(fixture->store, NULL));
    g_assert_true(view_uses_next(uses, &has, &use, NULL));
    g_assert_cmpint(use.quantity, ==, 5);
}

static void
sums_outlive_the_process(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) g_test_rand_int());
    Ledger ledger = make_ledger(rand);
    g_autoptr(View) view = NULL;
    ViewDays days = choose_days(rand);

    give_rows(fixture, &ledger, ROWS / 2);
    meter_store_close(fixture->store);
    meter_fixture_open(fixture);
    give_rows(fixture, &ledger, ROWS);
    view = view_open(fixture->store, 0, NULL);
    assert_as_recomputed(view, &ledger, &days);
    g_array_unref(ledger.rows);
}

/* A batch that was not taken leaves no sum behind. */
static void
refused_rows_add_nothing(MeterFixture *fixture, gconstpointer unused)
{
    const ViewDays all = { .from_day = FIRST_DAY, .to_day = FIRST_DAY + 1 };
    ProtoLedgerRow rows[] = {
        meter_fixture_used(2, 1, 0, 1000, COUNTER_CPU_TIME, "new", 7),
        meter_fixture_used(3, 77, 0, 1000, COUNTER_CPU_TIME, NULL, 7),
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(View) before = NULL;
    g_autoptr(View) after = NULL;
    g_autofree char *text = NULL;
    g_autofree char *last = NULL;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    before = view_open(fixture->store, 0, NULL);
    text = read_uses(before, &all, VIEW_BY_DAY);
    g_assert_false(meter_fixture_take(fixture, rows, G_N_ELEMENTS(rows), &error));
    g_assert_cmpstr(text, ==, "");
    meter_fixture_apply(fixture,
                        meter_fixture_used(2, 1, 0, 1000, COUNTER_CPU_TIME, "other", 5));
    after = view_open(fixture->store, 0, NULL);
    last = read_uses(after, &all, VIEW_BY_DAY);
    g_assert_cmpstr(last, ==, "blue 001 other/0 day 000: 5 ~0 (1) after 0\n");
    proto_ledger_row_clear(&rows[0]);
    proto_ledger_row_clear(&rows[1]);
}

static void
use_that_cannot_be_is_refused(MeterFixture *fixture, gconstpointer unused)
{
    enum {
        CASES = 6
    };

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    for (int i = 0; i < CASES; i++) {
        ProtoLedgerRow row = meter_fixture_used(2, 1, 0, 1000, COUNTER_CPU_TIME, NULL, 7);
        g_autoptr(GError) error = NULL;

        row.has_estimated = true;
        row.quantity = i == 0 ? -1 : row.quantity;
        row.estimated = i == 1 ? 8 : i == 2 ? -1 : 0;
        row.from_ms = i == 3 ? row.to_ms + 1 : i == 4 ? 0 : row.from_ms;
        row.has_counter = i != 5;
        row.to_ms = i == 4 ? G_MAXINT64 : row.to_ms;
        g_assert_false(meter_fixture_take(fixture, &row, 1, &error));
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
        proto_ledger_row_clear(&row);
    }
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 1);
}

static void
sum_that_does_not_fit_is_refused(MeterFixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow row =
        meter_fixture_used(3, 1, 1000, 2000, COUNTER_CPU_TIME, NULL, G_MAXINT64);
    g_autoptr(GError) error = NULL;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(
        fixture, meter_fixture_used(2, 1, 0, 1000, COUNTER_CPU_TIME, NULL, G_MAXINT64));
    g_assert_false(meter_fixture_take(fixture, &row, 1, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
    g_assert_cmpint(meter_store_get_cursor(fixture->store), ==, 2);
    proto_ledger_row_clear(&row);
}

static void
midnight_splits_in_proportion(MeterFixture *fixture, gconstpointer unused)
{
    ProtoLedgerRow row = meter_fixture_used(1, 1, DAY_MS - 1000, 2 * DAY_MS + 2000,
                                            COUNTER_CPU_TIME, NULL, 86403);
    RollupSplit split = rollup_split(&row);
    static const gint64 expected[] = { 1, 86400, 2 };
    RollupPart part;

    for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
        g_assert_true(rollup_next(&split, &part));
        g_assert_cmpint(part.day, ==, FIRST_DAY + (gint64) i);
        g_assert_cmpint(part.quantity, ==, expected[i]);
    }
    g_assert_false(rollup_next(&split, &part));
    proto_ledger_row_clear(&row);
}

/* Also of what comes while it is checked. */
static void
a_check_after_a_closing_finds_nothing(MeterFixture *fixture, gconstpointer unused)
{
    static const char closed[] =
        "{\"period\":\"2026-10\",\"from_ms\":1790812800000,\"to_ms\":1793491200000}";
    g_autoptr(GError) error = NULL;
    g_autoptr(Verify) verify = NULL;
    g_autoptr(GArray) faults = NULL;
    bool is_done = false;

    meter_fixture_apply(fixture, meter_fixture_opened(1, 1, 0));
    meter_fixture_apply(fixture,
                        meter_fixture_used(2, 1, 0, DAY_MS, COUNTER_CPU_TIME, NULL, 5));
    meter_fixture_apply(fixture, meter_fixture_noted(3, "closed", closed, 40 * DAY_MS));
    verify = verify_new(fixture->store, &error);
    meter_fixture_apply(fixture, meter_fixture_used(4, 1, 40 * DAY_MS, 41 * DAY_MS,
                                                    COUNTER_CPU_TIME, NULL, 7));
    while (!is_done) {
        g_assert_true(verify_step(verify, &is_done, &error));
    }
    faults = verify_take_faults(verify);
    g_assert_cmpuint(faults->len, ==, 0);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(MeterFixture *fixture, gconstpointer unused);
    } tests[] = {
        { "/uses/midnight-splits-in-proportion", midnight_splits_in_proportion },
        { "/uses/sums-are-what-the-rows-say", sums_are_what_the_rows_say },
        { "/uses/sums-of-any-row-can-be-had", sums_of_any_row_can_be_had },
        { "/uses/a-view-stays-while-rows-come", view_stays_while_rows_come },
        { "/uses/a-view-sees-nothing-that-is-not-written",
          view_sees_nothing_that_is_not_written },
        { "/uses/sums-outlive-the-process", sums_outlive_the_process },
        { "/uses/refused-rows-add-nothing", refused_rows_add_nothing },
        { "/uses/use-that-cannot-be-is-refused", use_that_cannot_be_is_refused },
        { "/uses/a-sum-that-does-not-fit-is-refused", sum_that_does_not_fit_is_refused },
        { "/uses/a-check-after-a-closing-finds-nothing",
          a_check_after_a_closing_finds_nothing },
    };

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].name, MeterFixture, NULL, meter_fixture_set_up, tests[i].run,
                   meter_fixture_tear_down);
    }
    return g_test_run();
}
