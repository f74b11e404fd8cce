/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "instance/readings.h"

static char id[] = "8a1c0f0e-3a55-4f0e-9a51-0c8d1b6d7f11";

static void
test_before_the_first_nothing_is_known(void)
{
    InstanceReadings readings = { 0 };
    g_auto(ProtoCounterRecord) counters = { 0 };

    readings_open(&readings, id, &counters);
    g_assert_cmpstr(counters.instance, ==, id);
    g_assert_null(counters.epoch);
    g_assert_cmpuint(counters.n_readings, ==, 0);
    readings_clear(&readings);
}

static void
test_what_is_kept_is_what_is_opened(void)
{
    InstanceReadings readings = { 0 };
    char boot_id[] = "boot";
    char mac[] = "52:54:00:00:00:01";
    ProtoEpoch epoch = { .boot_id = boot_id, .pid = 7, .pid_start = 11 };
    ProtoReading reading = {
        .counter = COUNTER_NET_TX_BYTES, .device = mac, .raw = 1000, .quantity = -1
    };
    ProtoCounterRecord given = { .instance = id,
                                 .epoch = &epoch,
                                 .segment = 5,
                                 .readings = &reading,
                                 .n_readings = 1 };
    g_auto(ProtoCounterRecord) counters = { 0 };

    readings_keep(&readings, &given);
    readings_open(&readings, id, &counters);
    g_assert_cmpint(counters.epoch->pid_start, ==, 11);
    g_assert_cmpstr(counters.readings[0].device, ==, reading.device);
    g_assert_cmpint(counters.readings[0].raw, ==, 1000);
    g_assert_cmpint(counters.readings[0].quantity, ==, -1);
    g_assert_cmpint(readings.segment, ==, 5);
    readings_clear(&readings);
}

static void
test_it_is_known_up_to_the_latest_that_was_read_or_told(void)
{
    static const ProtoCounterRecord rows[] = {
        { .instance = id, .from_ms = 3, .at_ms = 2, .gap_ms = 1 },
        { .instance = id, .from_ms = 1, .at_ms = 3, .gap_ms = 2 },
        { .instance = id, .from_ms = 2, .at_ms = 1, .gap_ms = 3 },
    };
    InstanceReadings readings = { 0 };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        readings_keep(&readings, &rows[i]);
        g_assert_cmpint(readings.known_ms, ==, 3);
    }
    readings_clear(&readings);
}

/* What writes it down may still do so when the next is kept. */
static void
test_what_others_hold_of_it_stays_as_it_was(void)
{
    InstanceReadings readings = { 0 };
    ProtoCounterRecord given = { .instance = id, .segment = 1 };
    g_autoptr(GByteArray) held = NULL;
    g_autoptr(GBytes) before = NULL;
    g_autoptr(GBytes) after = NULL;

    readings_keep(&readings, &given);
    held = g_byte_array_ref(readings.packed);
    before = g_bytes_new(held->data, held->len);
    given.segment = 2;
    readings_keep(&readings, &given);
    after = g_bytes_new(held->data, held->len);
    g_assert_true(g_bytes_equal(before, after));
    readings_clear(&readings);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/readings/before-the-first-nothing-is-known",
                    test_before_the_first_nothing_is_known);
    g_test_add_func("/readings/what-is-kept-is-what-is-opened",
                    test_what_is_kept_is_what_is_opened);
    g_test_add_func("/readings/it-is-known-up-to-the-latest-that-was-read-or-told",
                    test_it_is_known_up_to_the_latest_that_was_read_or_told);
    g_test_add_func("/readings/what-others-hold-of-it-stays-as-it-was",
                    test_what_others_hold_of_it_stays_as_it_was);
    return g_test_run();
}
