/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/volumes.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <unistd.h>

#include "host/xml.h"

enum {
    CHUNK_BYTES = 1048576
};

char *
volumes_name(const char *kind, const char *id, const char *suffix)
{
    return g_strdup_printf("%s-%s.%s", kind, id, suffix);
}

static bool
is_last(int code)
{
    const virError *last = virGetLastError();

    return last != NULL && last->code == code;
}

/* The pool */

static char *
print_pool(const HostOptions *options)
{
    g_autoptr(xmlDoc) document = xml_new("pool");
    xmlNodePtr target = NULL;

    xml_set(xml_root(document), "type", "dir", NULL);
    xml_add_text(xml_root(document), "name", options->pool);
    target = xml_add(xml_root(document), "target");
    xml_add_text(target, "path", options->pool_path);
    xml_add_text(xml_add(target, "permissions"), "mode", "0711");
    return xml_to_text(document);
}

static virStoragePoolPtr
define_pool(virConnectPtr libvirt, const HostOptions *options, GError **error)
{
    g_autofree char *text = print_pool(options);
    virStoragePoolPtr pool = virStoragePoolDefineXML(libvirt, text, 0);

    if (pool == NULL) {
        connection_set_error(error, "Making the storage pool");
        return NULL;
    }
    /* Fails when the folder is there, which is as good. */
    virStoragePoolBuild(pool, VIR_STORAGE_POOL_BUILD_NEW);
    virStoragePoolSetAutostart(pool, 1);
    return pool;
}

virStoragePoolPtr
volumes_open_pool(virConnectPtr libvirt, const HostOptions *options, GError **error)
{
    g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(libvirt, options->pool);

    if (pool == NULL && is_last(VIR_ERR_NO_STORAGE_POOL))
        pool = define_pool(libvirt, options, error);
    else if (pool == NULL)
        connection_set_error(error, "Finding the storage pool");
    if (pool == NULL)
        return NULL;
    if (virStoragePoolIsActive(pool) != 1 && virStoragePoolCreate(pool, 0) != 0) {
        connection_set_error(error, "Starting the storage pool");
        return NULL;
    }
    return g_steal_pointer(&pool);
}

/* Volumes */

char *
volumes_get_path(virStoragePoolPtr pool, const char *name, GError **error)
{
    g_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, name);
    char *path = volume != NULL ? virStorageVolGetPath(volume) : NULL;

    if (path != NULL)
        return path;
    if (is_last(VIR_ERR_NO_STORAGE_VOL)) {
        proto_error_set_not_found(error, "volume", name, "There is no volume %s", name);
    } else {
        connection_set_error(error, "Finding a volume");
    }
    return NULL;
}

static char *
print_volume(const char *name,
             gint64 capacity,
             const char *format,
             const char *backing_path)
{
    g_autoptr(xmlDoc) document = xml_new("volume");
    xmlNodePtr root = xml_root(document);
    xmlNodePtr part = NULL;

    xml_add_text(root, "name", name);
    xml_set(xml_add_int(root, "capacity", capacity), "unit", "bytes", NULL);
    xml_add_int(root, "allocation", 0);
    part = xml_add(root, "target");
    xml_add_with(part, "format", "type", format, NULL);
    xml_add_text(xml_add(part, "permissions"), "mode", "0600");
    if (strcmp(format, "qcow2") == 0)
        xml_add_text(part, "compat", "1.1");
    if (backing_path != NULL) {
        part = xml_add(root, "backingStore");
        xml_add_text(part, "path", backing_path);
        xml_add_with(part, "format", "type", "qcow2", NULL);
    }
    return xml_to_text(document);
}

bool
volumes_create_overlay(virStoragePoolPtr pool,
                       const char *name,
                       const char *backing_path,
                       gint64 capacity_bytes,
                       GError **error)
{
    g_autofree char *text = print_volume(name, capacity_bytes, "qcow2", backing_path);
    g_autoptr(virStorageVol) volume = virStorageVolCreateXML(pool, text, 0);

    if (volume == NULL && !is_last(VIR_ERR_STORAGE_VOL_EXIST)) {
        connection_set_error(error, "Making a disk");
        return false;
    }
    return true;
}

static virStorageVolPtr
create_empty(virStoragePoolPtr pool, const char *name, gint64 size, GError **error)
{
    g_autofree char *text = print_volume(name, size, "raw", NULL);
    virStorageVolPtr volume = NULL;

    if (!volumes_delete(pool, name, error))
        return NULL;
    volume = virStorageVolCreateXML(pool, text, 0);
    if (volume == NULL)
        connection_set_error(error, "Making a volume");
    return volume;
}

static bool
send_all(virStreamPtr stream, const char *data, gsize length, GError **error)
{
    while (length > 0) {
        int sent = virStreamSend(stream, data, MIN(length, CHUNK_BYTES));

        if (sent < 0) {
            connection_set_error(error, "Writing a volume");
            return false;
        }
        data += sent;
        length -= (gsize) sent;
    }
    return true;
}

static bool
begin_upload(virStreamPtr stream, virStorageVolPtr volume, gsize size, GError **error)
{
    if (virStorageVolUpload(volume, stream, 0, size, 0) == 0)
        return true;
    connection_set_error(error, "Writing a volume");
    return false;
}

/* Ends the stream; what failed before it is aborted and its volume deleted. */
static bool
end_upload(virStreamPtr stream, virStorageVolPtr volume, bool good, GError **error)
{
    if (good && virStreamFinish(stream) == 0)
        return true;
    if (good) {
        connection_set_error(error, "Writing a volume");
    } else {
        virStreamAbort(stream);
    }
    virStorageVolDelete(volume, 0);
    return false;
}

bool
volumes_upload_bytes(virConnectPtr libvirt,
                     virStoragePoolPtr pool,
                     const char *name,
                     GBytes *bytes,
                     GError **error)
{
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    g_autoptr(virStorageVol) volume = create_empty(pool, name, (gint64) size, error);
    g_autoptr(virStream) stream = virStreamNew(libvirt, 0);

    if (volume == NULL || !begin_upload(stream, volume, size, error))
        return false;
    return end_upload(stream, volume, send_all(stream, data, size, error), error);
}

static bool
send_file(virStreamPtr stream, int fd, gint64 size, GChecksum *checksum, GError **error)
{
    g_autofree char *buffer = g_malloc(CHUNK_BYTES);

    for (gint64 done = 0; done < size;) {
        ssize_t count = pread(fd, buffer, (gsize) MIN(size - done, CHUNK_BYTES), done);

        if (count <= 0) {
            proto_error_set_host_failed(error, "", "Reading a template's file: %s",
                                        count < 0 ? g_strerror(errno)
                                                  : "it was cut short");
            return false;
        }
        g_checksum_update(checksum, (const guchar *) buffer, count);
        if (!send_all(stream, buffer, (gsize) count, error))
            return false;
        done += count;
    }
    return true;
}

bool
volumes_upload_file(virConnectPtr libvirt,
                    virStoragePoolPtr pool,
                    const char *name,
                    int fd,
                    gint64 size,
                    GChecksum *checksum,
                    GError **error)
{
    g_autoptr(virStorageVol) volume = create_empty(pool, name, size, error);
    g_autoptr(virStream) stream = virStreamNew(libvirt, 0);

    if (volume == NULL || !begin_upload(stream, volume, (gsize) size, error))
        return false;
    return end_upload(stream, volume, send_file(stream, fd, size, checksum, error),
                      error);
}

gint64
volumes_get_capacity(virStoragePoolPtr pool, const char *name)
{
    g_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, name);
    virStorageVolInfo info;

    if (volume == NULL || virStorageVolGetInfo(volume, &info) != 0)
        return -1;
    return (gint64) info.capacity;
}

bool
volumes_resize(virStoragePoolPtr pool,
               const char *name,
               gint64 capacity_bytes,
               GError **error)
{
    g_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, name);
    virStorageVolInfo info;

    if (volume == NULL || virStorageVolGetInfo(volume, &info) != 0) {
        connection_set_error(error, "Finding a disk");
        return false;
    }
    if ((gint64) info.capacity >= capacity_bytes)
        return true;
    if (virStorageVolResize(volume, (unsigned long long) capacity_bytes, 0) == 0)
        return true;
    connection_set_error(error, "Growing a disk");
    return false;
}

bool
volumes_delete(virStoragePoolPtr pool, const char *name, GError **error)
{
    g_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, name);

    if (volume == NULL && is_last(VIR_ERR_NO_STORAGE_VOL))
        return true;
    if (volume != NULL &&
        (virStorageVolDelete(volume, 0) == 0 || is_last(VIR_ERR_NO_STORAGE_VOL)))
        return true;
    connection_set_error(error, "Deleting a volume");
    return false;
}
