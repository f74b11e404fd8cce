/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/calendar.h"
#include "meter/store-private.h"
#include "wire/pack.h"

/*
 * Sums of use by day, by month and in total, written in the transaction that takes the
 * rows.  They are as of the newest row.  Sums as of an older one are had by leaving out
 * what came after it: the sums of later eras, and of its own era what the rows after it
 * added.  An era ends with a closing of the books, so that sums as of a closing, which
 * are asked for again and again, leave out nothing row by row.
 */

enum {
    /* So many sums are given at once. */
    SCAN_ROWS = 1000
};

/* Names */

Names
names_new(StatementId find, StatementId add)
{
    return (Names){ find, add,
                    g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free) };
}

void
names_clear(Names *names)
{
    g_clear_pointer(&names->ids, g_hash_table_unref);
}

static bool
ask_id(Statement *statement,
       const char *name,
       bool *ret_found,
       gint64 *ret_id,
       GError **error)
{
    bool good = false;

    statement_bind_text(statement, 1, name);
    good = statement_step(statement, ret_found, error);
    if (good && *ret_found)
        *ret_id = statement_get_int(statement, 0);
    statement_reset(statement);
    return good;
}

bool
names_find(MeterStore *store,
           Names *names,
           const char *name,
           const char **ret_name,
           gint64 *ret_id,
           GError **error)
{
    gpointer held_name = NULL;
    gpointer held_id = NULL;
    gint64 id = 0;
    bool found = false;

    if (!g_hash_table_lookup_extended(names->ids, name, &held_name, &held_id)) {
        if (!ask_id(store->statements[names->find], name, &found, &id, error))
            return false;
        /* Only rows that are taken bring new names.  Whose one is not everybody may know.
         */
        if (!found && !store->is_open) {
            proto_error_set_internal(error, "database",
                                     "meter.db does not know a name that its rows have");
            return false;
        }
        if ((!found && !ask_id(store->statements[names->add], name, &found, &id, error)))
            return false;
        held_name = g_strdup(name);
        held_id = g_memdup2(&id, sizeof id);
        g_hash_table_insert(names->ids, held_name, held_id);
    }
    *ret_name = held_name;
    *ret_id = *(const gint64 *) held_id;
    return true;
}

/* Adding up */

bool
meter_store_share_out(MeterStore *store,
                      const ProtoLedgerRow *row,
                      gint64 era,
                      TakeDay take,
                      gpointer data,
                      GError **error)
{
    const Owner *owner = meter_store_find_owner(store, row->segment, error);
    RollupSplit split = rollup_split(row);
    RollupSum sum = { .rows = 1, .first_seq = row->seq };
    RollupPart part;
    const char *device = NULL;

    if (owner == NULL ||
        !names_find(store, &store->devices, row->device != NULL ? row->device : "",
                    &device, &sum.key.device, error))
        return false;
    sum.key.tenant = owner->tenant_id;
    sum.key.resource = owner->resource;
    sum.key.counter = row->counter;
    sum.key.era = era;
    while (rollup_next(&split, &part)) {
        sum.key.at = sum.first_day = sum.last_day = part.day;
        sum.quantity = part.quantity;
        sum.estimated = part.estimated;
        if (!take(&sum, data, error))
            return false;
    }
    return true;
}

static bool
add_day(const RollupSum *day, gpointer data, GError **error)
{
    Rollup *days = data;

    return rollup_add(days, day, error);
}

bool
meter_store_roll_up(MeterStore *store,
                    const ProtoLedgerRow *row,
                    gint64 era,
                    Rollup *days,
                    GError **error)
{
    return meter_store_share_out(store, row, era, add_day, days, error);
}

bool
meter_store_roll_further(const RollupSum *day,
                         Rollup *months,
                         Rollup *totals,
                         GError **error)
{
    RollupSum month = *day;
    RollupSum total = *day;

    month.key.at = calendar_month_of(day->key.at);
    total.key.at = total.key.era = 0;
    return (months == NULL || rollup_add(months, &month, error)) &&
           (totals == NULL || rollup_add(totals, &total, error));
}

/* Writing */

static bool
write_sum(MeterStore *store, StatementId id, const RollupSum *sum, GError **error)
{
    const RollupKey *key = &sum->key;
    bool is_total = id == ADD_TOTAL;
    const gint64 values[] = {
        key->tenant,
        is_total ? key->resource : key->at,
        is_total ? key->device : key->resource,
        is_total ? key->counter : key->device,
        is_total ? sum->quantity : key->counter,
        is_total ? sum->estimated : key->era,
        is_total ? sum->rows : sum->quantity,
        is_total ? sum->first_seq : sum->estimated,
        is_total ? sum->first_day : sum->rows,
        is_total ? sum->last_day : sum->first_seq,
    };
    Statement *statement = store->statements[id];

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        statement_bind_int(statement, (int) i + 1, values[i]);
    }
    return statement_run(statement, error);
}

static bool
write_sums(MeterStore *store, StatementId id, const GPtrArray *sums, GError **error)
{
    for (guint i = 0; i < sums->len; i++) {
        if (!write_sum(store, id, g_ptr_array_index(sums, i), error))
            return false;
    }
    return true;
}

static bool
roll_all_further(const GPtrArray *days, Rollup *months, Rollup *totals, GError **error)
{
    for (guint i = 0; i < days->len; i++) {
        if (!meter_store_roll_further(g_ptr_array_index(days, i), months, totals, error))
            return false;
    }
    return true;
}

/* In order of their keys, as they lie on disk. */
bool
meter_store_write_usage(MeterStore *store, GError **error)
{
    g_autoptr(Rollup) months = rollup_new();
    g_autoptr(Rollup) totals = rollup_new();
    g_autoptr(GPtrArray) by_day = rollup_sort(store->pending);
    g_autoptr(GPtrArray) by_month = NULL;
    g_autoptr(GPtrArray) in_total = NULL;

    if (!roll_all_further(by_day, months, totals, error))
        return false;
    by_month = rollup_sort(months);
    in_total = rollup_sort(totals);
    return write_sums(store, ADD_DAY, by_day, error) &&
           write_sums(store, ADD_MONTH, by_month, error) &&
           write_sums(store, ADD_TOTAL, in_total, error);
}

/* Reading all */

bool
meter_store_scan_sums(MeterStore *store,
                      StatementId id,
                      RollupKey *after,
                      void (*take)(const RollupSum *sum, gpointer data),
                      gpointer data,
                      bool *ret_more,
                      GError **error)
{
    const gint64 values[] = { after->tenant,  after->at,  after->resource, after->device,
                              after->counter, after->era, SCAN_ROWS };
    Statement *statement = store->statements[id];
    bool has_row = true;
    bool good = true;
    int count = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        statement_bind_int(statement, (int) i + 1, values[i]);
    }
    while ((good = statement_step(statement, &has_row, error)) && has_row) {
        const RollupSum sum = {
            .key = { .tenant = statement_get_int(statement, 0),
                     .at = statement_get_int(statement, 1),
                     .resource = statement_get_int(statement, 2),
                     .device = statement_get_int(statement, 3),
                     .counter = statement_get_int(statement, 4),
                     .era = statement_get_int(statement, 5) },
            .quantity = statement_get_int(statement, 6),
            .estimated = statement_get_int(statement, 7),
            .rows = statement_get_int(statement, 8),
            .first_seq = statement_get_int(statement, 9),
            .first_day = statement_get_int(statement, 10),
            .last_day = statement_get_int(statement, 11),
        };

        take(&sum, data);
        *after = sum.key;
        count++;
    }
    statement_reset(statement);
    if (good)
        *ret_more = count == SCAN_ROWS;
    return good;
}

/* Undoing */

/* What does not fit in a sum of what is undone did not fit in the sum either. */
static void
undo_add(Undo *undo, const RollupSum *day)
{
    bool is_of_era = day->key.era == undo->era;

    if (is_of_era)
        rollup_add(undo->days, day, NULL);
    meter_store_roll_further(day, is_of_era ? undo->months : NULL, undo->totals, NULL);
}

void
meter_store_settle_usage(MeterStore *store)
{
    if (store->undos->len > 0) {
        g_autoptr(GPtrArray) sums = rollup_sort(store->pending);

        for (guint i = 0; i < store->undos->len; i++) {
            for (guint j = 0; j < sums->len; j++) {
                undo_add(g_ptr_array_index(store->undos, i), g_ptr_array_index(sums, j));
            }
        }
    }
    rollup_clear(store->pending);
}

bool
meter_store_count_closings(MeterStore *store,
                           gint64 seq,
                           gint64 *ret_count,
                           GError **error)
{
    Statement *statement = store->statements[COUNT_CLOSINGS];
    bool has_row = false;
    bool good = false;

    statement_bind_int(statement, 1, seq);
    good = statement_step(statement, &has_row, error);
    if (good)
        *ret_count = statement_get_int(statement, 0);
    statement_reset(statement);
    return good;
}

/* The last row of the era that row seq is of, of those that are in the sums: what is in
 * the transaction that is open comes when it is written. */
static bool
find_end_of_era(MeterStore *store, gint64 seq, gint64 *ret_seq, GError **error)
{
    Statement *statement = store->statements[FIND_CLOSING];
    bool has_row = false;
    bool good = false;

    statement_bind_int(statement, 1, seq);
    good = statement_step(statement, &has_row, error);
    if (good) {
        gint64 closing = statement_get_int(statement, 0);

        *ret_seq = closing != 0 ? MIN(closing, store->cursor.seq) : store->cursor.seq;
    }
    statement_reset(statement);
    return good;
}

static bool
undo_row(MeterStore *store, Undo *undo, Rollup *days, Statement *rows, GError **error)
{
    g_auto(ProtoLedgerRow) row = { 0 };
    gsize length = 0;
    gsize used = 0;
    const guint8 *body = statement_get_blob(rows, 1, &length);

    return wire_struct_unpack(&proto_ledger_row_type, body, length, &used, &row, error) &&
           (row.kind != LEDGER_KIND_USED ||
            meter_store_roll_up(store, &row, undo->era, days, error));
}

/* Undoes the rows after undo's up to last. */
static bool
undo_rows(MeterStore *store, Undo *undo, gint64 last, GError **error)
{
    Statement *statement = store->statements[READ_ROWS];
    g_autoptr(Rollup) days = rollup_new();
    g_autoptr(GPtrArray) sums = NULL;
    bool has_row = true;
    bool good = true;

    if (undo->seq >= last)
        return true;
    statement_bind_int(statement, 1, undo->seq);
    statement_bind_int(statement, 2, last);
    statement_bind_int(statement, 3, G_MAXINT64);
    while (good && (good = statement_step(statement, &has_row, error)) && has_row) {
        good = undo_row(store, undo, days, statement, error);
    }
    statement_reset(statement);
    sums = rollup_sort(days);
    for (guint i = 0; good && i < sums->len; i++) {
        undo_add(undo, g_ptr_array_index(sums, i));
    }
    return good;
}

Undo *
undo_new(MeterStore *store, gint64 seq, GError **error)
{
    Undo *undo = g_new0(Undo, 1);
    gint64 last = 0;

    undo->seq = seq;
    undo->days = rollup_new();
    undo->months = rollup_new();
    if (!meter_store_count_closings(store, seq, &undo->era, error) ||
        !find_end_of_era(store, seq, &last, error)) {
        undo_free(store, undo);
        return NULL;
    }
    /* All that came after it is undone. */
    if (last == store->cursor.seq)
        undo->totals = rollup_new();
    if (!undo_rows(store, undo, last, error)) {
        undo_free(store, undo);
        return NULL;
    }
    g_ptr_array_add(store->undos, undo);
    return undo;
}

void
undo_free(MeterStore *store, Undo *undo)
{
    if (undo == NULL)
        return;
    g_ptr_array_remove_fast(store->undos, undo);
    rollup_free(undo->days);
    rollup_free(undo->months);
    rollup_free(undo->totals);
    g_free(undo);
}
