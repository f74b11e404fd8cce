/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/connection.h"

/**
 * Volumes in our pool, through libvirt's storage API alone, so that a remote host needs
 * nothing else.  Every name is made from an id.  Blocking.
 */

/** "d-ID.qcow2" (a disk), "s-ID.iso" (a seed), "t-ID.qcow2", "t-ID.kernel", "t-ID.initrd"
 * (a template). */
char *volumes_name(const char *kind, const char *id, const char *suffix);

/** The pool, made, built and started if need be. */
virStoragePoolPtr
volumes_open_pool(virConnectPtr libvirt, const HostOptions *options, GError **error);

/** The path of a volume on the host; PROTO_ERROR_NOT_FOUND if it is not there. */
char *volumes_get_path(virStoragePoolPtr pool, const char *name, GError **error);

/** Makes an overlay of a template's disk; one that is there already is left. */
bool volumes_create_overlay(virStoragePoolPtr pool,
                            const char *name,
                            const char *backing_path,
                            gint64 capacity_bytes,
                            GError **error);

/** Makes a volume with these bytes, over one that is there. */
bool volumes_upload_bytes(virConnectPtr libvirt,
                          virStoragePoolPtr pool,
                          const char *name,
                          GBytes *bytes,
                          GError **error);

/** Makes a volume with what fd holds, size bytes; checksum is fed with them. */
bool volumes_upload_file(virConnectPtr libvirt,
                         virStoragePoolPtr pool,
                         const char *name,
                         int fd,
                         gint64 size,
                         GChecksum *checksum,
                         GError **error);

/** The size that a disk shows to its guest; -1 if there is no such volume. */
gint64 volumes_get_capacity(virStoragePoolPtr pool, const char *name);

/** Grows a volume that no domain uses. */
bool volumes_resize(virStoragePoolPtr pool,
                    const char *name,
                    gint64 capacity_bytes,
                    GError **error);

/** Deletes a volume; one that is not there is no error. */
bool volumes_delete(virStoragePoolPtr pool, const char *name, GError **error);
