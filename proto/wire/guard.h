/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "limits.h"

/** Keys that one object may have whatever the limits say. */
#define GUARD_KEYS_MAX 64

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

/** A part of a text, which stays its owner's. */
typedef struct {
    const char *start;
    gsize length;
} GuardSpan;

/** A member of the object at the top: name and value as they stand there, a string with
 * its quotation marks. */
typedef struct {
    GuardSpan name;
    GuardSpan value;
} GuardMember;

typedef struct {
    guint n;
    GuardMember members[GUARD_KEYS_MAX];
} GuardMembers;

/** As guard_check(), and tells the members of the object at the top, in their order. */
bool guard_check_members(const char *text,
                         gsize length,
                         const WireLimits *limits,
                         GuardMembers *ret_members,
                         GError **error);
