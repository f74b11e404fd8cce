/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/frame.h"

#include <string.h>

#include "proto.h"

enum {
    KEPT_BYTES = 4096
};

void
frame_reader_init(FrameReader *reader, gsize limit)
{
    *reader = (FrameReader){ .bytes = g_byte_array_new(), .limit = limit };
}

void
frame_reader_done(FrameReader *reader)
{
    g_clear_pointer(&reader->bytes, g_byte_array_unref);
}

void
frame_reader_push(FrameReader *reader, const void *data, gsize length)
{
    /* What was handed out is done with: close the gap rather than grow. */
    if (reader->start > 0) {
        g_byte_array_remove_range(reader->bytes, 0, (guint) reader->start);
        reader->searched -= reader->start;
        reader->start = 0;
    }
    g_byte_array_append(reader->bytes, data, (guint) length);
}

/* Everything was handed out: thousands of idle connections keep no large buffers. */
static void
empty(FrameReader *reader)
{
    if (reader->bytes->len > KEPT_BYTES) {
        g_byte_array_unref(reader->bytes);
        reader->bytes = g_byte_array_new();
    }
    g_byte_array_set_size(reader->bytes, 0);
    reader->start = reader->searched = 0;
}

bool
frame_reader_next(FrameReader *reader,
                  const char **ret_message,
                  gsize *ret_length,
                  GError **error)
{
    const guint8 *data = reader->bytes->data;
    gsize available = reader->bytes->len;
    const guint8 *end = NULL;
    gsize length = 0;

    if (available > reader->searched)
        end = memchr(data + reader->searched, '\0', available - reader->searched);
    length = (end != NULL ? (gsize) (end - data) + 1 : available + 1) - reader->start;
    if (length > reader->limit) {
        proto_error_set_too_large(error, "message", (gint64) reader->limit,
                                  "A message is over %zu bytes", reader->limit);
        return false;
    }
    if (end == NULL) {
        reader->searched = available;
        if (reader->start == available)
            empty(reader);
        *ret_message = NULL;
        return true;
    }
    *ret_message = (const char *) data + reader->start;
    *ret_length = length - 1;
    reader->start += length;
    reader->searched = reader->start;
    return true;
}

bool
frame_reader_is_partial(const FrameReader *reader)
{
    return reader->bytes->len > reader->start;
}
