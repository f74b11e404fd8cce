/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "rpc/identity.h"
#include "rpc/rpc.h"

/* A stream may last longer than what its reader may do. */
static bool
still_may(WireCall *call, const char *tenant, GError **error)
{
    if (identity_may_see(call, tenant))
        return identity_check(call, tenant, error);
    proto_error_set_permission_denied(
        error, ROLE_VIEWER, "You have no part in the tenant \"%s\" any more", tenant);
    return false;
}

static void
on_events(const ProtoEvent *events, gsize n_events, gpointer data)
{
    Reader *reader = data;
    g_autofree ProtoEvent *shown = NULL;
    ProtoEventReadReply reply = { 0 };
    GError *error = NULL;

    if (reader_is_gone(reader))
        return;
    if (reader->tenant != NULL && !still_may(reader->call, reader->tenant, &error)) {
        reader_fail(reader, error);
        return;
    }
    reply.events = shown = g_new0(ProtoEvent, n_events + 1);
    for (gsize i = 0; i < n_events; i++) {
        if (reader->tenant == NULL || g_strcmp0(events[i].tenant, reader->tenant) == 0)
            shown[reply.n_events++] = events[i];
    }
    reply.next = n_events > 0 ? events[n_events - 1].seq : reader->cursor;
    reader_send(reader, &reply, n_events, reply.n_events, reply.next);
}

static void
read_events(Reader *reader)
{
    store_read_events(reader->rpc->store, reader->cursor, reader->limit, on_events,
                      reader);
}

static void
read_call(WireCall *call, const ProtoEventReadCall *in)
{
    const char *tenant = NULL;
    GError *error = NULL;

    if ((in->tenant != NULL || !rpc_is_admin(call)) &&
        !rpc_get_tenant(call, in->tenant, &tenant, &error)) {
        wire_call_fail(call, error);
        return;
    }
    reader_start(call, READER_EVENTS, read_events,
                 in->has_after ? in->after : store_get_seq(rpc_of(call)->store),
                 rpc_get_limit(in->has_limit, in->limit), in->has_follow && in->follow,
                 tenant);
}

const ProtoEventHandlers rpc_event_handlers = {
    .read = read_call,
};
