/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/unbilled.h"

#include <string.h>

#include "base/clock.h"
#include "tenant/tenant-private.h"

void
unbilled_add(TenantBook *book, StoreTx *tx, const char *tenant)
{
    ProtoTenantRecord *record = tenant_get_row(book, tenant);
    g_autofree char *month = tenant_format_month(store_ledger_now_ms(book->store));

    if (g_strcmp0(record->unbilled, month) == 0)
        return;
    g_free(record->unbilled);
    record->unbilled = g_steal_pointer(&month);
    tenant_put(book, tx, record);
}

typedef struct {
    TenantBook *book;
    StoreTx *tx;
    const char *month;
    const char *const *unpriced;
} Seal;

static gboolean
seal_one(gpointer key, gpointer value, gpointer data)
{
    const Seal *seal = data;
    ProtoTenantRecord *record = value;
    bool is_unpriced =
        seal->unpriced != NULL && g_strv_contains(seal->unpriced, record->name);

    if (record->unbilled == NULL ? !is_unpriced
                                 : strcmp(record->unbilled, seal->month) > 0)
        return FALSE;
    g_free(record->unbilled);
    record->unbilled = is_unpriced ? g_strdup(seal->month) : NULL;
    tenant_put(seal->book, seal->tx, record);
    return FALSE;
}

/* Months are compared as texts. */
static bool
is_month(const char *text)
{
    g_autofree char *first = g_strdup_printf("%s-01T00:00:00Z", text);
    gint64 at_ms = 0;
    g_autofree char *again =
        clock_parse_time(first, &at_ms) ? tenant_format_month(at_ms) : NULL;

    return g_strcmp0(again, text) == 0;
}

void
unbilled_seal(TenantBook *book,
              StoreTx *tx,
              const char *month,
              const char *const *unpriced)
{
    Seal seal = { book, tx, month, unpriced };

    if (is_month(month))
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
