/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/store.h"

#include <errno.h>
#include <string.h>

#include "meter/store-private.h"

/* Opening */

static bool
read_cursor(MeterStore *store, Statement *statement, GError **error)
{
    const char *hash = statement_get_text(statement, 3);

    store->service_id = g_strdup(statement_get_text(statement, 0));
    store->cursor.seq = statement_get_int(statement, 1);
    store->cursor.at_ms = store->known_ms = statement_get_int(statement, 2);
    store->fork_seq = statement_get_int(statement, 4);
    store->fork_hash = g_strdup(statement_get_text(statement, 5));
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
load_marks(MeterStore *store, GError **error)
{
    Statement *statement = store->statements[FIND_FORK];
    bool has_row = false;
    bool good = false;

    if (!meter_store_count_closings(store, G_MAXINT64, &store->cursor.era, error))
        return false;
    good = statement_step(statement, &has_row, error);
    if (good)
        store->cursor.forked_seq = statement_get_int(statement, 0);
    statement_reset(statement);
    store->taken = store->cursor;
    return good;
}

static bool
load_gaps(MeterStore *store, GError **error)
{
    Statement *statement = store->statements[LIST_OPEN_GAPS];
    bool has_row = true;
    bool good = true;

    while ((good = statement_step(statement, &has_row, error)) && has_row) {
        gaps_note(store->gaps, statement_get_int(statement, 0),
                  statement_get_int(statement, 1));
    }
    statement_reset(statement);
    return good;
}

static GHashTable *
new_numbers(void)
{
    return g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
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
    store->directory = g_canonicalize_filename(directory, NULL);
    store->database = database_open(path, error);
    store->tenants = names_new(FIND_NAME_TENANT, ADD_NAME_TENANT);
    store->devices = names_new(FIND_NAME_DEVICE, ADD_NAME_DEVICE);
    store->pending = rollup_new();
    store->undos = g_ptr_array_new();
    store->owners = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    store->gaps = new_numbers();
    if (store->database == NULL || !meter_store_prepare(store, error) ||
        !load_cursor(store, error) || !load_marks(store, error) ||
        !load_gaps(store, error))
        return NULL;
    return g_steal_pointer(&store);
}

void
meter_store_close(MeterStore *store)
{
    if (store == NULL)
        return;
    if (store->is_open)
        meter_store_flush(store, NULL);
    for (int i = 0; i < N_STATEMENTS; i++) {
        statement_free(store->statements[i]);
    }
    database_close(store->database);
    g_clear_pointer(&store->owners, g_hash_table_unref);
    g_clear_pointer(&store->gaps, g_hash_table_unref);
    names_clear(&store->tenants);
    names_clear(&store->devices);
    rollup_free(store->pending);
    g_clear_pointer(&store->undos, g_ptr_array_unref);
    g_free(store->directory);
    g_free(store->service_id);
    g_free(store->fork_hash);
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
    return store->taken.seq;
}

char *
meter_store_get_hash(MeterStore *store)
{
    return chain_to_text(&store->taken.hash);
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
    store->cursor = store->taken = start;
    return true;
}

bool
meter_store_bind(MeterStore *store, const char *service_id, GError **error)
{
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
