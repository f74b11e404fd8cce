/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim/client.h"
#include "sim/disk.h"
#include "sim/machine.h"
#include "sim/oracle.h"
#include "sim/process.h"
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
    /** The host is listed twice. */
    SETTLE_MS = 65000,
    SEEDS = 100,
};

typedef struct {
    guint seeds;
    guint operations;
    guint faults;
    guint crashes;
} Counts;

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
    if (process_get() != NULL)
        client_connect();
}

static void
crash(bool power_goes, Counts *counts)
{
    counts->crashes++;
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
run_load(Counts *counts)
{
    guint crash_rate = world_chance(700) ? world_random(60) : 0;
    guint power_rate = world_chance(300) ? world_random(30) : 0;
    guint jump_rate = world_chance(300) ? world_random(60) : 0;

    for (guint i = 0; i < ACTS && process_get() != NULL; i++) {
        client_act();
        world_run(NULL, NULL, 1 + world_random(world_chance(500) ? BURST_MS : PAUSE_MS));
        oracle_look();
        if (world_chance(jump_rate))
            world_jump_wall(choose_jump());
        if (world_chance(power_rate)) {
            crash(true, counts);
        } else if (world_chance(crash_rate)) {
            /* In the midst of something. */
            client_act();
            world_run(NULL, NULL, 1 + world_random(BURST_MS));
            crash(false, counts);
            /* And once more, while it puts things right. */
            if (world_chance(300)) {
                world_run(NULL, NULL, 1 + world_random(100));
                crash(false, counts);
            }
        }
    }
}

static bool
is_at_rest(gpointer data)
{
    return process_is_idle() && client_is_content();
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
run_quiet(Counts *counts)
{
    g_autoptr(GPtrArray) before = NULL;
    g_autoptr(GPtrArray) after = NULL;

    machine_calm();
    if (!world_run(is_at_rest, NULL, QUIET_MS))
        blame_active();
    world_run(NULL, NULL, SETTLE_MS);
    client_check();
    oracle_check();
    before = oracle_dump();
    counts->operations += client_count_accepted();
    process_kill();
    world_run(NULL, NULL, 1);
    start_again();
    if (process_get() == NULL)
        return;
    after = oracle_dump();
    oracle_compare(before, after);
    world_run(NULL, NULL, SETTLE_MS);
    client_check();
    oracle_check();
}

/** Runs one; returns whether all was well.  The trace's hash comes out too. */
static bool
run_seed(guint32 seed, bool verbose, Counts *counts, guint64 *ret_hash)
{
    bool good = true;

    disk_begin();
    world_begin(seed, verbose);
    machine_begin();
    client_begin();
    process_begin();
    start_again();
    run_load(counts);
    if (process_get() != NULL)
        run_quiet(counts);
    process_kill();
    world_run(NULL, NULL, 1);
    counts->seeds++;
    counts->faults += machine_count_faults();
    client_end();
    machine_end();
    good = world_count_faults() == 0;
    *ret_hash = world_hash();
    world_end();
    disk_end();
    return good;
}

/* When the controller dies, its seed is told all the same. */

static char last_words[256];

static void
tell_seed(void)
{
    if (write(STDOUT_FILENO, last_words, strlen(last_words)) < 0)
        return;
}

static void
on_death(int number)
{
    tell_seed();
    signal(number, SIG_DFL);
    raise(number);
}

/* The controller ends itself so when its store fails. */
void
_exit(int status)
{
    tell_seed();
    syscall(SYS_exit_group, status);
    __builtin_unreachable();
}

#ifdef __SANITIZE_ADDRESS__
int __lsan_is_turned_off(void);
void __asan_on_error(void);

/* A process that is killed leaves what it held: that is no leak. */
int
__lsan_is_turned_off(void)
{
    return 1;
}

void
__asan_on_error(void)
{
    tell_seed();
}
#endif

static bool
run_seeds(guint32 first, guint32 last, bool verbose, const char *program)
{
    Counts counts = { 0 };
    guint bad = 0;

    for (guint32 seed = first; seed <= last; seed++) {
        guint64 hash = 0;

        g_snprintf(last_words, sizeof last_words,
                   "# to see it again: %s --seed %u --verbose\n", program, seed);
        if (!run_seed(seed, verbose, &counts, &hash)) {
            bad++;
            tell_seed();
        }
    }
    printf("%s 1 - every-seed-ends-well\n", bad == 0 ? "ok" : "not ok");
    printf("# %u seeds, %u operations, %u faults, %u crashes\n", counts.seeds,
           counts.operations, counts.faults, counts.crashes);
    return bad == 0;
}

static bool
repeats_itself(guint32 seed)
{
    Counts counts = { 0 };
    guint64 first = 0;
    guint64 second = 0;
    bool same = false;

    run_seed(seed, false, &counts, &first);
    run_seed(seed, false, &counts, &second);
    same = first == second;
    printf("%s 2 - a-seed-replays\n", same ? "ok" : "not ok");
    return same;
}

typedef struct {
    char *seeds;
    gint seed;
    gboolean verbose;
} Options;

static bool
read_range(const Options *options, guint32 *ret_first, guint32 *ret_last)
{
    const char *count = g_getenv("SIM_SEEDS");

    *ret_first = 1;
    *ret_last = count != NULL ? (guint32) g_ascii_strtoull(count, NULL, 10) : SEEDS;
    if (options->seed >= 0)
        *ret_first = *ret_last = (guint32) options->seed;
    return options->seeds == NULL ||
           sscanf(options->seeds, "%u-%u", ret_first, ret_last) == 2;
}

int
main(int argc, char **argv)
{
    Options options = { .seed = -1 };
    const GOptionEntry entries[] = {
        { "seeds", 0, 0, G_OPTION_ARG_STRING, &options.seeds, "Run these", "FROM-TO" },
        { "seed", 0, 0, G_OPTION_ARG_INT, &options.seed, "Run this one", "N" },
        { "verbose", 0, 0, G_OPTION_ARG_NONE, &options.verbose, "Print what happens",
          NULL },
        { 0 },
    };
    g_autoptr(GOptionContext) context =
        g_option_context_new("- the controller in a world of its own");
    g_autoptr(GError) error = NULL;
    guint32 first = 0;
    guint32 last = 0;
    bool good = true;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        !read_range(&options, &first, &last)) {
        g_printerr("sim: %s\n", error != NULL ? error->message : "--seeds FROM-TO");
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGABRT, on_death);
    signal(SIGTERM, on_death);
#ifndef __SANITIZE_ADDRESS__
    signal(SIGSEGV, on_death);
#endif
    printf("1..2\n");
    good = run_seeds(first, last, options.verbose, argv[0]);
    good = repeats_itself(first) && good;
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
