/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto.h"
#include "wire/envelope.h"
#include "wire/frame.h"
#include "wire/limits.h"

enum {
    READ_BYTES = 65536,
    SEND_TIMEOUT_MS = 30000
};

struct WireClient {
    int fd;
    FrameReader in;
};

WireClient *
wire_client_connect(const char *path, GError **error)
{
    int fd = envelope_connect(path, error);
    WireClient *client = NULL;

    if (fd < 0)
        return NULL;
    client = g_new0(WireClient, 1);
    client->fd = fd;
    frame_reader_init(&client->in, WIRE_LIMITS_PEER.message_bytes);
    return client;
}

void
wire_client_free(WireClient *client)
{
    if (client == NULL)
        return;
    close(client->fd);
    frame_reader_done(&client->in);
    g_free(client);
}

void
wire_reply_clear(WireReply *reply)
{
    g_clear_pointer(&reply->text, g_free);
    g_clear_pointer(&reply->parameters, json_node_unref);
}

static bool
fail(GError **error, const char *why)
{
    proto_error_set_host_unreachable(error, "", "The connection has ended: %s", why);
    return false;
}

/* Waits until the socket is ready; false past the deadline (in monotonic microseconds, -1
 * is never). */
static bool
wait_ready(WireClient *client, short events, gint64 deadline, GError **error)
{
    for (;;) {
        struct pollfd poll_fd = { client->fd, events, 0 };
        gint64 left_ms = -1;
        int count = 0;

        if (deadline >= 0)
            left_ms = MAX((deadline - g_get_monotonic_time() + 999) / 1000, 0);
        count = poll(&poll_fd, 1, (int) MIN(left_ms, G_MAXINT));
        if (count > 0)
            return true;
        if (count < 0 && errno != EINTR)
            return fail(error, g_strerror(errno));
        if (count == 0) {
            proto_error_set_deadline(error, "reply",
                                     "The service did not answer in time");
            return false;
        }
    }
}

bool
wire_client_send(WireClient *client,
                 const char *method,
                 const char *parameters,
                 WireClientFlags flags,
                 GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);
    gint64 deadline = g_get_monotonic_time() + (gint64) SEND_TIMEOUT_MS * 1000;
    gsize sent = 0;

    envelope_append_call(out, method, parameters, (flags & WIRE_CLIENT_MORE) != 0);
    while (sent < out->len) {
        ssize_t count = send(client->fd, out->str + sent, out->len - sent,
                             MSG_NOSIGNAL | MSG_DONTWAIT);

        if (count > 0) {
            sent += (gsize) count;
        } else if (errno != EAGAIN && errno != EINTR) {
            return fail(error, g_strerror(errno));
        } else if (!wait_ready(client, POLLOUT, deadline, error)) {
            return false;
        }
    }
    return true;
}

/* Reads until a whole message is there. */
static bool
read_message(WireClient *client,
             gint64 deadline,
             const char **ret_message,
             gsize *ret_length,
             GError **error)
{
    for (;;) {
        FRAME_BUFFER(buffer, READ_BYTES);
        ssize_t count = 0;

        if (!frame_reader_next(&client->in, ret_message, ret_length, error))
            return false;
        if (*ret_message != NULL)
            return true;
        if (!wait_ready(client, POLLIN, deadline, error))
            return false;
        count = recv(client->fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (count == 0)
            return fail(error, "the service has gone");
        if (count < 0 && errno != EAGAIN && errno != EINTR)
            return fail(error, g_strerror(errno));
        if (count > 0)
            frame_reader_push(&client->in, buffer, (gsize) count);
    }
}

static bool
receive(WireClient *client, gint64 timeout_ms, EnvelopeReply *ret_reply, GError **error)
{
    gint64 deadline = timeout_ms >= 0 ? g_get_monotonic_time() + timeout_ms * 1000 : -1;
    const char *message = NULL;
    gsize length = 0;

    return read_message(client, deadline, &message, &length, error) &&
           envelope_read_reply(message, length, ret_reply, error);
}

bool
wire_client_receive(WireClient *client,
                    gint64 timeout_ms,
                    WireReply *ret_reply,
                    GError **error)
{
    g_auto(EnvelopeReply) reply = { 0 };
    WireReply result = { 0 };

    if (!receive(client, timeout_ms, &reply, error))
        return false;
    result.parameters = json_node_new(JSON_NODE_OBJECT);
    if (reply.parameters != NULL) {
        json_node_set_object(result.parameters, reply.parameters);
    } else {
        json_node_take_object(result.parameters, json_object_new());
    }
    result.text = json_to_string(result.parameters, FALSE);
    result.continues = reply.continues;
    *ret_reply = result;
    return true;
}

bool
wire_client_call(WireClient *client,
                 const WireMethod *method,
                 const void *in,
                 gint64 timeout_ms,
                 void *ret_out,
                 GError **error)
{
    g_autoptr(GString) parameters = NULL;
    g_auto(EnvelopeReply) reply = { 0 };
    g_autoptr(JsonObject) empty = json_object_new();

    if (in != NULL) {
        parameters = g_string_new(NULL);
        wire_struct_print(method->call, in, parameters);
    }
    return wire_client_send(client, method->full_name,
                            parameters != NULL ? parameters->str : NULL, WIRE_CLIENT_ONCE,
                            error) &&
           receive(client, timeout_ms, &reply, error) &&
           wire_struct_parse(method->reply,
                             reply.parameters != NULL ? reply.parameters : empty, "reply",
                             WIRE_PARSE_LENIENT, ret_out, error);
}

int
wire_client_get_fd(WireClient *client)
{
    return client->fd;
}
