/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "meter/refuse.h"
#include "meter/store-private.h"
#include "store/ledger-table.h"
#include "store/ledger-topics.h"
#include "wire/pack.h"

/* Segments */

/* The number of the resource that row opens a segment of, and whether it may. */
static bool
find_resource(MeterStore *store,
              const ProtoLedgerRow *row,
              gint64 *ret_resource,
              GError **error)
{
    Statement *newest = store->statements[FIND_NEWEST];
    gint64 resource = row->seq;
    bool has_row = false;
    bool is_open = false;
    bool overlaps = false;
    bool good = false;

    statement_bind_int(newest, 1, row->resource_kind);
    statement_bind_text(newest, 2, row->resource);
    good = statement_step(newest, &has_row, error);
    if (good && has_row) {
        resource = statement_get_int(newest, 0);
        is_open = statement_get_int(newest, 1) == 0;
        overlaps = statement_get_int(newest, 2) > row->from_ms;
    }
    statement_reset(newest);
    if (!good)
        return false;
    if (is_open)
        return refuse_row(error, row, "opens a segment of %s while another is open",
                          row->resource);
    if (overlaps)
        return refuse_row(error, row, "begins before the segment of %s before it ended",
                          row->resource);
    *ret_resource = resource;
    return true;
}

char *
meter_store_print_labels(char *const *labels)
{
    GString *text = NULL;

    if (labels == NULL)
        return NULL;
    text = g_string_new("{");
    for (gsize i = 0; labels[i] != NULL; i += 2) {
        if (i > 0)
            g_string_append_c(text, ',');
        wire_json_append_string(text, labels[i]);
        g_string_append_c(text, ':');
        wire_json_append_string(text, labels[i + 1]);
    }
    g_string_append_c(text, '}');
    return g_string_free(text, FALSE);
}

static bool
is_complete(const ProtoLedgerRow *row)
{
    return row->has_resource_kind && row->resource != NULL && row->tenant != NULL &&
           row->name != NULL && row->host != NULL && row->has_state && row->has_from_ms &&
           row->cause != NULL && row->segment == row->seq;
}

static bool
open_segment(MeterStore *store, const ProtoLedgerRow *row, GError **error)
{
    Statement *statement = store->statements[OPEN_SEGMENT];
    g_autofree char *labels = meter_store_print_labels(row->labels);
    gint64 resource = 0;

    if (!is_complete(row))
        return refuse_row(error, row, "does not say what it opens a segment of");
    if (!find_resource(store, row, &resource, error))
        return false;
    statement_bind_int(statement, 1, row->seq);
    statement_bind_int(statement, 2, resource);
    statement_bind_int(statement, 3, row->resource_kind);
    statement_bind_text(statement, 4, row->tenant);
    statement_bind_text(statement, 5, row->resource);
    statement_bind_text(statement, 6, row->name);
    statement_bind_text(statement, 7, labels);
    statement_bind_text(statement, 8, row->template);
    statement_bind_text(statement, 9, row->host);
    statement_bind_int(statement, 10, row->state);
    statement_bind_int(statement, 11, row->vcpus);
    statement_bind_int(statement, 12, row->memory_bytes);
    statement_bind_int(statement, 13, row->disk_bytes);
    statement_bind_int(statement, 14, row->generation);
    statement_bind_int(statement, 15, row->from_ms);
    statement_bind_text(statement, 16, row->cause);
    return statement_run(statement, error);
}

/* Why row may not close the segment that was found; NULL if it may. */
static const char *
check_open(Statement *found, const ProtoLedgerRow *row)
{
    if (statement_get_int(found, 0) != 0)
        return "closes a segment that is closed";
    if (!row->has_to_ms || statement_get_int(found, 1) > row->to_ms)
        return "ends before it began";
    return NULL;
}

static bool
close_segment(MeterStore *store, const ProtoLedgerRow *row, GError **error)
{
    Statement *found = store->statements[FIND_SEGMENT];
    Statement *statement = store->statements[CLOSE_SEGMENT];
    const char *why = "closes a segment that is not held";
    bool has_row = false;
    bool good = false;

    statement_bind_int(found, 1, row->segment);
    good = statement_step(found, &has_row, error);
    if (good && has_row)
        why = check_open(found, row);
    statement_reset(found);
    if (!good)
        return false;
    if (why != NULL)
        return refuse_row(error, row, "%s", why);
    statement_bind_int(statement, 1, row->segment);
    statement_bind_int(statement, 2, row->seq);
    statement_bind_int(statement, 3, row->to_ms);
    statement_bind_int(statement, 4, row->estimated);
    statement_bind_text(statement, 5, row->cause);
    return statement_run(statement, error);
}

/* Who a segment is of */

enum {
    /* So many are read at once. */
    READ_ROWS_MAX = 1000,
    /* So many rows are written at once. */
    BATCH_ROWS = 500000,
    /* So many owners are kept at hand. */
    OWNERS_MAX = 200000
};

static const Owner *
keep_owner(MeterStore *store, const Owner *found)
{
    Owner *owner = g_memdup2(found, sizeof *found);

    if (g_hash_table_size(store->owners) >= OWNERS_MAX)
        g_hash_table_remove_all(store->owners);
    g_hash_table_insert(store->owners, &owner->seq, owner);
    return owner;
}

/* What is in the row of its segment; no resource: there is no such segment. */
static bool
read_owner(MeterStore *store, gint64 segment, Owner *owner, GError **error)
{
    Statement *statement = store->statements[FIND_OWNER];
    bool has_row = false;
    bool good = false;

    owner->seq = segment;
    statement_bind_int(statement, 1, segment);
    good = statement_step(statement, &has_row, error);
    if (good && has_row) {
        owner->resource = statement_get_int(statement, 0);
        good = names_find(store, &store->tenants, statement_get_text(statement, 1),
                          &owner->tenant, &owner->tenant_id, error);
    }
    statement_reset(statement);
    return good;
}

const Owner *
meter_store_find_owner(MeterStore *store, gint64 segment, GError **error)
{
    const Owner *held = g_hash_table_lookup(store->owners, &segment);
    Owner owner = { 0 };

    if (held != NULL)
        return held;
    if (!read_owner(store, segment, &owner, error))
        return NULL;
    if (owner.resource != 0)
        return keep_owner(store, &owner);
    proto_error_set_internal(error, "ledger", "Segment %" G_GINT64_FORMAT " is not held",
                             segment);
    return NULL;
}

/* Gaps */

void
gaps_note(GHashTable *gaps, gint64 resource, gint64 to_ms)
{
    gint64 *held = g_hash_table_lookup(gaps, &resource);

    if (held == NULL) {
        g_hash_table_insert(gaps, g_memdup2(&resource, sizeof resource),
                            g_memdup2(&to_ms, sizeof to_ms));
    } else {
        *held = MAX(*held, to_ms);
    }
}

static const Owner *
get_owner(MeterStore *store, const ProtoLedgerRow *row, GError **error)
{
    const Owner *owner = NULL;

    if (!row->has_segment || !row->has_from_ms || !row->has_to_ms ||
        row->from_ms > row->to_ms) {
        refuse_row(error, row, "does not say what time of which segment it is of");
        return NULL;
    }
    owner = meter_store_find_owner(store, row->segment, error);
    if (owner == NULL)
        g_prefix_error(error, "Row %" G_GINT64_FORMAT " of the ledger: ", row->seq);
    return owner;
}

static bool
add_gap_sum(MeterStore *store,
            const ProtoLedgerRow *row,
            const Owner *owner,
            GError **error)
{
    Statement *statement = store->statements[ADD_GAP_SUM];

    statement_bind_text(statement, 1, owner->tenant);
    statement_bind_text(statement, 2, row->cause != NULL ? row->cause : "");
    statement_bind_int(statement, 3, row->to_ms - row->from_ms);
    return statement_run(statement, error);
}

static bool
add_gap(MeterStore *store, const ProtoLedgerRow *row, GError **error)
{
    Statement *statement = store->statements[ADD_GAP];
    const Owner *owner = get_owner(store, row, error);

    if (owner == NULL)
        return false;
    gaps_note(store->gaps, owner->resource, row->to_ms);
    statement_bind_int(statement, 1, row->seq);
    statement_bind_int(statement, 2, row->segment);
    statement_bind_int(statement, 3, owner->resource);
    statement_bind_text(statement, 4, owner->tenant);
    if (row->has_counter)
        statement_bind_int(statement, 5, row->counter);
    statement_bind_text(statement, 6, row->device != NULL ? row->device : "");
    statement_bind_int(statement, 7, row->from_ms);
    statement_bind_int(statement, 8, row->to_ms);
    statement_bind_text(statement, 9, row->cause != NULL ? row->cause : "");
    return statement_run(statement, error) && add_gap_sum(store, row, owner, error);
}

/* Use makes up for the gaps that it spans. */
static bool
fill_gaps(MeterStore *store,
          const ProtoLedgerRow *row,
          const Owner *owner,
          GError **error)
{
    Statement *statement = store->statements[FILL_GAPS];
    const gint64 *until_ms = g_hash_table_lookup(store->gaps, &owner->resource);

    if (until_ms == NULL || row->from_ms >= *until_ms)
        return true;
    statement_bind_int(statement, 1, row->seq);
    statement_bind_int(statement, 2, owner->resource);
    statement_bind_int(statement, 3, row->from_ms);
    statement_bind_int(statement, 4, row->to_ms);
    statement_bind_int(statement, 5, row->counter);
    statement_bind_text(statement, 6, row->device != NULL ? row->device : "");
    return statement_run(statement, error);
}

static bool
add_use(MeterStore *store, const ProtoLedgerRow *row, gint64 era, GError **error)
{
    const Owner *owner = get_owner(store, row, error);

    if (owner == NULL)
        return false;
    if (!rollup_is_use(row))
        return refuse_row(error, row, "has a time or a quantity that cannot be");
    return fill_gaps(store, row, owner, error) &&
           meter_store_roll_up(store, row, era, store->pending, error);
}

/* Rows */

/* Every so many rows the hash is kept, so that none is far from one. */
static bool
add_checkpoint(MeterStore *store, const Cursor *cursor, GError **error)
{
    Statement *statement = store->statements[ADD_CHECKPOINT];

    if (cursor->seq % CHECKPOINT_ROWS != 0)
        return true;
    statement_bind_int(statement, 1, cursor->seq);
    statement_bind_blob(statement, 2, cursor->hash.bytes, sizeof cursor->hash.bytes);
    return statement_run(statement, error);
}

/* A closing is of the era that it ends. */
static bool
add_mark(MeterStore *store, Cursor *cursor, const ProtoLedgerRow *row, GError **error)
{
    Statement *statement = store->statements[ADD_MARK];

    statement_bind_int(statement, 1, row->seq);
    statement_bind_int(statement, 2, row->kind);
    statement_bind_text(statement, 3, row->topic);
    statement_bind_blob(statement, 4, cursor->hash.bytes, sizeof cursor->hash.bytes);
    if (ledger_topic_is(LEDGER_TOPIC_CLOSED, row))
        cursor->era++;
    if (ledger_topic_is(LEDGER_TOPIC_RECOVERED, row))
        cursor->forked_seq = 0;
    if (row->kind == LEDGER_KIND_FORKED)
        cursor->forked_seq = row->seq;
    return statement_run(statement, error);
}

/* A row that was read before: nothing changes if it is the one that is held. */
static bool
check_replay(MeterStore *store,
             const ProtoLedgerRow *row,
             const guint8 *body,
             gsize length,
             GError **error)
{
    Statement *statement = store->statements[FIND_ROW];
    const guint8 *held = NULL;
    gsize held_length = 0;
    bool has_row = false;
    bool good = false;
    bool is_same = false;

    statement_bind_int(statement, 1, row->seq);
    good = statement_step(statement, &has_row, error);
    if (good && has_row)
        held = statement_get_blob(statement, 0, &held_length);
    is_same = held_length == length && held != NULL && memcmp(held, body, length) == 0;
    statement_reset(statement);
    if (!good)
        return false;
    return is_same || refuse_row(error, row, "is not the one that is held");
}

static bool
add_row(MeterStore *store,
        const ProtoLedgerRow *row,
        const guint8 *body,
        gsize length,
        GError **error)
{
    Statement *statement = store->statements[ADD_ROW];

    statement_bind_int(statement, 1, row->seq);
    statement_bind_blob(statement, 2, body, length);
    return statement_run(statement, error);
}

static bool
take_in(MeterStore *store, Cursor *cursor, const ProtoLedgerRow *row, GError **error)
{
    switch (row->kind) {
    case LEDGER_KIND_OPENED:
        return open_segment(store, row, error);
    case LEDGER_KIND_CLOSED:
        return close_segment(store, row, error);
    case LEDGER_KIND_USED:
        return add_use(store, row, cursor->era, error);
    case LEDGER_KIND_GAP:
        return add_gap(store, row, error);
    case LEDGER_KIND_CLOCK:
    case LEDGER_KIND_NOTED:
    case LEDGER_KIND_FORKED:
        return add_mark(store, cursor, row, error);
    case LEDGER_KIND_N:
        break;
    }
    return true;
}

static bool
apply_row(MeterStore *store,
          Cursor *cursor,
          const ProtoLedgerRow *row,
          const guint8 *body,
          gsize length,
          GError **error)
{
    ChainHash leaf;

    if (row->seq <= cursor->seq)
        return check_replay(store, row, body, length, error);
    if (row->seq != cursor->seq + 1)
        return refuse_row(error, row, "does not follow row %" G_GINT64_FORMAT,
                          cursor->seq);
    if (row->at_ms < cursor->at_ms)
        return refuse_row(error, row, "is earlier than the row before it");
    leaf = chain_leaf(body, length);
    cursor->seq = row->seq;
    cursor->at_ms = row->at_ms;
    cursor->hash = chain_next(&cursor->hash, &leaf);
    return add_row(store, row, body, length, error) &&
           take_in(store, cursor, row, error) && add_checkpoint(store, cursor, error);
}

static bool
apply_all(
    MeterStore *store, const guint8 *packed, gsize length, Cursor *cursor, GError **error)
{
    gsize used = 0;

    for (gsize at = 0; at < length; at += used) {
        g_auto(ProtoLedgerRow) row = { 0 };

        if (!wire_struct_unpack(&proto_ledger_row_type, packed + at, length - at, &used,
                                &row, error) ||
            !apply_row(store, cursor, &row, packed + at, used, error))
            return false;
    }
    return true;
}

/* Whoever sends rows that are not those that were hashed is found out here. */
static bool
check_hash(const Cursor *cursor, const Cursor *before, const char *hash, GError **error)
{
    g_autofree char *mine = chain_to_text(&cursor->hash);

    if (cursor->seq == before->seq || (hash != NULL && strcmp(mine, hash) == 0))
        return true;
    proto_error_set_internal(error, "ledger",
                             "The rows up to %" G_GINT64_FORMAT
                             " of the ledger have not the hash that they should",
                             cursor->seq);
    return false;
}

static bool
begin(MeterStore *store, GError **error)
{
    if (!store->is_open && !database_run(store->database, "BEGIN IMMEDIATE", error))
        return false;
    store->is_open = true;
    return true;
}

void
meter_store_forget(MeterStore *store)
{
    rollup_clear(store->pending);
    g_hash_table_remove_all(store->owners);
    g_hash_table_remove_all(store->tenants.ids);
    g_hash_table_remove_all(store->devices.ids);
}

/* The rows since the last commit were not taken. */
static void
give_up(MeterStore *store)
{
    if (store->is_open)
        database_run(store->database, "ROLLBACK", NULL);
    store->is_open = false;
    store->careful_seq = MAX(store->careful_seq, store->taken.seq);
    store->taken = store->cursor;
    meter_store_forget(store);
}

bool
meter_store_flush(MeterStore *store, GError **error)
{
    if (!store->is_open)
        return true;
    if (!meter_store_write_usage(store, error) ||
        !meter_store_save_cursor(store, &store->taken, error) ||
        !database_run(store->database, "COMMIT", error)) {
        give_up(store);
        return false;
    }
    store->is_open = false;
    meter_store_settle_usage(store);
    store->cursor = store->taken;
    store->known_ms = MAX(store->known_ms, store->cursor.at_ms);
    return true;
}

void
meter_store_expect(MeterStore *store, gint64 seq)
{
    store->expected_seq = seq;
}

/* Whether rows may wait to be written with those after them. */
static bool
may_wait(const MeterStore *store)
{
    return store->taken.seq < store->expected_seq &&
           store->taken.seq > store->careful_seq &&
           store->taken.seq - store->cursor.seq < BATCH_ROWS;
}

bool
meter_store_apply(MeterStore *store,
                  const guint8 *packed,
                  gsize length,
                  const char *hash,
                  GError **error)
{
    Cursor cursor = store->taken;

    if (length == 0)
        return true;
    if (!begin(store, error) || !apply_all(store, packed, length, &cursor, error) ||
        !check_hash(&cursor, &store->taken, hash, error)) {
        give_up(store);
        return false;
    }
    store->taken = cursor;
    return may_wait(store) || meter_store_flush(store, error);
}

/* Reading them again */

bool
meter_store_read_rows(MeterStore *store,
                      gint64 after,
                      gint64 until,
                      GByteArray *rows,
                      gint64 *ret_last,
                      GError **error)
{
    Statement *statement = store->statements[READ_ROWS];
    gint64 last = after;
    bool has_row = true;
    bool good = true;

    g_byte_array_set_size(rows, 0);
    statement_bind_int(statement, 1, after);
    statement_bind_int(statement, 2, until);
    statement_bind_int(statement, 3, READ_ROWS_MAX);
    while ((good = statement_step(statement, &has_row, error)) && has_row) {
        gsize length = 0;
        const guint8 *body = statement_get_blob(statement, 1, &length);

        g_byte_array_append(rows, body, (guint) length);
        last = statement_get_int(statement, 0);
    }
    statement_reset(statement);
    if (good)
        *ret_last = last;
    return good;
}
