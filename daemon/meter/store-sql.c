/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/store-private.h"

/*
 * A resource is known by the number of the row that opened its first segment: numbers
 * follow from the ledger alone, whoever reads it and when.  A segment is one row: what
 * opened it, and once it has ended, what closed it.
 */
G_STATIC_ASSERT(BILLING_STATE_N == 4);
G_STATIC_ASSERT(RESOURCE_KIND_N == 3);
#define SUM_COLUMNS                                                                      \
    " resource INTEGER NOT NULL, device INTEGER NOT NULL, counter INTEGER NOT NULL,"     \
    " era INTEGER NOT NULL, quantity INTEGER NOT NULL CHECK (quantity >= 0),"            \
    " estimated INTEGER NOT NULL, rows INTEGER NOT NULL, first_seq INTEGER NOT NULL,"
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE cursor (id INTEGER PRIMARY KEY CHECK (id = 1),"
    " service_id TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " hash TEXT NOT NULL, fork_seq INTEGER NOT NULL, fork_hash TEXT NOT NULL) STRICT;"
    "INSERT INTO cursor VALUES (1, '', 0, 0, '', 0, '');"
    "CREATE TABLE ledger (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE checkpoint (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT;"
    /* Rows of few: entries of the books, steps of the clock, forks. */
    "CREATE TABLE mark (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, topic TEXT,"
    " hash BLOB NOT NULL) STRICT;"
    "CREATE INDEX mark_kind ON mark (kind, seq);"
    "CREATE INDEX mark_topic ON mark (kind, topic, seq);"
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
    "CREATE INDEX segment_life ON segment (resource, seq);"
    "CREATE INDEX segment_end ON segment (end_seq);"
    "CREATE INDEX segment_past ON segment (to_ms) WHERE to_ms IS NOT NULL;"
    "CREATE INDEX segment_report"
    " ON segment (tenant, resource, seq, from_ms, to_ms, end_seq);"
    "CREATE TRIGGER segment_once BEFORE UPDATE ON segment WHEN OLD.end_seq IS NOT NULL"
    " BEGIN SELECT RAISE(ABORT, 'a closed segment never changes'); END;"
    "CREATE TRIGGER segment_kept BEFORE DELETE ON segment"
    " BEGIN SELECT RAISE(ABORT, 'segments are kept'); END;"
    /* The counter is NULL in a gap of all counters. */
    "CREATE TABLE gap (seq INTEGER PRIMARY KEY, segment INTEGER NOT NULL,"
    " resource INTEGER NOT NULL, tenant TEXT NOT NULL, counter INTEGER,"
    " device TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,"
    " cause TEXT NOT NULL, filled_seq INTEGER) STRICT;"
    "CREATE INDEX gap_report ON gap (tenant, resource, seq);"
    "CREATE INDEX gap_life ON gap (resource, seq);"
    "CREATE INDEX gap_open ON gap (resource, to_ms) WHERE filled_seq IS NULL;"
    /* Of all gaps up to the newest row, so that nobody has to add them up. */
    "CREATE TABLE gap_sum (tenant TEXT NOT NULL, cause TEXT NOT NULL,"
    " rows INTEGER NOT NULL, lost_ms INTEGER NOT NULL, PRIMARY KEY (tenant, cause))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE tenant (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE device (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
    /* Sums of use.  Days of a tenant lie together: a tick writes few pages. */
    "CREATE TABLE usage_day (tenant INTEGER NOT NULL, day INTEGER NOT NULL," SUM_COLUMNS
    " PRIMARY KEY (tenant, day, resource, device, counter, era)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE usage_month (tenant INTEGER NOT NULL, month INTEGER NOT "
    "NULL," SUM_COLUMNS " PRIMARY KEY (tenant, month, resource, device, counter, era))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX usage_late ON usage_month (era, tenant, month);"
    "CREATE TABLE usage_total (tenant INTEGER NOT NULL, resource INTEGER NOT NULL,"
    " device INTEGER NOT NULL, counter INTEGER NOT NULL,"
    " quantity INTEGER NOT NULL CHECK (quantity >= 0), estimated INTEGER NOT NULL,"
    " rows INTEGER NOT NULL, first_seq INTEGER NOT NULL, first_day INTEGER NOT NULL,"
    " last_day INTEGER NOT NULL,"
    " PRIMARY KEY (tenant, resource, device, counter)) STRICT, WITHOUT ROWID;"
    "PRAGMA user_version = 8;"
    "COMMIT;";

enum {
    VERSION = 8,
    /* Of steps. */
    DROP_TABLES = 0
};

/* What was made by an older version is made anew: all of it is in the ledger. */
static const char *const steps[] = {
    [DROP_TABLES] = "BEGIN IMMEDIATE;"
                    "DROP TABLE IF EXISTS cursor; DROP TABLE IF EXISTS ledger;"
                    "DROP TABLE IF EXISTS checkpoint; DROP TABLE IF EXISTS mark;"
                    "DROP TABLE IF EXISTS segment; DROP TABLE IF EXISTS gap;"
                    "DROP TABLE IF EXISTS gap_sum;"
                    "DROP TABLE IF EXISTS tenant; DROP TABLE IF EXISTS device;"
                    "DROP TABLE IF EXISTS usage_day; DROP TABLE IF EXISTS usage_month;"
                    "DROP TABLE IF EXISTS usage_total;"
                    "PRAGMA user_version = 0;"
                    "COMMIT;",
};

/* Keys of readers: ?1 tenant, ?2 resource, ?3 seq that was read last; ?4 as of, ?5 and ?6
 * the window's end and start, ?7 how many. */
#define SEGMENT_COLUMNS                                                                  \
    "SELECT seq, resource, kind, id, tenant, name, labels, template, host, state, "      \
    "vcpus,"                                                                             \
    " memory_bytes, disk_bytes, generation, from_ms, cause, end_seq, to_ms, end_cause,"  \
    " uncertain_ms FROM segment WHERE seq <= ?4 AND from_ms < ?5"                        \
    " AND (end_seq IS NULL OR end_seq > ?4 OR to_ms > ?6)"
#define GAP_COLUMNS                                                                      \
    "SELECT seq, segment, resource, tenant, from_ms, to_ms, cause, counter, device,"     \
    " filled_seq FROM gap WHERE seq <= ?4 AND from_ms < ?5 AND to_ms > ?6"
#define AFTER_ALL " AND (tenant, resource, seq) > (?1, ?2, ?3)"
#define AFTER_TENANT " AND tenant = ?1 AND (resource, seq) > (?2, ?3)"
#define READ_ORDER " ORDER BY tenant, resource, seq LIMIT ?7"
#define AFTER_RESOURCE                                                                   \
    " AND resource = ?2 AND seq > ?3 AND ?1 IN ('', tenant) ORDER BY seq LIMIT ?7"

/* The indices are by end: the rest is looked up. */
#define HELD_OF " AND +seq <= ?1 AND ?3 IN ('', tenant)"

#define MARK_COLUMNS                                                                     \
    "SELECT mark.seq, body, hash FROM mark JOIN ledger USING (seq)"                      \
    " WHERE kind = ?1 AND mark.seq > ?2 AND mark.seq <= ?3"
#define MARK_ORDER " ORDER BY mark.seq LIMIT ?4"

G_STATIC_ASSERT(LEDGER_KIND_NOTED == 5);
G_STATIC_ASSERT(LEDGER_KIND_FORKED == 6);
#define IS_CLOSING " kind = 5 AND topic = 'closed'"

#define ADD_SUM                                                                          \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"                                  \
    " ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity,"                \
    " estimated = estimated + excluded.estimated, rows = rows + excluded.rows"
#define READ_SUM "SELECT device, counter, era, quantity, estimated, rows, first_seq FROM "

/* clang-format off */
static const char *const statements[] = {
    [LOAD_CURSOR] = "SELECT service_id, seq, at_ms, hash, fork_seq, fork_hash FROM cursor",
    [SAVE_CURSOR] = "UPDATE cursor SET service_id = ?1, seq = ?2, at_ms = ?3, hash = ?4",
    [SAVE_FORK] = "UPDATE cursor SET fork_seq = ?1, fork_hash = ?2",
    [FIND_FORK] =
        "SELECT ifnull(max(seq), 0) FROM mark WHERE kind = 6 AND seq > (SELECT"
        " ifnull(max(seq), 0) FROM mark WHERE kind = 5 AND topic = 'recovered')",
    [ADD_ROW] = "INSERT INTO ledger (seq, body) VALUES (?1, ?2)",
    [FIND_ROW] = "SELECT body FROM ledger WHERE seq = ?1",
    [READ_ROWS] =
        "SELECT seq, body FROM ledger WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
    [ADD_CHECKPOINT] = "INSERT INTO checkpoint (seq, hash) VALUES (?1, ?2)",
    [FIND_CHECKPOINT] =
        "SELECT seq, hash FROM checkpoint WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1",
    [ADD_MARK] = "INSERT INTO mark (seq, kind, topic, hash) VALUES (?1, ?2, ?3, ?4)",
    [READ_MARKS] = MARK_COLUMNS MARK_ORDER,
    [READ_TOPIC] = MARK_COLUMNS " AND topic = ?5" MARK_ORDER,
    [FIND_SEGMENT] = "SELECT end_seq, from_ms FROM segment WHERE seq = ?1",
    [FIND_OWNER] = "SELECT resource, tenant FROM segment WHERE seq = ?1",
    [FIND_NEWEST] =
        "SELECT resource, end_seq, to_ms FROM segment WHERE kind = ?1 AND id = ?2"
        " ORDER BY seq DESC LIMIT 1",
    [FIND_RESOURCE] =
        "SELECT resource FROM segment WHERE kind = ?1 AND id = ?2 AND seq <= ?3"
        " AND (?4 IS NULL OR tenant = ?4) ORDER BY seq LIMIT 1",
    [OPEN_SEGMENT] =
        "INSERT INTO segment (seq, resource, kind, tenant, id, name, labels, template,"
        " host, state, vcpus, memory_bytes, disk_bytes, generation, from_ms, cause)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    [CLOSE_SEGMENT] =
        "UPDATE segment SET end_seq = ?2, to_ms = ?3, uncertain_ms = ?4, end_cause = ?5"
        " WHERE seq = ?1",
    [READ_SEGMENTS] = SEGMENT_COLUMNS AFTER_ALL READ_ORDER,
    [READ_TENANT_SEGMENTS] = SEGMENT_COLUMNS AFTER_TENANT READ_ORDER,
    [READ_RESOURCE_SEGMENTS] = SEGMENT_COLUMNS AFTER_RESOURCE,
    [FIND_HELD] =
        "SELECT tenant, resource FROM segment WHERE end_seq IS NULL" HELD_OF
        " UNION SELECT tenant, resource FROM segment INDEXED BY segment_end"
        " WHERE end_seq > ?1" HELD_OF
        " UNION SELECT tenant, resource FROM segment INDEXED BY segment_past"
        " WHERE to_ms >= ?2 AND end_seq <= ?1" HELD_OF " ORDER BY tenant, resource",
    [FIND_TENANT] = "SELECT 1 FROM segment WHERE tenant = ?1 AND seq <= ?2 LIMIT 1",
    [ADD_GAP] =
        "INSERT INTO gap (seq, segment, resource, tenant, counter, device, from_ms, to_ms,"
        " cause) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [ADD_GAP_SUM] =
        "INSERT INTO gap_sum VALUES (?1, ?2, 1, ?3) ON CONFLICT DO UPDATE SET"
        " rows = rows + 1, lost_ms = lost_ms + excluded.lost_ms",
    [SUM_GAPS] =
        "SELECT cause, sum(lost_ms) FROM (SELECT cause, rows, lost_ms FROM gap_sum"
        " WHERE ?2 IN ('', tenant) UNION ALL SELECT cause, -1, from_ms - to_ms FROM gap"
        " WHERE seq > ?1 AND ?2 IN ('', tenant)) GROUP BY cause HAVING sum(rows) > 0"
        " ORDER BY cause",
    [FILL_GAPS] =
        "UPDATE gap SET filled_seq = ?1 WHERE resource = ?2 AND filled_seq IS NULL"
        " AND from_ms >= ?3 AND to_ms <= ?4"
        " AND (counter IS NULL OR (counter = ?5 AND device = ?6))",
    [LIST_OPEN_GAPS] =
        "SELECT resource, max(to_ms) FROM gap WHERE filled_seq IS NULL GROUP BY resource",
    [READ_GAPS] = GAP_COLUMNS AFTER_ALL READ_ORDER,
    [READ_TENANT_GAPS] = GAP_COLUMNS AFTER_TENANT READ_ORDER,
    [READ_RESOURCE_GAPS] = GAP_COLUMNS AFTER_RESOURCE,
    [COUNT_CLOSINGS] = "SELECT count(*) FROM mark WHERE seq < ?1 AND" IS_CLOSING,
    [FIND_CLOSING] = "SELECT min(seq) FROM mark WHERE seq >= ?1 AND" IS_CLOSING,
    [FIND_NAME_TENANT] = "SELECT id FROM tenant WHERE name = ?1",
    [ADD_NAME_TENANT] = "INSERT INTO tenant (name) VALUES (?1) RETURNING id",
    [FIND_NAME_DEVICE] = "SELECT id FROM device WHERE name = ?1",
    [ADD_NAME_DEVICE] = "INSERT INTO device (name) VALUES (?1) RETURNING id",
    [GET_NAME_DEVICE] = "SELECT name FROM device WHERE id = ?1",
    [NEXT_TENANT] =
        "SELECT id, name FROM tenant WHERE name > ?1 ORDER BY name LIMIT 1",
    [ADD_DAY] = "INSERT INTO usage_day" ADD_SUM,
    [ADD_MONTH] = "INSERT INTO usage_month" ADD_SUM,
    [ADD_TOTAL] =
        "INSERT INTO usage_total" ADD_SUM ","
        " first_day = min(first_day, excluded.first_day),"
        " last_day = max(last_day, excluded.last_day)",
    [NEXT_RESOURCE] =
        "SELECT usage_total.resource, id FROM usage_total"
        " JOIN segment ON segment.seq = usage_total.resource"
        " WHERE usage_total.tenant = ?1 AND usage_total.resource >= ?2"
        " ORDER BY usage_total.resource LIMIT 1",
    [READ_TOTALS] =
        "SELECT device, counter, 0, quantity, estimated, rows, first_seq, first_day,"
        " last_day FROM usage_total WHERE tenant = ?1 AND resource = ?2",
    [READ_DAY] =
        READ_SUM "usage_day WHERE tenant = ?1 AND day = ?2 AND resource = ?3"
        " AND era <= ?4",
    [READ_MONTH] =
        READ_SUM "usage_month WHERE tenant = ?1 AND month = ?2 AND resource = ?3"
        " AND era <= ?4",
    [FIND_LATE_SEGMENTS] =
        "SELECT tenant FROM segment WHERE seq > ?1 AND seq <= ?2 AND from_ms < ?3"
        " AND ?4 IN ('', tenant)"
        " UNION SELECT tenant FROM segment WHERE end_seq > ?1 AND end_seq <= ?2"
        " AND to_ms < ?3 AND ?4 IN ('', tenant)",
    [FIND_LATE_USE] =
        "SELECT name FROM tenant WHERE ?3 IN ('', name) AND EXISTS (SELECT 1 FROM"
        " usage_month WHERE usage_month.tenant = tenant.id AND month <= ?1"
        " AND era BETWEEN ?2 AND ?4)",
    [SCAN_DAYS] =
        "SELECT tenant, day, resource, device, counter, era, quantity, estimated, rows,"
        " first_seq, 0, 0 FROM usage_day WHERE (tenant, day, resource, device, counter,"
        " era) > (?1, ?2, ?3, ?4, ?5, ?6)"
        " ORDER BY tenant, day, resource, device, counter, era LIMIT ?7",
    [SCAN_MONTHS] =
        "SELECT tenant, month, resource, device, counter, era, quantity, estimated, rows,"
        " first_seq, 0, 0 FROM usage_month WHERE (tenant, month, resource, device,"
        " counter, era) > (?1, ?2, ?3, ?4, ?5, ?6)"
        " ORDER BY tenant, month, resource, device, counter, era LIMIT ?7",
    [SCAN_TOTALS] =
        "SELECT tenant, 0, resource, device, counter, 0, quantity, estimated, rows,"
        " first_seq, first_day, last_day FROM usage_total"
        " WHERE (tenant, resource, device, counter) > (?1, ?3, ?4, ?5)"
        " ORDER BY tenant, resource, device, counter LIMIT ?7",
    [SCAN_SEGMENTS] =
        "SELECT seq, resource, kind, tenant, id, name, labels, template, host, state,"
        " vcpus, memory_bytes, disk_bytes, generation, from_ms, cause FROM segment"
        " WHERE seq > ?1 AND seq <= ?2 ORDER BY seq",
    [SCAN_ENDS] =
        "SELECT end_seq, seq, to_ms, uncertain_ms, end_cause FROM segment"
        " WHERE end_seq > ?1 AND end_seq <= ?2 ORDER BY end_seq",
    [SCAN_GAPS] =
        "SELECT seq, segment, resource, tenant, ifnull(counter, -1), device, from_ms,"
        " to_ms, cause, filled_seq FROM gap WHERE seq > ?1 AND seq <= ?2 ORDER BY seq",
    [SCAN_MARKS] =
        "SELECT seq, kind, topic, hash FROM mark WHERE seq > ?1 AND seq <= ?2"
        " ORDER BY seq",
    [SCAN_CHECKPOINTS] =
        "SELECT seq, hash FROM checkpoint WHERE seq > ?1 AND seq <= ?2 ORDER BY seq",
    [SCAN_GAP_SUMS] =
        "SELECT tenant, cause, rows, lost_ms FROM gap_sum UNION ALL"
        " SELECT tenant, cause, -1, from_ms - to_ms FROM gap WHERE seq > ?1",
    [SCAN_TENANTS] =
        "SELECT id, name FROM tenant WHERE id > ?1 ORDER BY id LIMIT ?2",
    [SCAN_DEVICES] =
        "SELECT id, name FROM device WHERE id > ?1 ORDER BY id LIMIT ?2",
    [SCAN_NEWER] =
        "SELECT min(seq), 'ledger' FROM ledger WHERE seq > ?1"
        " UNION ALL SELECT min(seq), 'segment' FROM segment WHERE seq > ?1"
        " UNION ALL SELECT min(end_seq), 'segment' FROM segment WHERE end_seq > ?1"
        " UNION ALL SELECT min(seq), 'gap' FROM gap WHERE seq > ?1"
        " UNION ALL SELECT min(seq), 'mark' FROM mark WHERE seq > ?1"
        " UNION ALL SELECT min(seq), 'checkpoint' FROM checkpoint WHERE seq > ?1",
    [FIND_FIRST] = "SELECT min(seq) FROM segment WHERE kind = ?1 AND id = ?2",
    [FIND_UNFILLED] =
        "SELECT seq FROM gap WHERE resource = ?2 AND seq < ?1"
        " AND ifnull(filled_seq, ?1 + 1) > ?1 AND from_ms >= ?3 AND to_ms <= ?4"
        " AND from_ms < to_ms"
        " AND (counter IS NULL OR (counter = ?5 AND device = ?6))",
};
/* clang-format on */

G_STATIC_ASSERT(G_N_ELEMENTS(statements) == N_STATEMENTS);

static bool
prepare_schema(Database *database, GError **error)
{
    int version = 0;

    if (!database_get_version(database, &version, error))
        return false;
    if (version == VERSION)
        return true;
    if (version <= VERSION)
        return database_run(database, steps[DROP_TABLES], error) &&
               database_run(database, schema, error);
    proto_error_set_internal(error, "database",
                             "meter.db has version %d, this program knows %d: use the "
                             "newer program, or remove meter.db to have it made again "
                             "from the ledger",
                             version, VERSION);
    return false;
}

bool
meter_store_make_anew(MeterStore *store, GError **error)
{
    return database_run(store->database, steps[DROP_TABLES], error) &&
           database_run(store->database, schema, error);
}

bool
meter_store_prepare(MeterStore *store, GError **error)
{
    if (!prepare_schema(store->database, error))
        return false;
    for (int i = 0; i < N_STATEMENTS; i++) {
        store->statements[i] = database_prepare(store->database, statements[i], error);
        if (store->statements[i] == NULL)
            return false;
    }
    return true;
}
