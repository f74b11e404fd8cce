/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"
#include "store/ledger-table.h"

/**
 * What outlives the process.  The main loop owns all state and hands the store whole
 * transactions; a thread of the store commits them, as many together as have come (group
 * commit), and tells the main loop.  So nothing on the main loop waits for a disk.
 *
 * State in memory runs ahead of the disk by the transactions under way: an answer, an
 * event or a side effect that depends on a transaction belongs into store_on_commit().  A
 * transaction cannot be refused: when the disk fails to take one, memory and disk no
 * longer agree and the process ends at once, to start again from the disk.
 *
 * All calls from the main loop.
 */
typedef struct Store Store;
typedef struct StoreTx StoreTx;

typedef enum {
    STORE_TENANT,
    STORE_TEMPLATE,
    STORE_INSTANCE,
    STORE_OPERATION,
    STORE_COUNTER,
    STORE_HOST,
    STORE_GROUP,
    STORE_TABLES,
} StoreTable;

/**
 * Opens directory/vmd.db, making both if they are missing (0700, 0600).  Fails with
 * PROTO_ERROR_INTERNAL on a database that is damaged or newer, and on one that was lost
 * from beside its copies, unless it may begin anew; nothing is changed then.
 */
Store *store_open(const char *directory, bool anew, GError **error);

/** Commits what was handed over, and closes. */
void store_close(Store *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_close)

/**
 * Reads a whole table, before the first transaction.  row takes each record, a heap
 * struct of type, in the order in which they were added.
 */
bool store_load(Store *store,
                StoreTable table,
                const WireStruct *type,
                void (*row)(gpointer record, gpointer data),
                gpointer data,
                GError **error);

/** The identity of this installation: a UUID made when the database was. */
const char *store_get_service_id(Store *store);

/** Starts the thread.  From here on only transactions and reads. */
void store_start(Store *store);

/** Copies the database into directory/backups every so many seconds, while it is in use,
 * and keeps the newest of the copies.  Call after store_start(). */
void store_keep_backups(Store *store, guint keep, guint seconds);

/**
 * Holds the ledger against the file at path (store/anchor.h), and from then on has the
 * file tell where the ledger stands, every hour and after each entry of the books.  If
 * the ledger does not come up to the file, a row tells of that fork.  Call before
 * store_start(), with no transaction before it.
 */
bool store_keep_anchor(Store *store, const char *path, GError **error);

/** Whether the disk is full: nothing that takes room may be admitted.  It looks for room
 * by itself from time to time. */
bool store_is_short(Store *store);

/**
 * Begins a transaction, to be handed over in the same turn of the main loop.  One that is
 * begun while another is open is a part of that: it is on disk together with it.
 */
StoreTx *store_begin(Store *store);

/** Writes a record whole.  a and b are what the table is found by (tenant and name, name
 * and version). */
void store_put(StoreTx *tx,
               StoreTable table,
               const char *key,
               const char *a,
               const char *b,
               const WireStruct *type,
               const void *record);
/** Writes a record of STORE_COUNTER, which is packed: shared, and so changed no more. */
void store_put_packed(StoreTx *tx, const char *key, GByteArray *packed);
void store_delete(StoreTx *tx, StoreTable table, const char *key);

/** Numbers event and adds it; takes its contents.  Returns the number. */
gint64 store_add_event(StoreTx *tx, ProtoEvent *event);

/** The time of a row of the ledger that is made now: the wall clock, but never before the
 * row before it. */
gint64 store_ledger_now_ms(Store *store);

/** Something that is kept tells of this time, which rows from now on are not before. */
void store_pass_ledger_ms(Store *store, gint64 at_ms);

/** The time of the newest row of the ledger, or of what was passed since; 0 if there is
 * none. */
gint64 store_get_ledger_ms(Store *store);

/** Numbers a row and adds it to the ledger; its at_ms is that of the row before or later.
 */
void store_add_ledger(StoreTx *tx, ProtoLedgerRow *row);

/** The newest entry of the books; 0 if there is none. */
gint64 store_get_note_seq(Store *store);

/** The newest row of the ledger that is on disk. */
LedgerHead store_get_ledger_head(Store *store);

/** Calls func when tx is on disk, in the order of these calls. */
void store_on_commit(StoreTx *tx, void (*func)(gpointer data), gpointer data);

/** Hands tx over, or what it is a part of goes on. */
void store_commit(StoreTx *tx);

/** The number of the newest event that is on disk. */
gint64 store_get_seq(Store *store);

/** Is told of every event once it is on disk. */
void store_on_event(Store *store,
                    void (*func)(const ProtoEvent *event, gpointer data),
                    gpointer data);

/** Is told when rows of the ledger are on disk. */
void store_on_ledger(Store *store, void (*func)(gpointer data), gpointer data);

/** Rows that were read; borrowed during the call. */
typedef void (*StoreEvents)(const ProtoEvent *events, gsize n_events, gpointer data);
typedef void (*StoreLedger)(const LedgerPage *page, gpointer data);

/** What is wrong with the database's file, a text each; n_faults is 0 if nothing. */
typedef void (*StoreChecked)(const char *const *faults, gsize n_faults, gpointer data);

/** Looks through the whole file and tells later on the main loop.  Transactions wait
 * meanwhile: about a second for a gigabyte. */
void store_check(Store *store, StoreChecked func, gpointer data);

/** Reads at most limit events or ledger rows after that seq, of the ledger about
 * STORE_PAGE_BYTES at most, and tells of them later on the main loop. */
enum {
    STORE_PAGE_BYTES = 256 * 1024
};

void store_read_events(
    Store *store, gint64 after, guint limit, StoreEvents func, gpointer data);
void store_read_ledger(
    Store *store, gint64 after, guint limit, StoreLedger func, gpointer data);
