/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/qcow2.h"

#include <string.h>

#include "proto.h"

enum {
    VERSION_3_BYTES = 104,
    HEADER_LENGTH_MAX = 112,
    CLUSTER_BITS_MIN = 16,
    CLUSTER_BITS_MAX = 21,
    REFCOUNT_ORDER_MAX = 6,
    /* As large as QEMU takes them. */
    L1_ENTRIES_MAX = 4194304,
    REFCOUNT_TABLE_BYTES_MAX = 8388608,
    EXTENSION_END = 0,
    EXTENSION_FEATURE_NAMES = 0x6803f857,
};

static guint64
read_number(const guint8 *header, gsize offset, gsize bytes)
{
    guint64 number = 0;

    for (gsize i = 0; i < bytes; i++) {
        number = number << 8 | header[offset + i];
    }
    return number;
}

static bool
refuse(GError **error, const char *reason)
{
    proto_error_set_invalid_parameter(error, "disk", reason,
                                      "The disk image cannot be taken: %s", reason);
    return false;
}

/** Fields that have to have one value. */
static const struct {
    gsize offset;
    gsize bytes;
    const char *reason;
} zeros[] = {
    { 8, 8, "it has a backing file" },    { 16, 4, "it has a backing file's name" },
    { 32, 4, "it is encrypted" },         { 60, 4, "it has snapshots" },
    { 64, 8, "it has a snapshot table" },
};

static bool
is_cluster(guint64 offset, guint64 cluster_bytes)
{
    return offset != 0 && offset % cluster_bytes == 0 && offset >> 56 == 0;
}

/* A reader takes these tables whole into memory, and follows them. */
static bool
check_tables(const guint8 *header, guint64 size, GError **error)
{
    guint64 cluster_bytes = G_GUINT64_CONSTANT(1) << header[23];
    /* An entry of the first table stands for a second one, a cluster of 8 byte entries.
     */
    guint64 entry_bytes = cluster_bytes / 8 * cluster_bytes;
    guint64 l1_entries = read_number(header, 36, 4);
    guint64 refcount_clusters = read_number(header, 56, 4);

    if (l1_entries < (size - 1) / entry_bytes + 1 || l1_entries > L1_ENTRIES_MAX ||
        !is_cluster(read_number(header, 40, 8), cluster_bytes))
        return refuse(error, "its table of clusters has a strange size or place");
    if (refcount_clusters == 0 ||
        refcount_clusters * cluster_bytes > REFCOUNT_TABLE_BYTES_MAX ||
        !is_cluster(read_number(header, 48, 8), cluster_bytes))
        return refuse(error, "its reference counts have a strange size or place");
    return true;
}

static bool
check_version_3(const guint8 *header, gsize length, GError **error)
{
    guint64 header_length = read_number(header, 100, 4);

    if (read_number(header, 72, 8) != 0)
        return refuse(error, "it needs features that are not taken");
    if (read_number(header, 96, 4) > REFCOUNT_ORDER_MAX)
        return refuse(error, "its reference counts have a strange size or place");
    if (header_length < VERSION_3_BYTES || header_length > HEADER_LENGTH_MAX ||
        header_length % 8 != 0)
        return refuse(error, "its header has a strange length");
    /* The compression type: zlib is the one that needs no feature bit. */
    if (header_length > VERSION_3_BYTES && header[VERSION_3_BYTES] != 0)
        return refuse(error, "it has an unknown compression");
    for (gsize at = header_length; at + 8 <= length;) {
        guint64 type = read_number(header, at, 4);
        guint64 bytes = read_number(header, at + 4, 4);

        if (type == EXTENSION_END)
            return true;
        if (type != EXTENSION_FEATURE_NAMES)
            return refuse(error, "it has a header extension that is not taken");
        at += 8 + (gsize) (bytes + 7) / 8 * 8;
    }
    return refuse(error, "its header extensions do not end");
}

bool
qcow2_check_header(
    const guint8 *header, gsize length, gint64 size_max, gint64 *ret_size, GError **error)
{
    guint64 version = 0;
    guint64 size = 0;

    if (length < QCOW2_HEADER_BYTES || memcmp(header, "QFI\xfb", 4) != 0)
        return refuse(error, "it is no qcow2 image");
    version = read_number(header, 4, 4);
    if (version != 2 && version != 3)
        return refuse(error, "it is of a version other than 2 and 3");
    for (gsize i = 0; i < G_N_ELEMENTS(zeros); i++) {
        if (read_number(header, zeros[i].offset, zeros[i].bytes) != 0)
            return refuse(error, zeros[i].reason);
    }
    if (header[20] != 0 || header[21] != 0 || header[22] != 0 ||
        header[23] < CLUSTER_BITS_MIN || header[23] > CLUSTER_BITS_MAX)
        return refuse(error, "its clusters have a strange size");
    size = read_number(header, 24, 8);
    if (size == 0 || size > (guint64) size_max)
        return refuse(error, "its virtual size is 0, or more than a template may have");
    if (!check_tables(header, size, error))
        return false;
    if (version == 3 && !check_version_3(header, length, error))
        return false;
    *ret_size = (gint64) size;
    return true;
}
