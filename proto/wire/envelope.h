/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

/**
 * The messages of a client: what link.c and client.c have in common.
 */

/** Appends a call, its NUL byte included; parameters is a JSON object as text, or NULL.
 */
void
envelope_append_call(GString *out, const char *method, const char *parameters, bool more);

/** A reply that was taken apart.  The parser holds the parameters. */
typedef struct {
    JsonParser *parser;
    JsonObject *parameters;
    bool continues;
} EnvelopeReply;

void envelope_reply_clear(EnvelopeReply *reply);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(EnvelopeReply, envelope_reply_clear)

/** Reads a message of a server, through the guard.  An error reply is an error with the
 * code of the schema. */
bool envelope_read_reply(const char *message,
                         gsize length,
                         EnvelopeReply *ret_reply,
                         GError **error);

/** A connected socket of a service, or -1 with PROTO_ERROR_HOST_UNREACHABLE, which says
 * what to do. */
int envelope_connect(const char *path, GError **error);
