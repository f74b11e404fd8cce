/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "schema.h"

/**
 * The client side of one connection on the main loop: vmd towards its workers, vmd-meter
 * towards vmd. Calls are answered in the order they were sent.
 */
typedef struct WireLink WireLink;

/**
 * Is told of each reply.  out is the reply's struct, valid during the call, or NULL with
 * an error; continues says that more follow.  When the link breaks, every call under way
 * gets PROTO_ERROR_HOST_UNREACHABLE. Never called from within wire_link_call().
 */
typedef void (*WireLinkReply)(const void *out,
                              bool continues,
                              const GError *error,
                              gpointer data);

/** Takes fd, whose other side is of our own version: an answer is exactly as the schema
 * has it.  closed is told once, after the calls under way, when the other side goes or
 * breaks the protocol. */
WireLink *
wire_link_new(int fd, void (*closed)(WireLink *link, gpointer data), gpointer data);

/** Connects to a service's socket.  The service may be of another version. */
WireLink *wire_link_connect(const char *path,
                            void (*closed)(WireLink *link, gpointer data),
                            gpointer data,
                            GError **error);

/** Drops the calls under way without telling them, and does not call closed. */
void wire_link_free(WireLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WireLink, wire_link_free)

/**
 * Calls method with in, its call struct (NULL: no parameters).  timeout_ms 0 is no
 * deadline; past it the reply is PROTO_ERROR_DEADLINE and the link is broken off, since
 * what follows on it cannot be told apart.
 */
void wire_link_call(WireLink *link,
                    const WireMethod *method,
                    const void *in,
                    bool more,
                    gint64 timeout_ms,
                    WireLinkReply reply,
                    gpointer data);

/** Calls that have not had their final reply. */
guint wire_link_count_calls(WireLink *link);
