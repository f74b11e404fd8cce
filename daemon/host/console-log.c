/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/console-log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/domain.h"

enum {
    PARTS = 4
};

typedef struct {
    int fd;
    gint64 size;
} Part;

static Part
open_part(const char *path)
{
    Part part = { open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), 0 };
    struct stat status;

    if (part.fd < 0)
        return part;
    if (fstat(part.fd, &status) == 0 && S_ISREG(status.st_mode))
        part.size = status.st_size;
    return part;
}

/* The parts, the oldest first: LOG.2, LOG.1, LOG.0, LOG. */
static void
open_parts(const char *path, Part parts[PARTS])
{
    for (int i = 0; i < PARTS - 1; i++) {
        g_autofree char *older = g_strdup_printf("%s.%d", path, PARTS - 2 - i);

        parts[i] = open_part(older);
    }
    parts[PARTS - 1] = open_part(path);
}

/* Reads what of the range lies in the parts. */
static void
read_range(const Part parts[PARTS], gint64 offset, gint64 length, GByteArray *bytes)
{
    gint64 start = 0;

    for (int i = 0; i < PARTS && length > 0; start += parts[i].size, i++) {
        gint64 within = MAX(offset - start, 0);
        gint64 count = MIN(parts[i].size - within, length);
        ssize_t got = 0;

        if (count <= 0)
            continue;
        g_byte_array_set_size(bytes, bytes->len + (guint) count);
        got = pread(parts[i].fd, bytes->data + bytes->len - count, (gsize) count, within);
        if (got < count) {
            g_byte_array_set_size(bytes, bytes->len - (guint) (count - MAX(got, 0)));
            return;
        }
        offset += count;
        length -= count;
    }
}

bool
console_log_read(const HostOptions *options,
                 const ProtoWorkerReadLogCall *in,
                 ProtoWorkerReadLogReply *ret_reply,
                 GError **error)
{
    g_autofree char *path = domain_get_log_path(options, in->id);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Part parts[PARTS];
    gint64 total = 0;
    gint64 offset = 0;

    open_parts(path, parts);
    for (int i = 0; i < PARTS; i++) {
        total += parts[i].size;
    }
    offset = CLAMP(in->offset < 0 ? total + in->offset : in->offset, 0, total);
    read_range(parts, offset, MIN(in->max_bytes, total - offset), bytes);
    for (int i = 0; i < PARTS; i++) {
        if (parts[i].fd >= 0)
            close(parts[i].fd);
    }
    ret_reply->data = g_base64_encode(
        bytes->data != NULL ? bytes->data : (const guchar *) "", bytes->len);
    ret_reply->offset = offset;
    ret_reply->next = offset + bytes->len;
    return true;
}
