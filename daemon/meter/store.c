/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/store.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/database.h"

/*
 * A segment is one row: what opened it, and once it has ended, what closed it.  first_ms
 * is the first instant at which the tenant had the instance: reports go by it.
 */
G_STATIC_ASSERT(BILLING_STATE_N == 3);
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE cursor (id INTEGER PRIMARY KEY CHECK (id = 1),"
    " service_id TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT;"
    "INSERT INTO cursor VALUES (1, '', 0, 0);"
    "CREATE TABLE segment (seq INTEGER PRIMARY KEY,"
    " tenant TEXT NOT NULL, instance TEXT NOT NULL, first_ms INTEGER NOT NULL,"
    " name TEXT NOT NULL, host TEXT NOT NULL,"
    " state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),"
    " vcpus INTEGER NOT NULL CHECK (vcpus >= 0),"
    " memory_bytes INTEGER NOT NULL CHECK (memory_bytes >= 0),"
    " disk_bytes INTEGER NOT NULL CHECK (disk_bytes >= 0), generation INTEGER NOT NULL,"
    " start_ms INTEGER NOT NULL, start_boot_ms INTEGER NOT NULL,"
    " start_boot_id TEXT NOT NULL, start_cause TEXT NOT NULL,"
    " end_seq INTEGER, end_ms INTEGER CHECK (end_ms >= start_ms), end_boot_ms INTEGER,"
    " end_boot_id TEXT, end_cause TEXT) STRICT;"
    "CREATE UNIQUE INDEX segment_open ON segment (instance) WHERE end_seq IS NULL;"
    "CREATE INDEX segment_instance ON segment (instance, seq);"
    "CREATE INDEX segment_report"
    " ON segment (tenant, first_ms, instance, seq, start_ms, end_ms, end_seq);"
    "CREATE TRIGGER segment_once BEFORE UPDATE ON segment WHEN OLD.end_seq IS NOT NULL"
    " BEGIN SELECT RAISE(ABORT, 'a closed segment never changes'); END;"
    "CREATE TRIGGER segment_kept BEFORE DELETE ON segment"
    " BEGIN SELECT RAISE(ABORT, 'segments are kept'); END;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

enum {
    VERSION = 1
};

typedef enum {
    LOAD_CURSOR,
    SAVE_CURSOR,
    FIND_SEGMENT,
    FIND_NEWEST,
    OPEN_SEGMENT,
    CLOSE_SEGMENT,
    FIND_TENANT,
    READ_ALL,
    READ_TENANT,
    N_STATEMENTS
} StatementId;

#define READ_COLUMNS                                                                     \
    "SELECT tenant, first_ms, instance, seq, name, state, vcpus, memory_bytes,"          \
    " disk_bytes, start_ms, end_seq, end_ms FROM segment"                                \
    " WHERE seq <= ?5 AND start_ms < ?6"                                                 \
    " AND (end_seq IS NULL OR end_seq > ?5 OR end_ms > ?7)"
#define READ_ORDER " ORDER BY tenant, first_ms, instance, seq LIMIT ?8"

/* clang-format off */
static const char *const statements[] = {
    [LOAD_CURSOR] = "SELECT service_id, seq, at_ms FROM cursor",
    [SAVE_CURSOR] = "UPDATE cursor SET service_id = ?1, seq = ?2, at_ms = ?3",
    [FIND_SEGMENT] =
        "SELECT end_seq, start_ms, tenant, instance, state, vcpus, memory_bytes,"
        " disk_bytes FROM segment WHERE seq = ?1",
    [FIND_NEWEST] =
        "SELECT seq, end_seq, end_ms, ifnull((SELECT first_ms FROM segment"
        " WHERE instance = ?1 AND tenant = ?2 ORDER BY seq LIMIT 1), ?3)"
        " FROM segment WHERE instance = ?1 ORDER BY seq DESC LIMIT 1",
    [OPEN_SEGMENT] =
        "INSERT INTO segment (seq, tenant, instance, first_ms, name, host, state, vcpus,"
        " memory_bytes, disk_bytes, generation, start_ms, start_boot_ms, start_boot_id,"
        " start_cause) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
        " ?14, ?15)",
    [CLOSE_SEGMENT] =
        "UPDATE segment SET end_seq = ?2, end_ms = ?3, end_boot_ms = ?4,"
        " end_boot_id = ?5, end_cause = ?6 WHERE seq = ?1",
    [FIND_TENANT] = "SELECT 1 FROM segment WHERE tenant = ?1 LIMIT 1",
    [READ_ALL] =
        READ_COLUMNS " AND (tenant, first_ms, instance, seq) > (?1, ?2, ?3, ?4)"
        READ_ORDER,
    [READ_TENANT] =
        READ_COLUMNS " AND tenant = ?1 AND (first_ms, instance, seq) > (?2, ?3, ?4)"
        READ_ORDER,
};
/* clang-format on */

G_STATIC_ASSERT(G_N_ELEMENTS(statements) == N_STATEMENTS);

/* How far the ledger was read. */
typedef struct {
    gint64 seq;
    /* The time of that row. */
    gint64 at_ms;
} Cursor;

struct MeterStore {
    Database *database;
    Statement *statements[N_STATEMENTS];
    char *service_id;
    Cursor cursor;
    gint64 known_ms;
};

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
load_cursor(MeterStore *store, GError **error)
{
    Statement *statement = store->statements[LOAD_CURSOR];
    bool has_row = false;

    if (!statement_step(statement, &has_row, error))
        return false;
    if (has_row) {
        store->service_id = g_strdup(statement_get_text(statement, 0));
        store->cursor.seq = statement_get_int(statement, 1);
        store->cursor.at_ms = store->known_ms = statement_get_int(statement, 2);
    }
    statement_reset(statement);
    if (!has_row)
        proto_error_set_internal(error, "database", "meter.db has lost its cursor");
    return has_row;
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

/* Taking rows */

static bool
refuse(GError **error, const ProtoLedgerRow *row, const char *why)
{
    proto_error_set_internal(error, "ledger",
                             "Row %" G_GINT64_FORMAT " of the ledger, instance %s: %s",
                             row->seq, row->instance, why);
    return false;
}

static bool
save_cursor(MeterStore *store,
            const char *service_id,
            const Cursor *cursor,
            GError **error)
{
    Statement *statement = store->statements[SAVE_CURSOR];

    statement_bind_text(statement, 1, service_id);
    statement_bind_int(statement, 2, cursor->seq);
    statement_bind_int(statement, 3, cursor->at_ms);
    return statement_run(statement, error);
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
    if (*store->service_id != '\0') {
        proto_error_set_internal(error, "ledger",
                                 "meter.db holds the ledger of installation %s, not of "
                                 "%s: use another state directory",
                                 store->service_id, service_id);
        return false;
    }
    if (!save_cursor(store, service_id, &store->cursor, error))
        return false;
    g_free(store->service_id);
    store->service_id = g_strdup(service_id);
    return true;
}

/* A row that was read before: nothing changes if it is the one that is held. */
static bool
check_replay(MeterStore *store, const ProtoLedgerRow *row, gint64 at_ms, GError **error)
{
    Statement *statement = store->statements[FIND_SEGMENT];
    bool has_row = false;
    bool is_held = false;

    statement_bind_int(statement, 1, row->segment);
    if (!statement_step(statement, &has_row, error))
        return false;
    is_held = has_row && strcmp(statement_get_text(statement, 3), row->instance) == 0 &&
              (row->kind == LEDGER_KIND_OPENED
                   ? row->segment == row->seq && statement_get_int(statement, 1) == at_ms
                   : statement_get_int(statement, 0) == row->seq);
    statement_reset(statement);
    return is_held || refuse(error, row, "another row of that number is held");
}

/* Why row may not open a segment after its instance's newest; NULL if it may. */
static const char *
check_newest(Statement *newest, gint64 at_ms)
{
    if (statement_get_int(newest, 1) == 0)
        return "the segment before it was not closed";
    if (statement_get_int(newest, 2) > at_ms)
        return "begins before the segment before it ended";
    return NULL;
}

/* Finds out since when the tenant has had the instance. */
static bool
find_first(MeterStore *store,
           const ProtoLedgerRow *row,
           gint64 at_ms,
           gint64 *ret_first_ms,
           GError **error)
{
    Statement *newest = store->statements[FIND_NEWEST];
    const char *why = NULL;
    gint64 first_ms = at_ms;
    bool has_row = false;

    statement_bind_text(newest, 1, row->instance);
    statement_bind_text(newest, 2, row->tenant);
    statement_bind_int(newest, 3, at_ms);
    if (!statement_step(newest, &has_row, error)) {
        statement_reset(newest);
        return false;
    }
    if (has_row) {
        why = check_newest(newest, at_ms);
        first_ms = statement_get_int(newest, 3);
    }
    statement_reset(newest);
    if (why != NULL)
        return refuse(error, row, why);
    *ret_first_ms = first_ms;
    return true;
}

static bool
open_segment(MeterStore *store, const ProtoLedgerRow *row, gint64 at_ms, GError **error)
{
    Statement *statement = store->statements[OPEN_SEGMENT];
    gint64 first_ms = 0;

    if (row->segment != row->seq)
        return refuse(error, row, "opens a segment of another row");
    if (!find_first(store, row, at_ms, &first_ms, error))
        return false;
    statement_bind_int(statement, 1, row->seq);
    statement_bind_text(statement, 2, row->tenant);
    statement_bind_text(statement, 3, row->instance);
    statement_bind_int(statement, 4, first_ms);
    statement_bind_text(statement, 5, row->name);
    statement_bind_text(statement, 6, row->host);
    statement_bind_int(statement, 7, row->state);
    statement_bind_int(statement, 8, row->vcpus);
    statement_bind_int(statement, 9, row->memory_bytes);
    statement_bind_int(statement, 10, row->disk_bytes);
    statement_bind_int(statement, 11, row->generation);
    statement_bind_int(statement, 12, at_ms);
    statement_bind_int(statement, 13, row->boot_ms);
    statement_bind_text(statement, 14, row->boot_id);
    statement_bind_text(statement, 15, row->cause);
    return statement_run(statement, error);
}

/* Why row may not close the segment that was found; NULL if it may. */
static const char *
check_open(Statement *found, const ProtoLedgerRow *row, gint64 at_ms)
{
    if (statement_get_int(found, 0) != 0)
        return "closes a segment that is closed";
    if (statement_get_int(found, 1) > at_ms)
        return "ends before it began";
    if (strcmp(statement_get_text(found, 2), row->tenant) != 0 ||
        strcmp(statement_get_text(found, 3), row->instance) != 0 ||
        statement_get_int(found, 4) != (gint64) row->state ||
        statement_get_int(found, 5) != row->vcpus ||
        statement_get_int(found, 6) != row->memory_bytes ||
        statement_get_int(found, 7) != row->disk_bytes)
        return "closes a segment that was opened otherwise";
    return NULL;
}

static bool
close_segment(MeterStore *store, const ProtoLedgerRow *row, gint64 at_ms, GError **error)
{
    Statement *found = store->statements[FIND_SEGMENT];
    Statement *statement = store->statements[CLOSE_SEGMENT];
    const char *why = "closes a segment that is not held";
    bool has_row = false;

    statement_bind_int(found, 1, row->segment);
    if (!statement_step(found, &has_row, error)) {
        statement_reset(found);
        return false;
    }
    if (has_row)
        why = check_open(found, row, at_ms);
    statement_reset(found);
    if (why != NULL)
        return refuse(error, row, why);
    statement_bind_int(statement, 1, row->segment);
    statement_bind_int(statement, 2, row->seq);
    statement_bind_int(statement, 3, at_ms);
    statement_bind_int(statement, 4, row->boot_ms);
    statement_bind_text(statement, 5, row->boot_id);
    statement_bind_text(statement, 6, row->cause);
    return statement_run(statement, error);
}

static bool
apply_row(MeterStore *store, Cursor *cursor, const ProtoLedgerRow *row, GError **error)
{
    gint64 at_ms = 0;

    if (!clock_parse_time(row->at, &at_ms))
        return refuse(error, row, "has no time");
    if (row->seq <= cursor->seq)
        return check_replay(store, row, at_ms, error);
    if (at_ms < cursor->at_ms)
        return refuse(error, row, "is earlier than the row before it");
    if (!(row->kind == LEDGER_KIND_OPENED ? open_segment(store, row, at_ms, error)
                                          : close_segment(store, row, at_ms, error)))
        return false;
    *cursor = (Cursor){ row->seq, at_ms };
    return true;
}

static bool
apply_all(MeterStore *store,
          const ProtoLedgerRow *rows,
          gsize n_rows,
          Cursor *cursor,
          GError **error)
{
    if (!database_run(store->database, "BEGIN IMMEDIATE", error))
        return false;
    for (gsize i = 0; i < n_rows; i++) {
        if (!apply_row(store, cursor, &rows[i], error))
            return false;
    }
    return save_cursor(store, store->service_id, cursor, error) &&
           database_run(store->database, "COMMIT", error);
}

bool
meter_store_apply(MeterStore *store,
                  const ProtoLedgerRow *rows,
                  gsize n_rows,
                  GError **error)
{
    Cursor cursor = store->cursor;

    if (n_rows == 0)
        return true;
    if (!apply_all(store, rows, n_rows, &cursor, error)) {
        database_run(store->database, "ROLLBACK", NULL);
        return false;
    }
    store->cursor = cursor;
    store->known_ms = MAX(store->known_ms, cursor.at_ms);
    return true;
}

/* Reading */

bool
meter_store_has_tenant(MeterStore *store,
                       const char *tenant,
                       bool *ret_has,
                       GError **error)
{
    Statement *statement = store->statements[FIND_TENANT];
    bool good = false;

    statement_bind_text(statement, 1, tenant);
    good = statement_step(statement, ret_has, error);
    statement_reset(statement);
    return good;
}

SegmentReading
segment_reading_start(MeterStore *store, const char *tenant, const Window *window)
{
    return (SegmentReading){
        .tenant = g_strdup(tenant),
        .window = *window,
        .as_of_seq = store->cursor.seq,
        .known_ms = store->known_ms,
        .at_tenant = g_strdup(tenant != NULL ? tenant : ""),
        .at_first_ms = -1,
        .at_instance = g_strdup(""),
    };
}

void
segment_reading_clear(SegmentReading *reading)
{
    g_free(reading->tenant);
    g_free(reading->at_tenant);
    g_free(reading->at_instance);
    *reading = (SegmentReading){ 0 };
}

static void
bind_reading(Statement *statement, const SegmentReading *reading, guint limit)
{
    statement_bind_text(statement, 1, reading->at_tenant);
    statement_bind_int(statement, 2, reading->at_first_ms);
    statement_bind_text(statement, 3, reading->at_instance);
    statement_bind_int(statement, 4, reading->at_seq);
    statement_bind_int(statement, 5, reading->as_of_seq);
    statement_bind_int(statement, 6, reading->window.to_ms);
    statement_bind_int(statement, 7, reading->window.from_ms);
    statement_bind_int(statement, 8, limit);
}

static void
set_text(char **place, const char *text)
{
    if (strcmp(*place, text) == 0)
        return;
    g_free(*place);
    *place = g_strdup(text);
}

static bool
read_row(SegmentReading *reading, Statement *statement, UsageFold *fold, GError **error)
{
    gint64 end_seq = statement_get_int(statement, 10);
    bool is_closed = end_seq != 0 && end_seq <= reading->as_of_seq;
    const UsageSegment segment = {
        .tenant = statement_get_text(statement, 0),
        .instance = statement_get_text(statement, 2),
        .name = statement_get_text(statement, 4),
        .state = (BillingState) statement_get_int(statement, 5),
        .vcpus = statement_get_int(statement, 6),
        .memory_bytes = statement_get_int(statement, 7),
        .disk_bytes = statement_get_int(statement, 8),
        .start_ms = statement_get_int(statement, 9),
        .end_ms = is_closed ? statement_get_int(statement, 11) : reading->known_ms,
    };

    set_text(&reading->at_tenant, segment.tenant);
    reading->at_first_ms = statement_get_int(statement, 1);
    set_text(&reading->at_instance, segment.instance);
    reading->at_seq = statement_get_int(statement, 3);
    return usage_fold_add(fold, &segment, error);
}

bool
meter_store_read(MeterStore *store,
                 SegmentReading *reading,
                 guint limit,
                 UsageFold *fold,
                 bool *ret_more,
                 GError **error)
{
    Statement *statement =
        store->statements[reading->tenant != NULL ? READ_TENANT : READ_ALL];
    bool has_row = true;
    bool good = true;
    guint count = 0;

    bind_reading(statement, reading, limit);
    while (good) {
        good = statement_step(statement, &has_row, error);
        if (!good || !has_row)
            break;
        count++;
        good = read_row(reading, statement, fold, error);
    }
    statement_reset(statement);
    if (good)
        *ret_more = count == limit;
    return good;
}
