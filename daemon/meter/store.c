/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/store.h"

#include <errno.h>
#include <string.h>

#include "meter/store-private.h"

/*
 * A resource is known by the number of the row that opened its first segment: numbers
 * follow from the ledger alone, whoever reads it and when.  A segment is one row: what
 * opened it, and once it has ended, what closed it.
 */
G_STATIC_ASSERT(BILLING_STATE_N == 4);
G_STATIC_ASSERT(RESOURCE_KIND_N == 3);
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE cursor (id INTEGER PRIMARY KEY CHECK (id = 1),"
    " service_id TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " hash TEXT NOT NULL) STRICT;"
    "INSERT INTO cursor VALUES (1, '', 0, 0, '');"
    "CREATE TABLE ledger (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE segment (seq INTEGER PRIMARY KEY, resource INTEGER NOT NULL,"
    " kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),"
    " tenant TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, labels TEXT,"
    " template TEXT, host TEXT NOT NULL,"
    " state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),"
    " vcpus INTEGER NOT NULL CHECK (vcpus >= 0),"
    " memory_bytes INTEGER NOT NULL CHECK (memory_bytes >= 0),"
    " disk_bytes INTEGER NOT NULL CHECK (disk_bytes >= 0), generation INTEGER NOT NULL,"
    " from_ms INTEGER NOT NULL, cause TEXT NOT NULL,"
    " end_seq INTEGER, to_ms INTEGER CHECK (to_ms >= from_ms),"
    " uncertain_ms INTEGER, end_cause TEXT) STRICT;"
    "CREATE UNIQUE INDEX segment_open ON segment (kind, id) WHERE end_seq IS NULL;"
    "CREATE INDEX segment_resource ON segment (kind, id, seq);"
    "CREATE INDEX segment_report"
    " ON segment (kind, tenant, resource, seq, from_ms, to_ms, end_seq);"
    "CREATE TRIGGER segment_once BEFORE UPDATE ON segment WHEN OLD.end_seq IS NOT NULL"
    " BEGIN SELECT RAISE(ABORT, 'a closed segment never changes'); END;"
    "CREATE TRIGGER segment_kept BEFORE DELETE ON segment"
    " BEGIN SELECT RAISE(ABORT, 'segments are kept'); END;"
    "PRAGMA user_version = 2;"
    "COMMIT;";

enum {
    VERSION = 2
};

#define READ_COLUMNS                                                                     \
    "SELECT tenant, resource, id, seq, name, state, vcpus, memory_bytes,"                \
    " disk_bytes, from_ms, end_seq, to_ms FROM segment"                                  \
    " WHERE kind = 0 AND seq <= ?4 AND from_ms < ?5"                                     \
    " AND (end_seq IS NULL OR end_seq > ?4 OR to_ms > ?6)"
#define READ_ORDER " ORDER BY tenant, resource, seq LIMIT ?7"

/* clang-format off */
static const char *const statements[] = {
    [LOAD_CURSOR] = "SELECT service_id, seq, at_ms, hash FROM cursor",
    [SAVE_CURSOR] = "UPDATE cursor SET service_id = ?1, seq = ?2, at_ms = ?3, hash = ?4",
    [ADD_ROW] = "INSERT INTO ledger (seq, body) VALUES (?1, ?2)",
    [FIND_ROW] = "SELECT body FROM ledger WHERE seq = ?1",
    [FIND_SEGMENT] = "SELECT end_seq, from_ms FROM segment WHERE seq = ?1",
    [FIND_NEWEST] =
        "SELECT resource, end_seq, to_ms FROM segment WHERE kind = ?1 AND id = ?2"
        " ORDER BY seq DESC LIMIT 1",
    [OPEN_SEGMENT] =
        "INSERT INTO segment (seq, resource, kind, tenant, id, name, labels, template,"
        " host, state, vcpus, memory_bytes, disk_bytes, generation, from_ms, cause)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    [CLOSE_SEGMENT] =
        "UPDATE segment SET end_seq = ?2, to_ms = ?3, uncertain_ms = ?4, end_cause = ?5"
        " WHERE seq = ?1",
    [FIND_TENANT] = "SELECT 1 FROM segment WHERE kind = 0 AND tenant = ?1 LIMIT 1",
    [READ_ALL] = READ_COLUMNS " AND (tenant, resource, seq) > (?1, ?2, ?3)" READ_ORDER,
    [READ_TENANT] =
        READ_COLUMNS " AND tenant = ?1 AND (resource, seq) > (?2, ?3)" READ_ORDER,
};
/* clang-format on */

G_STATIC_ASSERT(G_N_ELEMENTS(statements) == N_STATEMENTS);

/* Opening */

static bool
prepare_schema(Database *database, GError **error)
{
    int version = 0;

    if (!database_get_version(database, &version, error))
        return false;
    if (version == 0)
        return database_run(database, schema, error);
    if (version == VERSION)
        return true;
    proto_error_set_internal(error, "database",
                             "meter.db has version %d, this program knows %d: use the "
                             "newer program, or remove meter.db to have it made again "
                             "from the ledger",
                             version, VERSION);
    return false;
}

static bool
read_cursor(MeterStore *store, Statement *statement, GError **error)
{
    const char *hash = statement_get_text(statement, 3);

    store->service_id = g_strdup(statement_get_text(statement, 0));
    store->cursor.seq = statement_get_int(statement, 1);
    store->cursor.at_ms = store->known_ms = statement_get_int(statement, 2);
    if (*store->service_id == '\0' || chain_from_text(hash, &store->cursor.hash))
        return true;
    proto_error_set_internal(error, "database", "meter.db has a damaged cursor");
    return false;
}

static bool
load_cursor(MeterStore *store, GError **error)
{
    Statement *statement = store->statements[LOAD_CURSOR];
    bool has_row = false;
    bool good = statement_step(statement, &has_row, error);

    if (good && has_row)
        good = read_cursor(store, statement, error);
    else if (good)
        proto_error_set_internal(error, "database", "meter.db has lost its cursor");
    statement_reset(statement);
    return good && has_row;
}

static bool
prepare_statements(MeterStore *store, GError **error)
{
    for (int i = 0; i < N_STATEMENTS; i++) {
        store->statements[i] = database_prepare(store->database, statements[i], error);
        if (store->statements[i] == NULL)
            return false;
    }
    return true;
}

MeterStore *
meter_store_open(const char *directory, GError **error)
{
    g_autoptr(MeterStore) store = g_new0(MeterStore, 1);
    g_autofree char *path = g_build_filename(directory, "meter.db", NULL);

    if (g_mkdir_with_parents(directory, 0700) != 0) {
        proto_error_set_internal(error, "database", "Making the directory %s: %s",
                                 directory, g_strerror(errno));
        return NULL;
    }
    store->database = database_open(path, error);
    if (store->database == NULL || !prepare_schema(store->database, error) ||
        !prepare_statements(store, error) || !load_cursor(store, error))
        return NULL;
    return g_steal_pointer(&store);
}

void
meter_store_close(MeterStore *store)
{
    if (store == NULL)
        return;
    for (int i = 0; i < N_STATEMENTS; i++) {
        statement_free(store->statements[i]);
    }
    database_close(store->database);
    g_free(store->service_id);
    g_free(store);
}

/* The cursor */

const char *
meter_store_get_service_id(MeterStore *store)
{
    return store->service_id;
}

gint64
meter_store_get_cursor(MeterStore *store)
{
    return store->cursor.seq;
}

char *
meter_store_get_hash(MeterStore *store)
{
    return chain_to_text(&store->cursor.hash);
}

gint64
meter_store_get_known_ms(MeterStore *store)
{
    return store->known_ms;
}

void
meter_store_set_known_ms(MeterStore *store, gint64 now_ms)
{
    store->known_ms = MAX(now_ms, store->cursor.at_ms);
}

bool
meter_store_save_cursor(MeterStore *store, const Cursor *cursor, GError **error)
{
    Statement *statement = store->statements[SAVE_CURSOR];
    g_autofree char *hash = chain_to_text(&cursor->hash);

    statement_bind_text(statement, 1, store->service_id);
    statement_bind_int(statement, 2, cursor->seq);
    statement_bind_int(statement, 3, cursor->at_ms);
    statement_bind_text(statement, 4, hash);
    return statement_run(statement, error);
}

/* The first ledger that is seen is the one to follow. */
static bool
adopt(MeterStore *store, const char *service_id, GError **error)
{
    char *before = store->service_id;
    const Cursor start = { .hash = chain_begin(service_id) };

    store->service_id = g_strdup(service_id);
    if (!meter_store_save_cursor(store, &start, error)) {
        g_free(store->service_id);
        store->service_id = before;
        return false;
    }
    g_free(before);
    store->cursor = start;
    return true;
}

bool
meter_store_bind(MeterStore *store, const char *service_id, gint64 seq, GError **error)
{
    if (seq < store->cursor.seq) {
        proto_error_set_internal(error, "ledger",
                                 "The ledger ends at %" G_GINT64_FORMAT
                                 ", but row %" G_GINT64_FORMAT
                                 " was read from it before: was it restored from a "
                                 "backup?",
                                 seq, store->cursor.seq);
        return false;
    }
    if (strcmp(store->service_id, service_id) == 0)
        return true;
    if (*store->service_id == '\0')
        return adopt(store, service_id, error);
    proto_error_set_internal(error, "ledger",
                             "meter.db holds the ledger of installation %s, not of "
                             "%s: use another state directory",
                             store->service_id, service_id);
    return false;
}
