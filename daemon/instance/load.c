/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/load.h"

#include "model/epoch.h"

static const gint64 full = 100000;
static const gint64 ns_per_ms = 1000000;

/* What its virtual CPUs ran for so far; what one of them did not tell is not counted. */
static gint64
sum_cpu(const ProtoDomainStats *stats)
{
    gint64 sum = 0;

    for (gsize i = 0; i < stats->n_vcpus; i++) {
        if (stats->vcpus[i].has_time_ns &&
            __builtin_add_overflow(sum, stats->vcpus[i].time_ns, &sum))
            return G_MAXINT64;
    }
    return sum;
}

static void
begin(InstanceLoad *load, const ProtoDomainStats *stats, gint64 now_ms)
{
    if (!epoch_is_same(&load->epoch, &stats->epoch)) {
        proto_epoch_clear(&load->epoch);
        load->epoch = (ProtoEpoch){ g_strdup(stats->epoch.boot_id), stats->epoch.pid,
                                    stats->epoch.pid_start };
    }
    load->has_reading = true;
    load->cpu_ns = sum_cpu(stats);
    load->read_boot_ms = stats->read_boot_ms;
    load->read_end_boot_ms = stats->read_end_boot_ms;
    load->read_ms = now_ms;
}

void
load_take(InstanceLoad *load, const ProtoDomainStats *stats, gint64 now_ms)
{
    gint64 took_ms = stats->read_boot_ms - load->read_boot_ms;
    gint64 ran_ns = sum_cpu(stats) - load->cpu_ns;
    bool is_same = load->has_reading && epoch_is_same(&load->epoch, &stats->epoch);
    bool goes_on = is_same && stats->n_vcpus > 0 && ran_ns >= 0;

    /* What was read before, or together with it, is no news; a worker that tells of an
     * end before the begin is not relied on. */
    if (is_same && (took_ms <= 0 || stats->read_boot_ms <= load->read_end_boot_ms))
        return;
    load->milli_percent = 0;
    load->at_ms = 0;
    if (goes_on) {
        __int128 could_ns = (__int128) took_ms * ns_per_ms * (gint64) stats->n_vcpus;

        load->milli_percent = (gint64) MIN((__int128) ran_ns * full / could_ns, full);
        load->from_ms = load->read_ms;
        load->at_ms = now_ms;
    }
    begin(load, stats, now_ms);
}

void
load_clear(InstanceLoad *load)
{
    proto_epoch_clear(&load->epoch);
    *load = (InstanceLoad){ 0 };
}
