/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * The program around seeds: runs those that --seed, --seeds or a variable of the
 * environment ask for, and says how to see each again in which something was found, also
 * when the process ends in the midst of it.
 */
typedef struct {
    /** What the program is, for --help. */
    const char *title;
    /** The behaviour that is tested, as a test is named. */
    const char *behaviour;
    /** Says how many seeds are run if no others are asked for, and how many otherwise. */
    const char *variable;
    guint32 count;

    /** Runs a seed; false if something was found.  ret_hash is that of its trace. */
    bool (*run)(guint32 seed, bool verbose, guint64 *ret_hash);

    /** Prints, without an end of line, what all seeds so far were made of. */
    void (*tell)(void);
} SeedsPlan;

/** What main() returns. */
int seeds_main(int argc, char **argv, const SeedsPlan *plan);
