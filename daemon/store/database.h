/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * The few calls we make of SQLite, so that another database can stand behind them.  One
 * connection, locked for this process alone (two connections could meet the WAL-reset
 * fault of SQLite before 3.51.3), commits that survive a loss of power.  Used by one
 * thread at a time.  Errors are PROTO_ERROR_INTERNAL with SQLite's text.
 */
typedef struct Database Database;
typedef struct Statement Statement;

/** Opens or makes the file, mode 0600.  Fails when another process has it open, and on a
 * symbolic link. */
Database *database_open(const char *path, GError **error);
void database_close(Database *database);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Database, database_close)

/** Runs statements that give no rows; sql is a literal. */
bool database_run(Database *database, const char *sql, GError **error);

/** Whether the last call failed because the disk is full. */
bool database_is_full(Database *database);

/** How many rows the last statement that was run changed. */
int database_count_changes(Database *database);

/** A copy that is taken while the database goes on, a few pages at a time. */
typedef struct DatabaseCopy DatabaseCopy;

/** Begins a copy into path, which must not be there. */
DatabaseCopy *database_copy_new(Database *database, const char *path, GError **error);

/** Copies some pages more; ret_done tells when the copy is whole and on disk.  What is
 * written to the database meanwhile is in it. */
bool database_copy_step(DatabaseCopy *copy, int pages, bool *ret_done, GError **error);
void database_copy_free(DatabaseCopy *copy);

/** The schema's version, kept in the file. */
bool database_get_version(Database *database, int *ret_version, GError **error);
bool database_set_version(Database *database, int version, GError **error);

Statement *database_prepare(Database *database, const char *sql, GError **error);
void statement_free(Statement *statement);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Statement, statement_free)

/** Parameters count from 1.  Text is copied; NULL is NULL. */
void statement_bind_int(Statement *statement, int parameter, gint64 value);
void statement_bind_text(Statement *statement, int parameter, const char *text);
void statement_bind_blob(Statement *statement,
                         int parameter,
                         const guint8 *data,
                         gsize length);

/** Moves to the next row; ret_row tells whether there is one. */
bool statement_step(Statement *statement, bool *ret_row, GError **error);

/** Runs a statement that gives no row, and makes it ready to be run again, also on
 * failure. */
bool statement_run(Statement *statement, GError **error);
void statement_reset(Statement *statement);

/** Columns count from 0.  Text lives until the next step; NULL for NULL. */
gint64 statement_get_int(Statement *statement, int column);
const char *statement_get_text(Statement *statement, int column);

/** Bytes that live until the next step; NULL and 0 for none. */
const guint8 *statement_get_blob(Statement *statement, int column, gsize *ret_length);
