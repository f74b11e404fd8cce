/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"
#include "store/chain.h"
#include "store/database.h"

/**
 * The ledger on disk: its rows as they are hashed, the hash of each, and which segments
 * there are, so that the database itself refuses two of one resource at one time.  Used
 * by whichever thread owns the database.
 */
typedef struct LedgerTable LedgerTable;

/** The newest row; all zero but for the hash before the first.  And the newest entry of
 * the books, and the row that tells of a fork which no entry has accepted; 0 if there is
 * none. */
typedef struct {
    gint64 seq;
    gint64 at_ms;
    ChainHash hash;
    gint64 note_seq;
    gint64 forked_seq;
} LedgerHead;

/** A row to be added, and what the database is to know of it. */
typedef struct LedgerWrite LedgerWrite;

/** Rows as they are read: packed, one behind the other, and the ChainHash of each. */
typedef struct {
    GByteArray *rows;
    GArray *hashes;
    gint64 last_seq;
} LedgerPage;

LedgerTable *ledger_table_new(Database *database, const char *service_id, GError **error);
void ledger_table_free(LedgerTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LedgerTable, ledger_table_free)

LedgerHead ledger_table_get_head(const LedgerTable *table);

/** The hash of a row; ret_found is false if there is no such row. */
bool ledger_table_find_hash(
    LedgerTable *table, gint64 seq, bool *ret_found, ChainHash *ret_hash, GError **error);

/** Packs row, which has its seq. */
LedgerWrite *ledger_write_new(const ProtoLedgerRow *row);
void ledger_write_free(LedgerWrite *write);

/** Adds the row behind the head, in the transaction that is open. */
bool ledger_table_add(LedgerTable *table, const LedgerWrite *write, GError **error);

/** The transaction that is open is to be kept, or was given up: the head is where it was
 * before it. */
void ledger_table_keep(LedgerTable *table);
void ledger_table_give_up(LedgerTable *table);

/** Rows after a seq: at most limit, and not many more bytes than max_bytes. */
LedgerPage *ledger_table_read(
    LedgerTable *table, gint64 after, guint limit, gsize max_bytes, GError **error);
void ledger_page_free(LedgerPage *page);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LedgerPage, ledger_page_free)

/** Where a walk over a page stands; all zero at the start. */
typedef struct {
    gsize at;
    guint index;
} LedgerWalk;

/** The next row of the page into ret_row, with its hash; false at the end.  Release with
 * proto_ledger_row_clear(). */
bool ledger_page_next(const LedgerPage *page, LedgerWalk *walk, ProtoLedgerRow *ret_row);
