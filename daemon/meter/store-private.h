/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/rollup.h"
#include "meter/store.h"
#include "proto.h"
#include "store/chain.h"
#include "store/database.h"

/*
 * What the files of the meter's store share: store.c opens it and keeps the cursor,
 * store-sql.c has its tables and all SQL, store-apply.c takes rows, view.c reads.
 */

typedef enum {
    LOAD_CURSOR,
    SAVE_CURSOR,
    SAVE_FORK,
    FIND_FORK,
    ADD_ROW,
    FIND_ROW,
    READ_ROWS,
    ADD_CHECKPOINT,
    FIND_CHECKPOINT,
    ADD_MARK,
    READ_MARKS,
    READ_TOPIC,
    FIND_SEGMENT,
    FIND_OWNER,
    FIND_NEWEST,
    FIND_RESOURCE,
    OPEN_SEGMENT,
    CLOSE_SEGMENT,
    READ_SEGMENTS,
    READ_TENANT_SEGMENTS,
    READ_RESOURCE_SEGMENTS,
    FIND_HELD,
    FIND_TENANT,
    ADD_GAP,
    ADD_GAP_SUM,
    SUM_GAPS,
    FILL_GAPS,
    LIST_OPEN_GAPS,
    READ_GAPS,
    READ_TENANT_GAPS,
    READ_RESOURCE_GAPS,
    COUNT_CLOSINGS,
    FIND_CLOSING,
    FIND_NAME_TENANT,
    ADD_NAME_TENANT,
    FIND_NAME_DEVICE,
    ADD_NAME_DEVICE,
    GET_NAME_DEVICE,
    NEXT_TENANT,
    ADD_DAY,
    ADD_MONTH,
    ADD_TOTAL,
    NEXT_RESOURCE,
    READ_TOTALS,
    READ_DAY,
    READ_MONTH,
    FIND_LATE_SEGMENTS,
    FIND_LATE_USE,
    SCAN_DAYS,
    SCAN_MONTHS,
    SCAN_TOTALS,
    SCAN_SEGMENTS,
    SCAN_ENDS,
    SCAN_GAPS,
    SCAN_MARKS,
    SCAN_CHECKPOINTS,
    SCAN_GAP_SUMS,
    SCAN_TENANTS,
    SCAN_DEVICES,
    SCAN_NEWER,
    FIND_FIRST,
    FIND_UNFILLED,
    N_STATEMENTS
} StatementId;

enum {
    /* The hash of every so many rows is kept. */
    CHECKPOINT_ROWS = 1024
};

/** How far the ledger was read. */
typedef struct {
    gint64 seq;
    /** The time of that row, and its hash. */
    gint64 at_ms;
    ChainHash hash;
    /** How many closings of the books there are up to it. */
    gint64 era;
    /** The row that tells of a fork which no entry of the books has accepted. */
    gint64 forked_seq;
} Cursor;

/** Whose a segment is. */
typedef struct {
    gint64 seq;
    gint64 resource;
    /** One of store->tenants. */
    const char *tenant;
    gint64 tenant_id;
} Owner;

/** Names that sums know by a number: each once. */
typedef struct {
    StatementId find;
    StatementId add;
    /** Name to gint64. */
    GHashTable *ids;
} Names;

/** What was booked after a row, to be taken off sums as of that row. */
typedef struct {
    gint64 seq;
    /** Closings of the books before that row. */
    gint64 era;
    /** Of the row's era. */
    Rollup *days;
    Rollup *months;
    /** Of all rows after it; NULL if there are too many. */
    Rollup *totals;
} Undo;

struct MeterStore {
    /** Where meter.db is. */
    char *directory;
    Database *database;
    Statement *statements[N_STATEMENTS];
    char *service_id;
    /** What is on disk, and what was taken: the rows between are in the transaction that
     * is open. */
    Cursor cursor;
    Cursor taken;
    bool is_open;
    /** Up to here rows come for certain, and many are written at once; up to here they
     * are written as they come, because a batch was refused. */
    gint64 expected_seq;
    gint64 careful_seq;
    gint64 known_ms;
    /** The ledger that is there is not the one that is held: what it says of a row. */
    gint64 fork_seq;
    char *fork_hash;
    /** Up to here the rows that are held are in a file too. */
    Cursor kept;
    /** Grows when all is begun anew. */
    guint generation;
    Names tenants;
    Names devices;
    /** The owners of segments that rows were of lately: Owner, by its seq. */
    GHashTable *owners;
    /** Until when a resource has gaps that nothing made up for: gint64 to gint64.  More
     * than there is does no harm. */
    GHashTable *gaps;
    /** What the rows of the open transaction add to the sums: by day. */
    Rollup *pending;
    /** Undo, of views that read sums. */
    GPtrArray *undos;
};

/** Makes the tables where there are none, those of an older version anew, and the
 * statements. */
bool meter_store_prepare(MeterStore *store, GError **error);

/** Makes all tables anew, and empty. */
bool meter_store_make_anew(MeterStore *store, GError **error);

/** Forgets what is at hand of the tables. */
void meter_store_forget(MeterStore *store);

/** Writes where the cursor stands, in the transaction that is open. */
bool meter_store_save_cursor(MeterStore *store, const Cursor *cursor, GError **error);

/** A gap of a resource ends at to_ms and nothing made up for it yet. */
void gaps_note(GHashTable *gaps, gint64 resource, gint64 to_ms);

/** Names, and the name that has an id. */
Names names_new(StatementId find, StatementId add);
void names_clear(Names *names);
bool names_find(MeterStore *store,
                Names *names,
                const char *name,
                const char **ret_name,
                gint64 *ret_id,
                GError **error);

/** Takes what a row of use says of a day; data is the caller's. */
typedef bool (*TakeDay)(const RollupSum *day, gpointer data, GError **error);

/** Gives what row, which rollup_is_use(), says of each of its days, in their order. */
bool meter_store_share_out(MeterStore *store,
                           const ProtoLedgerRow *row,
                           gint64 era,
                           TakeDay take,
                           gpointer data,
                           GError **error);

/** Adds what row, which rollup_is_use(), says to sums by day. */
bool meter_store_roll_up(MeterStore *store,
                         const ProtoLedgerRow *row,
                         gint64 era,
                         Rollup *days,
                         GError **error);

/** Adds the sum of a day to those of its month, and to the total: either may be NULL. */
bool meter_store_roll_further(const RollupSum *day,
                              Rollup *months,
                              Rollup *totals,
                              GError **error);

/** Writes the sums that are pending, in the transaction that is open.  Once it is on
 * disk, meter_store_settle_usage() tells those who read sums. */
bool meter_store_write_usage(MeterStore *store, GError **error);
void meter_store_settle_usage(MeterStore *store);

/** Gives some of the sums that come after one, in the order of the table, and makes after
 * the last of them; false in ret_more when none is left: SCAN_DAYS, SCAN_MONTHS,
 * SCAN_TOTALS. */
bool meter_store_scan_sums(MeterStore *store,
                           StatementId id,
                           RollupKey *after,
                           void (*take)(const RollupSum *sum, gpointer data),
                           gpointer data,
                           bool *ret_more,
                           GError **error);

/** As the labels of a segment are kept; NULL for none.  Free with g_free(). */
char *meter_store_print_labels(char *const *labels);

/** How many closings of the books come before row seq. */
bool meter_store_count_closings(MeterStore *store,
                                gint64 seq,
                                gint64 *ret_count,
                                GError **error);

/** What has to be taken off sums as of a row; stays up to date until it is freed. */
Undo *undo_new(MeterStore *store, gint64 seq, GError **error);
void undo_free(MeterStore *store, Undo *undo);

/** Whose segment is; NULL with an error, also when it is not held.  Owned by the store
 * until the next call. */
const Owner *meter_store_find_owner(MeterStore *store, gint64 segment, GError **error);
