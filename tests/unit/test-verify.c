/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "meter-fixture.h"
#include "meter/calendar.h"
#include "meter/store-private.h"
#include "meter/verify.h"

#define HOUR_MS G_GINT64_CONSTANT(3600000)
#define DAY_MS ((gint64) CALENDAR_DAY_MS)

/* What comes in while it is checked: use of a segment that was not booked since a time,
 * and from another one on gaps that are made up for at once. */
typedef struct {
    gint64 segment;
    gint64 since_ms;
    gint64 from_ms;
} More;

static void
add_more(MeterFixture *fixture, const More *more, gint64 number)
{
    gint64 seq = meter_store_get_cursor(fixture->store) + 1;
    gint64 from_ms = more->from_ms + number * HOUR_MS;
    gint64 since_ms = number == 1 ? more->since_ms : from_ms - HOUR_MS;

    if (number % 2 == 0) {
        meter_fixture_apply(
            fixture, meter_fixture_gap(seq, more->segment, from_ms, from_ms + HOUR_MS));
    } else {
        meter_fixture_apply(fixture, meter_fixture_used(seq, more->segment, since_ms,
                                                        from_ms + HOUR_MS,
                                                        COUNTER_CPU_TIME, NULL, 3));
    }
}

static GArray *
check(MeterFixture *fixture, const More *more)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Verify) verify = verify_new(fixture->store, &error);
    bool is_done = false;

    for (gint64 number = 0; !is_done; number++) {
        if (more != NULL)
            add_more(fixture, more, number);
        g_assert_true(verify_step(verify, &is_done, &error));
        g_assert_no_error(error);
    }
    return verify_take_faults(verify);
}

static ProtoLedgerRow
of_red(ProtoLedgerRow row)
{
    g_free(row.tenant);
    row.tenant = g_strdup("red");
    return row;
}

static ProtoLedgerRow
with_more(ProtoLedgerRow row)
{
    row.labels = g_strsplit("a 1 b \"", " ", 4);
    row.template = g_strdup("debian:12");
    return row;
}

/* Rows of every kind, of which each table has some. */
static void
fill(MeterFixture *fixture)
{
    ProtoLedgerRow rows[] = {
        with_more(meter_fixture_opened(1, 1, 0)),
        of_red(meter_fixture_opened(2, 2, 0)),
        meter_fixture_noted(3, "card", "{}", 0),
        meter_fixture_used(4, 1, 0, HOUR_MS, COUNTER_CPU_TIME, NULL, 1000),
        meter_fixture_gap(5, 1, HOUR_MS, 2 * HOUR_MS),
        meter_fixture_gap(6, 2, HOUR_MS, 2 * HOUR_MS),
        meter_fixture_used(7, 2, HOUR_MS, 3 * HOUR_MS, COUNTER_CPU_TIME, NULL, 500),
        meter_fixture_used(8, 1, 3 * HOUR_MS, DAY_MS + 2 * HOUR_MS, COUNTER_NET_RX_BYTES,
                           "52:54:00:00:00:01", 70000),
        meter_fixture_closed(9, 1, 2 * DAY_MS),
        meter_fixture_opened(10, 1, 2 * DAY_MS),
        meter_fixture_gap(11, 2, 2 * DAY_MS, 2 * DAY_MS + HOUR_MS),
        meter_fixture_used(12, 10, 2 * DAY_MS, 3 * DAY_MS, COUNTER_CPU_TIME, NULL, 9),
        meter_fixture_used(13, 2, 3 * HOUR_MS, 4 * DAY_MS, COUNTER_CPU_TIME, NULL, 11),
        meter_fixture_gap(14, 2, 4 * DAY_MS, 5 * DAY_MS),
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        meter_fixture_apply(fixture, rows[i]);
    }
}

/* What is changed behind the meter's back, and what is said of it. */
static const struct {
    const char *sql;
    gint64 row;
    const char *text;
} tampers[] = {
    { "UPDATE segment SET resource = 2 WHERE seq = 10", 10,
      "another resource in table segment" },
    { "UPDATE segment SET kind = 1 WHERE seq = 2", 2, "another kind in table segment" },
    { "UPDATE segment SET tenant = 'green' WHERE seq = 2", 2,
      "another tenant in table segment" },
    { "UPDATE segment SET id = 'x' WHERE seq = 2", 2, "another id in table segment" },
    { "UPDATE segment SET name = 'x' WHERE seq = 1", 1, "another name in table segment" },
    { "UPDATE segment SET labels = NULL WHERE seq = 1", 1,
      "another labels in table segment" },
    { "UPDATE segment SET template = 'x' WHERE seq = 1", 1,
      "another template in table segment" },
    { "UPDATE segment SET host = 'x' WHERE seq = 2", 2, "another host in table segment" },
    { "UPDATE segment SET state = 1 WHERE seq = 10", 10,
      "another state in table segment" },
    { "UPDATE segment SET vcpus = 1 WHERE seq = 10", 10,
      "another vcpus in table segment" },
    { "UPDATE segment SET memory_bytes = 1 WHERE seq = 10", 10,
      "another memory_bytes in table" },
    { "UPDATE segment SET disk_bytes = 1 WHERE seq = 10", 10,
      "another disk_bytes in table" },
    { "UPDATE segment SET generation = 7 WHERE seq = 10", 10,
      "another generation in table" },
    { "UPDATE segment SET from_ms = from_ms + 1 WHERE seq = 10", 10,
      "another from_ms in table" },
    { "UPDATE segment SET cause = 'x' WHERE seq = 10", 10,
      "another cause in table segment" },
    { "UPDATE segment SET to_ms = to_ms - 1 WHERE seq = 1", 9,
      "another to_ms in table segment" },
    { "UPDATE segment SET uncertain_ms = 5 WHERE seq = 1", 9,
      "another uncertain_ms in table" },
    { "UPDATE segment SET end_cause = 'x' WHERE seq = 1", 9,
      "another end_cause in table" },
    { "DROP INDEX segment_open; UPDATE segment SET end_seq = NULL, to_ms = NULL"
      " WHERE seq = 1",
      9, "is missing from table segment" },
    { "UPDATE segment SET end_seq = 8 WHERE seq = 1", 8, "is not of table segment" },
    { "UPDATE segment SET end_seq = 13, to_ms = from_ms WHERE seq = 2", 13,
      "is not of table segment" },
    { "UPDATE segment SET end_seq = 99, to_ms = from_ms WHERE seq = 2", 99,
      "is not in the ledger, but in table segment" },
    { "DELETE FROM segment WHERE seq = 10", 10, "is missing from table segment" },
    { "INSERT INTO segment SELECT 3, 3, 0, 'red', 'x', 'x', NULL, NULL, '', 0, 1, 1, 1, "
      "0,"
      " 0, '', NULL, NULL, NULL, NULL",
      3, "is not of table segment" },
    { "INSERT INTO segment SELECT -3, -3, 0, 'red', 'x', 'x', NULL, NULL, '', 0, 1, 1, "
      "1, 0,"
      " 0, '', NULL, NULL, NULL, NULL",
      -3, "is not of table segment" },
    { "DELETE FROM gap WHERE seq = 5", 5, "is missing from table gap" },
    { "UPDATE gap SET segment = 2 WHERE seq = 5", 5, "another segment in table gap" },
    { "UPDATE gap SET resource = 2 WHERE seq = 5", 5, "another resource in table gap" },
    { "UPDATE gap SET tenant = 'red' WHERE seq = 5", 5, "another tenant in table gap" },
    { "UPDATE gap SET counter = 0 WHERE seq = 5", 5, "another counter in table gap" },
    { "UPDATE gap SET device = 'x' WHERE seq = 5", 5, "another device in table gap" },
    { "UPDATE gap SET from_ms = from_ms + 1 WHERE seq = 5", 5,
      "another from_ms in table gap" },
    { "UPDATE gap SET to_ms = to_ms + 1 WHERE seq = 5", 5, "another to_ms in table gap" },
    { "UPDATE gap SET cause = 'x' WHERE seq = 5", 5, "another cause in table gap" },
    { "UPDATE gap SET filled_seq = 8 WHERE seq = 5", 5,
      "another filled_seq in table gap" },
    { "UPDATE gap SET filled_seq = 3 WHERE seq = 5", 5,
      "another filled_seq in table gap" },
    { "UPDATE gap SET filled_seq = NULL WHERE seq = 6", 6,
      "another filled_seq in table gap" },
    { "UPDATE gap SET filled_seq = 13 WHERE seq = 6", 6,
      "another filled_seq in table gap" },
    { "UPDATE gap SET filled_seq = NULL WHERE seq = 11", 11,
      "another filled_seq in table gap" },
    { "INSERT INTO gap SELECT 4, segment, resource, tenant, counter, device, from_ms, "
      "to_ms,"
      " cause, NULL FROM gap WHERE seq = 5",
      4, "is not of table gap" },
    { "UPDATE gap_sum SET lost_ms = lost_ms - 1 WHERE tenant = 'blue'", 0,
      "Table gap_sum" },
    { "UPDATE gap_sum SET rows = rows + 1 WHERE tenant = 'red'", 0, "Table gap_sum" },
    { "DELETE FROM gap_sum WHERE tenant = 'red'", 0, "Table gap_sum" },
    { "INSERT INTO gap_sum VALUES ('green', 'x', 1, 1)", 0, "Table gap_sum" },
    { "DELETE FROM mark WHERE seq = 3", 3, "is missing from table mark" },
    { "UPDATE mark SET kind = 4 WHERE seq = 3", 3, "another kind in table mark" },
    { "UPDATE mark SET topic = 'x' WHERE seq = 3", 3, "another topic in table mark" },
    { "UPDATE mark SET hash = x'00' WHERE seq = 3", 3, "another hash in table mark" },
    { "INSERT INTO mark SELECT 4, kind, topic, hash FROM mark", 4,
      "is not of table mark" },
    { "INSERT INTO checkpoint VALUES (7, x'00')", 7, "is not of table checkpoint" },
    { "INSERT INTO ledger SELECT 15, body FROM ledger WHERE seq = 14", 15,
      "is not in the ledger, but in table ledger" },
    { "UPDATE tenant SET name = 'green' WHERE name = 'red'", 0, "Table tenant" },
    { "UPDATE device SET name = 'x' WHERE name <> ''", 0, "Table device" },
    { "INSERT INTO tenant (name) VALUES ('green')", 0, "Table tenant" },
    { "INSERT INTO device (name) VALUES ('green')", 0, "Table device" },
    { "DELETE FROM device WHERE name <> ''", 8, "does not know" },
    { "UPDATE usage_day SET quantity = quantity + 1 WHERE first_seq = 4", 0,
      "sums of 2026-10-01" },
    { "UPDATE usage_day SET first_seq = 3 WHERE first_seq = 4", 0, "sums of 2026-10-01" },
    { "UPDATE usage_day SET first_seq = 99 WHERE first_seq = 4", 0,
      "sums of 2026-10-01" },
    { "UPDATE usage_month SET estimated = 1 WHERE first_seq = 4", 0, "sums of 2026-10 " },
    { "UPDATE usage_month SET first_seq = 5 WHERE first_seq = 4", 0, "sums of 2026-10 " },
    { "UPDATE usage_total SET rows = 9 WHERE first_seq = 4", 0, "sums of all time" },
    { "UPDATE usage_total SET tenant = 99 WHERE first_seq = 4", 0, "sums of all time" },
    { "UPDATE usage_total SET first_seq = 3 WHERE first_seq = 4", 1,
      "another first_seq in table usage_total" },
    { "UPDATE usage_total SET first_day = first_day + 1 WHERE first_seq = 4", 1,
      "another first_day in table usage_total" },
    { "UPDATE usage_total SET last_day = last_day - 1 WHERE first_seq = 8", 1,
      "another last_day in table usage_total" },
};

static void
assert_told(const GArray *faults, gint64 row, const char *text, const char *sql)
{
    for (guint i = 0; i < faults->len; i++) {
        const VerifyFault *fault = &g_array_index(faults, VerifyFault, i);

        if (fault->row == row && strstr(fault->text, text) != NULL)
            return;
    }
    for (guint i = 0; i < faults->len; i++) {
        const VerifyFault *fault = &g_array_index(faults, VerifyFault, i);

        g_test_message("row %" G_GINT64_FORMAT " %s", fault->row, fault->text);
    }
    g_error("After \"%s\" nobody says of row %" G_GINT64_FORMAT " \"%s\"", sql, row,
            text);
}

static void
tells_of_what_was_changed(MeterFixture *fixture, gconstpointer unused)
{
    Database *database = fixture->store->database;

    fill(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(tampers); i++) {
        g_autoptr(GArray) faults = NULL;
        g_autoptr(GError) error = NULL;

        g_assert_true(database_run(database,
                                   "BEGIN; DROP TRIGGER segment_once;"
                                   " DROP TRIGGER segment_kept",
                                   &error));
        database_run(database, tampers[i].sql, &error);
        g_assert_no_error(error);
        meter_store_forget(fixture->store);
        faults = check(fixture, NULL);
        assert_told(faults, tampers[i].row, tampers[i].text, tampers[i].sql);
        g_assert_true(database_run(database, "ROLLBACK", &error));
        meter_store_forget(fixture->store);
    }
}

static void
tells_of_a_cursor_that_was_changed(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GArray) faults = NULL;

    fill(fixture);
    fixture->store->cursor.at_ms++;
    faults = check(fixture, NULL);
    assert_told(faults, 14, "another time in table cursor", "UPDATE cursor");
}

static void
tells_of_nothing_that_is_right(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GArray) faults = NULL;

    fill(fixture);
    faults = check(fixture, NULL);
    g_assert_cmpuint(faults->len, ==, 0);
}

static void
what_comes_in_meanwhile_is_no_fault(MeterFixture *fixture, gconstpointer unused)
{
    static const More mores[] = {
        { 2, 4 * DAY_MS, 5 * DAY_MS },
        { 10, 3 * DAY_MS, 6 * DAY_MS },
        { 2, 9 * DAY_MS, 9 * DAY_MS },
    };

    fill(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(mores); i++) {
        g_autoptr(GArray) faults = check(fixture, &mores[i]);
        g_autoptr(GArray) after = check(fixture, NULL);

        g_assert_cmpuint(faults->len, ==, 0);
        g_assert_cmpuint(after->len, ==, 0);
    }
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(MeterFixture *fixture, gconstpointer unused);
    } tests[] = {
        { "/verify/tells-of-what-was-changed", tells_of_what_was_changed },
        { "/verify/tells-of-a-cursor-that-was-changed",
          tells_of_a_cursor_that_was_changed },
        { "/verify/tells-of-nothing-that-is-right", tells_of_nothing_that_is_right },
        { "/verify/what-comes-in-meanwhile-is-no-fault",
          what_comes_in_meanwhile_is_no_fault },
    };

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].name, MeterFixture, NULL, meter_fixture_set_up, tests[i].run,
                   meter_fixture_tear_down);
    }
    return g_test_run();
}
