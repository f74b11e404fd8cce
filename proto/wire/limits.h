/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * Every limit of the wire in one place.  Each is tested at n-1, n and n+1.
 */

/** What one side accepts from the other. */
typedef struct {
    /** Bytes of a message, its NUL byte included. */
    gsize message_bytes;
    /** Nesting of objects and arrays. */
    guint depth;
    /** Values, keys and brackets of a message. */
    guint tokens;
    /** Keys of one object. */
    guint keys;
    /** Bytes of one string, after unescaping. */
    gsize string_bytes;
} WireLimits;

/** A server towards a client that it does not trust. */
#define WIRE_LIMITS_CLIENT                                                               \
    ((WireLimits){ .message_bytes = 65536,                                               \
                   .depth = 8,                                                           \
                   .tokens = 4096,                                                       \
                   .keys = 64,                                                           \
                   .string_bytes = 49152 })

/** A client towards its server, and vmd and its workers towards each other. */
#define WIRE_LIMITS_PEER                                                                 \
    ((WireLimits){ .message_bytes = 1048576,                                             \
                   .depth = 10,                                                          \
                   .tokens = 131072,                                                     \
                   .keys = 64,                                                           \
                   .string_bytes = 524288 })

/** Connections in all; the last of them are kept for uid 0 and admins.  With three
 * quarters of them taken, a new one costs the one that has been idle for longest. */
#define WIRE_CONNECTIONS_MAX 4096
#define WIRE_CONNECTIONS_RESERVED 64
/** Connections of one uid that is not root. */
#define WIRE_CONNECTIONS_PER_UID 256
/** Time from a message's first byte to its last. */
#define WIRE_MESSAGE_MS 10000
/** Time without a byte in either direction, and no call under way. */
#define WIRE_IDLE_MS 300000
/** Bytes that wait for a slow reader; a call that streams is cut beyond it. */
#define WIRE_OUTPUT_BYTES (1024 * 1024)
/** Bytes of answers that wait for the readers of one uid; beyond it its calls are
 * refused. */
#define WIRE_OUTPUT_PER_UID (16 * 1024 * 1024)
/** Time in which a slow reader must take at least one byte. */
#define WIRE_STALL_MS 10000
/** Calls in work of one uid; waiting calls (Wait, Read) count apart. */
#define WIRE_CALLS_PER_UID 64
/** Rows of one page, and bytes of one reply. */
#define WIRE_PAGE_ROWS 500
#define WIRE_REPLY_BYTES (512 * 1024)
