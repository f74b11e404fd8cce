/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto.h"
#include "wire/listen.h"
#include "wire/server-private.h"

enum {
    CLIENTS_PER_TURN = 64,
    SWEEP_MS = 1000,
    AGAIN_US = 1000,
    NOBODY = 65534
};

static gint64
monotonic_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

/* Accepting */

static bool
read_peer(int fd, WirePeer *ret_peer)
{
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    WirePeer peer = { 0 };

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return false;
    peer.uid = credentials.uid;
    peer.gid = credentials.gid;
    length = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &length) != 0 &&
        errno == ERANGE) {
        peer.groups = g_malloc0(length);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups, &length) != 0)
            length = 0;
        peer.n_groups = length / sizeof(gid_t);
    }
    *ret_peer = peer;
    return true;
}

/* Why peer may not connect now; NULL if it may. */
static GError *
refuse_peer(WireServer *server, const WirePeer *peer)
{
    const WireServerLimits *limits = &server->limits;
    guint total = g_hash_table_size(server->connections);
    bool privileged = server->options.is_privileged != NULL
                          ? server->options.is_privileged(peer, server->options.data)
                          : peer->uid == 0;
    GError *error = NULL;

    if (peer->uid == NOBODY || peer->uid == (uid_t) -1) {
        proto_error_set_permission_denied(
            &error, ROLE_VIEWER, "Nobody can tell who uid %u is", (guint) peer->uid);
    } else if (total >= limits->connections - (privileged ? 0 : limits->reserved)) {
        proto_error_set_busy(&error, "connections", "There are %u connections already",
                             total);
    } else if (peer->uid != 0 &&
               wire_server_get_use(server, peer->uid)->connections >= limits->per_uid) {
        proto_error_set_busy(&error, "connections", "Your uid has %u connections already",
                             limits->per_uid);
    }
    return error;
}

/* Near the limit, who has been idle for longest makes room. */
static void
make_room(WireServer *server)
{
    guint total = g_hash_table_size(server->connections);
    WireConnection *oldest = NULL;
    GHashTableIter iter;
    gpointer item = NULL;

    if (total < server->limits.connections - server->limits.connections / 4)
        return;
    g_hash_table_iter_init(&iter, server->connections);
    while (g_hash_table_iter_next(&iter, &item, NULL)) {
        WireConnection *connection = item;

        if (connection->idle_since != 0 && !connection->peer.is_worker &&
            (oldest == NULL || connection->idle_since < oldest->idle_since))
            oldest = connection;
    }
    if (oldest == NULL)
        return;
    oldest->idle_since = 0;
    shutdown(oldest->fd, SHUT_RDWR);
}

static void
accept_one(WireServer *server, int fd)
{
    WirePeer peer = { 0 };
    WireConnection *connection = NULL;
    GError *error = NULL;

    if (!read_peer(fd, &peer)) {
        close(fd);
        return;
    }
    make_room(server);
    error = refuse_peer(server, &peer);
    connection = wire_connection_new(server, fd, &peer);
    if (error == NULL)
        return;
    wire_call_refuse(connection, error);
    connection->closes_after_output = true;
    wire_connection_flush(connection);
}

/* No descriptor is left: gives up the spare one to take the client, and sends it away. */
static void
shed_one(WireServer *server, int listener)
{
    int fd = -1;

    close(server->spare);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
accept_all(WireServer *server, int listener)
{
    for (int i = 0; i < CLIENTS_PER_TURN; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            accept_one(server, fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            shed_one(server, listener);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

/* Events */

typedef struct {
    WireServer *server;
    int fd;
    WireWatch *watch;
} Listener;

static void
listener_free(gpointer data)
{
    Listener *listener = data;

    wire_watch_free(listener->watch);
    close(listener->fd);
    g_free(listener);
}

static void
on_client(uint32_t events, gpointer data)
{
    Listener *listener = data;

    accept_all(listener->server, listener->fd);
}

/* For a moment only: who asks one thing at a time does not wait for who asks a thousand.
 */
static gboolean
run_again(gpointer data)
{
    WireServer *server = data;
    gint64 until = g_get_monotonic_time() + AGAIN_US;
    guint length = server->again.length;

    for (guint i = 0;
         i < length && server->again.length > 0 && g_get_monotonic_time() < until; i++) {
        WireConnection *connection = g_queue_pop_head(&server->again);

        connection->is_queued = false;
        wire_connection_turn(connection);
    }
    if (server->again.length > 0)
        return G_SOURCE_CONTINUE;
    server->again_source = 0;
    return G_SOURCE_REMOVE;
}

void
wire_server_queue_again(WireServer *server, WireConnection *connection)
{
    if (connection->is_queued)
        return;
    connection->is_queued = true;
    g_queue_push_tail(&server->again, connection);
    if (server->again_source == 0)
        server->again_source =
            g_idle_add_full(G_PRIORITY_DEFAULT, run_again, server, NULL);
}

static bool
is_past(gint64 since, gint64 limit_ms, gint64 now_ms)
{
    return since != 0 && now_ms - since >= limit_ms;
}

void
wire_server_sweep(WireServer *server)
{
    g_autoptr(GList) all = g_hash_table_get_keys(server->connections);
    gint64 now_ms = server->now_ms();

    for (GList *item = all; item != NULL; item = item->next) {
        WireConnection *connection = item->data;

        if (!g_hash_table_contains(server->connections, connection) ||
            connection->peer.is_worker)
            continue;
        if (is_past(connection->partial_since, server->limits.message_ms, now_ms) ||
            is_past(connection->stalled_since, server->limits.stall_ms, now_ms) ||
            is_past(connection->idle_since, server->limits.idle_ms, now_ms))
            wire_connection_close(connection);
    }
}

static gboolean
sweep(gpointer data)
{
    wire_server_sweep(data);
    return G_SOURCE_CONTINUE;
}

WireUse *
wire_server_get_use(WireServer *server, uid_t uid)
{
    gpointer key = GUINT_TO_POINTER((guint) uid);
    WireUse *use = g_hash_table_lookup(server->uses, key);

    if (use == NULL) {
        use = g_new0(WireUse, 1);
        g_hash_table_insert(server->uses, key, use);
    }
    return use;
}

/* Life */

WireServer *
wire_server_new(const WireServerOptions *options)
{
    WireServer *server = g_new0(WireServer, 1);

    server->options = *options;
    server->references = 1;
    server->limits = (WireServerLimits){
        .connections = WIRE_CONNECTIONS_MAX,
        .reserved = WIRE_CONNECTIONS_RESERVED,
        .per_uid = WIRE_CONNECTIONS_PER_UID,
        .calls_per_uid = WIRE_CALLS_PER_UID,
        .message_ms = WIRE_MESSAGE_MS,
        .idle_ms = WIRE_IDLE_MS,
        .stall_ms = WIRE_STALL_MS,
        .output_bytes = WIRE_OUTPUT_BYTES,
        .output_per_uid = WIRE_OUTPUT_PER_UID,
        .reply_bytes = WIRE_REPLY_BYTES,
    };
    server->now_ms = monotonic_ms;
    server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    server->listeners = g_ptr_array_new_with_free_func(listener_free);
    server->connections = g_hash_table_new(NULL, NULL);
    server->uses = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    server->interfaces = g_ptr_array_new_with_free_func(g_free);
    server->orphans = g_ptr_array_new();
    g_queue_init(&server->again);
    server->sweep_source = g_timeout_add(SWEEP_MS, sweep, server);
    wire_server_add(server, &proto_service_interface, wire_service_handlers);
    return server;
}

void
wire_server_unref(WireServer *server)
{
    if (--server->references > 0)
        return;
    g_hash_table_unref(server->uses);
    g_ptr_array_unref(server->orphans);
    g_free(server);
}

void
wire_server_free(WireServer *server)
{
    g_autoptr(GList) all = NULL;

    if (server == NULL)
        return;
    all = g_hash_table_get_keys(server->connections);
    for (GList *item = all; item != NULL; item = item->next) {
        wire_connection_close(item->data);
    }
    while (server->orphans->len > 0) {
        wire_call_lose(server->orphans->pdata[0]);
    }
    g_clear_handle_id(&server->sweep_source, g_source_remove);
    g_clear_handle_id(&server->again_source, g_source_remove);
    close(server->spare);
    g_ptr_array_unref(server->listeners);
    g_ptr_array_unref(server->interfaces);
    g_hash_table_unref(server->connections);
    wire_server_unref(server);
}

void
wire_server_add(WireServer *server, const WireInterface *interface, const void *handlers)
{
    WireServed *served = g_new0(WireServed, 1);

    *served = (WireServed){ interface, handlers };
    g_ptr_array_add(server->interfaces, served);
}

bool
wire_server_listen(
    WireServer *server, const char *path, mode_t mode, gid_t group, GError **error)
{
    int fd = wire_listen(path, mode, group, error);

    if (fd < 0)
        return false;
    wire_server_listen_fd(server, fd);
    return true;
}

void
wire_server_listen_fd(WireServer *server, int fd)
{
    Listener *listener = g_new0(Listener, 1);

    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    *listener = (Listener){ .server = server, .fd = fd };
    listener->watch = wire_watch_new(fd, EPOLLIN, on_client, listener);
    g_ptr_array_add(server->listeners, listener);
}

void
wire_server_attach(WireServer *server,
                   int fd,
                   void (*closed)(gpointer data),
                   gpointer data)
{
    WirePeer peer = { .uid = getuid(), .gid = getgid(), .is_worker = true };
    WireConnection *connection = NULL;

    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    connection = wire_connection_new(server, fd, &peer);
    connection->closed = closed;
    connection->closed_data = data;
}

bool
wire_server_drain(WireServer *server)
{
    GHashTableIter iter;
    gpointer connection = NULL;

    if (!server->is_draining) {
        server->is_draining = true;
        for (guint i = 0; i < server->listeners->len; i++) {
            Listener *listener = server->listeners->pdata[i];

            g_clear_pointer(&listener->watch, wire_watch_free);
        }
    }
    g_hash_table_iter_init(&iter, server->connections);
    while (g_hash_table_iter_next(&iter, &connection, NULL)) {
        const WireCall *call = ((WireConnection *) connection)->call;

        if (call != NULL && !call->is_parked)
            return true;
    }
    return false;
}

guint
wire_server_count_connections(WireServer *server)
{
    return g_hash_table_size(server->connections);
}
