/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "schema.h"

/**
 * A blocking varlink client for programs without a main loop: vmctl and the tests.
 * Every call has a deadline.  What the server sends passes the guard.
 */
typedef struct WireClient WireClient;

/** Connects.  Fails with PROTO_ERROR_HOST_UNREACHABLE, which names the path and what to
 * do. */
WireClient *wire_client_connect(const char *path, GError **error);
void wire_client_free(WireClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WireClient, wire_client_free)

/** One reply as it came: the text of its parameters, and the same parsed. */
typedef struct {
    char *text;
    JsonNode *parameters;
    bool continues;
} WireReply;

void wire_reply_clear(WireReply *reply);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WireReply, wire_reply_clear)

typedef enum {
    WIRE_CLIENT_ONCE = 0,
    WIRE_CLIENT_MORE = 1 << 0,
} WireClientFlags;

/** Sends a call; parameters is a JSON object as text, or NULL. */
bool wire_client_send(WireClient *client,
                      const char *method,
                      const char *parameters,
                      WireClientFlags flags,
                      GError **error);

/** Waits for the next reply; timeout_ms -1 waits for ever.  An error reply is an error
 * with its code. */
bool wire_client_receive(WireClient *client,
                         gint64 timeout_ms,
                         WireReply *ret_reply,
                         GError **error);

/** A call by its description: sends in, waits, and parses the reply into ret_out. */
bool wire_client_call(WireClient *client,
                      const WireMethod *method,
                      const void *in,
                      gint64 timeout_ms,
                      void *ret_out,
                      GError **error);

/** For a loop that also waits for something else. */
int wire_client_get_fd(WireClient *client);
