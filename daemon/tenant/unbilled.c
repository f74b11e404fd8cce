/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/unbilled.h"

#include <string.h>

#include "base/clock.h"
#include "tenant/tenant-private.h"

enum {
    /* "2026-11" of a time. */
    MONTH_LENGTH = 7
};

void
unbilled_add(TenantBook *book, StoreTx *tx, const char *tenant)
{
    ProtoTenantRecord *record = tenant_get_row(book, tenant);
    char *month = clock_format_time(store_ledger_now_ms(book->store));

    month[MONTH_LENGTH] = '\0';
    if (g_strcmp0(record->unbilled, month) == 0) {
        g_free(month);
        return;
    }
    g_free(record->unbilled);
    record->unbilled = month;
    tenant_put(book, tx, record);
}

typedef struct {
    TenantBook *book;
    StoreTx *tx;
    const char *month;
} Seal;

static gboolean
seal_one(gpointer key, gpointer value, gpointer data)
{
    const Seal *seal = data;
    ProtoTenantRecord *record = value;

    if (record->unbilled == NULL || strcmp(record->unbilled, seal->month) > 0)
        return FALSE;
    g_clear_pointer(&record->unbilled, g_free);
    tenant_put(seal->book, seal->tx, record);
    return FALSE;
}

void
unbilled_seal(TenantBook *book, StoreTx *tx, const char *month)
{
    Seal seal = { book, tx, month };

    g_tree_foreach(book->by_name, seal_one, &seal);
}

bool
unbilled_check(TenantBook *book, const char *tenant, GError **error)
{
    const ProtoTenantRecord *record = tenant_find(book, tenant);

    if (record == NULL || record->unbilled == NULL)
        return true;
    proto_error_set_illegal_state(
        error, "unbilled", "What the tenant \"%s\" has used in %s is not billed yet",
        tenant, record->unbilled);
    return false;
}
