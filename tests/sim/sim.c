/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "sim/client.h"
#include "sim/disk.h"
#include "sim/groups-oracle.h"
#include "sim/groups.h"
#include "sim/machine.h"
#include "sim/oracle.h"
#include "sim/process.h"
#include "sim/seeds.h"
#include "sim/world.h"

/*
 * A seed's life: a machine and a controller; clients who ask for changes while faults
 * happen, the controller is killed and started again, the clocks jump and the power goes;
 * then quiet, in which every operation must end; then the oracle, before and after one
 * more kill.
 */

enum {
    ACTS = 150,
    BURST_MS = 50,
    PAUSE_MS = 4000,
    DOWN_MS = 5000,
    /** The quiet phase: a call that hangs is given up after two minutes, a stop after
     * one, and 60 s are for the rest. */
    QUIET_MS = 60000 + 120000 + 60000,
    /** Groups have more to do: a breaker closes, and members are tried one by one. */
    GROUPS_QUIET_MS = 600000,
    /** The host is listed twice. */
    SETTLE_MS = 65000,
};

static struct {
    guint operations;
    guint faults;
    guint crashes;
    guint members;
} counts;

static gint64
choose_jump(void)
{
    static const gint64 jumps_ms[] = {
        -3600000, 3600000, 864000000, -864000000, 1200000000000, -1700000000000,
    };

    return jumps_ms[world_random(G_N_ELEMENTS(jumps_ms))];
}

static void
start_again(void)
{
    process_start();
    if (process_get() == NULL)
        return;
    groups_oracle_start();
    client_connect();
}

static bool
watch(gpointer data)
{
    groups_watch();
    return false;
}

/* Some time in which whatever was begun goes on. */
static void
pass(gint64 length_ms)
{
    world_run(groups_are_on() ? watch : NULL, NULL, length_ms);
}

static void
crash(bool power_goes)
{
    counts.crashes++;
    if (power_goes)
        disk_lose_power();
    process_kill();
    if (power_goes) {
        machine_reset();
        world_boot();
    }
    world_run(NULL, NULL, 1 + world_random(DOWN_MS));
    start_again();
}

static void
run_load(void)
{
    guint crash_rate = world_chance(700) ? world_random(60) : 0;
    guint power_rate = world_chance(300) ? world_random(30) : 0;
    guint jump_rate = world_chance(300) ? world_random(60) : 0;

    for (guint i = 0; i < ACTS && process_get() != NULL; i++) {
        client_act();
        pass(1 + world_random(world_chance(500) ? BURST_MS : PAUSE_MS));
        oracle_look();
        if (world_chance(jump_rate))
            world_jump_wall(choose_jump());
        if (world_chance(power_rate)) {
            crash(true);
        } else if (world_chance(crash_rate)) {
            /* In the midst of something. */
            client_act();
            pass(1 + world_random(BURST_MS));
            crash(false);
            /* And once more, while it puts things right. */
            if (world_chance(300)) {
                pass(1 + world_random(100));
                crash(false);
            }
        }
    }
}

static bool
is_at_rest(gpointer data)
{
    groups_watch();
    return process_is_idle() && client_is_content() && groups_are_at_rest();
}

static void
blame_active(void)
{
    const GQueue *operations = operation_engine_get_all(process_get()->rpc.engine);

    for (const GList *item = operations->head; item != NULL; item = item->next) {
        const Operation *operation = item->data;

        if (!operation->has_ended)
            world_blame("operation %s of %s has not ended: %s, step %s",
                        operation->record.view.id, operation->record.view.target_name,
                        operation_state_to_string(operation->record.view.state),
                        operation->record.view.step);
    }
    if (!client_is_content())
        world_blame("a client still waits for its answer");
}

static void
run_quiet(void)
{
    g_autoptr(GPtrArray) before = NULL;
    g_autoptr(GPtrArray) after = NULL;

    machine_calm();
    if (!world_run(is_at_rest, NULL, QUIET_MS + (groups_are_on() ? GROUPS_QUIET_MS : 0)))
        blame_active();
    pass(SETTLE_MS);
    client_check();
    oracle_check();
    before = oracle_dump();
    counts.operations += client_count_accepted();
    process_kill();
    world_run(NULL, NULL, 1);
    start_again();
    if (process_get() == NULL)
        return;
    after = oracle_dump();
    oracle_compare(before, after);
    pass(SETTLE_MS);
    client_check();
    oracle_check();
}

/** Runs one; returns whether all was well.  The trace's hash comes out too. */
static bool
run_seed(guint32 seed, bool verbose, guint64 *ret_hash)
{
    bool good = true;

    disk_begin();
    world_begin(seed, verbose);
    groups_begin(seed);
    groups_oracle_begin();
    machine_begin();
    client_begin();
    process_begin();
    start_again();
    run_load();
    if (process_get() != NULL)
        run_quiet();
    process_kill();
    world_run(NULL, NULL, 1);
    counts.faults += machine_count_faults();
    counts.members += groups_count_members();
    client_end();
    machine_end();
    groups_oracle_end();
    groups_end();
    good = world_count_faults() == 0;
    *ret_hash = world_hash();
    world_end();
    disk_end();
    return good;
}

static void
tell(void)
{
    printf("%u operations, %u members of groups, %u faults, %u crashes",
           counts.operations, counts.members, counts.faults, counts.crashes);
}

int
main(int argc, char **argv)
{
    const SeedsPlan plan = {
        .title = "- the controller in a world of its own",
        .behaviour = "every-seed-ends-well",
        .variable = "SIM_SEEDS",
        .count = 100,
        .run = run_seed,
        .tell = tell,
    };

    return seeds_main(argc, argv, &plan);
}
