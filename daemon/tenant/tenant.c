/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/tenant.h"

#include <string.h>

#include "base/clock.h"
#include "tenant/tenant-private.h"

enum {
    /* Of "2026-11". */
    MONTH_LENGTH = 7
};

static const char root_tenant[] = "default";

static void
record_free(gpointer data)
{
    proto_tenant_record_clear(data);
    g_free(data);
}

static int
compare_names(gconstpointer a, gconstpointer b, gpointer data)
{
    return strcmp(a, b);
}

TenantBook *
tenant_book_new(Store *store, const Quota *limit)
{
    TenantBook *book = g_new0(TenantBook, 1);

    book->store = store;
    book->limit = *limit;
    book->holders = g_array_new(FALSE, FALSE, sizeof(TenantHolder));
    book->rates = rates_new();
    book->tokens = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    book->by_name = g_tree_new_full(compare_names, NULL, NULL, record_free);
    book->names = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    return book;
}

void
tenant_book_free(TenantBook *book)
{
    if (book == NULL)
        return;
    g_array_unref(book->holders);
    rates_free(book->rates);
    g_hash_table_unref(book->tokens);
    g_list_free(book->with_members);
    g_tree_unref(book->by_name);
    g_hash_table_unref(book->names);
    g_free(book);
}

static void
load_row(gpointer record, gpointer data)
{
    TenantBook *book = data;
    ProtoTenantRecord *tenant = record;

    g_tree_insert(book->by_name, tenant->name, tenant);
    member_index(book, tenant);
    for (gsize i = 0; i < tenant->n_tokens; i++) {
        token_restore(&tenant->tokens[i]);
        g_hash_table_insert(book->tokens, g_strdup(tenant->tokens[i].view.id),
                            tenant->name);
    }
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
        return root_tenant;
    name = g_hash_table_lookup(book->names, &uid);
    if (name != NULL)
        return name;
    made = g_strdup_printf("u%" G_GINT64_FORMAT, uid);
    g_hash_table_insert(book->names, g_memdup2(&uid, sizeof uid), made);
    return made;
}

ProtoTenantRecord *
tenant_get_row(TenantBook *book, const char *name)
{
    return g_tree_lookup(book->by_name, name);
}

const ProtoTenantRecord *
tenant_find(TenantBook *book, const char *name)
{
    return tenant_get_row(book, name);
}

const ProtoTenantRecord *
tenant_find_after(TenantBook *book, const char *name)
{
    GTreeNode *node = g_tree_upper_bound(book->by_name, name);

    return node != NULL ? g_tree_node_value(node) : NULL;
}

TenantState
tenant_get_state(const ProtoTenantRecord *record)
{
    if (record->removed_at != NULL)
        return TENANT_STATE_REMOVED;
    return record->has_disabled_ms ? TENANT_STATE_DISABLED : TENANT_STATE_ENABLED;
}

bool
tenant_exists(TenantBook *book, const char *name)
{
    const ProtoTenantRecord *record = tenant_find(book, name);

    if (record == NULL)
        return strcmp(name, root_tenant) == 0;
    return tenant_get_state(record) != TENANT_STATE_REMOVED;
}

/* The number in "u<uid>"; false if it is no such name. */
static bool
parse_own_name(TenantBook *book, const char *name, gint64 *ret_uid)
{
    guint64 uid = 0;

    if (*name != 'u' ||
        !g_ascii_string_to_unsigned(name + 1, 10, 1, G_MAXUINT32, &uid, NULL) ||
        strcmp(tenant_of_uid(book, (gint64) uid), name) != 0)
        return false;
    *ret_uid = (gint64) uid;
    return true;
}

ProtoTenantRecord *
tenant_add_row(TenantBook *book, const char *name)
{
    ProtoTenantRecord *record = g_new0(ProtoTenantRecord, 1);

    record->name = g_strdup(name);
    record->has_uid = parse_own_name(book, name, &record->uid);
    record->created_at = clock_format_time(clock_wall_ms());
    g_tree_insert(book->by_name, record->name, record);
    return record;
}

char *
tenant_format_month(gint64 at_ms)
{
    char *month = clock_format_time(at_ms);

    /* What a time begins with. */
    month[MONTH_LENGTH] = '\0';
    return month;
}

void
tenant_put(TenantBook *book, StoreTx *tx, const ProtoTenantRecord *record)
{
    store_put(tx, STORE_TENANT, record->name, NULL, NULL, &proto_tenant_record_type,
              record);
}

void
tenant_ensure(TenantBook *book, StoreTx *tx, const char *name)
{
    if (tenant_find(book, name) == NULL)
        tenant_put(book, tx, tenant_add_row(book, name));
}

bool
tenant_check_enabled(TenantBook *book, const char *name, GError **error)
{
    const ProtoTenantRecord *record = tenant_find(book, name);

    if (record == NULL || tenant_get_state(record) == TENANT_STATE_ENABLED)
        return true;
    proto_error_set_illegal_state(error, tenant_state_to_string(tenant_get_state(record)),
                                  "The tenant \"%s\" is %s%s%s: it changes nothing", name,
                                  tenant_state_to_string(tenant_get_state(record)),
                                  record->reason != NULL ? ", " : "",
                                  record->reason != NULL ? record->reason : "");
    return false;
}
