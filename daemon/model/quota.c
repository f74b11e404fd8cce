/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/quota.h"

static const char *const names[] = {
    [QUOTA_INSTANCES] = "instances",       [QUOTA_VCPUS] = "vcpus",
    [QUOTA_MEMORY_BYTES] = "memory_bytes", [QUOTA_DISK_BYTES] = "disk_bytes",
    [QUOTA_ADDRESSES] = "addresses",       [QUOTA_GROUPS] = "groups",
    [QUOTA_OPERATIONS] = "operations",     [QUOTA_REQUESTS] = "requests",
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == QUOTA_RESOURCES);

const char *
quota_resource_to_string(QuotaResource resource)
{
    return names[resource];
}

static gint64
multiply_add(gint64 sum, gint64 value, gint64 count)
{
    gint64 product = 0;
    gint64 result = 0;

    if (__builtin_mul_overflow(value, count, &product) ||
        __builtin_add_overflow(sum, product, &result))
        return G_MAXINT64;
    return result;
}

void
quota_add(Quota *used, const ProtoSize *size, gint64 count)
{
    const Quota one = { .amount = { [QUOTA_INSTANCES] = 1,
                                    [QUOTA_VCPUS] = size->vcpus,
                                    [QUOTA_MEMORY_BYTES] = size->memory_bytes,
                                    [QUOTA_DISK_BYTES] = size->disk_bytes } };

    quota_add_times(used, &one, count);
}

void
quota_add_times(Quota *used, const Quota *amounts, gint64 count)
{
    for (int i = 0; i < QUOTA_RESOURCES; i++) {
        used->amount[i] = multiply_add(used->amount[i], amounts->amount[i], count);
    }
}

bool
quota_admit(const Quota *used, const Quota *asked, const Quota *limit, GError **error)
{
    for (int i = 0; i < QUOTA_RESOURCES; i++) {
        gint64 left = MAX(limit->amount[i] - used->amount[i], 0);

        if (asked->amount[i] > left) {
            proto_error_set_quota_exceeded(
                error, names[i], used->amount[i], asked->amount[i], limit->amount[i],
                "The quota of %s does not allow it: %" G_GINT64_FORMAT
                " asked, %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " left",
                names[i], asked->amount[i], left, limit->amount[i]);
            return false;
        }
    }
    return true;
}
