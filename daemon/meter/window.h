/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** A stretch of time: from is part of it, to is not. */
typedef struct {
    gint64 from_ms;
    gint64 to_ms;
} Window;

/**
 * The time that a request is about: from the start of now's month (UTC) to now, where
 * from or to is NULL.  Fails with PROTO_ERROR_INVALID_PARAMETER, which names the one at
 * fault.  Pure.
 */
bool window_resolve(
    const char *from, const char *to, gint64 now_ms, Window *ret_window, GError **error);
