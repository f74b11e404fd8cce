/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "limits.h"

/**
 * A client's message, taken apart (https://varlink.org/Method-Call).  The guard has found
 * where its few members stand, so that json-glib makes a tree of the parameters only:
 * most of what a small call costs would be a tree of the rest.
 */
typedef struct {
    char *method;
    /** The parameters' tree; NULL if there are none, also for an object without members.
     */
    JsonNode *parameters;
    bool more;
    /** Known also of a message that is refused: nobody waits to be told why. */
    bool oneway;
} WireRequest;

void wire_request_clear(WireRequest *request);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WireRequest, wire_request_clear)

/** Reads a message, through the guard.  Fails as guard_check() does, and with
 * PROTO_ERROR_INVALID_PARAMETER for what is no call; the rest of ret_request is to be
 * cleared then, too. */
bool wire_request_read(const char *message,
                       gsize length,
                       const WireLimits *limits,
                       WireRequest *ret_request,
                       GError **error);
