/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto.h"
#include "wire/server-private.h"

enum {
    READ_BYTES = 65536,
    MESSAGES_PER_TURN = 16,
    OUT_PER_TURN_BYTES = 32768,
    OUT_KEPT_BYTES = 65536
};

static gsize
backlog(const WireConnection *connection)
{
    return connection->out->len - connection->sent;
}

/* Keeps what its uid has waiting in line with the backlog. */
static void
count_output(WireConnection *connection, gsize output)
{
    WireUse *use = wire_server_get_use(connection->server, connection->peer.uid);

    use->output += output - connection->counted;
    connection->counted = output;
}

/* It has enough to read before it may ask for more. */
static bool
must_read_first(const WireConnection *connection)
{
    const WireServerLimits *limits = &connection->server->limits;
    const WireUse *use = wire_server_get_use(connection->server, connection->peer.uid);

    return backlog(connection) >= limits->output_bytes ||
           (backlog(connection) > 0 && use->output >= limits->output_per_uid &&
            !connection->peer.is_worker);
}

/* Keeps the deadlines in line with what the connection waits for. */
static void
update_clocks(WireConnection *connection)
{
    gint64 now_ms = connection->server->now_ms();
    bool idle = connection->call == NULL && backlog(connection) == 0;
    bool partial = connection->call == NULL && frame_reader_is_partial(&connection->in) &&
                   !connection->is_queued;

    if (!partial) {
        connection->partial_since = 0;
    } else if (connection->partial_since == 0) {
        connection->partial_since = now_ms;
    }
    if (backlog(connection) == 0) {
        connection->stalled_since = 0;
    } else if (connection->stalled_since == 0) {
        connection->stalled_since = now_ms;
    }
    connection->idle_since = idle ? now_ms : 0;
}

static void
update_interest(WireConnection *connection)
{
    uint32_t events = 0;

    if (!connection->has_ended && !connection->closes_after_output &&
        connection->call == NULL && !connection->server->is_draining &&
        !must_read_first(connection))
        events |= EPOLLIN;
    if (!connection->has_ended)
        events |= EPOLLRDHUP;
    if (backlog(connection) > 0)
        events |= EPOLLOUT;
    wire_watch_set_events(connection->watch, events);
}

static void
connection_free(WireConnection *connection)
{
    frame_reader_done(&connection->in);
    g_string_free(connection->out, TRUE);
    g_free(connection->peer.groups);
    g_free(connection->session);
    g_free(connection);
}

void
wire_connection_close(WireConnection *connection)
{
    WireServer *server = connection->server;
    WireCall *call = g_steal_pointer(&connection->call);
    void (*closed)(gpointer data) = connection->closed;
    gpointer closed_data = connection->closed_data;

    if (connection->is_closed)
        return;
    connection->is_closed = true;
    wire_watch_free(connection->watch);
    close(connection->fd);
    count_output(connection, 0);
    g_hash_table_remove(server->connections, connection);
    wire_server_get_use(server, connection->peer.uid)->connections--;
    if (connection->is_queued)
        g_queue_remove(&server->again, connection);
    if (call != NULL)
        wire_call_lose(call);
    if (!connection->is_in_turn)
        connection_free(connection);
    if (closed != NULL)
        closed(closed_data);
}

/* Sends; false when the connection is no more. */
static bool
send_output(WireConnection *connection)
{
    while (backlog(connection) > 0) {
        ssize_t sent = send(connection->fd, connection->out->str + connection->sent,
                            backlog(connection), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return true;
        if (sent < 0)
            return false;
        connection->sent += (gsize) sent;
        connection->stalled_since = 0;
    }
    connection->sent = 0;
    if (connection->out->allocated_len > OUT_KEPT_BYTES) {
        g_string_free(connection->out, TRUE);
        connection->out = g_string_new(NULL);
    }
    g_string_truncate(connection->out, 0);
    return true;
}

void
wire_connection_flush(WireConnection *connection)
{
    if (connection->is_closed || connection->is_in_turn)
        return;
    if (!send_output(connection)) {
        wire_connection_close(connection);
        return;
    }
    count_output(connection, backlog(connection));
    if (backlog(connection) == 0 &&
        (connection->closes_after_output ||
         (connection->has_ended && connection->call == NULL && !connection->is_queued))) {
        wire_connection_close(connection);
        return;
    }
    update_clocks(connection);
    update_interest(connection);
    if (backlog(connection) == 0 && connection->call != NULL)
        wire_call_tell_drained(connection->call);
}

/* Looks at some whole messages, so that others have their turn too; true if there may be
 * more of them. */
static bool
take_messages(WireConnection *connection)
{
    gsize enough = connection->out->len + OUT_PER_TURN_BYTES;

    for (int i = 0; i < MESSAGES_PER_TURN && connection->out->len < enough; i++) {
        const char *message = NULL;
        gsize length = 0;
        GError *error = NULL;

        if (connection->is_closed || connection->call != NULL ||
            connection->closes_after_output || connection->server->is_draining ||
            must_read_first(connection))
            return false;
        if (!frame_reader_next(&connection->in, &message, &length, &error)) {
            wire_call_refuse(connection, error);
            connection->closes_after_output = true;
            return false;
        }
        if (message == NULL)
            return false;
        wire_call_start(connection, message, length);
    }
    return true;
}

void
wire_connection_turn(WireConnection *connection)
{
    bool more = false;

    connection->is_in_turn = true;
    more = take_messages(connection);
    connection->is_in_turn = false;
    if (connection->is_closed) {
        connection_free(connection);
        return;
    }
    if (more)
        wire_server_queue_again(connection->server, connection);
    wire_connection_flush(connection);
}

void
wire_connection_call_ended(WireConnection *connection)
{
    if (connection->is_in_turn)
        return;
    if (frame_reader_is_partial(&connection->in))
        wire_server_queue_again(connection->server, connection);
    wire_connection_flush(connection);
}

/* Reads once; false when the connection is no more. */
static bool
receive(WireConnection *connection)
{
    FRAME_BUFFER(buffer, READ_BYTES);
    ssize_t length = recv(connection->fd, buffer, sizeof buffer, MSG_DONTWAIT);

    if (length < 0)
        return errno == EAGAIN || errno == EINTR;
    if (length == 0) {
        connection->has_ended = true;
        return connection->call != NULL || backlog(connection) > 0 ||
               connection->is_queued;
    }
    frame_reader_push(&connection->in, buffer, (gsize) length);
    return true;
}

static void
on_events(uint32_t events, gpointer data)
{
    WireConnection *connection = data;
    bool waits_for_input = (wire_watch_get_events(connection->watch) & EPOLLIN) != 0;

    if ((events & EPOLLOUT) != 0 && !send_output(connection)) {
        wire_connection_close(connection);
        return;
    }
    if ((events & EPOLLIN) != 0 && waits_for_input && !receive(connection)) {
        wire_connection_close(connection);
        return;
    }
    if ((events & (EPOLLHUP | EPOLLERR)) != 0 && (events & EPOLLIN) == 0) {
        wire_connection_close(connection);
        return;
    }
    /* A client that only stopped sending still gets its reply; one that has gone is seen
     * by EPOLLHUP. */
    if ((events & EPOLLRDHUP) != 0 && !waits_for_input) {
        if ((events & EPOLLHUP) != 0) {
            wire_connection_close(connection);
            return;
        }
        connection->has_ended = true;
    }
    wire_connection_turn(connection);
}

WireConnection *
wire_connection_new(WireServer *server, int fd, WirePeer *peer)
{
    WireConnection *connection = g_new0(WireConnection, 1);

    connection->server = server;
    connection->fd = fd;
    connection->peer = *peer;
    frame_reader_init(&connection->in, peer->is_worker
                                           ? WIRE_LIMITS_PEER.message_bytes
                                           : server->options.limits.message_bytes);
    connection->out = g_string_new(NULL);
    connection->idle_since = server->now_ms();
    connection->watch = wire_watch_new(fd, EPOLLIN | EPOLLRDHUP, on_events, connection);
    g_hash_table_add(server->connections, connection);
    wire_server_get_use(server, peer->uid)->connections++;
    return connection;
}
