/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/metering/guests.h"

#include <string.h>

#include "base/clock.h"
#include "sim/world.h"

enum {
    PIDS = 5,
    FIRST_PID = 1000,
    MS_PER_CLOCK_TICK = 10,
    RATE_MAX = 100000,
    /* A guest uses one processor at most: what it was granted is always enough. */
    CPU_NS_PER_MS = 1000000
};

static const char disk_name[] = "vda";

static struct {
    GPtrArray *all;
    void (*changed)(Guest *guest);
} guests;

static void
life_free(gpointer data)
{
    Life *life = data;

    proto_epoch_clear(&life->epoch);
    g_free(life);
}

static void
guest_free(gpointer data)
{
    Guest *guest = data;

    g_clear_handle_id(&guest->off_source, g_source_remove);
    g_free(guest->id);
    g_free(guest->tenant);
    g_free(guest->name);
    g_free(guest->mac);
    g_ptr_array_unref(guest->lives);
    g_free(guest);
}

void
guests_begin(void)
{
    guests.all = g_ptr_array_new_with_free_func(guest_free);
    guests.changed = NULL;
}

void
guests_end(void)
{
    g_clear_pointer(&guests.all, g_ptr_array_unref);
}

void
guests_on_change(void (*func)(Guest *guest))
{
    guests.changed = func;
}

const GPtrArray *
guests_get_all(void)
{
    return guests.all;
}

Guest *
guests_find_ever(const char *id)
{
    for (guint i = 0; i < guests.all->len; i++) {
        Guest *guest = guests.all->pdata[i];

        if (strcmp(guest->id, id) == 0)
            return guest;
    }
    return NULL;
}

Guest *
guests_find(const char *id)
{
    Guest *guest = guests_find_ever(id);

    return guest != NULL && !guest->is_gone ? guest : NULL;
}

static void
tell(Guest *guest)
{
    if (guests.changed != NULL)
        guests.changed(guest);
}

/* Counters */

Life *
guest_get_life(const Guest *guest)
{
    return guest->lives->len > 0 ? guest->lives->pdata[guest->lives->len - 1] : NULL;
}

bool
guest_is_active(const Guest *guest)
{
    return guest->state == DOMAIN_STATE_RUNNING || guest->state == DOMAIN_STATE_PAUSED;
}

void
guest_advance(Guest *guest)
{
    gint64 passed_ms = world_now_ms() - guest->reached_ms;
    Life *life = guest_get_life(guest);

    guest->reached_ms = world_now_ms();
    if (guest->state != DOMAIN_STATE_RUNNING)
        return;
    for (int i = 0; i < COUNTER_N; i++) {
        life->raw[i] += life->rates[i] * passed_ms;
    }
}

void
guest_change_pace(Guest *guest)
{
    Life *life = guest_get_life(guest);

    guest_advance(guest);
    for (int i = 0; life != NULL && i < COUNTER_N; i++) {
        guint most = i == COUNTER_CPU_TIME ? CPU_NS_PER_MS : RATE_MAX;

        life->rates[i] = world_chance(300) ? 0 : world_random(most + 1);
    }
}

/* Few numbers, so that they come again, but not the next moment. */
static void
start_life(Guest *guest)
{
    const Life *before = guest_get_life(guest);
    Life *life = g_new0(Life, 1);

    life->epoch = (ProtoEpoch){
        .boot_id = g_strdup(clock_boot_id()),
        .pid = FIRST_PID + world_random(PIDS),
        .pid_start = clock_boot_ms() / MS_PER_CLOCK_TICK,
    };
    if (before != NULL && before->epoch.pid == life->epoch.pid)
        life->epoch.pid++;
    life->started_wall_ms = clock_wall_ms();
    life->started_ms = world_now_ms();
    g_ptr_array_add(guest->lives, life);
    guest_change_pace(guest);
}

static void
add_disk(const Life *life, bool is_told, ProtoDomainStats *stats)
{
    stats->disks = g_new0(ProtoDiskStats, 1);
    stats->n_disks = 1;
    stats->disks[0] = (ProtoDiskStats){
        .serial = g_strdup(disk_name),
        .incarnation = g_strdup("1"),
        .has_read_bytes = is_told,
        .read_bytes = life->raw[COUNTER_DISK_READ_BYTES],
        .has_read_ops = is_told,
        .read_ops = life->raw[COUNTER_DISK_READ_OPS],
        .has_write_bytes = is_told,
        .write_bytes = life->raw[COUNTER_DISK_WRITE_BYTES],
        .has_write_ops = is_told,
        .write_ops = life->raw[COUNTER_DISK_WRITE_OPS],
    };
}

static void
add_nic(const Guest *guest, const Life *life, bool is_told, ProtoDomainStats *stats)
{
    stats->nics = g_new0(ProtoNicStats, 1);
    stats->n_nics = 1;
    stats->nics[0] = (ProtoNicStats){
        .mac = g_strdup(guest->mac),
        .incarnation = g_strdup("1"),
        .has_rx_bytes = is_told,
        .rx_bytes = life->raw[COUNTER_NET_RX_BYTES],
        .has_tx_bytes = is_told,
        .tx_bytes = life->raw[COUNTER_NET_TX_BYTES],
    };
}

static void
add_processor(const Life *life, bool is_told, ProtoDomainStats *stats)
{
    stats->vcpus = g_new0(ProtoVcpuStats, 1);
    stats->n_vcpus = 1;
    stats->vcpus[0] = (ProtoVcpuStats){
        .has_time_ns = is_told,
        .time_ns = life->raw[COUNTER_CPU_TIME],
    };
}

void
guest_read(
    Guest *guest, bool has_cpu, bool has_disk, bool has_nic, ProtoDomainStats *ret_stats)
{
    const Life *life = guest_get_life(guest);

    guest_advance(guest);
    *ret_stats = (ProtoDomainStats){
        .id = g_strdup(guest->id),
        .state = guest->state,
        .read_boot_ms = clock_boot_ms(),
        .read_end_boot_ms = clock_boot_ms(),
    };
    proto_epoch_copy(&life->epoch, &ret_stats->epoch);
    add_processor(life, has_cpu, ret_stats);
    add_disk(life, has_disk, ret_stats);
    add_nic(guest, life, has_nic, ret_stats);
}

/* Change */

void
guest_define(const ProtoDomainSpec *spec)
{
    Guest *guest = guests_find_ever(spec->id);

    if (guest == NULL) {
        guest = g_new0(Guest, 1);
        guest->id = g_strdup(spec->id);
        guest->tenant = g_strdup(spec->tenant);
        guest->name = g_strdup(spec->name);
        guest->mac = g_strdup(spec->mac);
        guest->state = DOMAIN_STATE_STOPPED;
        guest->lives = g_ptr_array_new_with_free_func(life_free);
        g_ptr_array_add(guests.all, guest);
    }
    if (guest_is_active(guest))
        return;
    if (guest->is_gone)
        guest->state = DOMAIN_STATE_STOPPED;
    guest->is_gone = false;
    guest->generation = spec->generation;
    guest->vcpus = spec->vcpus;
    guest->memory_bytes = spec->memory_bytes;
}

void
guest_set_state(Guest *guest, DomainState state)
{
    bool was_active = guest_is_active(guest);

    if (guest->state == state)
        return;
    guest_advance(guest);
    guest->state = state;
    world_trace("guest %s is %s", guest->name, domain_state_to_string(state));
    if (!was_active && guest_is_active(guest))
        start_life(guest);
    if (was_active && !guest_is_active(guest)) {
        guest_get_life(guest)->ended_ms = world_now_ms();
        g_clear_handle_id(&guest->off_source, g_source_remove);
    }
    tell(guest);
}

void
guest_set_size(Guest *guest, gint64 vcpus, gint64 memory_bytes)
{
    if (guest->vcpus == vcpus && guest->memory_bytes == memory_bytes)
        return;
    guest_advance(guest);
    guest->vcpus = vcpus;
    guest->memory_bytes = memory_bytes;
    world_trace("guest %s has %" G_GINT64_FORMAT " vCPUs", guest->name, vcpus);
    tell(guest);
}

void
guest_remove(Guest *guest)
{
    guest_set_state(guest, DOMAIN_STATE_STOPPED);
    guest->state = DOMAIN_STATE_ABSENT;
    guest->is_gone = true;
    world_trace("guest %s is removed", guest->name);
}

static gboolean
power_off(gpointer data)
{
    Guest *guest = data;

    guest->off_source = 0;
    guest_set_state(guest, DOMAIN_STATE_STOPPED);
    return G_SOURCE_REMOVE;
}

void
guest_shut_down(Guest *guest, guint after_ms)
{
    if (guest_is_active(guest) && guest->off_source == 0)
        guest->off_source = g_timeout_add(after_ms, power_off, guest);
}

void
guest_show(const Guest *guest, ProtoDomain *ret_domain)
{
    *ret_domain = (ProtoDomain){
        .id = g_strdup(guest->id),
        .tenant = g_strdup(guest->tenant),
        .name = g_strdup(guest->name),
        .generation = guest->generation,
        .state = guest->state,
        .vcpus = guest->vcpus,
        .memory_bytes = guest->memory_bytes,
    };
    if (!guest_is_active(guest))
        return;
    ret_domain->epoch = g_new0(ProtoEpoch, 1);
    proto_epoch_copy(&guest_get_life(guest)->epoch, ret_domain->epoch);
}

void
guests_lose_power(void)
{
    for (guint i = 0; i < guests.all->len; i++) {
        Guest *guest = guests.all->pdata[i];

        if (guest_is_active(guest))
            guest_set_state(guest, DOMAIN_STATE_STOPPED);
    }
}
