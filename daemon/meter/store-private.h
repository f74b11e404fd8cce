/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

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
    FIND_TENANT,
    ADD_GAP,
    FILL_GAPS,
    LIST_OPEN_GAPS,
    READ_GAPS,
    READ_TENANT_GAPS,
    READ_RESOURCE_GAPS,
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
} Cursor;

/** Whose a segment is. */
typedef struct {
    gint64 seq;
    gint64 resource;
    /** One of store->tenants. */
    const char *tenant;
} Owner;

struct MeterStore {
    Database *database;
    Statement *statements[N_STATEMENTS];
    char *service_id;
    Cursor cursor;
    gint64 known_ms;
    /** Names of tenants, each once. */
    GHashTable *tenants;
    /** The owners of segments that rows were of lately: Owner, by its seq. */
    GHashTable *owners;
    /** Until when a resource has gaps that nothing made up for: gint64 to gint64.  More
     * than there is does no harm. */
    GHashTable *gaps;
};

/** Makes the tables where there are none, those of an older version anew, and the
 * statements. */
bool meter_store_prepare(MeterStore *store, GError **error);

/** Writes where the cursor stands, in the transaction that is open. */
bool meter_store_save_cursor(MeterStore *store, const Cursor *cursor, GError **error);

/** A gap of a resource ends at to_ms and nothing made up for it yet. */
void meter_store_note_gap(MeterStore *store, gint64 resource, gint64 to_ms);

/** Whose segment is; NULL with an error, also when it is not held.  Owned by the store
 * until the next call. */
const Owner *meter_store_find_owner(MeterStore *store, gint64 segment, GError **error);
