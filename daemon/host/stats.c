/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/stats.h"

#include <string.h>

#include "host/domain.h"

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

static char *
get_text(const virDomainStatsRecord *record,
         const char *group,
         int index,
         const char *member)
{
    g_autofree char *name = g_strdup_printf("%s.%d.%s", group, index, member);
    const virTypedParameter *parameter = find(record, name);

    return parameter != NULL && parameter->type == VIR_TYPED_PARAM_STRING
               ? g_strdup(parameter->value.s)
               : g_strdup("");
}

/* The time of each vCPU, and not cpu.time: that of a domain which is off is libvirt's
 * own. */
static void
read_cpu(const virDomainStatsRecord *record, ProtoDomainStats *stats)
{
    gint64 maximum = 0;

    get(record, &maximum, "vcpu.maximum");
    for (int i = 0; i < maximum; i++) {
        gint64 time = 0;

        if (get(record, &time, "vcpu.%d.time", i)) {
            stats->has_cpu_ns = true;
            stats->cpu_ns += time;
        }
    }
}

static void
read_disks(const virDomainStatsRecord *record, ProtoDomainStats *stats)
{
    gint64 count = 0;

    get(record, &count, "block.count");
    stats->disks = g_new0(ProtoDiskStats, (gsize) MAX(count, 0));
    for (int i = 0; i < count; i++) {
        ProtoDiskStats disk = { 0 };

        if (!get(record, &disk.read_bytes, "block.%d.rd.bytes", i) ||
            !get(record, &disk.read_ops, "block.%d.rd.reqs", i) ||
            !get(record, &disk.write_bytes, "block.%d.wr.bytes", i) ||
            !get(record, &disk.write_ops, "block.%d.wr.reqs", i))
            continue;
        disk.serial = get_text(record, "block", i, "name");
        stats->disks[stats->n_disks++] = disk;
    }
}

static void
read_nics(const virDomainStatsRecord *record, ProtoDomainStats *stats)
{
    gint64 count = 0;

    get(record, &count, "net.count");
    stats->nics = g_new0(ProtoNicStats, (gsize) MAX(count, 0));
    for (int i = 0; i < count; i++) {
        ProtoNicStats nic = { 0 };

        if (!get(record, &nic.rx_bytes, "net.%d.rx.bytes", i) ||
            !get(record, &nic.tx_bytes, "net.%d.tx.bytes", i))
            continue;
        nic.mac = get_text(record, "net", i, "name");
        stats->nics[stats->n_nics++] = nic;
    }
}

static const unsigned int groups = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_VCPU |
                                   VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK;

static void
fill(const virDomainStatsRecord *record,
     const ProtoDomain *domain,
     ProtoDomainStats *ret_stats)
{
    ret_stats->id = g_strdup(domain->id);
    ret_stats->state = domain->state;
    proto_epoch_copy(domain->epoch, &ret_stats->epoch);
    read_cpu(record, ret_stats);
    read_disks(record, ret_stats);
    read_nics(record, ret_stats);
}

static bool
read_record(virConnectPtr libvirt,
            const virDomainStatsRecord *record,
            ProtoDomainStats *ret_stats)
{
    char id[VIR_UUID_STRING_BUFLEN];
    ProtoDomain domain = { 0 };
    bool good = virDomainGetUUIDString(record->dom, id) == 0 &&
                g_str_has_prefix(virDomainGetName(record->dom), "vmctl-") &&
                domain_inspect(libvirt, id, &domain, NULL) && domain.epoch != NULL;

    if (good)
        fill(record, &domain, ret_stats);
    proto_domain_clear(&domain);
    return good;
}

GArray *
stats_read(virConnectPtr libvirt, GError **error)
{
    virDomainStatsRecordPtr *records = NULL;
    int count = virConnectGetAllDomainStats(libvirt, groups, &records,
                                            VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE |
                                                VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    GArray *all = NULL;

    if (count < 0) {
        connection_set_error(error, "Reading the counters");
        return NULL;
    }
    all = g_array_new(FALSE, TRUE, sizeof(ProtoDomainStats));
    g_array_set_clear_func(all, (GDestroyNotify) proto_domain_stats_clear);
    for (int i = 0; i < count; i++) {
        ProtoDomainStats stats = { 0 };

        if (read_record(libvirt, records[i], &stats))
            g_array_append_val(all, stats);
    }
    virDomainStatsRecordListFree(records);
    return all;
}

ProtoDomainStats *
stats_read_one(virConnectPtr libvirt, const ProtoDomain *domain)
{
    g_autoptr(virDomain) found = NULL;
    virDomainStatsRecordPtr *records = NULL;
    ProtoDomainStats *stats = NULL;

    if (domain->epoch == NULL)
        return NULL;
    found = virDomainLookupByUUIDString(libvirt, domain->id);
    if (found == NULL)
        return NULL;
    if (virDomainListGetStats((virDomainPtr[]){ found, NULL }, groups, &records,
                              VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT) > 0) {
        stats = g_new0(ProtoDomainStats, 1);
        fill(records[0], domain, stats);
    }
    virDomainStatsRecordListFree(records);
    return stats;
}
