/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "limits.h"

/**
 * Reads every byte that comes from outside before json-glib does, in one pass and without
 * recursion or allocation that the sender sizes.  Accepts strict RFC 8259 with one object
 * at the top, within limits, without duplicate keys in one object, with integers that fit
 * a gint64, valid UTF-8, no NUL (nor \u0000) and no lone surrogate.  Numbers with a
 * fraction or exponent are refused: no interface has them.
 *
 * Fails with PROTO_ERROR_INVALID_PARAMETER (path "message", with the byte's offset in the
 * reason) or PROTO_ERROR_TOO_LARGE, which names the limit.
 */
bool
guard_check(const char *text, gsize length, const WireLimits *limits, GError **error);
