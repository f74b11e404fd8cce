/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "ledger/counters.h"

enum {
    MINUTE_MS = 60000,
    SEGMENT = 7
};

/* 2026-10-01T00:00:00Z */
static const gint64 start_ms = 1790812800000;
static const gint64 hour_ms = 3600000;
static const gint64 second_ns = 1000000000;

/** An instance that started at start_ms, and what was booked of it. */
typedef struct {
    ProtoCounterRecord counters;
    GArray *rows;
    gint64 pid;
    gint64 pid_start;
    gint64 vcpus;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer unused)
{
    *fixture = (Fixture){ .rows = counters_new_rows(), .pid = 100, .vcpus = 1 };
    counters_begin_segment(&fixture->counters, SEGMENT, start_ms, start_ms,
                           fixture->rows);
}

static void
tear_down(Fixture *fixture, gconstpointer unused)
{
    proto_counter_record_clear(&fixture->counters);
    g_array_unref(fixture->rows);
}

static const ProtoVcpuStats no_vcpus[] = { { .number = -1 } };

/** What is read; numbers less than 0 are not told. */
typedef struct {
    gint64 tx_bytes;
    const char *tap;
    bool is_unplugged;
    /** Up to one of number -1. */
    const ProtoVcpuStats *vcpus;
    /** When, if that is not when it comes. */
    gint64 read_ms;
    /** When it was over, if that was later. */
    gint64 read_end_ms;
} Reading;

static void
take_at(Fixture *fixture, gint64 after_ms, const Reading *reading)
{
    ProtoNicStats nic = {
        .mac = (char *) (gsize) "52:54",
        .incarnation = (char *) (gsize) (reading->tap != NULL ? reading->tap : "vnet0"),
        .has_rx_bytes = reading->tx_bytes >= 0,
        .has_tx_bytes = reading->tx_bytes >= 0,
        .tx_bytes = reading->tx_bytes,
    };
    ProtoDomainStats stats = {
        .epoch = { (char *) (gsize) "boot", fixture->pid, fixture->pid_start },
        .read_boot_ms = reading->read_ms != 0 ? reading->read_ms : after_ms + 1,
        .read_end_boot_ms = MAX(reading->read_ms != 0 ? reading->read_ms : after_ms + 1,
                                reading->read_end_ms),
        .vcpus = (ProtoVcpuStats *) (gsize) reading->vcpus,
        .nics = &nic,
        .n_nics = reading->is_unplugged ? 0 : 1,
    };
    const CounterTime time = { start_ms + after_ms, after_ms + 1 };

    while (stats.vcpus[stats.n_vcpus].number >= 0)
        stats.n_vcpus++;
    counters_read(&fixture->counters, &stats, fixture->vcpus, &time, fixture->rows);
}

/* after_ms after the start the guest has had so much processor time; less than 0: it was
 * not told. */
static void
read_at(Fixture *fixture, gint64 after_ms, gint64 cpu_ns, gint64 tx_bytes)
{
    const ProtoVcpuStats vcpus[] = { { 0, cpu_ns >= 0, cpu_ns }, { .number = -1 } };
    const Reading reading = { .tx_bytes = tx_bytes, .vcpus = vcpus };

    take_at(fixture, after_ms, &reading);
}

static void
finish_at(Fixture *fixture, gint64 after_ms)
{
    counters_end_segment(&fixture->counters, start_ms + after_ms);
    counters_finish(&fixture->counters, "ended", fixture->rows);
}

static gint64
sum(const Fixture *fixture, Counter counter)
{
    gint64 total = 0;

    for (guint i = 0; i < fixture->rows->len; i++) {
        const ProtoLedgerRow *row = &g_array_index(fixture->rows, ProtoLedgerRow, i);

        if (row->kind == LEDGER_KIND_USED && row->counter == counter)
            total += row->quantity;
    }
    return total;
}

static const ProtoLedgerRow *
get_row(const Fixture *fixture, LedgerKind kind, guint number)
{
    for (guint i = 0; i < fixture->rows->len; i++) {
        const ProtoLedgerRow *row = &g_array_index(fixture->rows, ProtoLedgerRow, i);

        if (row->kind == kind && number-- == 0)
            return row;
    }
    return NULL;
}

static void
assert_row(const ProtoLedgerRow *row,
           gint64 from_ms,
           gint64 to_ms,
           gint64 quantity,
           gint64 estimated)
{
    g_assert_nonnull(row);
    g_assert_cmpint(row->from_ms - start_ms, ==, from_ms);
    g_assert_cmpint(row->to_ms - start_ms, ==, to_ms);
    g_assert_cmpint(row->quantity, ==, quantity);
    g_assert_cmpint(row->estimated, ==, estimated);
}

static void
the_first_reading_counts_in_full(Fixture *fixture, gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, 5 * second_ns, 1000);
    finish_at(fixture, MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), ==, 5 * second_ns);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 1000);
    g_assert_null(get_row(fixture, LEDGER_KIND_GAP, 0));
    assert_row(get_row(fixture, LEDGER_KIND_USED, 0), 0, MINUTE_MS, 5 * second_ns, 0);
}

static void
an_adopted_instance_begins_with_its_first_reading(Fixture *fixture, gconstpointer unused)
{
    fixture->counters.adopted = true;
    read_at(fixture, MINUTE_MS, 500 * second_ns, 100000);
    read_at(fixture, 2 * MINUTE_MS, 501 * second_ns, 100007);
    finish_at(fixture, 2 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), ==, second_ns);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 7);
}

static void
an_hour_is_a_row(Fixture *fixture, gconstpointer unused)
{
    for (gint64 minute = 1; minute <= 61; minute++) {
        read_at(fixture, minute * MINUTE_MS + 40, minute * second_ns, 0);
    }
    finish_at(fixture, 61 * MINUTE_MS + 40);
    assert_row(get_row(fixture, LEDGER_KIND_USED, 0), 0, hour_ms, 60 * second_ns, 0);
    assert_row(get_row(fixture, LEDGER_KIND_USED, 1), hour_ms, hour_ms + MINUTE_MS + 40,
               second_ns, 0);
    g_assert_null(get_row(fixture, LEDGER_KIND_USED, 2));
}

static void
the_same_reading_again_counts_nothing(Fixture *fixture, gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, second_ns, 10);
    read_at(fixture, MINUTE_MS, second_ns, 10);
    read_at(fixture, MINUTE_MS + 1, second_ns, 10);
    finish_at(fixture, MINUTE_MS + 1);
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), ==, second_ns);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 10);
}

static void
a_late_reading_spans_the_time_and_makes_up_for_its_gap(Fixture *fixture,
                                                       gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, second_ns, 10);
    counters_miss(&fixture->counters, start_ms + hour_ms, "no-reading", fixture->rows);
    read_at(fixture, hour_ms + MINUTE_MS, 4 * second_ns, 10);
    finish_at(fixture, hour_ms + MINUTE_MS);
    assert_row(get_row(fixture, LEDGER_KIND_GAP, 0), MINUTE_MS, hour_ms, 0, 0);
    g_assert_null(get_row(fixture, LEDGER_KIND_GAP, 1));
    assert_row(get_row(fixture, LEDGER_KIND_USED, 0), 0, MINUTE_MS, second_ns, 0);
    assert_row(get_row(fixture, LEDGER_KIND_USED, 2), MINUTE_MS, hour_ms + MINUTE_MS,
               3 * second_ns, 3 * second_ns);
    /* Nothing was sent meanwhile, and that is known. */
    assert_row(get_row(fixture, LEDGER_KIND_USED, 3), MINUTE_MS, hour_ms + MINUTE_MS, 0,
               0);
}

static void
another_process_counts_from_zero(Fixture *fixture, gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, 10 * second_ns, 1000);
    fixture->pid++;
    /* More than before: that the value grew says nothing. */
    read_at(fixture, 2 * MINUTE_MS, 11 * second_ns, 2000);
    finish_at(fixture, 2 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), ==, 21 * second_ns);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 3000);
    assert_row(get_row(fixture, LEDGER_KIND_GAP, 0), MINUTE_MS, 2 * MINUTE_MS, 0, 0);
}

/* The segment was cut after the last reading of the process before. */
static void
a_process_that_began_after_the_segment_had_another_before(Fixture *fixture,
                                                          gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, 10 * second_ns, 1000);
    counters_begin_segment(&fixture->counters, 9, start_ms + MINUTE_MS + 1,
                           start_ms + MINUTE_MS + 1, fixture->rows);
    fixture->pid++;
    fixture->pid_start = 100 * MINUTE_MS / 1000 * 3 / 2;
    read_at(fixture, 2 * MINUTE_MS, second_ns, 20);
    finish_at(fixture, 2 * MINUTE_MS);
    g_assert_cmpstr(get_row(fixture, LEDGER_KIND_GAP, 0)->cause, ==, "other-process");
    assert_row(get_row(fixture, LEDGER_KIND_GAP, 0), MINUTE_MS + 1, 2 * MINUTE_MS, 0, 0);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 1020);
}

static void
a_counter_that_goes_back_counts_nothing(Fixture *fixture, gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, 10 * second_ns, 1000);
    read_at(fixture, 2 * MINUTE_MS, 10 * second_ns, 400);
    read_at(fixture, 3 * MINUTE_MS, 10 * second_ns, 500);
    finish_at(fixture, 3 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 1100);
    g_assert_cmpstr(get_row(fixture, LEDGER_KIND_GAP, 0)->cause, ==, "went-back");
}

static void
no_more_time_than_the_processors_had(Fixture *fixture, gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, second_ns, 0);
    read_at(fixture, 2 * MINUTE_MS, 1000 * second_ns, 0);
    finish_at(fixture, 2 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), <=, 62 * second_ns);
    g_assert_cmpstr(get_row(fixture, LEDGER_KIND_GAP, 0)->cause, ==, "implausible");
}

static void
what_is_not_told_is_not_zero(Fixture *fixture, gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, second_ns, 10);
    for (gint64 minute = 2; minute <= 5; minute++) {
        read_at(fixture, minute * MINUTE_MS, minute * second_ns, -1);
    }
    read_at(fixture, 6 * MINUTE_MS, 6 * second_ns, 70);
    finish_at(fixture, 6 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 70);
    assert_row(get_row(fixture, LEDGER_KIND_GAP, 0), MINUTE_MS, 4 * MINUTE_MS, 0, 0);
    g_assert_cmpint(get_row(fixture, LEDGER_KIND_GAP, 1)->counter, ==,
                    COUNTER_NET_TX_BYTES);
    g_assert_cmpstr(get_row(fixture, LEDGER_KIND_GAP, 0)->device, ==, "52:54");
}

static void
rows_of_a_counter_do_not_overlap(Fixture *fixture, gconstpointer unused)
{
    gint64 end_ms = 0;

    read_at(fixture, MINUTE_MS, second_ns, 10);
    read_at(fixture, 2 * MINUTE_MS, 2 * second_ns, -1);
    read_at(fixture, 3 * MINUTE_MS, 3 * second_ns, -1);
    /* Late, and the one that is missing is told later still. */
    read_at(fixture, 8 * MINUTE_MS, 8 * second_ns, -1);
    read_at(fixture, 9 * MINUTE_MS, 9 * second_ns, 90);
    read_at(fixture, 10 * MINUTE_MS, 10 * second_ns, 100);
    finish_at(fixture, 10 * MINUTE_MS);
    for (guint i = 0; get_row(fixture, LEDGER_KIND_USED, i) != NULL; i++) {
        const ProtoLedgerRow *row = get_row(fixture, LEDGER_KIND_USED, i);

        if (row->counter != COUNTER_NET_TX_BYTES)
            continue;
        g_assert_cmpint(row->from_ms, >=, end_ms);
        end_ms = row->to_ms;
    }
    g_assert_cmpint(end_ms, ==, start_ms + 10 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 100);
}

static void
what_was_not_told_for_a_while_is_no_more_than_the_time_allows(Fixture *fixture,
                                                              gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, 10 * second_ns, 0);
    read_at(fixture, 2 * MINUTE_MS, -1, 0);
    /* Two minutes of it in one reading are right. */
    read_at(fixture, 3 * MINUTE_MS, 130 * second_ns, 0);
    finish_at(fixture, 3 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), ==, 130 * second_ns);
    g_assert_null(get_row(fixture, LEDGER_KIND_GAP, 0));
}

static void
a_device_that_was_unplugged_begins_again(Fixture *fixture, gconstpointer unused)
{
    const Reading without = { .is_unplugged = true, .vcpus = no_vcpus };

    read_at(fixture, MINUTE_MS, -1, 1000);
    take_at(fixture, 2 * MINUTE_MS, &without);
    /* More than it had: the number alone would hide that it is another. */
    read_at(fixture, 3 * MINUTE_MS, -1, 1500);
    finish_at(fixture, 3 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 2500);
    g_assert_cmpstr(get_row(fixture, LEDGER_KIND_GAP, 0)->cause, ==, "unplugged");
    assert_row(get_row(fixture, LEDGER_KIND_GAP, 0), MINUTE_MS, 2 * MINUTE_MS, 0, 0);
    assert_row(get_row(fixture, LEDGER_KIND_USED, 0), 0, MINUTE_MS, 1000, 0);
}

static void
another_device_in_its_place_counts_from_zero(Fixture *fixture, gconstpointer unused)
{
    const Reading other = { .tx_bytes = 300, .tap = "vnet9", .vcpus = no_vcpus };

    read_at(fixture, MINUTE_MS, -1, 1000);
    take_at(fixture, 2 * MINUTE_MS, &other);
    finish_at(fixture, 2 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 1300);
    for (guint i = 0; get_row(fixture, LEDGER_KIND_GAP, i) != NULL; i++) {
        g_assert_cmpstr(get_row(fixture, LEDGER_KIND_GAP, i)->cause, !=, "went-back");
    }
}

static void
a_processor_that_comes_back_begins_at_zero(Fixture *fixture, gconstpointer unused)
{
    const ProtoVcpuStats both[] = { { 0, true, 10 * second_ns },
                                    { 1, true, 20 * second_ns },
                                    { .number = -1 } };
    const ProtoVcpuStats one[] = { { 0, true, 11 * second_ns }, { .number = -1 } };
    const ProtoVcpuStats again[] = { { 0, true, 12 * second_ns },
                                     { 1, true, 25 * second_ns },
                                     { .number = -1 } };
    const Reading readings[] = { { .vcpus = both },
                                 { .vcpus = one },
                                 { .vcpus = again } };

    for (gsize i = 0; i < G_N_ELEMENTS(readings); i++) {
        take_at(fixture, (gint64) (i + 1) * MINUTE_MS, &readings[i]);
    }
    finish_at(fixture, 3 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), ==, (12 + 20 + 25) * second_ns);
    g_assert_null(get_row(fixture, LEDGER_KIND_GAP, 0));
}

static void
processors_of_which_one_is_not_told_are_not_told(Fixture *fixture, gconstpointer unused)
{
    const ProtoVcpuStats both[] = { { 0, true, 10 * second_ns },
                                    { 1, true, 20 * second_ns },
                                    { .number = -1 } };
    const ProtoVcpuStats half[] = { { 0, true, 11 * second_ns },
                                    { .number = 1 },
                                    { .number = -1 } };
    const ProtoVcpuStats later[] = { { 0, true, 12 * second_ns },
                                     { 1, true, 23 * second_ns },
                                     { .number = -1 } };
    const Reading readings[] = { { .vcpus = both },
                                 { .vcpus = half },
                                 { .vcpus = later } };

    for (gsize i = 0; i < G_N_ELEMENTS(readings); i++) {
        take_at(fixture, (gint64) (i + 1) * MINUTE_MS, &readings[i]);
    }
    finish_at(fixture, 3 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), ==, 35 * second_ns);
    g_assert_null(get_row(fixture, LEDGER_KIND_GAP, 0));
}

/* The one of an operation comes first, the one of all domains was older. */
static void
of_readings_under_way_together_the_more_counts(Fixture *fixture, gconstpointer unused)
{
    const ProtoVcpuStats first[] = { { 0, true, 30 * second_ns },
                                     { 1, true, second_ns },
                                     { .number = -1 } };
    const ProtoVcpuStats older[] = { { 0, true, 20 * second_ns }, { .number = -1 } };
    const ProtoVcpuStats last[] = { { 0, true, 40 * second_ns },
                                    { 1, true, 3 * second_ns },
                                    { .number = -1 } };
    const Reading readings[] = {
        { .tx_bytes = 1000,
          .vcpus = first,
          .read_ms = MINUTE_MS,
          .read_end_ms = MINUTE_MS + 30 },
        { .tx_bytes = 600,
          .vcpus = older,
          .read_ms = MINUTE_MS + 5,
          .read_end_ms = MINUTE_MS + 40 },
        { .tx_bytes = 1100, .vcpus = last, .read_ms = 2 * MINUTE_MS },
    };

    fixture->vcpus = 2;
    take_at(fixture, MINUTE_MS + 50, &readings[0]);
    take_at(fixture, MINUTE_MS + 60, &readings[1]);
    take_at(fixture, 2 * MINUTE_MS, &readings[2]);
    finish_at(fixture, 2 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 1100);
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), ==, 43 * second_ns);
    g_assert_null(get_row(fixture, LEDGER_KIND_GAP, 0));
}

static void
of_readings_under_way_together_both_may_be_of_other_devices(Fixture *fixture,
                                                            gconstpointer unused)
{
    const Reading before = { .tx_bytes = 1000, .vcpus = no_vcpus, .read_ms = MINUTE_MS };
    const Reading now = { .tx_bytes = 50,
                          .tap = "vnet9",
                          .vcpus = no_vcpus,
                          .read_ms = 2 * MINUTE_MS,
                          .read_end_ms = 2 * MINUTE_MS + 30 };
    const Reading behind[] = {
        { .tx_bytes = 1100, .vcpus = no_vcpus, .read_ms = 2 * MINUTE_MS + 1 },
        { .is_unplugged = true, .vcpus = no_vcpus, .read_ms = 2 * MINUTE_MS + 2 },
    };
    const Reading after = { .tx_bytes = 70, .tap = "vnet9", .vcpus = no_vcpus };

    take_at(fixture, MINUTE_MS, &before);
    take_at(fixture, 2 * MINUTE_MS + 40, &now);
    take_at(fixture, 2 * MINUTE_MS + 41, &behind[0]);
    take_at(fixture, 2 * MINUTE_MS + 42, &behind[1]);
    take_at(fixture, 3 * MINUTE_MS, &after);
    finish_at(fixture, 3 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 1070);
}

/* It was still being read when the process after it had been, and went on longer. */
static void
a_process_that_was_replaced_does_not_come_back(Fixture *fixture, gconstpointer unused)
{
    const Reading before = { .tx_bytes = 700,
                             .vcpus = no_vcpus,
                             .read_ms = 2 * MINUTE_MS,
                             .read_end_ms = 2 * MINUTE_MS + 30 };

    fixture->pid_start = 1;
    read_at(fixture, MINUTE_MS, -1, 700);
    fixture->pid_start = 2;
    read_at(fixture, 2 * MINUTE_MS, -1, 50);
    fixture->pid_start = 1;
    take_at(fixture, 2 * MINUTE_MS + 40, &before);
    fixture->pid_start = 2;
    read_at(fixture, 3 * MINUTE_MS, -1, 60);
    finish_at(fixture, 3 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 760);
}

static void
a_reading_that_comes_behind_a_newer_one_is_left(Fixture *fixture, gconstpointer unused)
{
    const Reading old = { .tx_bytes = 700, .vcpus = no_vcpus, .read_ms = MINUTE_MS / 2 };

    read_at(fixture, MINUTE_MS, -1, 1000);
    take_at(fixture, MINUTE_MS + 1, &old);
    /* Nor does one of the process before bring that back. */
    fixture->pid++;
    read_at(fixture, 2 * MINUTE_MS, -1, 50);
    fixture->pid--;
    take_at(fixture, 2 * MINUTE_MS + 1, &old);
    fixture->pid++;
    read_at(fixture, 3 * MINUTE_MS, -1, 60);
    finish_at(fixture, 3 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 1060);
}

static void
what_an_adopted_instance_does_not_tell_at_first_begins_when_it_does(Fixture *fixture,
                                                                    gconstpointer unused)
{
    fixture->counters.adopted = true;
    read_at(fixture, MINUTE_MS, 100 * second_ns, -1);
    read_at(fixture, 2 * MINUTE_MS, 101 * second_ns, 100000);
    read_at(fixture, 3 * MINUTE_MS, 102 * second_ns, 100007);
    finish_at(fixture, 3 * MINUTE_MS);
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), ==, 2 * second_ns);
    g_assert_cmpint(sum(fixture, COUNTER_NET_TX_BYTES), ==, 7);
}

static void
numbers_near_the_end_of_the_range_are_never_too_much(Fixture *fixture,
                                                     gconstpointer unused)
{
    const ProtoVcpuStats full[] = { { 0, true, G_MAXINT64 },
                                    { 1, true, G_MAXINT64 },
                                    { .number = -1 } };
    const Reading reading = { .tx_bytes = G_MAXINT64, .vcpus = full };

    read_at(fixture, MINUTE_MS, 0, G_MAXINT64);
    fixture->pid++;
    take_at(fixture, 2 * MINUTE_MS, &reading);
    finish_at(fixture, 2 * MINUTE_MS);
    for (guint i = 0; get_row(fixture, LEDGER_KIND_USED, i) != NULL; i++) {
        g_assert_cmpint(get_row(fixture, LEDGER_KIND_USED, i)->quantity, >=, 0);
    }
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), ==, 0);
}

static void
a_cut_ends_the_row_and_begins_another(Fixture *fixture, gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, 10 * second_ns, 0);
    counters_begin_segment(&fixture->counters, 9, start_ms + MINUTE_MS,
                           start_ms + MINUTE_MS, fixture->rows);
    read_at(fixture, 2 * MINUTE_MS, 15 * second_ns, 0);
    finish_at(fixture, 2 * MINUTE_MS);
    g_assert_cmpint(get_row(fixture, LEDGER_KIND_USED, 0)->segment, ==, SEGMENT);
    g_assert_cmpint(get_row(fixture, LEDGER_KIND_USED, 0)->quantity, ==, 10 * second_ns);
    g_assert_cmpint(get_row(fixture, LEDGER_KIND_USED, 1)->segment, ==, 9);
    g_assert_cmpint(get_row(fixture, LEDGER_KIND_USED, 1)->quantity, ==, 5 * second_ns);
    g_assert_null(get_row(fixture, LEDGER_KIND_GAP, 0));
}

static void
a_clock_that_was_set_back_stands_still(Fixture *fixture, gconstpointer unused)
{
    const ProtoVcpuStats vcpus[] = { { 0, true, 3 * second_ns }, { .number = -1 } };
    ProtoDomainStats stats = {
        .epoch = { .boot_id = (char *) (gsize) "boot", .pid = fixture->pid },
        .read_boot_ms = 10 * MINUTE_MS,
        .read_end_boot_ms = 10 * MINUTE_MS,
        .vcpus = (ProtoVcpuStats *) (gsize) vcpus,
        .n_vcpus = 1,
    };
    /* Ten minutes later by the one clock, half a minute earlier by the other. */
    const CounterTime time = { start_ms + MINUTE_MS / 2, 11 * MINUTE_MS };

    read_at(fixture, MINUTE_MS, second_ns, 10);
    counters_read(&fixture->counters, &stats, fixture->vcpus, &time, fixture->rows);
    finish_at(fixture, MINUTE_MS / 2 + 1);
    g_assert_cmpint(sum(fixture, COUNTER_CPU_TIME), ==, 3 * second_ns);
    for (guint i = 0; i < fixture->rows->len; i++) {
        const ProtoLedgerRow *row = &g_array_index(fixture->rows, ProtoLedgerRow, i);

        g_assert_cmpint(row->from_ms, <=, row->to_ms);
    }
}

static void
a_reading_after_the_end_belongs_to_the_segment(Fixture *fixture, gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, 10 * second_ns, 0);
    counters_end_segment(&fixture->counters, start_ms + 2 * MINUTE_MS);
    read_at(fixture, 2 * MINUTE_MS + 500, 15 * second_ns, 0);
    counters_finish(&fixture->counters, "ended", fixture->rows);
    assert_row(get_row(fixture, LEDGER_KIND_USED, 0), 0, 2 * MINUTE_MS, 15 * second_ns,
               0);
    g_assert_null(get_row(fixture, LEDGER_KIND_GAP, 0));
}

static void
what_nobody_read_before_the_end_is_a_gap(Fixture *fixture, gconstpointer unused)
{
    read_at(fixture, MINUTE_MS, 10 * second_ns, 0);
    finish_at(fixture, 2 * MINUTE_MS);
    assert_row(get_row(fixture, LEDGER_KIND_USED, 0), 0, MINUTE_MS, 10 * second_ns, 0);
    assert_row(get_row(fixture, LEDGER_KIND_GAP, 0), MINUTE_MS, 2 * MINUTE_MS, 0, 0);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Fixture *fixture, gconstpointer unused);
    } tests[] = {
        { "/counters/the-first-reading-counts-in-full",
          the_first_reading_counts_in_full },
        { "/counters/an-adopted-instance-begins-with-its-first-reading",
          an_adopted_instance_begins_with_its_first_reading },
        { "/counters/an-hour-is-a-row", an_hour_is_a_row },
        { "/counters/the-same-reading-again-counts-nothing",
          the_same_reading_again_counts_nothing },
        { "/counters/a-late-reading-spans-the-time-and-makes-up-for-its-gap",
          a_late_reading_spans_the_time_and_makes_up_for_its_gap },
        { "/counters/another-process-counts-from-zero",
          another_process_counts_from_zero },
        { "/counters/a-process-that-began-after-the-segment-had-another-before",
          a_process_that_began_after_the_segment_had_another_before },
        { "/counters/a-counter-that-goes-back-counts-nothing",
          a_counter_that_goes_back_counts_nothing },
        { "/counters/no-more-time-than-the-processors-had",
          no_more_time_than_the_processors_had },
        { "/counters/what-is-not-told-is-not-zero", what_is_not_told_is_not_zero },
        { "/counters/rows-of-a-counter-do-not-overlap",
          rows_of_a_counter_do_not_overlap },
        { "/counters/what-was-not-told-for-a-while-is-no-more-than-the-time-allows",
          what_was_not_told_for_a_while_is_no_more_than_the_time_allows },
        { "/counters/a-device-that-was-unplugged-begins-again",
          a_device_that_was_unplugged_begins_again },
        { "/counters/another-device-in-its-place-counts-from-zero",
          another_device_in_its_place_counts_from_zero },
        { "/counters/a-processor-that-comes-back-begins-at-zero",
          a_processor_that_comes_back_begins_at_zero },
        { "/counters/processors-of-which-one-is-not-told-are-not-told",
          processors_of_which_one_is_not_told_are_not_told },
        { "/counters/of-readings-under-way-together-the-more-counts",
          of_readings_under_way_together_the_more_counts },
        { "/counters/of-readings-under-way-together-both-may-be-of-other-devices",
          of_readings_under_way_together_both_may_be_of_other_devices },
        { "/counters/a-process-that-was-replaced-does-not-come-back",
          a_process_that_was_replaced_does_not_come_back },
        { "/counters/a-reading-that-comes-behind-a-newer-one-is-left",
          a_reading_that_comes_behind_a_newer_one_is_left },
        { "/counters/what-an-adopted-instance-does-not-tell-at-first-begins-when-it-does",
          what_an_adopted_instance_does_not_tell_at_first_begins_when_it_does },
        { "/counters/numbers-near-the-end-of-the-range-are-never-too-much",
          numbers_near_the_end_of_the_range_are_never_too_much },
        { "/counters/a-cut-ends-the-row-and-begins-another",
          a_cut_ends_the_row_and_begins_another },
        { "/counters/a-clock-that-was-set-back-stands-still",
          a_clock_that_was_set_back_stands_still },
        { "/counters/a-reading-after-the-end-belongs-to-the-segment",
          a_reading_after_the_end_belongs_to_the_segment },
        { "/counters/what-nobody-read-before-the-end-is-a-gap",
          what_nobody_read_before_the_end_is_a_gap },
    };

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].run, tear_down);
    }
    return g_test_run();
}
