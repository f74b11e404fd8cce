/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/migrations.h"

#include "proto.h"

/*
 * Step n brings version n to n + 1.  A step that was released is never edited: what comes
 * later is a new step.
 *
 * The rows of tenants, templates, instances and operations are a key, the two columns
 * that they are found by, a body: the record of io.vmctl.record as JSON, and its sum: a
 * bit that fell over on the disk is seen.  A field more in the record needs no step.
 * Events and the ledger are read by range and kept for ever, so the ledger has a column a
 * field.
 */
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
    "CREATE TABLE ledger ("
    " seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, segment INTEGER NOT NULL,"
    " tenant TEXT NOT NULL, instance TEXT NOT NULL, name TEXT NOT NULL, host TEXT NOT "
    "NULL,"
    " state INTEGER NOT NULL, vcpus INTEGER NOT NULL CHECK (vcpus > 0),"
    " memory_bytes INTEGER NOT NULL CHECK (memory_bytes > 0),"
    " disk_bytes INTEGER NOT NULL CHECK (disk_bytes > 0), generation INTEGER NOT NULL,"
    " at_ms INTEGER NOT NULL, boot_ms INTEGER NOT NULL, boot_id TEXT NOT NULL,"
    " cause TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX ledger_segment ON ledger (segment, kind);"
    "CREATE INDEX ledger_instance ON ledger (instance, seq);"
    "CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger"
    " BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END;"
    "CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger"
    " BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END;"
    "CREATE TRIGGER ledger_in_order BEFORE INSERT ON ledger"
    " WHEN NEW.seq <= (SELECT ifnull(max(seq), 0) FROM ledger)"
    " OR NEW.at_ms < (SELECT ifnull(max(at_ms), 0) FROM (SELECT at_ms FROM ledger ORDER "
    "BY seq DESC LIMIT 1))"
    " BEGIN SELECT RAISE(ABORT, 'ledger rows come in order'); END;"
    /* The newest row of an instance says whether a segment is open. */
    "CREATE TRIGGER ledger_one_open BEFORE INSERT ON ledger"
    " WHEN NEW.kind = (SELECT kind FROM ledger WHERE instance = NEW.instance ORDER BY "
    "seq DESC LIMIT 1)"
    " OR (NEW.kind = 1 AND NEW.segment <> ifnull((SELECT segment FROM ledger"
    "  WHERE instance = NEW.instance ORDER BY seq DESC LIMIT 1), 0))"
    " BEGIN SELECT RAISE(ABORT, 'segments open and close in turn'); END;",
};

static bool
run_step(Database *database, int version, GError **error)
{
    if (!database_run(database, "BEGIN IMMEDIATE", error))
        return false;
    if (!database_run(database, steps[version], error) ||
        !database_set_version(database, version + 1, error) ||
        !database_run(database, "COMMIT", error)) {
        g_prefix_error(error, "Bringing the database to version %d: ", version + 1);
        database_run(database, "ROLLBACK", NULL);
        return false;
    }
    return true;
}

bool
migrations_run(Database *database, GError **error)
{
    int version = 0;

    if (!database_get_version(database, &version, error))
        return false;
    if (version < 0) {
        proto_error_set_internal(error, "database",
                                 "The database is damaged: its version is %d", version);
        return false;
    }
    if (version > (int) G_N_ELEMENTS(steps)) {
        proto_error_set_internal(
            error, "database",
            "The database has version %d, this program knows up to %d: "
            "use the newer program, or restore a backup",
            version, (int) G_N_ELEMENTS(steps));
        return false;
    }
    for (; version < (int) G_N_ELEMENTS(steps); version++) {
        if (!run_step(database, version, error))
            return false;
    }
    return true;
}
