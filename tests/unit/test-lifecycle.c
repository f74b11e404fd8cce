/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "model/lifecycle.h"

/*
 * What each event leads to from each state, said a second time and in another shape: a
 * row a state, a letter an event in the order of LifecycleEvent (start, runs, pauses,
 * stop, stops, destroy, gone, fail).  "." is no edge.
 */
static const char *const expected[INSTANCE_STATE_N] = {
    [INSTANCE_STATE_PENDING] = "S....DXE",    [INSTANCE_STATE_STARTING] = "SRP.ODXE",
    [INSTANCE_STATE_RUNNING] = ".RPTOD.E",    [INSTANCE_STATE_PAUSED] = ".RPTOD.E",
    [INSTANCE_STATE_STOPPING] = "SRPTOD.E",   [INSTANCE_STATE_STOPPED] = "SRP.OD.E",
    [INSTANCE_STATE_DESTROYING] = ".....DXE", [INSTANCE_STATE_DESTROYED] = "......X.",
    [INSTANCE_STATE_ERROR] = "SRPTOD.E",
};

static const char letters[INSTANCE_STATE_N] = {
    [INSTANCE_STATE_PENDING] = 'N',    [INSTANCE_STATE_STARTING] = 'S',
    [INSTANCE_STATE_RUNNING] = 'R',    [INSTANCE_STATE_PAUSED] = 'P',
    [INSTANCE_STATE_STOPPING] = 'T',   [INSTANCE_STATE_STOPPED] = 'O',
    [INSTANCE_STATE_DESTROYING] = 'D', [INSTANCE_STATE_DESTROYED] = 'X',
    [INSTANCE_STATE_ERROR] = 'E',
};

static void
test_every_pair(void)
{
    for (int state = 0; state < INSTANCE_STATE_N; state++) {
        for (int event = 0; event < LIFECYCLE_EVENTS; event++) {
            InstanceState next = INSTANCE_STATE_N;
            bool has_edge =
                lifecycle_next((InstanceState) state, (LifecycleEvent) event, &next);
            char letter = has_edge ? letters[next] : '.';

            g_test_message("%s, event %d",
                           instance_state_to_string((InstanceState) state), event);
            g_assert_cmpint(letter, ==, expected[state][event]);
            if (!has_edge)
                g_assert_cmpint(next, ==, INSTANCE_STATE_N);
        }
    }
}

static void
test_no_state_is_a_trap(void)
{
    for (int state = 0; state < INSTANCE_STATE_N; state++) {
        InstanceState next = INSTANCE_STATE_N;

        if (state == INSTANCE_STATE_DESTROYED)
            continue;
        g_assert_true(lifecycle_next((InstanceState) state, LIFECYCLE_DESTROY, &next));
        g_assert_cmpint(next, ==, INSTANCE_STATE_DESTROYING);
        g_assert_true(
            lifecycle_permits((InstanceState) state, OPERATION_KIND_INSTANCE_DESTROY));
    }
}

static void
test_nothing_is_asked_of_what_is_gone(void)
{
    for (int kind = 0; kind < OPERATION_KIND_N; kind++)
        g_assert_false(lifecycle_permits(INSTANCE_STATE_DESTROYED, (OperationKind) kind));
}

static void
test_what_is_permitted(void)
{
    static const struct {
        OperationKind kind;
        const char *states;
    } rows[] = {
        { OPERATION_KIND_INSTANCE_START, "OE" },
        { OPERATION_KIND_INSTANCE_STOP, "RPTE" },
        { OPERATION_KIND_INSTANCE_RESTART, "RPE" },
        { OPERATION_KIND_INSTANCE_PAUSE, "R" },
        { OPERATION_KIND_INSTANCE_RESUME, "P" },
        { OPERATION_KIND_INSTANCE_RESIZE, "RPO" },
        { OPERATION_KIND_INSTANCE_DESTROY, "NSRPTODE" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (int state = 0; state < INSTANCE_STATE_N; state++) {
            bool expects = strchr(rows[i].states, letters[state]) != NULL;

            g_assert_cmpint(lifecycle_permits((InstanceState) state, rows[i].kind), ==,
                            expects);
        }
    }
}

/* Who has not got anything yet, or wants no more, does not pay. */
static void
test_what_is_billed(void)
{
    g_assert_cmpint(lifecycle_get_billing(INSTANCE_STATE_PENDING), ==,
                    LIFECYCLE_BILL_NOTHING);
    g_assert_cmpint(lifecycle_get_billing(INSTANCE_STATE_RUNNING), ==,
                    LIFECYCLE_BILL_RUNNING);
    g_assert_cmpint(lifecycle_get_billing(INSTANCE_STATE_PAUSED), ==,
                    LIFECYCLE_BILL_PAUSED);
    g_assert_cmpint(lifecycle_get_billing(INSTANCE_STATE_STOPPED), ==,
                    LIFECYCLE_BILL_STOPPED);
    g_assert_cmpint(lifecycle_get_billing(INSTANCE_STATE_DESTROYING), ==,
                    LIFECYCLE_BILL_NOTHING);
    g_assert_cmpint(lifecycle_get_billing(INSTANCE_STATE_DESTROYED), ==,
                    LIFECYCLE_BILL_NOTHING);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lifecycle/every-pair", test_every_pair);
    g_test_add_func("/lifecycle/no-state-is-a-trap", test_no_state_is_a_trap);
    g_test_add_func("/lifecycle/nothing-is-asked-of-what-is-gone",
                    test_nothing_is_asked_of_what_is_gone);
    g_test_add_func("/lifecycle/what-is-permitted", test_what_is_permitted);
    g_test_add_func("/lifecycle/what-is-billed", test_what_is_billed);
    return g_test_run();
}
