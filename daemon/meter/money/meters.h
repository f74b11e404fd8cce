/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "model/decimal.h"
#include "proto.h"

/**
 * What usage is billed in.  The first ones are held for a time and follow from segments;
 * the others are consumed and follow from counters.  Pure.
 */
typedef enum {
    METER_INSTANCE_TIME,
    METER_VCPU,
    METER_MEMORY,
    METER_DISK,
    METER_ADDRESS,
    METER_CPU_TIME,
    METER_DISK_READ_BYTES,
    METER_DISK_WRITE_BYTES,
    METER_DISK_READ_OPS,
    METER_DISK_WRITE_OPS,
    METER_NET_RX_BYTES,
    METER_NET_TX_BYTES,
    METER_N
} MeterId;

typedef struct {
    /** As rate cards and reports have it: "vcpu.alloc". */
    const char *name;
    /** In words: "vCPU allocation". */
    const char *title;
    /** What a price is for, named as FOCUS names units: "Core-Hours". */
    const char *unit;
    /** What it is of. */
    ResourceKind kind;
    /** An integer of the ledger (ticks times vCPUs or MiB, ticks of CPU time, bytes,
     * operations) times factor is so many places of the unit. */
    int factor;
    int places;
} MeterInfo;

const MeterInfo *meter_get_info(MeterId meter);

/** False if no meter has that name. */
bool meter_find(const char *name, MeterId *ret_meter);

/** The meter of what a counter counts. */
MeterId meter_of_counter(Counter counter);

/** What is charged for as long as it is held, of a meter that is: vCPUs, MiB, or 1. */
gint64
meter_get_held(MeterId meter, gint64 vcpus, gint64 memory_bytes, gint64 disk_bytes);

/** Such an integer in the meter's unit, exactly.  Fails when it does not fit. */
bool
meter_get_quantity(MeterId meter, __int128 amount, Decimal *ret_quantity, GError **error);
