/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/readings.h"

#include "wire/pack.h"

enum {
    PACKED_BYTES = 512
};

void
readings_open(const InstanceReadings *readings,
              const char *instance,
              ProtoCounterRecord *ret_counters)
{
    gsize used = 0;

    *ret_counters = (ProtoCounterRecord){ 0 };
    if (readings->packed == NULL) {
        ret_counters->instance = g_strdup(instance);
        return;
    }
    if (!wire_struct_unpack(&proto_counter_record_type, readings->packed->data,
                            readings->packed->len, &used, ret_counters, NULL))
        g_error("The counters of %s, which vmd packed, cannot be unpacked", instance);
}

void
readings_keep(InstanceReadings *readings, const ProtoCounterRecord *counters)
{
    g_autoptr(GByteArray) packed = g_byte_array_sized_new(PACKED_BYTES);

    wire_struct_pack(&proto_counter_record_type, counters, packed);
    readings_clear(readings);
    *readings = (InstanceReadings){
        /* As long as it is: an array that grew is up to twice that. */
        .packed =
            g_byte_array_new_take(g_memdup2(packed->data, packed->len), packed->len),
        .segment = counters->segment,
        .known_ms = MAX(counters->at_ms, MAX(counters->gap_ms, counters->from_ms)),
    };
}

void
readings_clear(InstanceReadings *readings)
{
    g_clear_pointer(&readings->packed, g_byte_array_unref);
}
