/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "proto.h"

struct Database {
    sqlite3 *handle;
};

struct Statement {
    sqlite3_stmt *handle;
};

static bool
fail(sqlite3 *handle, const char *what, GError **error)
{
    proto_error_set_internal(error, "database", "%s: %s", what,
                             handle != NULL ? sqlite3_errmsg(handle) : "out of memory");
    return false;
}

/* Makes the file with our mode before SQLite can make it with another. */
static bool
make_file(const char *path, GError **error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        proto_error_set_internal(error, "database", "Opening the database %s: %s", path,
                                 g_strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

static bool
configure(Database *database, GError **error)
{
    sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(database->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(database->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    return database_run(database,
                        "PRAGMA locking_mode=EXCLUSIVE;"
                        "PRAGMA journal_mode=WAL;"
                        "PRAGMA synchronous=FULL;"
                        "PRAGMA foreign_keys=ON;"
                        "PRAGMA secure_delete=ON;"
                        "PRAGMA recursive_triggers=ON;"
                        "PRAGMA cell_size_check=ON;"
                        "PRAGMA mmap_size=0;"
                        "PRAGMA cache_size=-1024;"
                        "BEGIN EXCLUSIVE; COMMIT;",
                        error);
}

/* Nobody asks SQLite how much memory it has in use: to count that takes a lock each time.
 * It has to be said before anything else. */
static void
prepare_library(void)
{
    static gsize is_prepared = 0;

    if (g_once_init_enter(&is_prepared)) {
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        g_once_init_leave(&is_prepared, 1);
    }
}

Database *
database_open(const char *path, GError **error)
{
    g_autoptr(Database) database = NULL;

    prepare_library();
    if (!make_file(path, error))
        return NULL;
    database = g_new0(Database, 1);
    if (sqlite3_open_v2(path, &database->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                            SQLITE_OPEN_NOFOLLOW,
                        NULL) != SQLITE_OK) {
        fail(database->handle, "Opening the database", error);
        return NULL;
    }
    if (!configure(database, error)) {
        g_prefix_error(error, "Opening the database %s: ", path);
        return NULL;
    }
    return g_steal_pointer(&database);
}

void
database_close(Database *database)
{
    if (database == NULL)
        return;
    sqlite3_close_v2(database->handle);
    g_free(database);
}

bool
database_run(Database *database, const char *sql, GError **error)
{
    if (sqlite3_exec(database->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail(database->handle, "Running SQL", error);
    return true;
}

bool
database_is_full(Database *database)
{
    return sqlite3_errcode(database->handle) == SQLITE_FULL;
}

int
database_count_changes(Database *database)
{
    return sqlite3_changes(database->handle);
}

struct DatabaseCopy {
    sqlite3 *target;
    sqlite3_backup *handle;
};

DatabaseCopy *
database_copy_new(Database *database, const char *path, GError **error)
{
    DatabaseCopy *copy = NULL;

    if (!make_file(path, error))
        return NULL;
    copy = g_new0(DatabaseCopy, 1);
    if (sqlite3_open_v2(path, &copy->target,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                            SQLITE_OPEN_NOFOLLOW,
                        NULL) == SQLITE_OK)
        copy->handle =
            sqlite3_backup_init(copy->target, "main", database->handle, "main");
    if (copy->handle == NULL) {
        fail(copy->target, "Beginning a copy", error);
        database_copy_free(copy);
        return NULL;
    }
    return copy;
}

bool
database_copy_step(DatabaseCopy *copy, int pages, bool *ret_done, GError **error)
{
    int result = sqlite3_backup_step(copy->handle, pages);

    *ret_done = result == SQLITE_DONE;
    if (result == SQLITE_OK || result == SQLITE_DONE)
        return true;
    proto_error_set_internal(error, "database", "Copying the database: %s",
                             sqlite3_errstr(result));
    return false;
}

void
database_copy_free(DatabaseCopy *copy)
{
    if (copy == NULL)
        return;
    sqlite3_backup_finish(copy->handle);
    sqlite3_close_v2(copy->target);
    g_free(copy);
}

bool
database_get_version(Database *database, int *ret_version, GError **error)
{
    g_autoptr(Statement) statement = NULL;
    bool row = false;

    statement = database_prepare(database, "PRAGMA user_version", error);
    if (statement == NULL || !statement_step(statement, &row, error))
        return false;
    *ret_version = (int) statement_get_int(statement, 0);
    return true;
}

bool
database_set_version(Database *database, int version, GError **error)
{
    /* A pragma takes no bound parameter; version is a number of ours. */
    g_autofree char *sql = g_strdup_printf("PRAGMA user_version=%d", version);

    return database_run(database, sql, error);
}

Statement *
database_prepare(Database *database, const char *sql, GError **error)
{
    sqlite3_stmt *handle = NULL;
    Statement *statement = NULL;

    if (sqlite3_prepare_v3(database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle,
                           NULL) != SQLITE_OK) {
        fail(database->handle, "Preparing SQL", error);
        return NULL;
    }
    statement = g_new0(Statement, 1);
    statement->handle = handle;
    return statement;
}

void
statement_free(Statement *statement)
{
    if (statement == NULL)
        return;
    sqlite3_finalize(statement->handle);
    g_free(statement);
}

void
statement_bind_int(Statement *statement, int parameter, gint64 value)
{
    sqlite3_bind_int64(statement->handle, parameter, value);
}

void
statement_bind_text(Statement *statement, int parameter, const char *text)
{
    sqlite3_bind_text(statement->handle, parameter, text, -1, SQLITE_TRANSIENT);
}

void
statement_bind_blob(Statement *statement, int parameter, const guint8 *data, gsize length)
{
    sqlite3_bind_blob64(statement->handle, parameter, data, length, SQLITE_TRANSIENT);
}

bool
statement_step(Statement *statement, bool *ret_row, GError **error)
{
    int result = sqlite3_step(statement->handle);

    if (result != SQLITE_ROW && result != SQLITE_DONE)
        return fail(sqlite3_db_handle(statement->handle), "Running SQL", error);
    *ret_row = result == SQLITE_ROW;
    return true;
}

bool
statement_run(Statement *statement, GError **error)
{
    bool row = false;
    bool good = statement_step(statement, &row, error);

    statement_reset(statement);
    return good;
}

void
statement_reset(Statement *statement)
{
    sqlite3_reset(statement->handle);
    sqlite3_clear_bindings(statement->handle);
}

gint64
statement_get_int(Statement *statement, int column)
{
    return sqlite3_column_int64(statement->handle, column);
}

const char *
statement_get_text(Statement *statement, int column)
{
    return (const char *) sqlite3_column_text(statement->handle, column);
}

const guint8 *
statement_get_blob(Statement *statement, int column, gsize *ret_length)
{
    const guint8 *data = sqlite3_column_blob(statement->handle, column);

    *ret_length = (gsize) sqlite3_column_bytes(statement->handle, column);
    return data;
}
