/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/rpc.h"

/*
 * A stream is a cursor: it reads a batch after it from the store, sends it, and reads on
 * while batches come full.  One that follows then waits to be woken.  A client that reads
 * slowly is waited for.
 */

enum {
    BACKLOG_BYTES = 262144
};

static void
reader_free(Reader *reader)
{
    g_ptr_array_remove_fast(reader->rpc->followers[reader->kind], reader);
    g_free(reader->tenant);
    g_free(reader);
}

G_STATIC_ASSERT(G_N_ELEMENTS(((Rpc *) NULL)->followers) == READER_KINDS);

static gint64
get_newest(const Reader *reader)
{
    Store *store = reader->rpc->store;

    return reader->kind == READER_LEDGER ? store_get_ledger_head(store).seq
                                         : store_get_seq(store);
}

static void
read_on(Reader *reader)
{
    reader->is_reading = true;
    reader->seq = get_newest(reader);
    reader->read(reader);
}

static void
on_gone(WireCall *call, gpointer data)
{
    Reader *reader = data;

    reader->call = NULL;
    if (!reader->is_reading)
        reader_free(reader);
}

void
reader_start(WireCall *call,
             ReaderKind kind,
             void (*read)(Reader *reader),
             gint64 after,
             guint limit,
             bool follow,
             const char *tenant)
{
    Reader *reader = g_new0(Reader, 1);

    *reader = (Reader){
        .rpc = rpc_of(call),
        .kind = kind,
        .call = call,
        .read = read,
        .cursor = after,
        .limit = limit,
        .follow = follow && wire_call_wants_more(call),
        .tenant = g_strdup(tenant),
    };
    wire_call_park(call, on_gone, reader);
    read_on(reader);
}

bool
reader_is_gone(Reader *reader)
{
    reader->is_reading = false;
    if (reader->call != NULL)
        return false;
    reader_free(reader);
    return true;
}

static void
on_drained(WireCall *call, gpointer data)
{
    read_on(data);
}

static void
go_on(Reader *reader, bool full)
{
    if (wire_call_get_backlog(reader->call) > BACKLOG_BYTES) {
        wire_call_on_drained(reader->call, on_drained, reader);
    } else if (full || reader->seq < get_newest(reader)) {
        read_on(reader);
    } else {
        g_ptr_array_add(reader->rpc->followers[reader->kind], reader);
    }
}

void
reader_send(Reader *reader, const void *reply, gsize n_rows, gsize n_shown, gint64 last)
{
    bool full = n_rows == reader->limit;
    bool ends = !wire_call_wants_more(reader->call) || (!full && !reader->follow);

    reader->cursor = last;
    if (ends) {
        WireCall *call = reader->call;

        reader_free(reader);
        wire_call_reply(call, reply);
        return;
    }
    if (n_shown > 0) {
        /* The client may be let go within: then the reader is freed by what follows. */
        reader->is_reading = true;
        wire_call_continue(reader->call, reply);
        if (reader_is_gone(reader))
            return;
    }
    go_on(reader, full);
}

void
reader_fail(Reader *reader, GError *error)
{
    WireCall *call = reader->call;

    reader_free(reader);
    wire_call_fail(call, error);
}

void
reader_wake(Rpc *rpc, ReaderKind kind)
{
    g_autoptr(GPtrArray) all = g_steal_pointer(&rpc->followers[kind]);

    rpc->followers[kind] = g_ptr_array_new();
    for (guint i = 0; i < all->len; i++) {
        read_on(all->pdata[i]);
    }
}
