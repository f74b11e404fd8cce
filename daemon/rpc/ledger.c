/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ledger/ledger.h"

#include <string.h>

#include "ledger/steps.h"
#include "rpc/rpc.h"
#include "store/ledger-topics.h"
#include "tenant/unbilled.h"

static char *
take_hash(const LedgerPage *page)
{
    return page->hashes->len > 0 ? chain_to_text(&g_array_index(page->hashes, ChainHash,
                                                                page->hashes->len - 1))
                                 : NULL;
}

/* Reading */

static void
send_page(Reader *reader, const LedgerPage *page, ProtoLedgerReadReply *reply)
{
    gsize n_rows = page->hashes->len;

    reply->hash = take_hash(page);
    reply->next = n_rows > 0 ? page->last_seq : reader->cursor;
    reply->now_ms = store_ledger_now_ms(reader->rpc->store);
    /* A page of many bytes may hold fewer rows than were asked for. */
    reader_send(reader, reply,
                page->rows->len >= STORE_PAGE_BYTES ? reader->limit : n_rows, n_rows,
                reply->next);
    proto_ledger_read_reply_clear(reply);
}

static void
on_packed(const LedgerPage *page, gpointer data)
{
    Reader *reader = data;
    ProtoLedgerReadReply reply = { 0 };

    if (reader_is_gone(reader))
        return;
    reply.packed = g_base64_encode(page->rows->data, page->rows->len);
    send_page(reader, page, &reply);
}

static void
on_rows(const LedgerPage *page, gpointer data)
{
    Reader *reader = data;
    ProtoLedgerReadReply reply = { 0 };
    LedgerWalk walk = { 0 };

    if (reader_is_gone(reader))
        return;
    reply.rows = g_new0(ProtoLedgerRow, page->hashes->len);
    while (ledger_page_next(page, &walk, &reply.rows[reply.n_rows])) {
        reply.n_rows++;
    }
    send_page(reader, page, &reply);
}

static void
read_rows(Reader *reader)
{
    instance_book_follow_clock(reader->rpc->instances);
    store_read_ledger(reader->rpc->store, reader->cursor, reader->limit, on_rows, reader);
}

static void
read_packed(Reader *reader)
{
    instance_book_follow_clock(reader->rpc->instances);
    store_read_ledger(reader->rpc->store, reader->cursor, reader->limit, on_packed,
                      reader);
}

static void
read_call(WireCall *call, const ProtoLedgerReadCall *in)
{
    bool packed = in->has_packed && in->packed;
    guint limit = rpc_get_limit(in->has_limit, in->limit);

    reader_start(call, READER_LEDGER, packed ? read_packed : read_rows,
                 in->has_after ? in->after : 0,
                 packed ? limit : MIN(limit, (guint) WIRE_PAGE_ROWS),
                 in->has_follow && in->follow, NULL);
}

static void
get_head(WireCall *call, const ProtoLedgerGetHeadCall *in)
{
    Store *store = rpc_of(call)->store;
    LedgerHead head = store_get_ledger_head(store);
    g_autofree char *hash = chain_to_text(&head.hash);
    gint64 behind_ms = ledger_clock_get_behind_ms(head.at_ms);
    const ProtoLedgerGetHeadReply reply = {
        .service_id = (char *) (gsize) store_get_service_id(store),
        .seq = head.seq,
        .hash = hash,
        .at_ms = head.at_ms,
        .note = head.note_seq,
        .has_forked = head.forked_seq > 0,
        .forked = head.forked_seq,
        .has_behind_ms = behind_ms > 0,
        .behind_ms = behind_ms,
    };

    wire_call_reply(call, &reply);
}

/* Writing */

typedef struct {
    WireCall *call;
    gint64 seq;
} Noted;

static void
on_noted(gpointer data)
{
    g_autofree Noted *noted = data;
    const ProtoLedgerNoteReply reply = { .seq = noted->seq };

    wire_call_reply(noted->call, &reply);
}

/* As vmd-meter reads them: what it could not read would stay in its way for ever. */
static bool
check_note(LedgerTopic topic, const char *note, GError **error)
{
    const WireStruct *type = ledger_topic_get_type(topic);
    g_autofree gpointer entry = g_malloc0(type->size);
    g_autoptr(GError) why = NULL;

    if (!wire_struct_read(type, note, strlen(note), ledger_topic_get_name(topic),
                          WIRE_PARSE_STRICT, entry, &why)) {
        proto_error_set_invalid_parameter(error, "parameters.note", why->message,
                                          "This is no entry of the books: %s",
                                          why->message);
        return false;
    }
    wire_struct_clear(type, entry);
    return true;
}

static bool
check_entry(const ProtoLedgerNoteCall *in, LedgerTopic *ret_topic, GError **error)
{
    if (ledger_topic_find(in->topic, ret_topic))
        return check_note(*ret_topic, in->note, error);
    proto_error_set_invalid_parameter(
        error, "parameters.topic", "is nothing that the books know",
        "The books know nothing of the topic \"%s\"", in->topic);
    return false;
}

static void
seal(Rpc *rpc, StoreTx *tx, const char *text)
{
    g_auto(ProtoSealedNote) sealed = { 0 };

    if (wire_struct_read(ledger_topic_get_type(LEDGER_TOPIC_SEALED), text, strlen(text),
                         "note", WIRE_PARSE_STRICT, &sealed, NULL))
        unbilled_seal(rpc->tenants, tx, sealed.period,
                      (const char *const *) sealed.unpriced);
}

static void
note(WireCall *call, const ProtoLedgerNoteCall *in)
{
    Rpc *rpc = rpc_of(call);
    gint64 newest = store_get_note_seq(rpc->store);
    LedgerTopic topic = LEDGER_TOPIC_N;
    StoreTx *tx = NULL;
    Noted *noted = NULL;
    GError *error = NULL;

    if (!check_entry(in, &topic, &error)) {
        wire_call_fail(call, error);
        return;
    }
    if (in->follows != newest) {
        proto_error_set_conflict(&error, "note", in->topic, NULL,
                                 "The newest entry of the books is row %" G_GINT64_FORMAT,
                                 newest);
        wire_call_fail(call, error);
        return;
    }
    instance_book_follow_clock(rpc->instances);
    tx = store_begin(rpc->store);
    noted = g_new0(Noted, 1);
    *noted =
        (Noted){ call, ledger_add_note(rpc->store, tx, in->topic, in->tenant, in->note) };
    if (topic == LEDGER_TOPIC_SEALED)
        seal(rpc, tx, in->note);
    store_on_commit(tx, on_noted, noted);
    store_commit(tx);
}

const ProtoLedgerHandlers rpc_ledger_handlers = {
    .get_head = get_head,
    .read = read_call,
    .note = note,
};
