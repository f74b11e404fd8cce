/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "host/qcow2.h"
#include "proto.h"

static const gint64 size_max = 1000000;

static void
put(guint8 *header, gsize offset, gsize bytes, guint64 number)
{
    for (gsize i = bytes; i > 0; i--, number >>= 8)
        header[offset + i - 1] = (guint8) number;
}

/* As qemu-img makes it: version 3, 64 KiB clusters, no extension. */
static void
make(guint8 *header)
{
    memset(header, 0, QCOW2_HEADER_BYTES);
    memcpy(header, "QFI\xfb", 4);
    put(header, 4, 4, 3);
    put(header, 20, 4, 16);
    put(header, 24, 8, 4096);
    put(header, 36, 4, 1);
    put(header, 40, 8, 6291456);
    put(header, 48, 8, 2097152);
    put(header, 56, 4, 1);
    put(header, 96, 4, 4);
    put(header, 100, 4, 104);
}

static void
test_takes_plain_images(void)
{
    guint8 header[QCOW2_HEADER_BYTES];
    g_autoptr(GError) error = NULL;
    gint64 size = 0;

    make(header);
    g_assert_true(qcow2_check_header(header, sizeof header, size_max, &size, &error));
    g_assert_no_error(error);
    g_assert_cmpint(size, ==, 4096);
    put(header, 100, 4, 112);
    g_assert_true(qcow2_check_header(header, sizeof header, size_max, &size, NULL));
    /* The names of features tell and do nothing. */
    put(header, 112, 4, 0x6803f857);
    put(header, 116, 4, 48);
    g_assert_true(qcow2_check_header(header, sizeof header, size_max, &size, NULL));
    put(header, 4, 4, 2);
    g_assert_true(qcow2_check_header(header, sizeof header, size_max, &size, NULL));
}

/* One field set to a value, and what is said of it; NULL: it is taken. */
static const struct {
    gsize offset;
    gsize bytes;
    guint64 value;
    const char *said;
} faults[] = {
    { 0, 4, 0x7f454c46, "no qcow2 image" },
    { 0, 4, 0, "no qcow2 image" },
    { 4, 4, 1, "version" },
    { 4, 4, 4, "version" },
    { 4, 4, 0xffffffff, "version" },
    { 8, 8, 1, "backing file" },
    { 8, 8, G_MAXUINT64, "backing file" },
    { 16, 4, 1, "backing file's name" },
    { 20, 4, 15, "clusters" },
    { 20, 4, 16, NULL },
    { 20, 4, 21, NULL },
    { 20, 4, 22, "clusters" },
    { 20, 4, 0x01000010, "clusters" },
    { 24, 8, 0, "virtual size" },
    { 24, 8, 1000000, NULL },
    { 24, 8, 1000001, "virtual size" },
    { 24, 8, G_MAXUINT64, "virtual size" },
    /* The tables: too small for the size, too large for a reader, in no cluster. */
    { 36, 4, 0, "table of clusters" },
    { 36, 4, 4194304, NULL },
    { 36, 4, 4194305, "table of clusters" },
    { 36, 4, 0xffffffff, "table of clusters" },
    { 40, 8, 0, "table of clusters" },
    { 40, 8, 65537, "table of clusters" },
    { 40, 8, G_GUINT64_CONSTANT(1) << 56, "table of clusters" },
    { 48, 8, 0, "reference counts" },
    { 48, 8, 512, "reference counts" },
    { 56, 4, 0, "reference counts" },
    { 56, 4, 128, NULL },
    { 56, 4, 129, "reference counts" },
    { 56, 4, 0xffffffff, "reference counts" },
    { 96, 4, 6, NULL },
    { 96, 4, 7, "reference counts" },
    { 32, 4, 1, "encrypted" },
    { 32, 4, 2, "encrypted" },
    { 60, 4, 1, "snapshots" },
    { 64, 8, 65536, "snapshot table" },
    /* Dirty, corrupt, external data file, compression type, extended clusters, unknown.
     */
    { 72, 8, 1, "features" },
    { 72, 8, 2, "features" },
    { 72, 8, 4, "features" },
    { 72, 8, 8, "features" },
    { 72, 8, 16, "features" },
    { 72, 8, G_GUINT64_CONSTANT(1) << 63, "features" },
    { 100, 4, 0, "strange length" },
    { 100, 4, 103, "strange length" },
    { 100, 4, 108, "strange length" },
    { 100, 4, 120, "strange length" },
    { 100, 4, 0xffffffff, "strange length" },
    /* Extensions: the external data file's name, a bitmap, encryption, an unknown one. */
    { 104, 4, 0x44415441, "extension" },
    { 104, 4, 0x23852875, "extension" },
    { 104, 4, 0x0537be77, "extension" },
    { 104, 4, 0xe2792aca, "extension" },
    { 104, 4, 1, "extension" },
    /* Names of features whose length leads past the end, or round to the start. */
    { 104, 8, G_GUINT64_CONSTANT(0x6803f857000003e8), "do not end" },
    { 104, 8, G_GUINT64_CONSTANT(0x6803f857ffffffff), "do not end" },
    { 104, 8, G_GUINT64_CONSTANT(0x6803f857fffffff8), "do not end" },
};

/* An entry of the first table stands for 512 MiB with clusters of 64 KiB. */
static void
test_holds_the_first_table_to_the_size(void)
{
    const gint64 gibibyte = 1073741824;
    guint8 header[QCOW2_HEADER_BYTES];
    gint64 size = 0;

    make(header);
    put(header, 24, 8, (guint64) gibibyte);
    put(header, 36, 4, 2);
    g_assert_true(qcow2_check_header(header, sizeof header, 2 * gibibyte, &size, NULL));
    put(header, 24, 8, (guint64) gibibyte + 1);
    g_assert_false(qcow2_check_header(header, sizeof header, 2 * gibibyte, &size, NULL));
    put(header, 36, 4, 3);
    g_assert_true(qcow2_check_header(header, sizeof header, 2 * gibibyte, &size, NULL));
}

static void
test_says_what_is_wrong(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
        guint8 header[QCOW2_HEADER_BYTES];
        g_autoptr(GError) error = NULL;
        gint64 size = 42;
        bool good = false;

        g_test_message("row %zu: %zu", i, faults[i].offset);
        make(header);
        put(header, faults[i].offset, faults[i].bytes, faults[i].value);
        good = qcow2_check_header(header, sizeof header, size_max, &size, &error);
        g_assert_cmpint(good, ==, faults[i].said == NULL);
        if (good)
            continue;
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
        g_assert_nonnull(strstr(error->message, faults[i].said));
        g_assert_cmpint(size, ==, 42);
    }
}

static void
test_short_files_are_no_images(void)
{
    guint8 header[QCOW2_HEADER_BYTES];
    gint64 size = 0;

    make(header);
    for (gsize length = 0; length < QCOW2_HEADER_BYTES; length++)
        g_assert_false(qcow2_check_header(header, length, size_max, &size, NULL));
}

/* Any bytes after a good start: an answer, no access outside (with ASan). */
static void
test_bears_any_bytes(void)
{
    for (int round = 0; round < 20000; round++) {
        g_autofree guint8 *header = g_malloc(QCOW2_HEADER_BYTES);
        gint64 size = 0;

        make(header);
        for (int i = g_test_rand_int_range(1, 6); i > 0; i--)
            header[g_test_rand_int_range(0, 160)] =
                (guint8) g_test_rand_int_range(0, 256);
        if (qcow2_check_header(header, QCOW2_HEADER_BYTES, size_max, &size, NULL))
            g_assert_cmpint(size, <=, size_max);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qcow2/takes-plain-images", test_takes_plain_images);
    g_test_add_func("/qcow2/says-what-is-wrong", test_says_what_is_wrong);
    g_test_add_func("/qcow2/holds-the-first-table-to-the-size",
                    test_holds_the_first_table_to_the_size);
    g_test_add_func("/qcow2/short-files-are-no-images", test_short_files_are_no_images);
    g_test_add_func("/qcow2/bears-any-bytes", test_bears_any_bytes);
    return g_test_run();
}
