/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ledger/ledger.h"

#include "base/clock.h"
#include "rpc/rpc.h"

static void
on_rows(const ProtoLedgerRow *rows, gsize n_rows, gpointer data)
{
    Reader *reader = data;
    g_autofree char *now = NULL;
    ProtoLedgerReadReply reply = {
        .rows = (ProtoLedgerRow *) (gsize) rows,
        .n_rows = n_rows,
    };

    if (reader_is_gone(reader))
        return;
    reply.next = n_rows > 0 ? rows[n_rows - 1].seq : reader->cursor;
    reply.now = now = clock_format_time(store_ledger_now_ms(reader->rpc->store));
    reader_send(reader, &reply, n_rows, n_rows, reply.next);
}

static void
read_ledger(Reader *reader)
{
    instance_book_follow_clock(reader->rpc->instances);
    store_read_ledger(reader->rpc->store, reader->cursor, reader->limit, on_rows, reader);
}

static void
read_call(WireCall *call, const ProtoLedgerReadCall *in)
{
    reader_start(call, read_ledger, in->has_after ? in->after : 0,
                 rpc_get_limit(in->has_limit, in->limit), in->has_follow && in->follow,
                 NULL);
}

const ProtoLedgerHandlers rpc_ledger_handlers = {
    .read = read_call,
};
