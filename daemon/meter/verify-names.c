/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/verify-private.h"

/* The names that sums know by a number. */

enum {
    /* So many are read at once. */
    SCAN_NAMES = 1000
};

typedef enum {
    NAMES_TENANT,
    NAMES_DEVICE,
    N_NAMES
} NamesId;

typedef struct {
    /** Name to gint64, as rows have them. */
    GHashTable *ids;
    gint64 last_id;
    /** So many of them were found in the table. */
    guint found;
} Known;

struct VerifyNames {
    MeterStore *store;
    LedgerBlame blame;
    gpointer data;
    gint64 last_seq;
    Known known[N_NAMES];
    /** How far the tables were read. */
    int reading;
    gint64 at_id;
};

VerifyNames *
verify_names_new(MeterStore *store, gint64 last_seq, LedgerBlame blame, gpointer data)
{
    VerifyNames *names = g_new0(VerifyNames, 1);

    *names = (VerifyNames){ store, blame, data, last_seq };
    for (int i = 0; i < N_NAMES; i++) {
        names->known[i].ids =
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    }
    names->at_id = G_MININT64;
    return names;
}

void
verify_names_free(VerifyNames *names)
{
    if (names == NULL)
        return;
    for (int i = 0; i < N_NAMES; i++) {
        g_hash_table_unref(names->known[i].ids);
    }
    g_free(names);
}

static void
note(Known *known, const char *name, gint64 id)
{
    if (g_hash_table_contains(known->ids, name))
        return;
    g_hash_table_insert(known->ids, g_strdup(name), g_memdup2(&id, sizeof id));
    known->last_id = MAX(known->last_id, id);
}

void
verify_names_take(VerifyNames *names, const ProtoLedgerRow *row, gint64 device_id)
{
    const Owner *owner = meter_store_find_owner(names->store, row->segment, NULL);

    if (owner != NULL)
        note(&names->known[NAMES_TENANT], owner->tenant, owner->tenant_id);
    if (device_id != 0)
        note(&names->known[NAMES_DEVICE], row->device != NULL ? row->device : "",
             device_id);
}

/* A row that came in meanwhile may have brought a new name, with a number that is new. */
static bool
may_be_new(const VerifyNames *names, const Known *known, gint64 id)
{
    return names->store->taken.seq > names->last_seq && id > known->last_id;
}

static void
check_name(VerifyNames *names, const char *table, gint64 id, const char *name)
{
    Known *known = &names->known[names->reading];
    const gint64 *held = g_hash_table_lookup(known->ids, name);
    g_autofree char *text = NULL;

    if (held != NULL && *held == id) {
        known->found++;
        return;
    }
    if (held == NULL && may_be_new(names, known, id))
        return;
    text = g_strdup_printf("Table %s of meter.db has a name that is in no row, or has "
                           "another number",
                           table);
    names->blame(0, name, NULL, text, names->data);
}

static void
check_whole(VerifyNames *names, const char *table)
{
    const Known *known = &names->known[names->reading];
    g_autofree char *text =
        g_strdup_printf("Table %s of meter.db has not all names that rows have", table);

    if (known->found < g_hash_table_size(known->ids))
        names->blame(0, NULL, NULL, text, names->data);
}

/* Some more of the table that is read; false in ret_more if that were all. */
static bool
read_names(VerifyNames *names,
           Statement *scan,
           const char *table,
           bool *ret_more,
           GError **error)
{
    bool has_row = false;
    bool good = false;
    int count = 0;

    statement_bind_int(scan, 1, names->at_id);
    statement_bind_int(scan, 2, SCAN_NAMES);
    while ((good = statement_step(scan, &has_row, error)) && has_row) {
        names->at_id = statement_get_int(scan, 0);
        check_name(names, table, names->at_id, statement_get_text(scan, 1));
        count++;
    }
    statement_reset(scan);
    if (good)
        *ret_more = count == SCAN_NAMES;
    return good;
}

bool
verify_names_step(VerifyNames *names, bool *ret_done, GError **error)
{
    static const struct {
        const char *table;
        StatementId scan;
    } tables[] = {
        [NAMES_TENANT] = { "tenant", SCAN_TENANTS },
        [NAMES_DEVICE] = { "device", SCAN_DEVICES },
    };

    const char *table = tables[names->reading].table;
    bool more = false;

    if (!read_names(names, names->store->statements[tables[names->reading].scan], table,
                    &more, error))
        return false;
    *ret_done = false;
    if (more)
        return true;
    check_whole(names, table);
    names->at_id = G_MININT64;
    names->reading++;
    *ret_done = names->reading == N_NAMES;
    return true;
}
