/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "sim/bills/history.h"
#include "sim/seeds.h"

/* Bills in a world of their own: a seed is a ledger and the life of who bills it, and
 * what is billed is held against what was truly used. */

static Counts counts;

static bool
run(guint32 seed, bool verbose, guint64 *ret_hash)
{
    return history_run(seed, verbose, &counts, ret_hash);
}

static void
tell(void)
{
    printf("%u bills, %u corrections, %u deaths of vmd-meter, %u forks, "
           "%" G_GUINT64_FORMAT " rows",
           counts.bills, counts.corrections, counts.deaths, counts.forks, counts.rows);
}

int
main(int argc, char **argv)
{
    const SeedsPlan plan = {
        .title = "- bills in a world of their own",
        .behaviour = "what-is-billed-is-what-was-used",
        .variable = "BILLS_SEEDS",
        .count = 100,
        .run = run,
        .tell = tell,
    };

    return seeds_main(argc, argv, &plan);
}
