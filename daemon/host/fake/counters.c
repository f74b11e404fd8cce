/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/fake/counters.h"

#include "base/clock.h"
#include "wire/pack.h"

enum {
    SERIAL_LENGTH = 20
};

/** What is told of a domain that runs so long, as its script has it. */
typedef struct {
    const ProtoDomain *domain;
    const ScriptCounters *script;
    gint64 run_ms;
} Telling;

/* False if it is not told. */
static bool
tell(const Telling *telling, Counter counter, gint64 pace, gint64 *ret_raw)
{
    const ScriptCounters *script = telling->script;

    *ret_raw = telling->run_ms * pace;
    if (script == NULL)
        return true;
    if (script->raw[counter] >= 0)
        *ret_raw = script->raw[counter];
    return !script->untold[counter];
}

static bool
has(const Telling *telling, const char *device)
{
    return telling->script == NULL || telling->script->without == NULL ||
           !g_strv_contains((const char *const *) telling->script->without, device);
}

static char *
get_incarnation(const Telling *telling)
{
    return g_strdup(telling->script != NULL ? telling->script->incarnation : "1");
}

static void
add_vcpu(const Telling *telling, ProtoDomainStats *stats)
{
    stats->n_vcpus = 1;
    stats->vcpus = g_new0(ProtoVcpuStats, 1);
    stats->vcpus->has_time_ns =
        tell(telling, COUNTER_CPU_TIME, FAKE_CPU_NS_PER_MS, &stats->vcpus->time_ns);
}

static void
add_disk(const Telling *telling, ProtoDomainStats *stats)
{
    ProtoDiskStats *disk = NULL;

    if (!has(telling, "disk"))
        return;
    stats->n_disks = 1;
    stats->disks = disk = g_new0(ProtoDiskStats, 1);
    disk->serial = g_strndup(telling->domain->id, SERIAL_LENGTH);
    disk->incarnation = get_incarnation(telling);
    disk->has_read_bytes = tell(telling, COUNTER_DISK_READ_BYTES,
                                FAKE_DISK_READ_BYTES_PER_MS, &disk->read_bytes);
    disk->has_write_bytes = tell(telling, COUNTER_DISK_WRITE_BYTES,
                                 FAKE_DISK_WRITE_BYTES_PER_MS, &disk->write_bytes);
    disk->has_read_ops = tell(telling, COUNTER_DISK_READ_OPS, 1, &disk->read_ops);
    disk->has_write_ops = tell(telling, COUNTER_DISK_WRITE_OPS, 1, &disk->write_ops);
}

static void
add_nic(const Telling *telling, ProtoDomainStats *stats)
{
    guint number = g_str_hash(telling->domain->id);
    ProtoNicStats *nic = NULL;

    if (!has(telling, "nic"))
        return;
    stats->n_nics = 1;
    stats->nics = nic = g_new0(ProtoNicStats, 1);
    nic->mac = g_strdup_printf("52:54:00:%02x:%02x:%02x", number >> 16 & 0xff,
                               number >> 8 & 0xff, number & 0xff);
    nic->incarnation = get_incarnation(telling);
    nic->has_rx_bytes =
        tell(telling, COUNTER_NET_RX_BYTES, FAKE_NET_RX_BYTES_PER_MS, &nic->rx_bytes);
    nic->has_tx_bytes =
        tell(telling, COUNTER_NET_TX_BYTES, FAKE_NET_TX_BYTES_PER_MS, &nic->tx_bytes);
}

/* A real host tells nothing of a domain that is off; a scripted one may. */
static bool
is_told_of(const ProtoDomain *domain, const ScriptCounters *script)
{
    bool is_active =
        domain->state == DOMAIN_STATE_RUNNING || domain->state == DOMAIN_STATE_PAUSED;

    return domain->epoch != NULL && (is_active || (script != NULL && script->inactive));
}

bool
fake_counters_read(const ScriptFigures *figures,
                   const ProtoDomain *domain,
                   ProtoDomainStats *ret_stats)
{
    const ScriptCounters *script = script_find_counters(figures, domain->name);
    Telling telling = { domain, script, 0 };

    if (!is_told_of(domain, script))
        return false;
    telling.run_ms = MAX(clock_boot_ms() - domain->epoch->pid_start * CLOCK_TICK_MS, 0);
    *ret_stats = (ProtoDomainStats){
        .id = g_strdup(domain->id),
        .state = domain->state,
        .read_boot_ms = clock_boot_ms(),
        .read_end_boot_ms = clock_boot_ms(),
    };
    proto_epoch_copy(domain->epoch, &ret_stats->epoch);
    add_vcpu(&telling, ret_stats);
    add_disk(&telling, ret_stats);
    add_nic(&telling, ret_stats);
    return true;
}

char *
fake_counters_pack(const ScriptFigures *figures,
                   const GPtrArray *domains,
                   guint first,
                   guint count)
{
    g_autoptr(GByteArray) packed = g_byte_array_new();

    for (guint i = first; i < MIN(first + count, domains->len); i++) {
        g_auto(ProtoDomainStats) stats = { 0 };

        if (fake_counters_read(figures, domains->pdata[i], &stats))
            wire_struct_pack(&proto_domain_stats_type, &stats, packed);
    }
    return g_base64_encode(packed->data, packed->len);
}
