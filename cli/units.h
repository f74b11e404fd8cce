/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * Sizes, spans of time and points in time as people write and read them.  Pure: the
 * caller brings the present.  On the wire all are integers of bytes and milliseconds, and
 * RFC 3339 times.
 */

/**
 * "2G" or "512MiB": ^[1-9][0-9]{0,6}(M|MiB|G|GiB|T|TiB)$, powers of 1024.  Everything
 * else fails with PROTO_ERROR_INVALID_PARAMETER and says what to type.
 */
bool units_parse_size(const char *text, gint64 *ret_bytes, GError **error);

/** "90" (seconds), "500ms", "30s", "5m", "2h". */
bool units_parse_duration(const char *text, gint64 *ret_ms, GError **error);

/** A month, a day or a whole time, as the wire wants it: "2026-10" is
 * "2026-10-01T00:00:00Z". */
char *units_parse_time(const char *text, GError **error);

/** "1 GiB", "1.5 GiB", "0". */
void units_append_size(GString *out, gint64 bytes);

/** "0.12 s", "5.1 s", "3m 10s", "2h 5m". */
void units_append_duration(GString *out, gint64 ms);

/** Seconds from an RFC 3339 time in UTC to now_us (since 1970), at least 0; -1 if text is
 * none. */
gint64 units_get_age(const char *text, gint64 now_us);

/** "5s", "12m", "3h", "9d". */
void units_append_age(GString *out, gint64 seconds);
