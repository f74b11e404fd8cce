/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "sim/metering/history.h"
#include "sim/seeds.h"

/* Metering in a world of its own: a seed is a history, and a history is held against what
 * truly was. */

static Counts counts;

static bool
run(guint32 seed, bool verbose, guint64 *ret_hash)
{
    return history_run(seed, verbose, &counts, ret_hash);
}

static void
tell(void)
{
    printf("%u guests, %u processes of guests, %u deaths of vmd, %u forks, "
           "%" G_GUINT64_FORMAT " rows",
           counts.guests, counts.lives, counts.deaths, counts.forks, counts.rows);
}

int
main(int argc, char **argv)
{
    const SeedsPlan plan = {
        .title = "- metering in a world of its own",
        .behaviour = "what-is-booked-is-what-was",
        .variable = "METERING_SEEDS",
        .count = 1000,
        .run = run,
        .tell = tell,
    };

    return seeds_main(argc, argv, &plan);
}
