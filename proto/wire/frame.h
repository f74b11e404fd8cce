/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** A buffer that is read into is not zeroed before, as others are: for a short message
 * that takes longer than all the rest. */
#define FRAME_BUFFER(name, bytes) char name[bytes] __attribute__((uninitialized))

/**
 * Cuts a stream of bytes into messages that end with a NUL byte.  Never holds more than
 * one message's limit and one read.  No I/O.
 */
typedef struct {
    GByteArray *bytes;
    /** Where the next message begins, and how far it was searched. */
    gsize start;
    gsize searched;
    gsize limit;
} FrameReader;

void frame_reader_init(FrameReader *reader, gsize limit);
void frame_reader_done(FrameReader *reader);

/** Takes bytes as they came. */
void frame_reader_push(FrameReader *reader, const void *data, gsize length);

/**
 * The next whole message, NUL-terminated, or NULL if there is none yet.  It is valid
 * until the next call. Fails with PROTO_ERROR_TOO_LARGE when a message is over the limit,
 * whole or not.
 */
bool frame_reader_next(FrameReader *reader,
                       const char **ret_message,
                       gsize *ret_length,
                       GError **error);

/** Bytes of a message have come, but not its end. */
bool frame_reader_is_partial(const FrameReader *reader);
