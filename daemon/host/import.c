/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/import.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/qcow2.h"
#include "host/volumes.h"
#include "wire/guard.h"

static const gint64 mebibyte = 1048576;

enum {
    MANIFEST_BYTES = 65536,
    KERNEL_MEBIBYTES = 64,
    INITRD_MEBIBYTES = 512,
    IMAGE_MEBIBYTES = 65536,
    TEMPLATE_MEBIBYTES = 2097152,
};

static const char *const suffixes[] = { "qcow2", "kernel", "initrd" };

static bool
refuse(GError **error, const char *what, const char *reason)
{
    proto_error_set_invalid_parameter(error, what, reason, "%s: %s", what, reason);
    return false;
}

/* Opens below a folder, and nothing else: no link, no "..", no other file system's magic.
 */
static int
open_below(int folder, const char *name, guint64 flags, GError **error)
{
    const struct open_how how = {
        .flags = flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int) syscall(SYS_openat2, folder, name, &how, sizeof how);

    if (fd < 0)
        proto_error_set_not_found(error, "file", name,
                                  "Opening \"%s\" in the import folder: %s", name,
                                  g_strerror(errno));
    return fd;
}

static bool
is_plain_name(const char *name)
{
    return *name != '\0' && *name != '.' && strchr(name, '/') == NULL;
}

/* Opens a regular file of at most that many bytes. */
static int
open_file(
    int folder, const char *name, gint64 bytes_max, gint64 *ret_size, GError **error)
{
    struct stat status;
    int fd = -1;

    if (!is_plain_name(name)) {
        refuse(error, "manifest", "names a file that is not in its folder");
        return -1;
    }
    fd = open_below(folder, name, 0, error);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0 ||
        status.st_size > bytes_max) {
        close(fd);
        refuse(error, name, "is no regular file, empty, or too large");
        return -1;
    }
    *ret_size = status.st_size;
    return fd;
}

static bool
parse_manifest(const char *text,
               gsize length,
               ProtoManifest *ret_manifest,
               GError **error)
{
    const WireLimits limits = WIRE_LIMITS_CLIENT;
    g_autoptr(JsonParser) parser = json_parser_new_immutable();

    if (!guard_check(text, length, &limits, error) ||
        !json_parser_load_from_data(parser, text, (gssize) length, error)) {
        g_prefix_error(error, "template.json: ");
        return false;
    }
    return wire_struct_parse(&proto_manifest_type,
                             json_node_get_object(json_parser_get_root(parser)),
                             "template.json", WIRE_PARSE_STRICT, ret_manifest, error);
}

static bool
read_manifest(int folder, ProtoManifest *ret_manifest, GError **error)
{
    gint64 size = 0;
    int fd = open_file(folder, "template.json", MANIFEST_BYTES, &size, error);
    g_autofree char *text = fd >= 0 ? g_malloc0((gsize) size + 1) : NULL;
    ssize_t length = fd >= 0 ? pread(fd, text, (gsize) size, 0) : -1;

    if (fd < 0)
        return false;
    close(fd);
    if (length != size)
        return refuse(error, "template.json", "cannot be read");
    return parse_manifest(text, (gsize) length, ret_manifest, error);
}

/* Gives the header that was looked at. */
static bool
check_image(int fd, const ProtoManifest *manifest, GBytes **ret_header, GError **error)
{
    guint8 header[QCOW2_HEADER_BYTES] = { 0 };
    ssize_t length = pread(fd, header, sizeof header, 0);
    gint64 size = 0;

    if (!qcow2_check_header(header, (gsize) MAX(length, 0),
                            (gint64) TEMPLATE_MEBIBYTES * mebibyte, &size, error))
        return false;
    if (manifest->minimum.disk_bytes < size)
        return refuse(error, "template.json",
                      "its smallest disk is smaller than its image");
    *ret_header = g_bytes_new(header, sizeof header);
    return true;
}

typedef struct {
    virConnectPtr libvirt;
    virStoragePoolPtr pool;
    int folder;
    const char *id;
} Import;

static bool
import_file(const Import *import,
            const char *name,
            const char *suffix,
            gint64 bytes_max,
            const ProtoManifest *image_of,
            char **ret_sha256,
            GError **error)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *volume = volumes_name("t", import->id, suffix);
    g_autoptr(GBytes) header = NULL;
    gint64 size = 0;
    int fd = open_file(import->folder, name, bytes_max, &size, error);
    bool good = fd >= 0 &&
                (image_of == NULL || check_image(fd, image_of, &header, error)) &&
                volumes_upload_file(import->libvirt, import->pool, volume, fd, size,
                                    header, checksum, error);

    if (fd >= 0)
        close(fd);
    if (good && ret_sha256 != NULL)
        *ret_sha256 = g_strdup(g_checksum_get_string(checksum));
    return good;
}

static bool
import_files(const Import *import, ProtoWorkerImportTemplateReply *reply, GError **error)
{
    const ProtoManifest *manifest = &reply->manifest;

    if (!import_file(import, manifest->disk, "qcow2", IMAGE_MEBIBYTES * mebibyte,
                     manifest, &reply->sha256, error))
        return false;
    if (manifest->kernel != NULL &&
        !import_file(import, manifest->kernel, "kernel", KERNEL_MEBIBYTES * mebibyte,
                     NULL, NULL, error))
        return false;
    return manifest->initrd == NULL ||
           import_file(import, manifest->initrd, "initrd", INITRD_MEBIBYTES * mebibyte,
                       NULL, NULL, error);
}

static int
open_folder(const HostOptions *options, const char *source, GError **error)
{
    int root = open(options->import_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int folder = -1;

    if (root < 0) {
        proto_error_set_not_found(error, "folder", options->import_dir,
                                  "Opening the import folder %s: %s", options->import_dir,
                                  g_strerror(errno));
        return -1;
    }
    folder = open_below(root, source, O_DIRECTORY, error);
    close(root);
    return folder;
}

static bool
check_sum(const char *wanted, const char *sha256, GError **error)
{
    if (wanted == NULL || strcmp(wanted, sha256) == 0)
        return true;
    proto_error_set_invalid_parameter(
        error, "sha256", "is another image's",
        "The disk image has changed since it was imported: its SHA-256 is %s", sha256);
    return false;
}

bool
import_template(virConnectPtr libvirt,
                const HostOptions *options,
                const ProtoWorkerImportTemplateCall *in,
                ProtoWorkerImportTemplateReply *ret_reply,
                GError **error)
{
    g_autoptr(virStoragePool) pool = volumes_open_pool(libvirt, options, error);
    Import import = { libvirt, pool, -1, in->id };
    bool good = false;

    if (pool == NULL)
        return false;
    import.folder = open_folder(options, in->source, error);
    if (import.folder < 0)
        return false;
    good = read_manifest(import.folder, &ret_reply->manifest, error) &&
           import_files(&import, ret_reply, error) &&
           check_sum(in->sha256, ret_reply->sha256, error);
    close(import.folder);
    if (!good)
        import_remove(libvirt, options, in->id, NULL);
    return good;
}

bool
import_remove(virConnectPtr libvirt,
              const HostOptions *options,
              const char *id,
              GError **error)
{
    g_autoptr(virStoragePool) pool = volumes_open_pool(libvirt, options, error);

    for (gsize i = 0; pool != NULL && i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *name = volumes_name("t", id, suffixes[i]);

        if (!volumes_delete(pool, name, error))
            return false;
    }
    return pool != NULL;
}
