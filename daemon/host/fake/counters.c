/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/fake/counters.h"

#include "base/clock.h"
#include "wire/pack.h"

enum {
    MS_PER_CLOCK_TICK = 10
};

static ProtoDiskStats *
make_disk(gint64 run_ms)
{
    ProtoDiskStats *disk = g_new0(ProtoDiskStats, 1);

    *disk = (ProtoDiskStats){
        .serial = g_strdup("vda"),
        .read_bytes = run_ms * FAKE_DISK_READ_BYTES_PER_MS,
        .read_ops = run_ms * FAKE_DISK_READ_BYTES_PER_MS / FAKE_DISK_BYTES_PER_OP,
        .write_bytes = run_ms * FAKE_DISK_WRITE_BYTES_PER_MS,
        .write_ops = run_ms * FAKE_DISK_WRITE_BYTES_PER_MS / FAKE_DISK_BYTES_PER_OP,
    };
    return disk;
}

static ProtoNicStats *
make_nic(const ProtoDomain *domain, gint64 run_ms)
{
    ProtoNicStats *nic = g_new0(ProtoNicStats, 1);
    guint number = g_str_hash(domain->id);

    *nic = (ProtoNicStats){
        .mac = g_strdup_printf("52:54:00:%02x:%02x:%02x", number >> 16 & 0xff,
                               number >> 8 & 0xff, number & 0xff),
        .rx_bytes = run_ms * FAKE_NET_RX_BYTES_PER_MS,
        .tx_bytes = run_ms * FAKE_NET_TX_BYTES_PER_MS,
    };
    return nic;
}

bool
fake_counters_read(const ProtoDomain *domain, ProtoDomainStats *ret_stats)
{
    gint64 run_ms = 0;

    if (domain->epoch == NULL ||
        (domain->state != DOMAIN_STATE_RUNNING && domain->state != DOMAIN_STATE_PAUSED))
        return false;
    run_ms = MAX(clock_boot_ms() - domain->epoch->pid_start * MS_PER_CLOCK_TICK, 0);
    *ret_stats = (ProtoDomainStats){
        .id = g_strdup(domain->id),
        .state = domain->state,
        .has_cpu_ns = true,
        .cpu_ns = run_ms * FAKE_CPU_NS_PER_MS,
        .disks = make_disk(run_ms),
        .n_disks = 1,
        .nics = make_nic(domain, run_ms),
        .n_nics = 1,
    };
    proto_epoch_copy(domain->epoch, &ret_stats->epoch);
    return true;
}

char *
fake_counters_pack(const GPtrArray *domains, guint first, guint count)
{
    g_autoptr(GByteArray) packed = g_byte_array_new();

    for (guint i = first; i < MIN(first + count, domains->len); i++) {
        g_auto(ProtoDomainStats) stats = { 0 };

        if (fake_counters_read(domains->pdata[i], &stats))
            wire_struct_pack(&proto_domain_stats_type, &stats, packed);
    }
    return g_base64_encode(packed->data, packed->len);
}
