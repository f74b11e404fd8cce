/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "proto.h"
#include "wire/format.h"
#include "wire/request.h"
#include "wire/server-private.h"

static void
call_free(WireCall *call)
{
    if (call->in != NULL)
        wire_struct_clear(call->method->call, call->in);
    g_free(call->in);
    if (call->gone_source != 0)
        g_ptr_array_remove_fast(call->server->orphans, call);
    g_clear_handle_id(&call->gone_source, g_source_remove);
    wire_server_unref(call->server);
    g_free(call->groups);
    g_free(call->session);
    g_free(call);
}

/* No longer counts as in work. */
static void
release(WireCall *call)
{
    if (!call->is_parked)
        wire_server_get_use(call->server, call->peer.uid)->calls--;
    call->is_parked = true;
}

static void
end(WireCall *call)
{
    WireConnection *connection = call->connection;

    release(call);
    if (connection != NULL)
        connection->call = NULL;
    call_free(call);
    if (connection != NULL)
        wire_connection_call_ended(connection);
}

static void
append_error(GString *out, const GError *error)
{
    g_string_append(out, "{\"error\":\"");
    g_string_append(out, wire_error_get_name(error));
    g_string_append(out, "\",\"parameters\":");
    wire_error_print(error, out);
    g_string_append_c(out, '}');
    g_string_append_c(out, '\0');
}

void
wire_call_refuse(WireConnection *connection, GError *error)
{
    append_error(connection->out, error);
    g_error_free(error);
}

/* Appends a reply, unless it is too large. */
static bool
append_reply(WireCall *call, const void *out, bool continues)
{
    GString *buffer = call->connection->out;
    gsize start = buffer->len;
    gsize limit = call->peer.is_worker ? WIRE_LIMITS_PEER.message_bytes
                                       : call->server->limits.reply_bytes;

    g_string_append(buffer, "{\"parameters\":");
    if (out != NULL) {
        wire_struct_print(call->method->reply, out, buffer);
    } else {
        g_string_append(buffer, "{}");
    }
    g_string_append(buffer, continues ? ",\"continues\":true}" : "}");
    g_string_append_c(buffer, '\0');
    if (buffer->len - start <= limit)
        return true;
    g_string_truncate(buffer, start);
    return false;
}

gpointer
wire_call_get_data(WireCall *call)
{
    return call->server->options.data;
}

const WirePeer *
wire_call_get_peer(WireCall *call)
{
    return &call->peer;
}

void
wire_call_set_session(WireCall *call, const char *text)
{
    if (call->connection == NULL)
        return;
    g_free(call->connection->session);
    call->connection->session = g_strdup(text);
}

const char *
wire_call_get_session(WireCall *call)
{
    return call->session;
}

const WireMethod *
wire_call_get_method(WireCall *call)
{
    return call->method;
}

const void *
wire_call_get_parameters(WireCall *call)
{
    return call->in;
}

bool
wire_call_wants_more(WireCall *call)
{
    return call->more;
}

static void
fail_too_large(WireCall *call)
{
    GError *error = NULL;

    proto_error_set_too_large(
        &error, "reply", (gint64) call->server->limits.reply_bytes,
        "The reply is too large: ask for fewer rows, or for more replies");
    wire_call_fail(call, error);
}

void
wire_call_reply(WireCall *call, const void *out)
{
    if (call->connection != NULL && !call->oneway && !append_reply(call, out, false)) {
        fail_too_large(call);
        return;
    }
    end(call);
}

void
wire_call_continue(WireCall *call, const void *out)
{
    WireConnection *connection = call->connection;

    if (connection == NULL || call->oneway)
        return;
    /* A reader that cannot keep up is let go; what it has not read it can ask for again.
     */
    if (!append_reply(call, out, true) ||
        (connection->out->len - connection->sent > call->server->limits.output_bytes &&
         !call->peer.is_worker)) {
        wire_connection_close(connection);
        return;
    }
    wire_connection_flush(connection);
}

gsize
wire_call_get_backlog(WireCall *call)
{
    return call->connection != NULL ? call->connection->out->len - call->connection->sent
                                    : 0;
}

void
wire_call_on_drained(WireCall *call,
                     void (*drained)(WireCall *call, gpointer data),
                     gpointer data)
{
    WireConnection *connection = call->connection;

    call->drained = drained;
    call->drained_data = data;
    /* Nobody else would look: no output waits to be taken. */
    if (connection != NULL && !connection->is_in_turn && wire_call_get_backlog(call) == 0)
        wire_server_queue_again(call->server, connection);
}

void
wire_call_tell_drained(WireCall *call)
{
    void (*drained)(WireCall * call, gpointer data) = g_steal_pointer(&call->drained);

    if (drained != NULL)
        drained(call, call->drained_data);
}

void
wire_call_fail(WireCall *call, GError *error)
{
    if (call->connection != NULL && !call->oneway)
        append_error(call->connection->out, error);
    g_error_free(error);
    end(call);
}

static gboolean
on_had_gone(gpointer data)
{
    WireCall *call = data;

    call->gone_source = 0;
    g_ptr_array_remove_fast(call->server->orphans, call);
    wire_call_lose(call);
    return G_SOURCE_REMOVE;
}

void
wire_call_park(WireCall *call, void (*gone)(WireCall *call, gpointer data), gpointer data)
{
    release(call);
    call->gone = gone;
    call->gone_data = data;
    if (call->connection == NULL) {
        call->gone_source = g_idle_add(on_had_gone, call);
        g_ptr_array_add(call->server->orphans, call);
    }
}

void
wire_call_lose(WireCall *call)
{
    if (call->connection != NULL)
        call->groups = g_steal_pointer(&call->connection->peer.groups);
    call->connection = NULL;
    if (call->gone == NULL)
        return;
    call->gone(call, call->gone_data);
    call_free(call);
}

/* Beginning */

static const WireServed *
find_interface(WireServer *server, const char *name, gsize length, bool is_worker)
{
    for (guint i = 0; i < server->interfaces->len; i++) {
        const WireServed *served = server->interfaces->pdata[i];

        if (strlen(served->interface->name) == length &&
            memcmp(served->interface->name, name, length) == 0 &&
            (is_worker || !served->interface->is_private))
            return served;
    }
    return NULL;
}

static const WireMethod *
find_method(WireConnection *connection,
            const char *name,
            const WireServed **ret_served,
            GError **error)
{
    const char *dot = strrchr(name, '.');
    gsize length = dot != NULL ? (gsize) (dot - name) : 0;

    *ret_served =
        find_interface(connection->server, name, length, connection->peer.is_worker);
    if (*ret_served == NULL) {
        g_autofree char *interface =
            dot != NULL ? g_strndup(name, length) : g_strdup(name);
        g_autofree char *shown_interface = wire_format_shown(interface);

        proto_error_set_service_interface_not_found(
            error, shown_interface, "There is no interface %s", shown_interface);
        return NULL;
    }
    for (gsize i = 0; i < (*ret_served)->interface->n_methods; i++) {
        const WireMethod *method = &(*ret_served)->interface->methods[i];

        if (strcmp(method->name, dot + 1) == 0)
            return method;
    }
    g_autofree char *shown = wire_format_shown(name);

    proto_error_set_service_method_not_found(error, shown, "There is no method %s",
                                             shown);
    return NULL;
}

static bool
parse_parameters(WireCall *call, JsonNode *given, GError **error)
{
    g_autoptr(JsonObject) empty = given == NULL ? json_object_new() : NULL;
    JsonObject *parameters = given != NULL ? json_node_get_object(given) : empty;

    call->in = g_malloc0(call->method->call->size);
    return wire_struct_parse(call->method->call, parameters, "parameters",
                             WIRE_PARSE_STRICT, call->in, error);
}

static bool
admit(WireCall *call, GError **error)
{
    WireServer *server = call->server;
    WireUse *use = wire_server_get_use(server, call->peer.uid);

    if (use->calls > server->limits.calls_per_uid && !call->peer.is_worker) {
        proto_error_set_busy(error, "calls", "Your uid has %u calls in work already",
                             server->limits.calls_per_uid);
        return false;
    }
    if (use->output >= server->limits.output_per_uid && !call->peer.is_worker) {
        proto_error_set_busy(error, "output", "Your uid has %zu bytes of answers unread",
                             use->output);
        return false;
    }
    return server->options.authorize == NULL ||
           server->options.authorize(call, call->method, error);
}

static bool
start(WireConnection *connection, const WireRequest *request, GError **error)
{
    const WireServed *served = NULL;
    const WireMethod *method = find_method(connection, request->method, &served, error);
    WireCall *call = NULL;
    GError *refusal = NULL;

    if (method == NULL)
        return false;
    call = g_new0(WireCall, 1);
    *call = (WireCall){ .server = connection->server,
                        .connection = connection,
                        .peer = connection->peer,
                        .session = g_strdup(connection->session),
                        .method = method,
                        .more = request->more && method->more,
                        .oneway = request->oneway };
    connection->call = call;
    call->server->references++;
    wire_server_get_use(call->server, call->peer.uid)->calls++;
    if (!admit(call, &refusal) ||
        !parse_parameters(call, request->parameters, &refusal)) {
        wire_call_fail(call, refusal);
        return true;
    }
    method->dispatch(call, served->handlers, call->in);
    return true;
}

void
wire_call_start(WireConnection *connection, const char *message, gsize length)
{
    const WireLimits limits = connection->peer.is_worker
                                  ? WIRE_LIMITS_PEER
                                  : connection->server->options.limits;
    g_auto(WireRequest) request = { 0 };
    GError *error = NULL;

    if (wire_request_read(message, length, &limits, &request, &error) &&
        start(connection, &request, &error))
        return;
    if (request.oneway) {
        g_error_free(error);
        return;
    }
    wire_call_refuse(connection, error);
}
