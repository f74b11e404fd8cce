/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/tenant.h"

#include "base/clock.h"

struct TenantBook {
    Store *store;
    Quota limit;
    /** Name to ProtoTenantRecord. */
    GHashTable *by_name;
    /** uid to name, as it was asked. */
    GHashTable *names;
};

static void
record_free(ProtoTenantRecord *record)
{
    proto_tenant_record_clear(record);
    g_free(record);
}

TenantBook *
tenant_book_new(Store *store, const Quota *limit)
{
    TenantBook *book = g_new0(TenantBook, 1);

    book->store = store;
    book->limit = *limit;
    book->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                          (GDestroyNotify) record_free);
    book->names = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    return book;
}

void
tenant_book_free(TenantBook *book)
{
    if (book == NULL)
        return;
    g_hash_table_unref(book->by_name);
    g_hash_table_unref(book->names);
    g_free(book);
}

static void
load_row(gpointer record, gpointer data)
{
    TenantBook *book = data;
    ProtoTenantRecord *tenant = record;

    g_hash_table_insert(book->by_name, tenant->name, tenant);
}

bool
tenant_book_load(TenantBook *book, GError **error)
{
    return store_load(book->store, STORE_TENANT, &proto_tenant_record_type, load_row,
                      book, error);
}

const char *
tenant_of_uid(TenantBook *book, gint64 uid)
{
    const char *name = NULL;
    char *made = NULL;

    if (uid == 0)
        return "default";
    name = g_hash_table_lookup(book->names, &uid);
    if (name != NULL)
        return name;
    made = g_strdup_printf("u%" G_GINT64_FORMAT, uid);
    g_hash_table_insert(book->names, g_memdup2(&uid, sizeof uid), made);
    return made;
}

bool
tenant_exists(TenantBook *book, const char *name)
{
    return g_str_equal(name, "default") || g_hash_table_contains(book->by_name, name);
}

void
tenant_ensure(TenantBook *book, StoreTx *tx, const char *name, gint64 uid)
{
    ProtoTenantRecord *record = NULL;

    if (g_hash_table_contains(book->by_name, name))
        return;
    record = g_new0(ProtoTenantRecord, 1);
    record->name = g_strdup(name);
    record->has_uid = g_str_equal(name, tenant_of_uid(book, uid));
    record->uid = record->has_uid ? uid : 0;
    record->created_at = clock_format_time(clock_wall_ms());
    g_hash_table_insert(book->by_name, record->name, record);
    store_put(tx, STORE_TENANT, name, NULL, NULL, &proto_tenant_record_type, record);
}

Quota
tenant_get_limit(TenantBook *book, const char *name)
{
    const ProtoTenantRecord *record = g_hash_table_lookup(book->by_name, name);
    Quota limit = book->limit;

    if (record == NULL)
        return limit;
    if (record->has_max_instances)
        limit.amount[QUOTA_INSTANCES] = record->max_instances;
    if (record->has_max_vcpus)
        limit.amount[QUOTA_VCPUS] = record->max_vcpus;
    if (record->has_max_memory_bytes)
        limit.amount[QUOTA_MEMORY_BYTES] = record->max_memory_bytes;
    if (record->has_max_disk_bytes)
        limit.amount[QUOTA_DISK_BYTES] = record->max_disk_bytes;
    return limit;
}
