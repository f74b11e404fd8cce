/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/stream.h"

enum {
    /* Bytes that may wait for the client before it has to catch up. */
    BACKLOG_BYTES = 256 * 1024
};

typedef struct {
    WireCall *call;
    StreamStep step;
    gpointer data;
    GDestroyNotify free;
    guint source;
    /* In the middle of a turn: who ends it then only says so. */
    bool is_busy;
    bool is_gone;
} Stream;

static void
stream_free(Stream *stream)
{
    g_clear_handle_id(&stream->source, g_source_remove);
    stream->free(stream->data);
    g_free(stream);
}

static void
on_gone(WireCall *call, gpointer data)
{
    Stream *stream = data;

    stream->is_gone = true;
    if (!stream->is_busy)
        stream_free(stream);
}

static gboolean turn(gpointer data);

static void
go_on(Stream *stream)
{
    if (stream->source == 0)
        stream->source = g_idle_add_full(G_PRIORITY_DEFAULT, turn, stream, NULL);
}

static void
on_drained(WireCall *call, gpointer data)
{
    go_on(data);
}

static gboolean
turn(gpointer data)
{
    Stream *stream = data;
    bool goes_on = true;

    if (wire_call_get_backlog(stream->call) > BACKLOG_BYTES) {
        stream->source = 0;
        wire_call_on_drained(stream->call, on_drained, stream);
        return G_SOURCE_REMOVE;
    }
    stream->is_busy = true;
    goes_on = stream->step(stream->call, stream->data);
    stream->is_busy = false;
    if (goes_on && !stream->is_gone)
        return G_SOURCE_CONTINUE;
    stream->source = 0;
    stream_free(stream);
    return G_SOURCE_REMOVE;
}

void
stream_start(WireCall *call, StreamStep step, gpointer data, GDestroyNotify free)
{
    Stream *stream = g_new0(Stream, 1);

    *stream = (Stream){ .call = call, .step = step, .data = data, .free = free };
    wire_call_park(call, on_gone, stream);
    go_on(stream);
}
