/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/store-private.h"
#include "store/ledger-check.h"

/*
 * What verify.c reads the ledger for: each row is held against the tables that have a row
 * of their own for it, and added to what the sums have to be.  Nobody is told of a
 * table's values: tenants may verify, and those of others are none of their business.
 */

/** The tables of facts: segments, gaps and what fills them, marks, checkpoints.  They are
 * read in step with the ledger, from which each of their rows has to follow. */
typedef struct VerifyTables VerifyTables;

VerifyTables *verify_tables_new(MeterStore *store, LedgerBlame blame, gpointer data);
void verify_tables_free(VerifyTables *tables);

/** Begins with the rows up to last of the ledger; at the end of them, which is before the
 * next turn of the loop, it tells of what the tables have and was not taken, or stops
 * before. */
bool verify_tables_begin(VerifyTables *tables, gint64 last, GError **error);
bool verify_tables_take(VerifyTables *tables,
                        const ProtoLedgerRow *row,
                        const ChainHash *hash,
                        GError **error);
bool verify_tables_end(VerifyTables *tables, GError **error);
void verify_tables_stop(VerifyTables *tables);

/** After the last row: that no table has more than the ledger, and the sums of gaps. */
bool verify_tables_finish(VerifyTables *tables, GError **error);

/** The names that sums know by a number. */
typedef struct VerifyNames VerifyNames;

VerifyNames *
verify_names_new(MeterStore *store, gint64 last_seq, LedgerBlame blame, gpointer data);
void verify_names_free(VerifyNames *names);

/** A row that names a tenant, by its segment, and a device unless device_id is 0. */
void verify_names_take(VerifyNames *names, const ProtoLedgerRow *row, gint64 device_id);

/** Goes on with reading the names that are held; ret_done when all are compared. */
bool verify_names_step(VerifyNames *names, bool *ret_done, GError **error);

/** The sums of use by day, by month and of all time. */
typedef struct VerifySums VerifySums;

/** undo is of the last row that is taken; names are told of those that rows have. */
VerifySums *verify_sums_new(MeterStore *store,
                            const Undo *undo,
                            VerifyNames *names,
                            LedgerBlame blame,
                            gpointer data);
void verify_sums_free(VerifySums *sums);

/** What the next row of use says. */
void verify_sums_take(VerifySums *sums, const ProtoLedgerRow *row, gint64 era);

/** Goes on with reading the sums that are held; ret_done when all are compared. */
bool verify_sums_step(VerifySums *sums, bool *ret_done, GError **error);
