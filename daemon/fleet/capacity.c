/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/capacity.h"

static gint64
give_away(gint64 amount, gint64 reserve, gint64 percent)
{
    __int128 rest = MAX((__int128) amount - reserve, 0);

    return (gint64) MIN(rest * percent / 100, G_MAXINT64);
}

Quota
capacity_of(const HostConfig *config, const ProtoHost *view)
{
    return (Quota){ {
        [QUOTA_INSTANCES] = G_MAXINT64,
        [QUOTA_VCPUS] =
            give_away(view->vcpus, config->reserve_vcpus, config->cpu_percent),
        [QUOTA_MEMORY_BYTES] =
            give_away(view->memory_bytes, config->reserve_memory, config->memory_percent),
        [QUOTA_DISK_BYTES] =
            give_away(view->disk_bytes, config->reserve_disk, config->disk_percent),
    } };
}
