/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/seeds.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* When a program under test ends itself, as it does when its store fails, the seed is
 * told all the same. */

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
run_seeds(
    const SeedsPlan *plan, guint32 first, guint32 last, bool verbose, const char *program)
{
    guint bad = 0;

    for (guint32 seed = first; seed <= last; seed++) {
        guint64 hash = 0;

        g_snprintf(last_words, sizeof last_words,
                   "# to see it again: %s --seed %u --verbose\n", program, seed);
        if (!plan->run(seed, verbose, &hash)) {
            bad++;
            tell_seed();
        }
    }
    last_words[0] = '\0';
    printf("%s 1 - %s\n", bad == 0 ? "ok" : "not ok", plan->behaviour);
    printf("# %u seeds: ", last - first + 1);
    plan->tell();
    printf("\n");
    return bad == 0;
}

static bool
repeats_itself(const SeedsPlan *plan, guint32 seed)
{
    guint64 first = 0;
    guint64 second = 0;
    bool same = false;

    plan->run(seed, false, &first);
    plan->run(seed, false, &second);
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
read_range(const SeedsPlan *plan,
           const Options *options,
           guint32 *ret_first,
           guint32 *ret_last)
{
    const char *count = g_getenv(plan->variable);

    *ret_first = 1;
    *ret_last = count != NULL ? (guint32) g_ascii_strtoull(count, NULL, 10) : plan->count;
    if (options->seed >= 0)
        *ret_first = *ret_last = (guint32) options->seed;
    return options->seeds == NULL ||
           sscanf(options->seeds, "%u-%u", ret_first, ret_last) == 2;
}

static bool
read_options(int argc, char **argv, const SeedsPlan *plan, Options *options)
{
    const GOptionEntry entries[] = {
        { "seeds", 0, 0, G_OPTION_ARG_STRING, &options->seeds, "Run these", "FROM-TO" },
        { "seed", 0, 0, G_OPTION_ARG_INT, &options->seed, "Run this one", "N" },
        { "verbose", 0, 0, G_OPTION_ARG_NONE, &options->verbose, "Print what happens",
          NULL },
        { 0 },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(plan->title);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        g_printerr("%s\n", error->message);
    return error == NULL;
}

int
seeds_main(int argc, char **argv, const SeedsPlan *plan)
{
    Options options = { .seed = -1 };
    guint32 first = 0;
    guint32 last = 0;
    bool good = true;

    if (!read_options(argc, argv, plan, &options))
        return EXIT_FAILURE;
    if (!read_range(plan, &options, &first, &last)) {
        g_printerr("--seeds FROM-TO\n");
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
    good = run_seeds(plan, first, last, options.verbose, argv[0]);
    good = repeats_itself(plan, first) && good;
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
