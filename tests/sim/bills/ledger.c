/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/ledger.h"

#include "store/chain.h"
#include "store/ledger-table.h"
#include "store/ledger-topics.h"
#include "wire/pack.h"

typedef struct {
    /** Where it ends among the bytes. */
    guint end;
    gint64 at_ms;
    ChainHash hash;
    /** The newest entry of the books up to it, and the fork that none has accepted. */
    gint64 note;
    gint64 fork;
} Row;

static const char service_id[] = "1b4e28ba-2fa1-4d2b-883f-0016d3cca427";

static struct {
    GByteArray *packed;
    GArray *rows;
} ledger;

void
ledger_begin(void)
{
    ledger.packed = g_byte_array_new();
    ledger.rows = g_array_new(FALSE, FALSE, sizeof(Row));
}

void
ledger_end(void)
{
    g_clear_pointer(&ledger.packed, g_byte_array_unref);
    g_clear_pointer(&ledger.rows, g_array_unref);
}

const char *
ledger_get_service_id(void)
{
    return service_id;
}

/* As if before the first there were one more. */
static Row
get_row(gint64 seq)
{
    if (seq == 0)
        return (Row){ .hash = chain_begin(service_id) };
    return g_array_index(ledger.rows, Row, seq - 1);
}

gint64
ledger_add(ProtoLedgerRow *row, gint64 at_ms)
{
    const Row before = get_row(ledger_count());
    Row added = { .at_ms = at_ms, .note = before.note, .fork = before.fork };
    ChainHash leaf;

    row->seq = ledger_count() + 1;
    row->at_ms = at_ms;
    if (row->kind == LEDGER_KIND_OPENED) {
        row->has_segment = true;
        row->segment = row->seq;
    }
    if (row->kind == LEDGER_KIND_NOTED)
        added.note = row->seq;
    if (row->kind == LEDGER_KIND_FORKED)
        added.fork = row->seq;
    if (ledger_topic_is(LEDGER_TOPIC_RECOVERED, row))
        added.fork = 0;
    wire_struct_pack(&proto_ledger_row_type, row, ledger.packed);
    added.end = ledger.packed->len;
    leaf = chain_leaf(ledger.packed->data + before.end, added.end - before.end);
    added.hash = chain_next(&before.hash, &leaf);
    g_array_append_val(ledger.rows, added);
    proto_ledger_row_clear(row);
    return ledger_count();
}

gint64
ledger_count(void)
{
    return ledger.rows->len;
}

gint64
ledger_get_note(void)
{
    return get_row(ledger_count()).note;
}

gint64
ledger_get_fork(void)
{
    return get_row(ledger_count()).fork;
}

gint64
ledger_get_time(gint64 seq)
{
    return get_row(seq).at_ms;
}

char *
ledger_get_hash(gint64 seq)
{
    const Row row = get_row(seq);

    return chain_to_text(&row.hash);
}

const guint8 *
ledger_read(gint64 after, gint64 until, gsize *ret_length)
{
    guint begin = get_row(after).end;

    *ret_length = get_row(until).end - begin;
    return ledger.packed->data + begin;
}

void
ledger_cut(gint64 seq)
{
    g_byte_array_set_size(ledger.packed, get_row(seq).end);
    g_array_set_size(ledger.rows, (guint) seq);
}
