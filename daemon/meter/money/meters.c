/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/money/meters.h"

#include <string.h>

#include "meter/quantity.h"

enum {
    /* An hour has 10^5 ticks of 36 ms. */
    HOUR_PLACES = 5,
    /* A GiB-hour has 2^10 * 10^5 MiB-ticks, and 5^10 / 10^15 is one of them. */
    GIB_HOUR_PLACES = 15,
    FIVE_TO_TEN = 9765625,
    GB_PLACES = 9
};

/* clang-format off */
static const MeterInfo meters[] = {
    [METER_INSTANCE_TIME] = { "instance.time", "Instance time", "Hours", RESOURCE_KIND_INSTANCE, 1, HOUR_PLACES },
    [METER_VCPU] = { "vcpu.alloc", "vCPU allocation", "Core-Hours", RESOURCE_KIND_INSTANCE, 1, HOUR_PLACES },
    [METER_MEMORY] = { "memory.alloc", "Memory allocation", "GiB-Hours", RESOURCE_KIND_INSTANCE, FIVE_TO_TEN, GIB_HOUR_PLACES },
    [METER_DISK] = { "disk.alloc", "Volume capacity", "GiB-Hours", RESOURCE_KIND_VOLUME, FIVE_TO_TEN, GIB_HOUR_PLACES },
    [METER_ADDRESS] = { "ip.alloc", "IP address", "Unit-Hours", RESOURCE_KIND_ADDRESS, 1, HOUR_PLACES },
    [METER_CPU_TIME] = { "cpu.time", "CPU time", "Core-Hours", RESOURCE_KIND_INSTANCE, 1, HOUR_PLACES },
    [METER_DISK_READ_BYTES] = { "disk.read.bytes", "Disk bytes read", "GB", RESOURCE_KIND_INSTANCE, 1, GB_PLACES },
    [METER_DISK_WRITE_BYTES] = { "disk.write.bytes", "Disk bytes written", "GB", RESOURCE_KIND_INSTANCE, 1, GB_PLACES },
    [METER_DISK_READ_OPS] = { "disk.read.ops", "Disk reads", "Requests", RESOURCE_KIND_INSTANCE, 1, 0 },
    [METER_DISK_WRITE_OPS] = { "disk.write.ops", "Disk writes", "Requests", RESOURCE_KIND_INSTANCE, 1, 0 },
    [METER_NET_RX_BYTES] = { "net.rx.bytes", "Network bytes received", "GB", RESOURCE_KIND_INSTANCE, 1, GB_PLACES },
    [METER_NET_TX_BYTES] = { "net.tx.bytes", "Network bytes sent", "GB", RESOURCE_KIND_INSTANCE, 1, GB_PLACES },
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(meters) == METER_N);

static const MeterId counted[] = {
    [COUNTER_CPU_TIME] = METER_CPU_TIME,
    [COUNTER_DISK_READ_BYTES] = METER_DISK_READ_BYTES,
    [COUNTER_DISK_WRITE_BYTES] = METER_DISK_WRITE_BYTES,
    [COUNTER_DISK_READ_OPS] = METER_DISK_READ_OPS,
    [COUNTER_DISK_WRITE_OPS] = METER_DISK_WRITE_OPS,
    [COUNTER_NET_RX_BYTES] = METER_NET_RX_BYTES,
    [COUNTER_NET_TX_BYTES] = METER_NET_TX_BYTES,
};
G_STATIC_ASSERT(G_N_ELEMENTS(counted) == COUNTER_N);

const MeterInfo *
meter_get_info(MeterId meter)
{
    return &meters[meter];
}

bool
meter_find(const char *name, MeterId *ret_meter)
{
    for (guint i = 0; i < METER_N; i++) {
        if (strcmp(meters[i].name, name) == 0) {
            *ret_meter = (MeterId) i;
            return true;
        }
    }
    return false;
}

MeterId
meter_of_counter(Counter counter)
{
    return counted[counter];
}

gint64
meter_get_held(MeterId meter, gint64 vcpus, gint64 memory_bytes, gint64 disk_bytes)
{
    switch (meter) {
    case METER_INSTANCE_TIME:
    case METER_ADDRESS:
        return 1;
    case METER_VCPU:
        return vcpus;
    case METER_MEMORY:
        return quantity_mib(memory_bytes);
    case METER_DISK:
        return quantity_mib(disk_bytes);
    case METER_CPU_TIME:
    case METER_DISK_READ_BYTES:
    case METER_DISK_WRITE_BYTES:
    case METER_DISK_READ_OPS:
    case METER_DISK_WRITE_OPS:
    case METER_NET_RX_BYTES:
    case METER_NET_TX_BYTES:
    case METER_N:
        return 0;
    }
    return 0;
}

bool
meter_get_quantity(MeterId meter, __int128 amount, Decimal *ret_quantity, GError **error)
{
    const Decimal factor = { meters[meter].factor, meters[meter].places };

    return decimal_multiply((Decimal){ amount, 0 }, factor, ret_quantity, error);
}
