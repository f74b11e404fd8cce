/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/domain-xml.h"

#include <string.h>

#include "host/xml.h"

enum {
    MEMORY_SLOTS = 16,
    SERIAL_LENGTH = 20,
    BALLOON_PERIOD_SECONDS = 10
};

static const gint64 kibibyte = 1024;

char *
domain_xml_get_name(const char *id)
{
    return g_strconcat("vmctl-", id, NULL);
}

static void
add_memory_size(xmlNodePtr parent, const char *name, gint64 bytes)
{
    xml_set(xml_add_int(parent, name, bytes / kibibyte), "unit", "KiB", NULL);
}

static void
add_metadata(xmlNodePtr domain, const ProtoDomainSpec *spec)
{
    xmlNodePtr metadata = xml_add(domain, "metadata");
    xmlNodePtr instance = xml_add(metadata, "instance");
    xmlNsPtr space = xmlNewNs(instance, (const xmlChar *) DOMAIN_XML_NAMESPACE,
                              (const xmlChar *) "vmctl");
    g_autofree char *generation = g_strdup_printf("%" G_GINT64_FORMAT, spec->generation);

    xmlSetNs(instance, space);
    xml_set(instance, "tenant", spec->tenant, "name", spec->name, "template",
            spec->template_id, "generation", generation, "keepsake", spec->keepsake,
            NULL);
}

static void
add_sizes(xmlNodePtr domain, const ProtoDomainSpec *spec)
{
    g_autofree char *slots = g_strdup_printf("%d", MEMORY_SLOTS);
    g_autofree char *current = g_strdup_printf("%" G_GINT64_FORMAT, spec->vcpus);

    add_memory_size(domain, "maxMemory", spec->max_memory_bytes);
    xml_set(xmlGetLastChild(domain), "slots", slots, NULL);
    add_memory_size(domain, "memory", spec->memory_bytes);
    add_memory_size(domain, "currentMemory", spec->memory_bytes);
    xml_set(xml_add_int(domain, "vcpu", spec->max_vcpus), "placement", "static",
            "current", current, NULL);
}

static void
add_boot(xmlNodePtr domain, const ProtoDomainSpec *spec, const DomainPlace *place)
{
    xmlNodePtr os = xml_add(domain, "os");

    xml_set(xml_add_text(os, "type", "hvm"), "arch", "x86_64", "machine", "q35", NULL);
    if (place->kernel_path == NULL) {
        xml_add_with(os, "boot", "dev", "hd", NULL);
        return;
    }
    xml_add_text(os, "kernel", place->kernel_path);
    if (place->initrd_path != NULL)
        xml_add_text(os, "initrd", place->initrd_path);
    if (spec->cmdline != NULL)
        xml_add_text(os, "cmdline", spec->cmdline);
}

static void
add_cpu(xmlNodePtr domain, const ProtoDomainSpec *spec, const DomainPlace *place)
{
    g_autofree char *cpus =
        spec->max_vcpus > 1 ? g_strdup_printf("0-%" G_GINT64_FORMAT, spec->max_vcpus - 1)
                            : g_strdup("0");
    g_autofree char *memory =
        g_strdup_printf("%" G_GINT64_FORMAT, spec->memory_bytes / kibibyte);
    xmlNodePtr features = xml_add(domain, "features");
    xmlNodePtr cpu = NULL;

    xml_add(features, "acpi");
    xml_add(features, "apic");
    cpu = xml_add_with(domain, "cpu", "mode", place->kvm ? "host-passthrough" : "maximum",
                       "check", "none", NULL);
    /* Memory can only be plugged into a NUMA cell. */
    xml_add_with(xml_add(cpu, "numa"), "cell", "id", "0", "cpus", cpus, "memory", memory,
                 "unit", "KiB", NULL);
}

static void
add_events(xmlNodePtr domain)
{
    xml_add_with(domain, "clock", "offset", "utc", NULL);
    xml_add_text(domain, "on_poweroff", "destroy");
    xml_add_text(domain, "on_reboot", "restart");
    xml_add_text(domain, "on_crash", "destroy");
}

static void
add_disk(xmlNodePtr devices, const ProtoDomainSpec *spec, const DomainPlace *place)
{
    xmlNodePtr disk =
        xml_add_with(devices, "disk", "type", "file", "device", "disk", NULL);
    g_autofree char *serial = g_strndup(spec->id, SERIAL_LENGTH);
    xmlNodePtr backing = NULL;

    xml_add_with(disk, "driver", "name", "qemu", "type", "qcow2", "discard", "unmap",
                 NULL);
    xml_add_with(disk, "source", "file", place->disk_path, NULL);
    /* The whole chain is spelled out and closed, so that no image is ever probed. */
    backing = xml_add_with(disk, "backingStore", "type", "file", NULL);
    xml_add_with(backing, "format", "type", "qcow2", NULL);
    xml_add_with(backing, "source", "file", place->template_path, NULL);
    xml_add(backing, "backingStore");
    xml_add_with(disk, "target", "dev", "vda", "bus", "virtio", NULL);
    xml_add_text(disk, "serial", serial);
}

/* A plain disk rather than a CD-ROM: it needs no more of the guest than its own disk
 * does. */
static void
add_seed(xmlNodePtr devices, const DomainPlace *place)
{
    xmlNodePtr disk =
        xml_add_with(devices, "disk", "type", "file", "device", "disk", NULL);

    xml_add_with(disk, "driver", "name", "qemu", "type", "raw", NULL);
    xml_add_with(disk, "source", "file", place->seed_path, NULL);
    xml_add(disk, "backingStore");
    xml_add_with(disk, "target", "dev", "vdb", "bus", "virtio", NULL);
    xml_add(disk, "readonly");
}

static void
add_nic(xmlNodePtr devices, const ProtoDomainSpec *spec, const DomainPlace *place)
{
    xmlNodePtr nic = xml_add_with(devices, "interface", "type",
                                  place->network != NULL ? "network" : "user", NULL);

    xml_add_with(nic, "mac", "address", spec->mac, NULL);
    if (place->network != NULL)
        xml_add_with(nic, "source", "network", place->network, NULL);
    xml_add_with(nic, "model", "type", "virtio", NULL);
}

static void
add_console(xmlNodePtr devices, const DomainPlace *place)
{
    xmlNodePtr serial = xml_add_with(devices, "serial", "type", "pty", NULL);

    if (place->log_path != NULL)
        xml_add_with(serial, "log", "file", place->log_path, "append", "on", NULL);
    xml_add_with(serial, "target", "type", "isa-serial", "port", "0", NULL);
}

static void
add_agent(xmlNodePtr devices)
{
    xmlNodePtr channel = xml_add_with(devices, "channel", "type", "unix", NULL);

    xml_add_with(channel, "target", "type", "virtio", "name", "org.qemu.guest_agent.0",
                 NULL);
}

static void
add_helpers(xmlNodePtr devices)
{
    g_autofree char *period = g_strdup_printf("%d", BALLOON_PERIOD_SECONDS);
    xmlNodePtr balloon = NULL;
    xmlNodePtr rng = NULL;

    balloon = xml_add_with(devices, "memballoon", "model", "virtio", NULL);
    xml_add_with(balloon, "stats", "period", period, NULL);
    rng = xml_add_with(devices, "rng", "model", "virtio", NULL);
    xml_set(xml_add_text(rng, "backend", "/dev/urandom"), "model", "random", NULL);
    xml_add_with(devices, "panic", "model", "isa", NULL);
}

char *
domain_xml_print(const ProtoDomainSpec *spec, const DomainPlace *place)
{
    g_autoptr(xmlDoc) document = xml_new("domain");
    g_autofree char *name = domain_xml_get_name(spec->id);
    xmlNodePtr domain = xml_root(document);
    xmlNodePtr devices = NULL;

    xml_set(domain, "type", place->kvm ? "kvm" : "qemu", NULL);
    xml_add_text(domain, "name", name);
    xml_add_text(domain, "uuid", spec->id);
    xml_add_text(domain, "title", spec->name);
    add_metadata(domain, spec);
    add_sizes(domain, spec);
    add_boot(domain, spec, place);
    add_cpu(domain, spec, place);
    add_events(domain);
    devices = xml_add(domain, "devices");
    add_disk(devices, spec, place);
    add_seed(devices, place);
    add_nic(devices, spec, place);
    add_console(devices, place);
    add_agent(devices);
    add_helpers(devices);
    return xml_to_text(document);
}

char *
domain_xml_print_dimm(gint64 bytes)
{
    g_autoptr(xmlDoc) document = xml_new("memory");
    xmlNodePtr target = NULL;

    xml_set(xml_root(document), "model", "dimm", NULL);
    target = xml_add(xml_root(document), "target");
    add_memory_size(target, "size", bytes);
    xml_add_int(target, "node", 0);
    return xml_to_text(document);
}

bool
domain_xml_read_metadata(const char *text, ProtoDomain *domain)
{
    g_autoptr(xmlDoc) document = xml_parse(text);
    g_autofree char *generation = NULL;
    xmlNodePtr instance = document != NULL ? xml_root(document) : NULL;

    if (instance == NULL || strcmp((const char *) instance->name, "instance") != 0)
        return false;
    domain->tenant = xml_get(instance, "tenant");
    domain->name = xml_get(instance, "name");
    generation = xml_get(instance, "generation");
    domain->generation = generation != NULL ? g_ascii_strtoll(generation, NULL, 10) : 0;
    return domain->tenant != NULL && domain->name != NULL;
}

char *
domain_xml_read_keepsake(const char *text)
{
    g_autoptr(xmlDoc) document = xml_parse(text);

    return document != NULL ? xml_get(xml_root(document), "keepsake") : NULL;
}
