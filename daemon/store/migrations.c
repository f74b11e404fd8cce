/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/migrations.h"

#include "proto.h"

/*
 * Step n brings the version before it to version FIRST + n; a new database begins with
 * the first.  A step that was released is never edited: what comes later is a new step.
 *
 * The rows of tenants, templates, instances, operations, counters, hosts and groups are a
 * key, the two columns that they are found by, a body: the record of io.vmctl.record as
 * JSON (of counters, which are many and written often, packed), and its sum: a bit that
 * fell over on the disk is seen.  A field more in the record needs no step.  A row of the
 * ledger is packed as it is hashed.
 */
enum {
    /* 1 was that of versions that were never released. */
    FIRST = 2
};

static const char *const steps[] = {
    "CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE tenant (key TEXT PRIMARY KEY, a TEXT, b TEXT, body TEXT NOT NULL,"
    " sum TEXT NOT NULL) STRICT;"
    "CREATE TABLE template (key TEXT PRIMARY KEY, a TEXT, b TEXT, body TEXT NOT NULL,"
    " sum TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX template_name ON template (a, b);"
    "CREATE TABLE instance (key TEXT PRIMARY KEY, a TEXT, b TEXT, body TEXT NOT NULL,"
    " sum TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX instance_name ON instance (a, b);"
    "CREATE TABLE operation (key TEXT PRIMARY KEY, a TEXT, b TEXT, body TEXT NOT NULL,"
    " sum TEXT NOT NULL) STRICT;"
    "CREATE TABLE event (seq INTEGER PRIMARY KEY, body TEXT NOT NULL, sum TEXT NOT NULL)"
    " STRICT;"
    "CREATE TABLE counter (key TEXT PRIMARY KEY, a TEXT, b TEXT, body BLOB NOT NULL,"
    " sum TEXT NOT NULL) STRICT;"
    "CREATE TABLE ledger (seq INTEGER PRIMARY KEY, body BLOB NOT NULL,"
    " hash BLOB NOT NULL CHECK (length(hash) = 32)) STRICT;"
    "CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger"
    " BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END;"
    "CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger"
    " BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END;"
    "CREATE TRIGGER ledger_no_hole BEFORE INSERT ON ledger"
    " WHEN NEW.seq <> (SELECT ifnull(max(seq), 0) + 1 FROM ledger)"
    " BEGIN SELECT RAISE(ABORT, 'the ledger is numbered without a hole'); END;"
    /* What the rows say of segments, for the database to hold them to it. */
    "CREATE TABLE segment (seq INTEGER PRIMARY KEY REFERENCES ledger,"
    " resource TEXT NOT NULL, from_ms INTEGER NOT NULL,"
    " to_ms INTEGER CHECK (to_ms >= from_ms)) STRICT;"
    "CREATE UNIQUE INDEX segment_open ON segment (resource) WHERE to_ms IS NULL;"
    "CREATE INDEX segment_resource ON segment (resource, from_ms);"
    "CREATE TRIGGER segment_no_overlap BEFORE INSERT ON segment WHEN NEW.from_ms <"
    " (SELECT to_ms FROM segment WHERE resource = NEW.resource"
    "  ORDER BY from_ms DESC, seq DESC LIMIT 1)"
    " BEGIN SELECT RAISE(ABORT, 'segments do not overlap'); END;"
    "CREATE TRIGGER segment_once BEFORE UPDATE ON segment WHEN OLD.to_ms IS NOT NULL"
    " BEGIN SELECT RAISE(ABORT, 'a segment is closed once'); END;"
    "CREATE TRIGGER segment_kept BEFORE DELETE ON segment"
    " BEGIN SELECT RAISE(ABORT, 'segments are kept'); END;",
    /* What was decided of hosts. */
    "CREATE TABLE host (key TEXT PRIMARY KEY, a TEXT, b TEXT, body TEXT NOT NULL,"
    " sum TEXT NOT NULL) STRICT;",
    /* Sets of like instances. */
    "CREATE TABLE instance_group (key TEXT PRIMARY KEY, a TEXT, b TEXT,"
    " body TEXT NOT NULL, sum TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX instance_group_name ON instance_group (a, b);",
};

static bool
run_step(Database *database, gsize step, GError **error)
{
    int version = FIRST + (int) step;

    if (!database_run(database, "BEGIN IMMEDIATE", error))
        return false;
    if (!database_run(database, steps[step], error) ||
        !database_set_version(database, version, error) ||
        !database_run(database, "COMMIT", error)) {
        g_prefix_error(error, "Bringing the database to version %d: ", version);
        database_run(database, "ROLLBACK", NULL);
        return false;
    }
    return true;
}

/* The first step that a database of this version still needs. */
static bool
find_step(int version, gsize *ret_step, GError **error)
{
    const int newest = FIRST + (int) G_N_ELEMENTS(steps) - 1;

    if (version < 0) {
        proto_error_set_internal(error, "database",
                                 "The database is damaged: its version is %d", version);
    } else if (version > newest) {
        proto_error_set_internal(
            error, "database",
            "The database has version %d, this program knows up to %d: "
            "use the newer program, or restore a backup",
            version, newest);
    } else if (version > 0 && version < FIRST) {
        proto_error_set_internal(error, "database",
                                 "The database has version %d, from before the first "
                                 "release, and cannot be read: move it away",
                                 version);
    } else {
        *ret_step = version == 0 ? 0 : (gsize) (version - FIRST + 1);
        return true;
    }
    return false;
}

bool
migrations_run(Database *database, GError **error)
{
    int version = 0;
    gsize step = 0;

    if (!database_get_version(database, &version, error) ||
        !find_step(version, &step, error))
        return false;
    for (; step < G_N_ELEMENTS(steps); step++) {
        if (!run_step(database, step, error))
            return false;
    }
    return true;
}
