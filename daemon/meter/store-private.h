/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/store.h"
#include "store/chain.h"
#include "store/database.h"

/*
 * What the files of the meter's store share: store.c opens it and keeps the cursor,
 * store-apply.c takes rows, store-read.c reads.  The SQL is here and in no other file.
 */

typedef enum {
    LOAD_CURSOR,
    SAVE_CURSOR,
    ADD_ROW,
    FIND_ROW,
    FIND_SEGMENT,
    FIND_NEWEST,
    OPEN_SEGMENT,
    CLOSE_SEGMENT,
    FIND_TENANT,
    READ_ALL,
    READ_TENANT,
    N_STATEMENTS
} StatementId;

/** How far the ledger was read. */
typedef struct {
    gint64 seq;
    /** The time of that row, and its hash. */
    gint64 at_ms;
    ChainHash hash;
} Cursor;

struct MeterStore {
    Database *database;
    Statement *statements[N_STATEMENTS];
    char *service_id;
    Cursor cursor;
    gint64 known_ms;
};

/** Writes where the cursor stands, in the transaction that is open. */
bool meter_store_save_cursor(MeterStore *store, const Cursor *cursor, GError **error);
