/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/world.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/*
 * How it works
 *
 * GLib asks clock_gettime() for the time and its main context a poll function to wait.
 * Both are ours: an executable's own clock_gettime() comes before the C library's, and
 * the poll function never waits: when nothing is ready it moves the clock to the next
 * timer.  So a minute passes in no time, and the same seed meets the same order of
 * things.  The controller's random numbers (ids, names) come from GLib's generator, which
 * the seed sets.
 */

enum {
    /** Turns of the main loop in which no time passes: more is a loop that does not end.
     */
    TURNS_MAX = 200000,
};

static const gint64 epoch_ms = 1767225600000; /* 2026-01-01 */

typedef struct {
    guint32 seed;
    bool verbose;
    GRand *chance;
    gint64 now_ms;
    gint64 wall_offset_ms;
    gint64 booted_ms;
    guint n_boots;
    char boot_id[40];
    guint turns;
    bool is_over;
    guint64 hash;
    guint n_faults;
    const char *expected;
} World;

static World *world;

/* Clocks */

static gint64
wall_ms(void)
{
    return epoch_ms + world->now_ms + world->wall_offset_ms;
}

static gint64
boot_ms(void)
{
    return world->now_ms - world->booted_ms;
}

static const char *
boot_id(void)
{
    return world->boot_id;
}

int
clock_gettime(clockid_t id, struct timespec *ret_now)
{
    gint64 now_ms = 0;

    if (world == NULL)
        return (int) syscall(SYS_clock_gettime, id, ret_now);
    now_ms = id == CLOCK_REALTIME ? wall_ms() : world->now_ms;
    ret_now->tv_sec = now_ms / 1000;
    ret_now->tv_nsec = now_ms % 1000 * 1000000;
    return 0;
}

static gint
pass_time(GPollFD *fds, guint n_fds, gint timeout_ms)
{
    /* Alone, it is the one by which other threads wake the loop, of which there are none.
     */
    int ready = n_fds > 1 ? poll((struct pollfd *) (gpointer) fds, n_fds, 0) : 0;

    if (ready != 0 || timeout_ms == 0) {
        if (++world->turns > TURNS_MAX) {
            world_blame("the main loop turns without end");
            world->is_over = true;
            world->now_ms++;
        }
        return ready;
    }
    world->turns = 0;
    world->now_ms += MAX(timeout_ms, 1);
    return 0;
}

void
world_jump_wall(gint64 by_ms)
{
    world->wall_offset_ms += by_ms;
    world_trace("the wall clock is set by %" G_GINT64_FORMAT " ms", by_ms);
}

void
world_boot(void)
{
    world->booted_ms = world->now_ms - 1000;
    g_snprintf(world->boot_id, sizeof world->boot_id, "00000000-0000-4000-8000-%012u",
               ++world->n_boots);
    world_trace("the machine boots");
}

gint64
world_now_ms(void)
{
    return world->now_ms;
}

static gboolean
on_limit(gpointer data)
{
    *(bool *) data = true;
    return G_SOURCE_REMOVE;
}

bool
world_run(bool (*is_over)(gpointer data), gpointer data, gint64 limit_ms)
{
    bool late = false;
    bool over = false;
    guint source = g_timeout_add((guint) limit_ms, on_limit, &late);

    while (!late && !world->is_over) {
        over = is_over != NULL && is_over(data);
        if (over)
            break;
        g_main_context_iteration(NULL, TRUE);
    }
    if (!late)
        g_source_remove(source);
    return over || (is_over != NULL && is_over(data));
}

/* Chance */

guint
world_random(guint below)
{
    return (guint) g_rand_int_range(world->chance, 0, (gint32) below);
}

bool
world_chance(guint per_mille)
{
    return world_random(1000) < per_mille;
}

/* The record */

static void
add_line(const char *line)
{
    world->hash = (world->hash ^ (guint64) world->now_ms) * 1099511628211u;
    for (const char *p = line; *p != '\0'; p++) {
        world->hash = (world->hash ^ (guchar) *p) * 1099511628211u;
    }
    if (world->verbose)
        printf("# %9.3f %s\n", (double) world->now_ms / 1000, line);
}

void
world_trace(const char *format, ...)
{
    g_autofree char *line = NULL;
    va_list arguments;

    va_start(arguments, format);
    line = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    add_line(line);
}

void
world_blame(const char *format, ...)
{
    g_autofree char *line = NULL;
    va_list arguments;

    va_start(arguments, format);
    line = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    add_line(line);
    printf("# seed %u: %s\n", world->seed, line);
    world->n_faults++;
}

void
world_expect(const char *text)
{
    world->expected = text;
}

guint
world_count_faults(void)
{
    return world->n_faults;
}

char *
world_make_folder(const char *prefix)
{
    static const char memory[] = "/dev/shm";
    static const guint64 enough = 268435456;
    g_autofree char *name = g_strconcat(prefix, "-XXXXXX", NULL);
    struct statvfs room;
    bool has_room = statvfs(memory, &room) == 0 && access(memory, W_OK) == 0 &&
                    (guint64) room.f_bavail * room.f_frsize >= enough;
    char *folder = g_build_filename(has_room ? memory : g_get_tmp_dir(), name, NULL);

    if (g_mkdtemp(folder) == NULL)
        g_error("Making the folder %s", folder);
    return folder;
}

guint64
world_hash(void)
{
    return world->hash;
}

/* What the controller logs is part of what happened; a critical message, or one of an
 * edge that the lifecycle does not have, is its own word that something must not be. */
static GLogWriterOutput
take_message(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
    const char *text = "";

    for (gsize i = 0; i < n_fields; i++) {
        if (strcmp(fields[i].key, "MESSAGE") == 0 && fields[i].length == -1)
            text = fields[i].value;
    }
    if (world == NULL || (level & G_LOG_FLAG_FATAL) != 0)
        return g_log_writer_standard_streams(level, fields, n_fields, data);
    if (((level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR)) != 0 ||
         strstr(text, "leads nowhere") != NULL) &&
        (world->expected == NULL || strstr(text, world->expected) == NULL)) {
        world_blame("log: %s", text);
    } else if ((level & G_LOG_LEVEL_DEBUG) == 0) {
        world_trace("log: %s", text);
    }
    return G_LOG_WRITER_HANDLED;
}

/* Life */

void
world_begin(guint32 seed, bool verbose)
{
    static const ClockSource source = { wall_ms, boot_ms, boot_id };
    static bool is_logging;

    if (!is_logging)
        g_log_set_writer_func(take_message, NULL, NULL);
    is_logging = true;
    world = g_new0(World, 1);
    world->seed = seed;
    world->verbose = verbose;
    world->chance = g_rand_new_with_seed(seed);
    world->hash = 14695981039346656037u;
    world->now_ms = 1000;
    g_random_set_seed(seed + 1);
    clock_set_source(&source);
    g_main_context_set_poll_func(NULL, pass_time);
    world_boot();
}

void
world_end(void)
{
    g_main_context_set_poll_func(NULL, NULL);
    clock_set_source(NULL);
    g_rand_free(world->chance);
    g_free(world);
    world = NULL;
}
