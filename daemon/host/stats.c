/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/stats.h"

#include <string.h>

#include "base/clock.h"
#include "host/devices.h"
#include "host/domain-xml.h"
#include "host/domain.h"
#include "host/process.h"

enum {
    BUSY_TRIES = 40,
    BUSY_EVERY_US = 25000
};

static const virTypedParameter *
find(const virDomainStatsRecord *record, const char *name)
{
    for (int i = 0; i < record->nparams; i++) {
        if (strcmp(record->params[i].field, name) == 0)
            return &record->params[i];
    }
    return NULL;
}

static bool
get_number(const virDomainStatsRecord *record, const char *name, gint64 *ret_number)
{
    const virTypedParameter *parameter = find(record, name);

    if (parameter == NULL)
        return false;
    switch (parameter->type) {
    case VIR_TYPED_PARAM_ULLONG:
        *ret_number = (gint64) MIN(parameter->value.ul, (unsigned long long) G_MAXINT64);
        return true;
    case VIR_TYPED_PARAM_UINT:
        *ret_number = parameter->value.ui;
        return true;
    case VIR_TYPED_PARAM_INT:
        *ret_number = parameter->value.i;
        return true;
    default:
        return false;
    }
}

static bool G_GNUC_PRINTF(3, 4)
    get(const virDomainStatsRecord *record, gint64 *ret_number, const char *format, ...)
{
    g_autofree char *name = NULL;
    va_list arguments;

    va_start(arguments, format);
    name = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return get_number(record, name, ret_number);
}

/* The place of a device among those of its group; -1 if it is not there. */
static int
find_place(const virDomainStatsRecord *record, const char *group, const char *target)
{
    g_autofree char *name = g_strconcat(group, ".count", NULL);
    gint64 count = 0;

    get_number(record, name, &count);
    for (int i = 0; i < count; i++) {
        g_autofree char *key = g_strdup_printf("%s.%d.name", group, i);
        const virTypedParameter *parameter = find(record, key);

        if (parameter != NULL && parameter->type == VIR_TYPED_PARAM_STRING &&
            strcmp(parameter->value.s, target) == 0)
            return i;
    }
    return -1;
}

/* The time of each vCPU, and not cpu.time: that of a domain which is off is libvirt's
 * own. */
static void
read_vcpus(const virDomainStatsRecord *record, ProtoDomainStats *stats)
{
    gint64 maximum = 0;

    get(record, &maximum, "vcpu.maximum");
    stats->vcpus = g_new0(ProtoVcpuStats, (gsize) MAX(maximum, 0));
    for (int i = 0; i < maximum; i++) {
        ProtoVcpuStats vcpu = { .number = i };
        gint64 state = 0;

        vcpu.has_time_ns = get(record, &vcpu.time_ns, "vcpu.%d.time", i);
        if (vcpu.has_time_ns || get(record, &state, "vcpu.%d.state", i))
            stats->vcpus[stats->n_vcpus++] = vcpu;
    }
}

static void
read_disks(const virDomainStatsRecord *record,
           const GArray *devices,
           ProtoDomainStats *stats)
{
    stats->n_disks = devices->len;
    stats->disks = g_new0(ProtoDiskStats, devices->len);
    for (guint i = 0; i < devices->len; i++) {
        const Device *device = &g_array_index(devices, Device, i);
        ProtoDiskStats *disk = &stats->disks[i];
        int place = find_place(record, "block", device->target);

        disk->serial = g_strdup(device->key);
        disk->incarnation = g_strdup(device->incarnation);
        disk->has_read_bytes = get(record, &disk->read_bytes, "block.%d.rd.bytes", place);
        disk->has_read_ops = get(record, &disk->read_ops, "block.%d.rd.reqs", place);
        disk->has_write_bytes =
            get(record, &disk->write_bytes, "block.%d.wr.bytes", place);
        disk->has_write_ops = get(record, &disk->write_ops, "block.%d.wr.reqs", place);
    }
}

static void
read_nics(const virDomainStatsRecord *record,
          const GArray *devices,
          ProtoDomainStats *stats)
{
    stats->n_nics = devices->len;
    stats->nics = g_new0(ProtoNicStats, devices->len);
    for (guint i = 0; i < devices->len; i++) {
        const Device *device = &g_array_index(devices, Device, i);
        ProtoNicStats *nic = &stats->nics[i];
        int place = find_place(record, "net", device->target);

        nic->mac = g_strdup(device->key);
        nic->incarnation = g_strdup(device->incarnation);
        nic->has_rx_bytes = get(record, &nic->rx_bytes, "net.%d.rx.bytes", place);
        nic->has_tx_bytes = get(record, &nic->tx_bytes, "net.%d.tx.bytes", place);
    }
}

/** When figures were read, by the clock that runs since boot. */
typedef struct {
    gint64 begun_ms;
    gint64 ended_ms;
} ReadTime;

static const unsigned int groups = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_VCPU |
                                   VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK;

/* Whether the figures are those of a process that runs, and that ran when they were
 * read. */
static bool
is_of_process(const virDomainStatsRecord *record,
              const ProtoEpoch *epoch,
              const ReadTime *time,
              DomainState *ret_state)
{
    gint64 state = VIR_DOMAIN_NOSTATE;

    if (epoch == NULL || process_get_start_ms(epoch) >= time->begun_ms ||
        !get_number(record, "state.state", &state))
        return false;
    *ret_state = domain_to_state((int) state, 0);
    return *ret_state == DOMAIN_STATE_RUNNING || *ret_state == DOMAIN_STATE_PAUSED;
}

/* The XML is read after the figures: a device that is gone by then has none. */
static bool
fill(const virDomainStatsRecord *record,
     const char *id,
     const ReadTime *time,
     ProtoDomainStats *ret_stats)
{
    g_autofree char *xml = virDomainGetXMLDesc(record->dom, 0);
    g_autoptr(Devices) devices = xml != NULL ? devices_read(xml) : NULL;
    ProtoEpoch *epoch = process_read_epoch(virDomainGetName(record->dom));
    DomainState state = DOMAIN_STATE_ABSENT;
    bool good = devices != NULL && is_of_process(record, epoch, time, &state);

    if (good) {
        ret_stats->id = g_strdup(id);
        ret_stats->state = state;
        proto_epoch_copy(epoch, &ret_stats->epoch);
        ret_stats->read_boot_ms = time->begun_ms;
        ret_stats->read_end_boot_ms = time->ended_ms;
        read_vcpus(record, ret_stats);
        read_disks(record, devices->disks, ret_stats);
        read_nics(record, devices->nics, ret_stats);
    }
    if (epoch != NULL)
        proto_epoch_clear(epoch);
    g_free(epoch);
    return good;
}

static bool
read_record(const virDomainStatsRecord *record,
            const ReadTime *time,
            ProtoDomainStats *ret_stats)
{
    char id[VIR_UUID_STRING_BUFLEN];
    g_autofree char *name = NULL;

    if (virDomainGetUUIDString(record->dom, id) != 0)
        return false;
    name = domain_xml_get_name(id);
    return strcmp(virDomainGetName(record->dom), name) == 0 &&
           fill(record, id, time, ret_stats);
}

GArray *
stats_read(virConnectPtr libvirt, GError **error)
{
    ReadTime time = { .begun_ms = clock_boot_ms() };
    virDomainStatsRecordPtr *records = NULL;
    int count = virConnectGetAllDomainStats(libvirt, groups, &records,
                                            VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE |
                                                VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    GArray *all = NULL;

    time.ended_ms = clock_boot_ms();
    if (count < 0) {
        connection_set_error(error, "Reading the counters");
        return NULL;
    }
    all = g_array_new(FALSE, TRUE, sizeof(ProtoDomainStats));
    g_array_set_clear_func(all, (GDestroyNotify) proto_domain_stats_clear);
    for (int i = 0; i < count; i++) {
        ProtoDomainStats stats = { 0 };

        if (read_record(records[i], &time, &stats))
            g_array_append_val(all, stats);
    }
    virDomainStatsRecordListFree(records);
    return all;
}

/* libvirt tells nothing of its disks while something else is done with the domain. */
static bool
is_busy(const ProtoDomainStats *stats)
{
    for (gsize i = 0; i < stats->n_disks; i++) {
        if (stats->disks[i].has_write_bytes)
            return false;
    }
    return stats->n_disks > 0;
}

static bool
try_to_read(virDomainPtr domain, ProtoDomainStats *ret_stats)
{
    ReadTime time = { .begun_ms = clock_boot_ms() };
    virDomainStatsRecordPtr *records = NULL;
    int count = virDomainListGetStats((virDomainPtr[]){ domain, NULL }, groups, &records,
                                      VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    bool good = false;

    time.ended_ms = clock_boot_ms();
    good = count > 0 && read_record(records[0], &time, ret_stats);
    virDomainStatsRecordListFree(records);
    return good;
}

ProtoDomainStats *
stats_read_one(virConnectPtr libvirt, const char *id)
{
    g_autoptr(virDomain) found = virDomainLookupByUUIDString(libvirt, id);
    ProtoDomainStats stats = { 0 };

    if (found == NULL || !try_to_read(found, &stats))
        return NULL;
    for (int i = 0; i < BUSY_TRIES && is_busy(&stats); i++) {
        proto_domain_stats_clear(&stats);
        g_usleep(BUSY_EVERY_US);
        if (!try_to_read(found, &stats))
            return NULL;
    }
    return g_memdup2(&stats, sizeof stats);
}
