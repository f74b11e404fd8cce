/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire-fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PATIENCE_US = 20 * G_USEC_PER_SEC
};

/* The server's clock has no data; a test moves it. */
static gint64 now_ms = 1000000;

static gint64
get_now_ms(void)
{
    return now_ms;
}

static void
ping(WireCall *call, const ProtoVmctlPingCall *in)
{
    ProtoVmctlPingReply reply = { 0 };
    Fixture *fixture = wire_call_get_data(call);

    fixture->n_pings++;
    wire_call_reply(call, &reply);
}

static void
who_am_i(WireCall *call, const ProtoVmctlWhoAmICall *in)
{
    Fixture *fixture = wire_call_get_data(call);

    g_ptr_array_add(fixture->calls, call);
}

static void
get_info(WireCall *call, const ProtoVmctlGetInfoCall *in)
{
    GError *error = NULL;

    proto_error_set_internal(&error, "none", "Not made for this");
    wire_call_fail(call, error);
}

static void
read_events(WireCall *call, const ProtoEventReadCall *in)
{
    Fixture *fixture = wire_call_get_data(call);

    fixture->on_read(fixture, call, in);
}

static const ProtoVmctlHandlers vmctl_handlers = {
    .get_info = get_info,
    .ping = ping,
    .who_am_i = who_am_i,
};
static const ProtoEventHandlers event_handlers = { .read = read_events };
static const ProtoWorkerHandlers worker_handlers = { 0 };

static bool
authorize(WireCall *call, const WireMethod *method, GError **error)
{
    Fixture *fixture = wire_call_get_data(call);

    if (fixture->denies)
        proto_error_set_permission_denied(error, ROLE_ADMIN, "%s is not for you",
                                          method->full_name);
    return !fixture->denies;
}

static bool
is_privileged(const WirePeer *peer, gpointer data)
{
    return ((Fixture *) data)->privileged;
}

void
fixture_init_with(Fixture *fixture, const WireLimits *limits)
{
    *fixture = (Fixture){ .calls = g_ptr_array_new() };
    WireServerOptions options = {
        .vendor = "vmctl",
        .product = "test",
        .version = "1",
        .url = "https://example.org/",
        .limits = *limits,
        .authorize = authorize,
        .is_privileged = is_privileged,
        .data = fixture,
    };
    g_autoptr(GError) error = NULL;

    fixture->folder = g_dir_make_tmp("wire-XXXXXX", NULL);
    g_assert_nonnull(fixture->folder);
    /* Tests connect as other users. */
    g_assert_cmpint(chmod(fixture->folder, 0755), ==, 0);
    fixture->path = g_build_filename(fixture->folder, "socket", NULL);
    fixture->server = wire_server_new(&options);
    fixture->server->now_ms = get_now_ms;
    wire_server_add(fixture->server, &proto_vmctl_interface, &vmctl_handlers);
    wire_server_add(fixture->server, &proto_event_interface, &event_handlers);
    wire_server_add(fixture->server, &proto_worker_interface, &worker_handlers);
    wire_server_listen(fixture->server, fixture->path, 0666, (gid_t) -1, &error);
    g_assert_no_error(error);
}

void
fixture_init(Fixture *fixture)
{
    const WireLimits limits = WIRE_LIMITS_CLIENT;

    fixture_init_with(fixture, &limits);
}

void
fixture_done(Fixture *fixture)
{
    g_clear_pointer(&fixture->server, wire_server_free);
    g_ptr_array_unref(fixture->calls);
    g_unlink(fixture->path);
    g_rmdir(fixture->folder);
    g_free(fixture->path);
    g_free(fixture->folder);
}

void
fixture_settle(Fixture *fixture)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

void
fixture_advance(Fixture *fixture, gint64 ms)
{
    fixture_settle(fixture);
    now_ms += ms;
    wire_server_sweep(fixture->server);
    fixture_settle(fixture);
}

void
fixture_answer(Fixture *fixture)
{
    ProtoVmctlWhoAmIReply reply = { .uid = 7, .tenant = (char[]){ "t" } };

    g_assert_cmpuint(fixture->calls->len, >, 0);
    wire_call_reply(g_ptr_array_steal_index(fixture->calls, 0), &reply);
}

void
peer_init(Peer *peer, Fixture *fixture)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_assert_cmpuint(strlen(fixture->path), <, sizeof address.sun_path);
    memcpy(address.sun_path, fixture->path, strlen(fixture->path) + 1);
    *peer = (Peer){ .fixture = fixture };
    peer->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_assert_cmpint(peer->fd, >=, 0);
    g_assert_cmpint(connect(peer->fd, (const struct sockaddr *) &address, sizeof address),
                    ==, 0);
    frame_reader_init(&peer->in, G_MAXINT32);
    fixture_settle(fixture);
}

void
peer_init_attached(Peer *peer,
                   Fixture *fixture,
                   void (*closed)(gpointer data),
                   gpointer data)
{
    int fds[2];

    g_assert_cmpint(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
    *peer = (Peer){ .fixture = fixture, .fd = fds[0] };
    frame_reader_init(&peer->in, G_MAXINT32);
    wire_server_attach(fixture->server, fds[1], closed, data);
}

void
peer_close(Peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
}

void
peer_done(Peer *peer)
{
    peer_close(peer);
    frame_reader_done(&peer->in);
}

void
peer_send_bytes(Peer *peer, const char *bytes, gsize length)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE_US;

    while (length > 0) {
        ssize_t sent = send(peer->fd, bytes, length, MSG_NOSIGNAL);

        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        if (sent < 0 && errno == EAGAIN) {
            g_main_context_iteration(NULL, FALSE);
            continue;
        }
        /* The server may have closed already: what it said is there to be read. */
        if (sent < 0)
            return;
        bytes += sent;
        length -= (gsize) sent;
    }
}

static char *
exchange_quotes(const char *text, char from, char to)
{
    char *copy = g_strdup(text);

    for (char *at = copy; *at != '\0'; at++) {
        if (*at == from)
            *at = to;
    }
    return copy;
}

void
peer_send(Peer *peer, const char *text)
{
    g_autofree char *json = exchange_quotes(text, '\'', '"');

    peer_send_bytes(peer, json, strlen(json) + 1);
}

/* What has come by now. */
static void
read_on(Peer *peer)
{
    char buffer[65536];
    ssize_t length = 0;

    while ((length = recv(peer->fd, buffer, sizeof buffer, 0)) > 0)
        frame_reader_push(&peer->in, buffer, (gsize) length);
    if (length == 0 || errno != EAGAIN)
        peer->is_closed = true;
}

static char *
take_message(Peer *peer)
{
    const char *message = NULL;
    gsize length = 0;

    g_assert_true(frame_reader_next(&peer->in, &message, &length, NULL));
    return message == NULL ? NULL : exchange_quotes(message, '"', '\'');
}

char *
peer_receive(Peer *peer)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE_US;

    while (true) {
        char *message = take_message(peer);

        if (message != NULL || peer->is_closed)
            return message;
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_main_context_iteration(NULL, FALSE);
        read_on(peer);
    }
}

void
peer_assert_silent(Peer *peer)
{
    fixture_settle(peer->fixture);
    read_on(peer);
    g_autofree char *message = take_message(peer);

    g_assert_cmpstr(message, ==, NULL);
    g_assert_false(peer->is_closed);
}

void
peer_assert_receives(Peer *peer, const char *text)
{
    g_autofree char *message = peer_receive(peer);

    g_assert_cmpstr(message, ==, text);
}

void
peer_assert_closed(Peer *peer)
{
    g_autofree char *message = peer_receive(peer);

    g_assert_cmpstr(message, ==, NULL);
    g_assert_true(peer->is_closed);
}

void
peer_assert_usable(Peer *peer)
{
    peer_send(peer, PING);
    peer_assert_receives(peer, PONG);
}

void
peer_assert_fails(Peer *peer, const char *text, const char *name)
{
    g_autofree char *start = g_strconcat("{'error':'", name, "',", NULL);

    peer_send(peer, text);
    g_autofree char *message = peer_receive(peer);

    g_assert_nonnull(message);
    message[MIN(strlen(message), strlen(start))] = '\0';
    g_assert_cmpstr(message, ==, start);
}
