/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/ledger-table.h"

#include <string.h>

#include "store/ledger-topics.h"
#include "wire/pack.h"

typedef enum {
    SQL_ADD,
    SQL_OPEN,
    SQL_CLOSE,
    SQL_READ,
    SQL_READ_HEAD,
    SQL_FIND_HASH,
    SQL_READ_MARK,
    SQL_SET_MARK,
    SQL_N,
} Sql;

static const char *const texts[] = {
    [SQL_ADD] = "INSERT INTO ledger (seq, body, hash) VALUES (?1, ?2, ?3)",
    [SQL_OPEN] = "INSERT INTO segment (seq, resource, from_ms) VALUES (?1, ?2, ?3)",
    [SQL_CLOSE] = "UPDATE segment SET to_ms = ?2 WHERE seq = ?1",
    [SQL_READ] =
        "SELECT seq, body, hash FROM ledger WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    [SQL_READ_HEAD] = "SELECT seq, body, hash FROM ledger ORDER BY seq DESC LIMIT 1",
    [SQL_FIND_HASH] = "SELECT seq, body, hash FROM ledger WHERE seq = ?1",
    [SQL_READ_MARK] = "SELECT value FROM setting WHERE key = ?1",
    [SQL_SET_MARK] = "INSERT OR REPLACE INTO setting (key, value) VALUES (?1, ?2)",
};

G_STATIC_ASSERT(G_N_ELEMENTS(texts) == SQL_N);

struct LedgerTable {
    Database *database;
    Statement *statements[SQL_N];
    /** With what the open transaction added, and without. */
    LedgerHead head;
    LedgerHead kept;
};

struct LedgerWrite {
    gint64 seq;
    gint64 at_ms;
    GByteArray *body;
    /** Of a segment that opens or closes; 0 if none does. */
    gint64 segment;
    gint64 from_ms;
    gint64 to_ms;
    char *resource;
    /** What it is to the books. */
    bool is_note;
    bool is_fork;
    bool is_recovery;
};

/* Where the books stand, kept as settings. */
static const char note_mark[] = "note_seq";
static const char fork_mark[] = "forked_seq";

static bool
refuse(gint64 seq, GError **error)
{
    proto_error_set_internal(error, "database",
                             "Row %" G_GINT64_FORMAT " of the ledger is damaged", seq);
    return false;
}

/* What a row says, for those who read it here. */
static bool
unpack(const guint8 *body, gsize length, gsize *ret_used, ProtoLedgerRow *ret_row)
{
    return wire_struct_unpack(&proto_ledger_row_type, body, length, ret_used, ret_row,
                              NULL);
}

static bool
get_hash(Statement *statement, int column, ChainHash *ret_hash)
{
    gsize length = 0;
    const guint8 *bytes = statement_get_blob(statement, column, &length);

    if (length != sizeof ret_hash->bytes)
        return false;
    memcpy(ret_hash->bytes, bytes, length);
    return true;
}

static bool
read_head(Statement *statement, LedgerHead *ret_head, GError **error)
{
    g_auto(ProtoLedgerRow) row = { 0 };
    gsize length = 0;
    gsize used = 0;
    const guint8 *body = statement_get_blob(statement, 1, &length);
    LedgerHead head = { .seq = statement_get_int(statement, 0) };

    if (!get_hash(statement, 2, &head.hash) || !unpack(body, length, &used, &row) ||
        used != length || row.seq != head.seq)
        return refuse(head.seq, error);
    head.at_ms = row.at_ms;
    *ret_head = head;
    return true;
}

static bool
read_mark(LedgerTable *table, const char *mark, gint64 *ret_seq, GError **error)
{
    Statement *statement = table->statements[SQL_READ_MARK];
    bool row = false;
    bool good = false;

    statement_bind_text(statement, 1, mark);
    good = statement_step(statement, &row, error);
    if (good && row)
        good = g_ascii_string_to_signed(statement_get_text(statement, 0), 10, 0,
                                        G_MAXINT64, ret_seq, error);
    statement_reset(statement);
    return good;
}

static bool
set_mark(LedgerTable *table, const char *mark, gint64 seq, GError **error)
{
    Statement *statement = table->statements[SQL_SET_MARK];
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, seq);

    statement_bind_text(statement, 1, mark);
    statement_bind_text(statement, 2, text);
    return statement_run(statement, error);
}

static bool
load_head(LedgerTable *table, const char *service_id, GError **error)
{
    Statement *statement = table->statements[SQL_READ_HEAD];
    bool row = false;
    bool good = statement_step(statement, &row, error);

    table->head.hash = chain_begin(service_id);
    if (good && row)
        good = read_head(statement, &table->head, error);
    statement_reset(statement);
    good = good && read_mark(table, note_mark, &table->head.note_seq, error) &&
           read_mark(table, fork_mark, &table->head.forked_seq, error);
    table->kept = table->head;
    return good;
}

LedgerTable *
ledger_table_new(Database *database, const char *service_id, GError **error)
{
    g_autoptr(LedgerTable) table = g_new0(LedgerTable, 1);

    table->database = database;
    for (int i = 0; i < SQL_N; i++) {
        table->statements[i] = database_prepare(database, texts[i], error);
        if (table->statements[i] == NULL)
            return NULL;
    }
    return load_head(table, service_id, error) ? g_steal_pointer(&table) : NULL;
}

void
ledger_table_free(LedgerTable *table)
{
    if (table == NULL)
        return;
    for (int i = 0; i < SQL_N; i++) {
        statement_free(table->statements[i]);
    }
    g_free(table);
}

LedgerHead
ledger_table_get_head(const LedgerTable *table)
{
    return table->head;
}

bool
ledger_table_find_hash(
    LedgerTable *table, gint64 seq, bool *ret_found, ChainHash *ret_hash, GError **error)
{
    Statement *statement = table->statements[SQL_FIND_HASH];
    bool good = false;

    statement_bind_int(statement, 1, seq);
    good = statement_step(statement, ret_found, error);
    if (good && *ret_found && !get_hash(statement, 2, ret_hash))
        good = refuse(seq, error);
    statement_reset(statement);
    return good;
}

/* Adding */

LedgerWrite *
ledger_write_new(const ProtoLedgerRow *row)
{
    LedgerWrite *write = g_new0(LedgerWrite, 1);
    ProtoLedgerRow hashed = *row;

    hashed.hash = NULL;
    *write =
        (LedgerWrite){ .seq = row->seq, .at_ms = row->at_ms, .body = g_byte_array_new() };
    wire_struct_pack(&proto_ledger_row_type, &hashed, write->body);
    if (row->kind == LEDGER_KIND_OPENED || row->kind == LEDGER_KIND_CLOSED) {
        write->segment = row->segment;
        write->from_ms = row->from_ms;
        write->to_ms = row->to_ms;
    }
    write->is_note = row->kind == LEDGER_KIND_NOTED;
    write->is_fork = row->kind == LEDGER_KIND_FORKED;
    write->is_recovery = ledger_topic_is(LEDGER_TOPIC_RECOVERED, row);
    if (row->kind == LEDGER_KIND_OPENED)
        write->resource = g_strdup_printf(
            "%s/%s", resource_kind_to_string(row->resource_kind), row->resource);
    return write;
}

void
ledger_write_free(LedgerWrite *write)
{
    if (write == NULL)
        return;
    g_byte_array_unref(write->body);
    g_free(write->resource);
    g_free(write);
}

static bool
add_row(LedgerTable *table,
        const LedgerWrite *write,
        const ChainHash *hash,
        GError **error)
{
    Statement *statement = table->statements[SQL_ADD];

    statement_bind_int(statement, 1, write->seq);
    statement_bind_blob(statement, 2, write->body->data, write->body->len);
    statement_bind_blob(statement, 3, hash->bytes, sizeof hash->bytes);
    return statement_run(statement, error);
}

static bool
note_segment(LedgerTable *table, const LedgerWrite *write, GError **error)
{
    bool opens = write->resource != NULL;
    Statement *statement = table->statements[opens ? SQL_OPEN : SQL_CLOSE];

    if (write->segment == 0)
        return true;
    statement_bind_int(statement, 1, write->segment);
    if (opens) {
        statement_bind_text(statement, 2, write->resource);
        statement_bind_int(statement, 3, write->from_ms);
    } else {
        statement_bind_int(statement, 2, write->to_ms);
    }
    if (!statement_run(statement, error))
        return false;
    if (database_count_changes(table->database) == 1)
        return true;
    proto_error_set_internal(error, "database",
                             "There is no segment %" G_GINT64_FORMAT " to be closed",
                             write->segment);
    return false;
}

static bool
mark_books(LedgerTable *table, const LedgerWrite *write, GError **error)
{
    if (write->is_note) {
        table->head.note_seq = write->seq;
        if (!set_mark(table, note_mark, write->seq, error))
            return false;
    }
    if (!write->is_fork && !write->is_recovery)
        return true;
    table->head.forked_seq = write->is_fork ? write->seq : 0;
    return set_mark(table, fork_mark, table->head.forked_seq, error);
}

bool
ledger_table_add(LedgerTable *table, const LedgerWrite *write, GError **error)
{
    ChainHash leaf = chain_leaf(write->body->data, write->body->len);
    ChainHash hash = chain_next(&table->head.hash, &leaf);

    if (!add_row(table, write, &hash, error) || !note_segment(table, write, error) ||
        !mark_books(table, write, error)) {
        g_prefix_error(error,
                       "Adding row %" G_GINT64_FORMAT " to the ledger: ", write->seq);
        return false;
    }
    table->head.seq = write->seq;
    table->head.at_ms = write->at_ms;
    table->head.hash = hash;
    return true;
}

void
ledger_table_keep(LedgerTable *table)
{
    table->kept = table->head;
}

void
ledger_table_give_up(LedgerTable *table)
{
    table->head = table->kept;
}

/* Reading */

void
ledger_page_free(LedgerPage *page)
{
    if (page == NULL)
        return;
    g_byte_array_unref(page->rows);
    g_array_unref(page->hashes);
    g_free(page);
}

static bool
take_row(Statement *statement, LedgerPage *page, GError **error)
{
    gint64 seq = statement_get_int(statement, 0);
    gsize length = 0;
    const guint8 *body = statement_get_blob(statement, 1, &length);
    ChainHash hash;

    if (length == 0 || !get_hash(statement, 2, &hash))
        return refuse(seq, error);
    g_byte_array_append(page->rows, body, (guint) length);
    g_array_append_val(page->hashes, hash);
    page->last_seq = seq;
    return true;
}

LedgerPage *
ledger_table_read(
    LedgerTable *table, gint64 after, guint limit, gsize max_bytes, GError **error)
{
    Statement *statement = table->statements[SQL_READ];
    g_autoptr(LedgerPage) page = g_new0(LedgerPage, 1);
    bool row = true;
    bool good = true;

    *page = (LedgerPage){ g_byte_array_new(),
                          g_array_new(FALSE, FALSE, sizeof(ChainHash)), after };
    statement_bind_int(statement, 1, after);
    statement_bind_int(statement, 2, limit);
    while (good && page->rows->len < max_bytes &&
           (good = statement_step(statement, &row, error)) && row) {
        good = take_row(statement, page, error);
    }
    statement_reset(statement);
    return good ? g_steal_pointer(&page) : NULL;
}

bool
ledger_page_next(const LedgerPage *page, LedgerWalk *walk, ProtoLedgerRow *ret_row)
{
    gsize used = 0;

    if (walk->index == page->hashes->len ||
        !unpack(page->rows->data + walk->at, page->rows->len - walk->at, &used, ret_row))
        return false;
    ret_row->hash = chain_to_text(&g_array_index(page->hashes, ChainHash, walk->index));
    walk->at += used;
    walk->index++;
    return true;
}
