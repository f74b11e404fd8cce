/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/probe.h"

#include <libvirt/virterror.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/domain.h"
#include "host/volumes.h"
#include "host/xml.h"

enum {
    VERSION_MAJOR = 1000000,
    VERSION_MINOR = 1000,
    ADDRESS_BITS = 32,
    FIRST_LEASE = 2
};

static const gint64 kibibyte = 1024;

/* Accelerator */

static bool
has_flag(const char *cpuinfo, const char *flag)
{
    const char *line = strstr(cpuinfo, "\nflags");
    const char *end = line != NULL ? strchr(line + 1, '\n') : NULL;
    g_autofree char *flags = NULL;
    g_auto(GStrv) words = NULL;

    if (line == NULL)
        return false;
    flags = g_strndup(line, end != NULL ? (gsize) (end - line) : strlen(line));
    words = g_strsplit(flags, " ", 0);
    return g_strv_contains((const char *const *) words, flag);
}

bool
probe_uses_kvm(const char *accel, const char *capabilities, const char *cpuinfo)
{
    if (strcmp(accel, "auto") != 0)
        return strcmp(accel, "kvm") == 0;
    return strstr(capabilities, "<domain type='kvm'") != NULL &&
           (has_flag(cpuinfo, "vmx") || has_flag(cpuinfo, "svm"));
}

/* Network */

static char *
format_address(guint32 address)
{
    return g_strdup_printf("%u.%u.%u.%u", address >> 24, (address >> 16) & 0xff,
                           (address >> 8) & 0xff, address & 0xff);
}

/* Reads "192.168.150.1/24". */
static bool
parse_address(const char *text, guint32 *ret_address, guint32 *ret_mask)
{
    g_auto(GStrv) parts = g_strsplit_set(text, "./", 0);
    guint32 address = 0;
    gint64 number = 0;

    if (g_strv_length(parts) != 5)
        return false;
    for (int i = 0; i < 4; i++) {
        if (!g_ascii_string_to_signed(parts[i], 10, 0, 255, &number, NULL))
            return false;
        address = address << 8 | (guint32) number;
    }
    if (!g_ascii_string_to_signed(parts[4], 10, 8, 29, &number, NULL))
        return false;
    *ret_address = address;
    *ret_mask = ~(guint32) 0 << (ADDRESS_BITS - number);
    return true;
}

static char *
print_network(const HostOptions *options, guint32 address, guint32 mask)
{
    g_autoptr(xmlDoc) document = xml_new("network");
    xmlNodePtr root = xml_root(document);
    g_autofree char *own = format_address(address);
    g_autofree char *netmask = format_address(mask);
    g_autofree char *first = format_address((address & mask) + FIRST_LEASE);
    g_autofree char *last = format_address((address | ~mask) - 1);
    xmlNodePtr ip = NULL;

    xml_add_text(root, "name", options->network);
    xml_add_with(root, "forward", "mode", "nat", NULL);
    ip = xml_add_with(root, "ip", "address", own, "netmask", netmask, NULL);
    xml_add_with(xml_add(ip, "dhcp"), "range", "start", first, "end", last, NULL);
    return xml_to_text(document);
}

static virNetworkPtr
define_network(virConnectPtr libvirt, const HostOptions *options, GError **error)
{
    guint32 address = 0;
    guint32 mask = 0;
    g_autofree char *text = NULL;
    virNetworkPtr network = NULL;

    if (!parse_address(options->network_address, &address, &mask)) {
        proto_error_set_host_failed(error, "", "\"%s\" is no network address",
                                    options->network_address);
        return NULL;
    }
    text = print_network(options, address, mask);
    network = virNetworkDefineXML(libvirt, text);
    if (network == NULL) {
        connection_set_error(error, "Making the network");
        return NULL;
    }
    virNetworkSetAutostart(network, 1);
    return network;
}

static bool
open_network(virConnectPtr libvirt, const HostOptions *options, GError **error)
{
    g_autoptr(virNetwork) network = virNetworkLookupByName(libvirt, options->network);
    const virError *last = virGetLastError();

    if (network == NULL && last != NULL && last->code == VIR_ERR_NO_NETWORK) {
        network = define_network(libvirt, options, error);
        if (network == NULL)
            return false;
    }
    if (network == NULL ||
        (virNetworkIsActive(network) != 1 && virNetworkCreate(network) != 0)) {
        connection_set_error(error, "Starting the network");
        return false;
    }
    return true;
}

/* All of it */

static bool
read_node(virConnectPtr libvirt, ProtoWorkerProbeReply *reply, GError **error)
{
    virNodeInfo node;
    unsigned long version = 0;
    g_autofree char *hostname = virConnectGetHostname(libvirt);

    if (virNodeGetInfo(libvirt, &node) != 0 ||
        virConnectGetVersion(libvirt, &version) != 0 || hostname == NULL) {
        connection_set_error(error, "Asking the host");
        return false;
    }
    reply->hostname = g_steal_pointer(&hostname);
    reply->arch = g_strdup(node.model);
    reply->vcpus = node.cpus;
    reply->memory_bytes = (gint64) node.memory * kibibyte;
    reply->boot_id = g_strdup(clock_boot_id());
    reply->hypervisor = g_strdup_printf(
        "%s %lu.%lu.%lu", virConnectGetType(libvirt), version / VERSION_MAJOR,
        version / VERSION_MINOR % VERSION_MINOR, version % VERSION_MINOR);
    return true;
}

static bool
read_accel(virConnectPtr libvirt,
           const HostOptions *options,
           ProtoWorkerProbeReply *reply,
           GError **error)
{
    g_autofree char *capabilities = virConnectGetCapabilities(libvirt);
    g_autofree char *cpuinfo = NULL;

    if (capabilities == NULL) {
        connection_set_error(error, "Asking what the host can do");
        return false;
    }
    if (!g_file_get_contents("/proc/cpuinfo", &cpuinfo, NULL, NULL))
        cpuinfo = g_strdup("");
    reply->accel =
        g_strdup(probe_uses_kvm(options->accel, capabilities, cpuinfo) ? "kvm" : "tcg");
    return true;
}

static bool
read_pool(virConnectPtr libvirt,
          const HostOptions *options,
          ProtoWorkerProbeReply *reply,
          GError **error)
{
    g_autoptr(virStoragePool) pool = volumes_open_pool(libvirt, options, error);
    virStoragePoolInfo info;

    if (pool == NULL)
        return false;
    /* What was deleted behind our back would else go on as if it were there.  It fails
     * while a volume is being made; and where libvirt lets us only look. */
    if (virStoragePoolRefresh(pool, 0) != 0 &&
        virGetLastErrorCode() == VIR_ERR_OPERATION_DENIED) {
        connection_set_error(error, "Refreshing the storage pool");
        return false;
    }
    if (virStoragePoolGetInfo(pool, &info) != 0) {
        connection_set_error(error, "Asking the storage pool");
        return false;
    }
    reply->disk_bytes = (gint64) info.capacity;
    reply->disk_free_bytes = (gint64) info.available;
    return true;
}

bool
probe_host(virConnectPtr libvirt,
           const HostOptions *options,
           ProtoWorkerProbeReply *ret_reply,
           GError **error)
{
    g_autoptr(GArray) domains = NULL;

    if (!read_node(libvirt, ret_reply, error) ||
        !read_accel(libvirt, options, ret_reply, error) ||
        !read_pool(libvirt, options, ret_reply, error) ||
        (!domain_is_session(options) && !open_network(libvirt, options, error)))
        return false;
    domains = domain_list(libvirt, &ret_reply->foreign, error);
    return domains != NULL;
}
