/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/turns.h"

/** What waits of one tenant. */
typedef struct {
    GQueue urgent;
    GQueue others;
} Line;

struct Turns {
    guint width;
    guint n_at_work;
    /** Tenant to Line. */
    GHashTable *lines;
    /** The lines in which somebody waits, the next one first. */
    GQueue round;
};

static void
line_free(gpointer data)
{
    Line *line = data;

    g_queue_clear(&line->urgent);
    g_queue_clear(&line->others);
    g_free(line);
}

Turns *
turns_new(guint width)
{
    Turns *turns = g_new0(Turns, 1);

    turns->width = width;
    turns->lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, line_free);
    return turns;
}

void
turns_free(Turns *turns)
{
    if (turns == NULL)
        return;
    g_queue_clear(&turns->round);
    g_hash_table_unref(turns->lines);
    g_free(turns);
}

static bool
is_empty(const Line *line)
{
    return line->urgent.length == 0 && line->others.length == 0;
}

void
turns_add(Turns *turns, const char *tenant, gpointer item, bool is_urgent)
{
    Line *line = g_hash_table_lookup(turns->lines, tenant);

    if (line == NULL) {
        line = g_new0(Line, 1);
        g_hash_table_insert(turns->lines, g_strdup(tenant), line);
    }
    if (is_empty(line))
        g_queue_push_tail(&turns->round, line);
    g_queue_push_tail(is_urgent ? &line->urgent : &line->others, item);
}

void
turns_remove(Turns *turns, const char *tenant, gpointer item)
{
    Line *line = g_hash_table_lookup(turns->lines, tenant);

    if (line == NULL || is_empty(line))
        return;
    if (!g_queue_remove(&line->urgent, item))
        g_queue_remove(&line->others, item);
    if (is_empty(line))
        g_queue_remove(&turns->round, line);
}

gpointer
turns_take(Turns *turns)
{
    Line *line = NULL;
    gpointer item = NULL;

    if (turns->n_at_work >= turns->width)
        return NULL;
    line = g_queue_pop_head(&turns->round);
    if (line == NULL)
        return NULL;
    item = g_queue_pop_head(line->urgent.length > 0 ? &line->urgent : &line->others);
    if (!is_empty(line))
        g_queue_push_tail(&turns->round, line);
    turns->n_at_work++;
    return item;
}

void
turns_release(Turns *turns)
{
    g_assert(turns->n_at_work > 0);
    turns->n_at_work--;
}

bool
turns_is_anybody_waiting(const Turns *turns)
{
    return turns->round.length > 0;
}
