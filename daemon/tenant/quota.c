/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/quota.h"

#include <stddef.h>

#include "tenant/rate.h"
#include "tenant/tenant-private.h"

/** Where a limit stands in the row, and in a call that sets it. */
typedef struct {
    gsize has_offset;
    gsize offset;
    gsize call_has_offset;
    gsize call_offset;
} Limit;

#define LIMIT(name)                                                                      \
    {                                                                                    \
        offsetof(ProtoTenantRecord, has_max_##name),                                     \
            offsetof(ProtoTenantRecord, max_##name),                                     \
            offsetof(ProtoQuotaSetCall, has_##name), offsetof(ProtoQuotaSetCall, name)   \
    }

static const Limit limits[] = {
    [QUOTA_INSTANCES] = LIMIT(instances),       [QUOTA_VCPUS] = LIMIT(vcpus),
    [QUOTA_MEMORY_BYTES] = LIMIT(memory_bytes), [QUOTA_DISK_BYTES] = LIMIT(disk_bytes),
    [QUOTA_ADDRESSES] = LIMIT(addresses),       [QUOTA_GROUPS] = LIMIT(groups),
    [QUOTA_OPERATIONS] = LIMIT(operations),     [QUOTA_REQUESTS] = LIMIT(requests),
};
G_STATIC_ASSERT(G_N_ELEMENTS(limits) == QUOTA_RESOURCES);

static bool *
get_has(gconstpointer base, gsize offset)
{
    return (bool *) ((char *) (gsize) base + offset);
}

static gint64 *
get_value(gconstpointer base, gsize offset)
{
    return (gint64 *) (gpointer) ((char *) (gsize) base + offset);
}

bool
tenant_has_own_limit(TenantBook *book, const char *name, QuotaResource resource)
{
    const ProtoTenantRecord *record = tenant_find(book, name);

    return record != NULL && *get_has(record, limits[resource].has_offset);
}

Quota
tenant_get_limit(TenantBook *book, const char *name)
{
    const ProtoTenantRecord *record = tenant_find(book, name);
    Quota limit = book->limit;

    for (int i = 0; record != NULL && i < QUOTA_RESOURCES; i++) {
        if (*get_has(record, limits[i].has_offset))
            limit.amount[i] = *get_value(record, limits[i].offset);
    }
    return limit;
}

static void
set_limit(ProtoTenantRecord *record,
          const ProtoQuotaSetCall *in,
          QuotaResource resource,
          GString *detail)
{
    const Limit *limit = &limits[resource];
    bool resets = in->has_reset && in->reset;
    bool *has = get_has(record, limit->has_offset);
    gint64 *value = get_value(record, limit->offset);

    if (*get_has(in, limit->call_has_offset)) {
        *has = true;
        *value = *get_value(in, limit->call_offset);
        g_string_append_printf(detail, "%s=%" G_GINT64_FORMAT " ",
                               quota_resource_to_string(resource), *value);
    } else if (resets && *has) {
        *has = false;
        *value = 0;
        g_string_append_printf(detail, "%s=default ", quota_resource_to_string(resource));
    }
}

void
tenant_set_quota(TenantBook *book,
                 StoreTx *tx,
                 const ProtoQuotaSetCall *in,
                 const Actor *actor)
{
    ProtoTenantRecord *record = tenant_get_row(book, in->tenant);
    g_autoptr(GString) detail = g_string_new(NULL);

    for (int i = 0; i < QUOTA_RESOURCES; i++) {
        set_limit(record, in, (QuotaResource) i, detail);
    }
    if (detail->len == 0)
        return;
    tenant_put_changed(book, tx, EVENT_KIND_QUOTA_SET, record, g_strchomp(detail->str),
                       actor);
}

bool
tenant_count_request(TenantBook *book, const char *name, GError **error)
{
    const Quota asked = { .amount = { [QUOTA_REQUESTS] = 1 } };
    Quota limit = tenant_get_limit(book, name);
    Quota used = { .amount = { [QUOTA_REQUESTS] = rate_count(book->rates, name) - 1 } };

    return quota_admit(&used, &asked, &limit, error);
}
