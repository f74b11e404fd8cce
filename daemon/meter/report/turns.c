/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/turns.h"

enum {
    /* Bytes that may wait for the client before it has to catch up. */
    BACKLOG_BYTES = 256 * 1024
};

typedef struct {
    WireCall *call;
    TurnsStep step;
    gpointer data;
    GDestroyNotify free;
    guint source;
    /* In the middle of a turn: who ends it then only says so. */
    bool is_busy;
    bool is_gone;
} Turns;

static void
turns_free(Turns *turns)
{
    g_clear_handle_id(&turns->source, g_source_remove);
    turns->free(turns->data);
    g_free(turns);
}

static void
on_gone(WireCall *call, gpointer data)
{
    Turns *turns = data;

    turns->is_gone = true;
    if (!turns->is_busy)
        turns_free(turns);
}

static gboolean turn(gpointer data);

static void
go_on(Turns *turns)
{
    if (turns->source == 0)
        turns->source = g_idle_add_full(G_PRIORITY_DEFAULT, turn, turns, NULL);
}

static void
on_drained(WireCall *call, gpointer data)
{
    go_on(data);
}

static gboolean
turn(gpointer data)
{
    Turns *turns = data;
    bool goes_on = true;

    if (wire_call_get_backlog(turns->call) > BACKLOG_BYTES) {
        turns->source = 0;
        wire_call_on_drained(turns->call, on_drained, turns);
        return G_SOURCE_REMOVE;
    }
    turns->is_busy = true;
    goes_on = turns->step(turns->call, turns->data);
    turns->is_busy = false;
    if (goes_on && !turns->is_gone)
        return G_SOURCE_CONTINUE;
    turns->source = 0;
    turns_free(turns);
    return G_SOURCE_REMOVE;
}

void
turns_start(WireCall *call, TurnsStep step, gpointer data, GDestroyNotify free)
{
    Turns *turns = g_new0(Turns, 1);

    *turns = (Turns){ .call = call, .step = step, .data = data, .free = free };
    wire_call_park(call, on_gone, turns);
    go_on(turns);
}
