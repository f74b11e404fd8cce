/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "meter/verify-private.h"
#include "wire/pack.h"

/*
 * Each of these tables has at most one row for a row of the ledger, whose number it has.
 * So a table and the ledger are read side by side, and neither may have what the other
 * has not.  Ends of segments are read by the number of what ended them.
 */

typedef enum {
    TABLE_SEGMENT,
    TABLE_END,
    TABLE_GAP,
    TABLE_MARK,
    TABLE_CHECKPOINT,
    N_TABLES
} TableId;

typedef struct {
    const char *name;
    StatementId scan;
} TableInfo;

static const TableInfo infos[] = {
    [TABLE_SEGMENT] = { "segment", SCAN_SEGMENTS },
    [TABLE_END] = { "segment", SCAN_ENDS },
    [TABLE_GAP] = { "gap", SCAN_GAPS },
    [TABLE_MARK] = { "mark", SCAN_MARKS },
    [TABLE_CHECKPOINT] = { "checkpoint", SCAN_CHECKPOINTS },
};
G_STATIC_ASSERT(G_N_ELEMENTS(infos) == N_TABLES);

/** What the rows say of gaps, less what is stored. */
typedef struct {
    char *tenant;
    char *cause;
    gint64 rows;
    gint64 lost_ms;
} GapSum;

struct VerifyTables {
    MeterStore *store;
    LedgerBlame blame;
    gpointer data;
    /** The last row of the ledger that is taken before the next verify_tables_end(). */
    gint64 last;
    /** Where each table is; G_MAXINT64 if it has no more rows up to there. */
    gint64 seqs[N_TABLES];
    /** What is wrong with the chain is told once. */
    bool is_broken;
    /** "TENANT CAUSE" to GapSum. */
    GHashTable *sums;
    /** Until when a resource had gaps: gint64 to gint64. */
    GHashTable *gaps;
};

static void
gap_sum_free(gpointer data)
{
    GapSum *sum = data;

    g_free(sum->tenant);
    g_free(sum->cause);
    g_free(sum);
}

VerifyTables *
verify_tables_new(MeterStore *store, LedgerBlame blame, gpointer data)
{
    VerifyTables *tables = g_new0(VerifyTables, 1);

    *tables = (VerifyTables){ store, blame, data };
    /* What has a number below that of the first row is of no row. */
    tables->last = G_MININT64;
    tables->sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, gap_sum_free);
    tables->gaps = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    return tables;
}

void
verify_tables_free(VerifyTables *tables)
{
    if (tables == NULL)
        return;
    g_hash_table_unref(tables->sums);
    g_hash_table_unref(tables->gaps);
    g_free(tables);
}

static void G_GNUC_PRINTF(4, 5) blame(
    const VerifyTables *tables, gint64 seq, const char *resource, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    tables->blame(seq, resource, NULL, text, tables->data);
}

static Statement *
get_scan(const VerifyTables *tables, TableId id)
{
    return tables->store->statements[infos[id].scan];
}

/* Side by side */

static bool
move_on(VerifyTables *tables, TableId id, GError **error)
{
    Statement *scan = get_scan(tables, id);
    bool has_row = false;

    if (!statement_step(scan, &has_row, error))
        return false;
    tables->seqs[id] = has_row ? statement_get_int(scan, 0) : G_MAXINT64;
    return true;
}

/* Tells of what a table has before row seq. */
static bool
pass(VerifyTables *tables, TableId id, gint64 seq, GError **error)
{
    while (tables->seqs[id] < seq) {
        blame(tables, tables->seqs[id], NULL, "is not of table %s of meter.db, and in it",
              infos[id].name);
        if (!move_on(tables, id, error))
            return false;
    }
    return true;
}

void
verify_tables_stop(VerifyTables *tables)
{
    for (int i = 0; i < N_TABLES; i++) {
        statement_reset(get_scan(tables, (TableId) i));
    }
}

bool
verify_tables_begin(VerifyTables *tables, gint64 last, GError **error)
{
    for (int i = 0; i < N_TABLES; i++) {
        Statement *scan = get_scan(tables, (TableId) i);

        statement_bind_int(scan, 1, tables->last);
        statement_bind_int(scan, 2, last);
        if (!move_on(tables, (TableId) i, error)) {
            verify_tables_stop(tables);
            return false;
        }
    }
    tables->last = last;
    return true;
}

bool
verify_tables_end(VerifyTables *tables, GError **error)
{
    bool good = true;

    for (int i = 0; i < N_TABLES && good; i++) {
        good = pass(tables, (TableId) i, G_MAXINT64, error);
    }
    verify_tables_stop(tables);
    return good;
}

/* What a column has to be. */
typedef struct {
    const char *name;
    gint64 number;
    bool is_text;
    const char *text;
} Cell;

#define NUMBER(name, value)                                                              \
    {                                                                                    \
        name, value, false, NULL                                                         \
    }
#define TEXT(name, value)                                                                \
    {                                                                                    \
        name, 0, true, value                                                             \
    }

static void
blame_cell(const VerifyTables *tables,
           TableId id,
           gint64 seq,
           const ProtoLedgerRow *row,
           const char *column)
{
    blame(tables, seq, row->resource, "has another %s in table %s of meter.db", column,
          infos[id].name);
}

/* Whether the table has a row for row, of which the columns after the number are cells.
 */
static bool
meet(VerifyTables *tables,
     TableId id,
     const ProtoLedgerRow *row,
     const Cell *cells,
     gsize n_cells,
     bool *ret_there,
     GError **error)
{
    Statement *scan = get_scan(tables, id);

    if (!pass(tables, id, row->seq, error))
        return false;
    *ret_there = tables->seqs[id] == row->seq;
    if (!*ret_there)
        blame(tables, row->seq, row->resource, "is missing from table %s of meter.db",
              infos[id].name);
    for (gsize i = 0; i < n_cells && *ret_there; i++) {
        const Cell *cell = &cells[i];
        int column = (int) i + 1;

        if (cell->is_text ? g_strcmp0(statement_get_text(scan, column), cell->text) != 0
                          : statement_get_int(scan, column) != cell->number)
            blame_cell(tables, id, row->seq, row, cell->name);
    }
    return true;
}

/* Segments */

static bool
find_resource(VerifyTables *tables,
              const ProtoLedgerRow *row,
              gint64 *ret_resource,
              GError **error)
{
    Statement *statement = tables->store->statements[FIND_FIRST];
    bool has_row = false;
    bool good = false;

    statement_bind_int(statement, 1, row->resource_kind);
    statement_bind_text(statement, 2, row->resource);
    good = statement_step(statement, &has_row, error);
    if (good)
        *ret_resource = statement_get_int(statement, 0);
    statement_reset(statement);
    return good;
}

static bool
take_opened(VerifyTables *tables, const ProtoLedgerRow *row, GError **error)
{
    g_autofree char *labels = meter_store_print_labels(row->labels);
    gint64 resource = 0;
    bool is_there = false;

    if (!find_resource(tables, row, &resource, error))
        return false;
    const Cell cells[] = {
        NUMBER("resource", resource),
        NUMBER("kind", row->resource_kind),
        TEXT("tenant", row->tenant),
        TEXT("id", row->resource),
        TEXT("name", row->name),
        TEXT("labels", labels),
        TEXT("template", row->template),
        TEXT("host", row->host),
        NUMBER("state", row->state),
        NUMBER("vcpus", row->vcpus),
        NUMBER("memory_bytes", row->memory_bytes),
        NUMBER("disk_bytes", row->disk_bytes),
        NUMBER("generation", row->generation),
        NUMBER("from_ms", row->from_ms),
        TEXT("cause", row->cause),
    };
    return meet(tables, TABLE_SEGMENT, row, cells, G_N_ELEMENTS(cells), &is_there,
                error) &&
           (!is_there || move_on(tables, TABLE_SEGMENT, error));
}

static bool
take_closed(VerifyTables *tables, const ProtoLedgerRow *row, GError **error)
{
    const Cell cells[] = {
        NUMBER("seq", row->segment),
        NUMBER("to_ms", row->to_ms),
        NUMBER("uncertain_ms", row->estimated),
        TEXT("end_cause", row->cause),
    };
    bool is_there = false;

    return meet(tables, TABLE_END, row, cells, G_N_ELEMENTS(cells), &is_there, error) &&
           (!is_there || move_on(tables, TABLE_END, error));
}

/* Gaps */

static const char *
get_device(const ProtoLedgerRow *row)
{
    return row->device != NULL ? row->device : "";
}

/* Whether use makes up for gap, of the same resource. */
static bool
fills(const ProtoLedgerRow *use, const ProtoLedgerRow *gap)
{
    return use->kind == LEDGER_KIND_USED && use->seq > gap->seq &&
           use->from_ms <= gap->from_ms && use->to_ms >= gap->to_ms &&
           (!gap->has_counter || (use->counter == gap->counter &&
                                  strcmp(get_device(use), get_device(gap)) == 0));
}

static bool
is_filled_by(VerifyTables *tables, const ProtoLedgerRow *gap, gint64 resource, gint64 seq)
{
    Statement *statement = tables->store->statements[FIND_ROW];
    g_auto(ProtoLedgerRow) use = { 0 };
    const Owner *owner = NULL;
    bool has_row = false;
    gsize length = 0;
    gsize used = 0;
    bool is_read = false;

    statement_bind_int(statement, 1, seq);
    if (statement_step(statement, &has_row, NULL) && has_row) {
        const guint8 *body = statement_get_blob(statement, 0, &length);

        is_read =
            wire_struct_unpack(&proto_ledger_row_type, body, length, &used, &use, NULL);
    }
    statement_reset(statement);
    if (is_read && fills(&use, gap))
        owner = meter_store_find_owner(tables->store, use.segment, NULL);
    return owner != NULL && owner->resource == resource;
}

static void
add_gap_sum(VerifyTables *tables,
            const char *tenant,
            const char *cause,
            gint64 rows,
            gint64 lost_ms)
{
    g_autofree char *key = g_strconcat(tenant, " ", cause, NULL);
    GapSum *sum = g_hash_table_lookup(tables->sums, key);

    if (sum == NULL) {
        sum = g_new0(GapSum, 1);
        sum->tenant = g_strdup(tenant);
        sum->cause = g_strdup(cause);
        g_hash_table_insert(tables->sums, g_steal_pointer(&key), sum);
    }
    sum->rows += rows;
    sum->lost_ms += lost_ms;
}

/* Of a gap whose segment there is not, others tell. */
static bool
take_gap(VerifyTables *tables, const ProtoLedgerRow *row, GError **error)
{
    const Owner *owner = meter_store_find_owner(tables->store, row->segment, NULL);
    const char *cause = row->cause != NULL ? row->cause : "";
    gint64 resource = owner != NULL ? owner->resource : 0;
    const Cell cells[] = {
        NUMBER("segment", row->segment),
        NUMBER("resource", resource),
        TEXT("tenant", owner != NULL ? owner->tenant : ""),
        NUMBER("counter", row->has_counter ? (gint64) row->counter : -1),
        TEXT("device", get_device(row)),
        NUMBER("from_ms", row->from_ms),
        NUMBER("to_ms", row->to_ms),
        TEXT("cause", cause),
    };
    bool is_there = false;
    gint64 filled = 0;

    if (owner == NULL)
        return true;
    add_gap_sum(tables, owner->tenant, cause, 1, row->to_ms - row->from_ms);
    gaps_note(tables->gaps, resource, row->to_ms);
    if (!meet(tables, TABLE_GAP, row, cells, G_N_ELEMENTS(cells), &is_there, error) ||
        !is_there)
        return is_there || *error == NULL;
    filled =
        statement_get_int(get_scan(tables, TABLE_GAP), (int) G_N_ELEMENTS(cells) + 1);
    if (filled != 0 && !is_filled_by(tables, row, resource, filled))
        blame_cell(tables, TABLE_GAP, row->seq, row, "filled_seq");
    return move_on(tables, TABLE_GAP, error);
}

/* Gaps that row makes up for, and of which the table does not say so. */
static bool
check_unfilled(VerifyTables *tables,
               const ProtoLedgerRow *row,
               gint64 resource,
               GError **error)
{
    Statement *statement = tables->store->statements[FIND_UNFILLED];
    bool has_row = false;
    bool good = false;

    statement_bind_int(statement, 1, row->seq);
    statement_bind_int(statement, 2, resource);
    statement_bind_int(statement, 3, row->from_ms);
    statement_bind_int(statement, 4, row->to_ms);
    statement_bind_int(statement, 5, row->counter);
    statement_bind_text(statement, 6, get_device(row));
    while ((good = statement_step(statement, &has_row, error)) && has_row) {
        blame_cell(tables, TABLE_GAP, statement_get_int(statement, 0), row, "filled_seq");
    }
    statement_reset(statement);
    return good;
}

static bool
take_used(VerifyTables *tables, const ProtoLedgerRow *row, GError **error)
{
    const Owner *owner = NULL;
    const gint64 *until_ms = NULL;

    if (g_hash_table_size(tables->gaps) == 0)
        return true;
    owner = meter_store_find_owner(tables->store, row->segment, NULL);
    if (owner != NULL)
        until_ms = g_hash_table_lookup(tables->gaps, &owner->resource);
    return until_ms == NULL || row->from_ms >= *until_ms ||
           check_unfilled(tables, row, owner->resource, error);
}

/* Marks and checkpoints */

static void
check_hash(VerifyTables *tables,
           TableId id,
           const ProtoLedgerRow *row,
           int column,
           const ChainHash *hash)
{
    gsize length = 0;
    const guint8 *kept = statement_get_blob(get_scan(tables, id), column, &length);

    if (tables->is_broken || (kept != NULL && length == sizeof hash->bytes &&
                              memcmp(kept, hash->bytes, length) == 0))
        return;
    tables->is_broken = true;
    blame(tables, row->seq, NULL,
          "has another hash in table %s of meter.db: it or a row before it was changed",
          infos[id].name);
}

static bool
take_mark(VerifyTables *tables,
          const ProtoLedgerRow *row,
          const ChainHash *hash,
          GError **error)
{
    const Cell cells[] = {
        NUMBER("kind", row->kind),
        TEXT("topic", row->topic),
    };
    bool is_there = false;

    if (!meet(tables, TABLE_MARK, row, cells, G_N_ELEMENTS(cells), &is_there, error))
        return false;
    if (is_there)
        check_hash(tables, TABLE_MARK, row, (int) G_N_ELEMENTS(cells) + 1, hash);
    return !is_there || move_on(tables, TABLE_MARK, error);
}

static bool
take_checkpoint(VerifyTables *tables,
                const ProtoLedgerRow *row,
                const ChainHash *hash,
                GError **error)
{
    bool is_there = false;

    if (row->seq % CHECKPOINT_ROWS != 0)
        return true;
    if (!meet(tables, TABLE_CHECKPOINT, row, NULL, 0, &is_there, error))
        return false;
    if (is_there)
        check_hash(tables, TABLE_CHECKPOINT, row, 1, hash);
    return !is_there || move_on(tables, TABLE_CHECKPOINT, error);
}

static bool
take_fact(VerifyTables *tables,
          const ProtoLedgerRow *row,
          const ChainHash *hash,
          GError **error)
{
    switch (row->kind) {
    case LEDGER_KIND_OPENED:
        return take_opened(tables, row, error);
    case LEDGER_KIND_CLOSED:
        return take_closed(tables, row, error);
    case LEDGER_KIND_USED:
        return take_used(tables, row, error);
    case LEDGER_KIND_GAP:
        return take_gap(tables, row, error);
    case LEDGER_KIND_CLOCK:
    case LEDGER_KIND_NOTED:
    case LEDGER_KIND_FORKED:
        return take_mark(tables, row, hash, error);
    case LEDGER_KIND_N:
        break;
    }
    return true;
}

bool
verify_tables_take(VerifyTables *tables,
                   const ProtoLedgerRow *row,
                   const ChainHash *hash,
                   GError **error)
{
    return take_fact(tables, row, hash, error) &&
           take_checkpoint(tables, row, hash, error);
}

/* The end */

static bool
check_newer(VerifyTables *tables, GError **error)
{
    Statement *statement = tables->store->statements[SCAN_NEWER];
    bool has_row = false;
    bool good = false;

    statement_bind_int(statement, 1, tables->store->taken.seq);
    while ((good = statement_step(statement, &has_row, error)) && has_row) {
        gint64 seq = statement_get_int(statement, 0);

        if (seq != 0)
            blame(tables, seq, NULL, "is not in the ledger, but in table %s of meter.db",
                  statement_get_text(statement, 1));
    }
    statement_reset(statement);
    return good;
}

/* Gaps that came after the last row are in the sums, and were not taken. */
static bool
check_gap_sums(VerifyTables *tables, GError **error)
{
    Statement *statement = tables->store->statements[SCAN_GAP_SUMS];
    GHashTableIter iter;
    gpointer data = NULL;
    bool has_row = false;
    bool good = false;

    statement_bind_int(statement, 1, tables->last);
    while ((good = statement_step(statement, &has_row, error)) && has_row) {
        add_gap_sum(tables, statement_get_text(statement, 0),
                    statement_get_text(statement, 1), -statement_get_int(statement, 2),
                    -statement_get_int(statement, 3));
    }
    statement_reset(statement);
    g_hash_table_iter_init(&iter, tables->sums);
    while (good && g_hash_table_iter_next(&iter, NULL, &data)) {
        const GapSum *sum = data;

        if (sum->rows != 0 || sum->lost_ms != 0)
            blame(tables, 0, sum->tenant,
                  "Table gap_sum of meter.db has not what the rows say of %s",
                  sum->cause);
    }
    return good;
}

bool
verify_tables_finish(VerifyTables *tables, GError **error)
{
    return check_newer(tables, error) && check_gap_sums(tables, error);
}
