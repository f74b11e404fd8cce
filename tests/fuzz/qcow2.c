/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/qcow2.h"

#include <string.h>

#include "fuzz.h"
#include "proto.h"

/*
 * A header that is accepted obeys every rule that keeps an image from making a host open,
 * decrypt or grow something.  The rules stand here once more, over a struct laid out as
 * the format's description has it.
 */

static const gint64 size_max = G_GINT64_CONSTANT(1) << 40;

typedef struct {
    guint8 magic[4];
    guint32 version;
    guint64 backing_file_offset;
    guint32 backing_file_size;
    guint32 cluster_bits;
    guint64 size;
    guint32 crypt_method;
    guint32 l1_size;
    guint64 l1_table_offset;
    guint64 refcount_table_offset;
    guint32 refcount_table_clusters;
    guint32 nb_snapshots;
    guint64 snapshots_offset;
    guint64 incompatible_features;
    guint64 compatible_features;
    guint64 autoclear_features;
    guint32 refcount_order;
    guint32 header_length;
    guint8 compression_type;
    guint8 padding[7];
} __attribute__((packed)) Header;

G_STATIC_ASSERT(sizeof(Header) == 112);

/* Extensions: any number of feature name tables, then the end within the header. */
static void
check_extensions(const guint8 *bytes, gsize at)
{
    guint32 extension[2];

    for (;;) {
        g_assert_cmpuint(at + sizeof extension, <=, QCOW2_HEADER_BYTES);
        memcpy(extension, bytes + at, sizeof extension);
        if (extension[0] == 0)
            return;
        g_assert_cmphex(GUINT32_FROM_BE(extension[0]), ==, 0x6803f857);
        at += 8 + (((gsize) GUINT32_FROM_BE(extension[1]) + 7) & ~(gsize) 7);
    }
}

static void
check_accepted(const guint8 *bytes, gint64 size)
{
    Header header;

    memcpy(&header, bytes, sizeof header);
    g_assert_true(memcmp(header.magic, "QFI\xfb", 4) == 0);
    g_assert_true(header.version == GUINT32_TO_BE(2) ||
                  header.version == GUINT32_TO_BE(3));
    g_assert_true(header.backing_file_offset == 0 && header.backing_file_size == 0);
    g_assert_true(header.crypt_method == 0);
    g_assert_true(header.nb_snapshots == 0 && header.snapshots_offset == 0);
    g_assert_cmpuint(GUINT32_FROM_BE(header.cluster_bits), >=, 16);
    g_assert_cmpuint(GUINT32_FROM_BE(header.cluster_bits), <=, 21);
    g_assert_cmpint(size, >, 0);
    g_assert_cmpint(size, <=, size_max);
    g_assert_cmpuint(GUINT64_FROM_BE(header.size), ==, (guint64) size);
    if (header.version == GUINT32_TO_BE(2))
        return;
    g_assert_true(header.incompatible_features == 0);
    g_assert_true(header.header_length == GUINT32_TO_BE(104) ||
                  header.header_length == GUINT32_TO_BE(112));
    g_assert_true(header.header_length == GUINT32_TO_BE(104) ||
                  header.compression_type == 0);
    check_extensions(bytes, GUINT32_FROM_BE(header.header_length));
}

static void
check(const guint8 *bytes, gsize length)
{
    g_autoptr(GError) error = NULL;
    gint64 size = -42;

    if (qcow2_check_header(bytes, length, size_max, &size, &error)) {
        g_assert_cmpuint(length, >=, QCOW2_HEADER_BYTES);
        check_accepted(bytes, size);
    } else {
        g_assert_true(error->code == PROTO_ERROR_INVALID_PARAMETER && size == -42);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    guint8 whole[QCOW2_HEADER_BYTES] = { 0 };

    /* As it is, so that a read behind it shows, and filled up. */
    check(data, size);
    if (size < sizeof whole) {
        if (size > 0)
            memcpy(whole, data, size);
        check(whole, sizeof whole);
    }
    return 0;
}
