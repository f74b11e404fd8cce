/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What libvirt takes by itself, without anything of ours in between:
 *
 * libvirt-calls version URI COUNT        virConnectGetLibVersion, calls a second
 * libvirt-calls hold URI                 starts a domain for each line of XML that it
 * reads; at an empty line it prints "holding", and holds them until its input ends
 * libvirt-calls create URI POOL DISK SEED SEED-FILE DOMAIN
 *     the calls by which a guest comes to be: an overlay, a seed that is uploaded, a
 *     domain that is defined and started; the XML of each is read from a file.  Prints
 * the milliseconds.
 */

enum {
    LINE_BYTES = 8192,
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStoragePool, virStoragePoolFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStorageVol, virStorageVolFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomain, virDomainFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStream, virStreamFree)

static char *
read_text(const char *path)
{
    char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        g_printerr("libvirt-calls: %s cannot be read\n", path);
    return text;
}

static double
get_ms_since(gint64 begin_us)
{
    return (double) (g_get_monotonic_time() - begin_us) / 1000;
}

static bool
run_version(virConnectPtr libvirt, char **arguments)
{
    gint64 count = g_ascii_strtoll(arguments[0], NULL, 10);
    gint64 begin_us = g_get_monotonic_time();
    unsigned long version = 0;

    for (gint64 i = 0; i < count; i++) {
        if (virConnectGetLibVersion(libvirt, &version) != 0)
            return false;
    }
    g_print("%.0f\n", (double) count * 1000 / get_ms_since(begin_us));
    return true;
}

static bool
run_hold(virConnectPtr libvirt, char **arguments)
{
    char line[LINE_BYTES];

    /* The test driver's domains end with its last connection. */
    while (fgets(line, sizeof line, stdin) != NULL) {
        g_autoptr(virDomain) domain = NULL;

        if (line[0] == '\n') {
            g_print("holding\n");
            continue;
        }
        domain = virDomainDefineXML(libvirt, line);
        if (domain == NULL || virDomainCreate(domain) != 0)
            return false;
    }
    return true;
}

static bool
upload(virConnectPtr libvirt, virStorageVolPtr volume, const char *data, gsize length)
{
    g_autoptr(virStream) stream = virStreamNew(libvirt, 0);
    gsize done = 0;

    if (stream == NULL || virStorageVolUpload(volume, stream, 0, length, 0) != 0)
        return false;
    while (done < length) {
        int got = virStreamSend(stream, data + done, length - done);

        if (got < 0)
            return false;
        done += (gsize) got;
    }
    return virStreamFinish(stream) == 0;
}

static bool
run_create(virConnectPtr libvirt, char **arguments)
{
    g_autofree char *disk_xml = read_text(arguments[1]);
    g_autofree char *seed_xml = read_text(arguments[2]);
    g_autofree char *domain_xml = read_text(arguments[4]);
    g_autofree char *seed_data = NULL;
    gsize seed_length = 0;
    g_autoptr(virStoragePool) pool = NULL;
    g_autoptr(virStorageVol) disk = NULL;
    g_autoptr(virStorageVol) seed = NULL;
    g_autoptr(virDomain) domain = NULL;
    gint64 begin_us = 0;

    if (disk_xml == NULL || seed_xml == NULL || domain_xml == NULL ||
        !g_file_get_contents(arguments[3], &seed_data, &seed_length, NULL))
        return false;
    begin_us = g_get_monotonic_time();
    pool = virStoragePoolLookupByName(libvirt, arguments[0]);
    disk = pool != NULL ? virStorageVolCreateXML(pool, disk_xml, 0) : NULL;
    seed = disk != NULL ? virStorageVolCreateXML(pool, seed_xml, 0) : NULL;
    if (seed == NULL || !upload(libvirt, seed, seed_data, seed_length))
        return false;
    domain = virDomainDefineXML(libvirt, domain_xml);
    if (domain == NULL || virDomainCreate(domain) != 0)
        return false;
    g_print("%.1f\n", get_ms_since(begin_us));
    return true;
}

typedef struct {
    const char *name;
    int n_arguments;
    bool (*run)(virConnectPtr libvirt, char **arguments);
} Mode;

static const Mode modes[] = {
    { "version", 1, run_version },
    { "hold", 0, run_hold },
    { "create", 5, run_create },
};

int
main(int argc, char **argv)
{
    virConnectPtr libvirt = NULL;
    bool done = false;

    for (gsize i = 0; i < G_N_ELEMENTS(modes) && argc > 2; i++) {
        if (strcmp(argv[1], modes[i].name) != 0 || argc != modes[i].n_arguments + 3)
            continue;
        libvirt = virConnectOpen(argv[2]);
        done = libvirt != NULL && modes[i].run(libvirt, argv + 3);
        if (libvirt != NULL)
            virConnectClose(libvirt);
        return done ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    g_printerr("usage: libvirt-calls version|hold|create URI ...\n");
    return 2;
}
