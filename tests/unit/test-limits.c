/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire-fixture.h"

#define BUSY "io.vmctl.Busy"
#define DESCRIBE                                                                         \
    "{'method':'org.varlink.service.GetInterfaceDescription','parameters':"              \
    "{'interface':'io.vmctl'}}"

enum {
    STRANGER = 12345
};

typedef void (*Test)(Fixture *fixture);

static void
run(gconstpointer data)
{
    Fixture fixture;

    fixture_init(&fixture);
    (*(const Test *) data)(&fixture);
    fixture_done(&fixture);
}

static guint
count(Fixture *fixture)
{
    fixture_settle(fixture);
    return wire_server_count_connections(fixture->server);
}

/* Connects n clients, each with a call that stays in work, so that none is idle. */
static void
connect_busy(Fixture *fixture, Peer *peers, guint n)
{
    for (guint i = 0; i < n; i++) {
        peer_init(&peers[i], fixture);
        peer_send(&peers[i], WHO_AM_I);
        peer_assert_silent(&peers[i]);
    }
}

static void
done(Fixture *fixture, Peer *peers, guint n)
{
    while (fixture->calls->len > 0)
        fixture_answer(fixture);
    for (guint i = 0; i < n; i++)
        peer_done(&peers[i]);
}

/* What the server says by itself, and its end. */
static void
assert_sent_away(Peer *peer)
{
    g_autofree char *reply = peer_receive(peer);

    g_assert_true(g_str_has_prefix(reply, "{'error':'" BUSY "'"));
    peer_assert_closed(peer);
}

/* Connections */

static void
test_connections_in_all(Fixture *fixture)
{
    Peer peers[5];

    fixture->server->limits.connections = 5;
    fixture->server->limits.reserved = 2;
    connect_busy(fixture, peers, 3);
    peer_init(&peers[3], fixture);
    assert_sent_away(&peers[3]);
    done(fixture, peers, 4);
}

static void
test_the_last_are_kept_for_the_privileged(Fixture *fixture)
{
    Peer peers[6];

    fixture->server->limits.connections = 5;
    fixture->server->limits.reserved = 2;
    fixture->privileged = true;
    connect_busy(fixture, peers, 5);
    peer_init(&peers[5], fixture);
    assert_sent_away(&peers[5]);
    done(fixture, peers, 6);
}

static void
connect_as_stranger(Fixture *fixture, Peer *peer)
{
    g_assert_cmpint(seteuid(STRANGER), ==, 0);
    peer_init(peer, fixture);
    g_assert_cmpint(seteuid(0), ==, 0);
}

static void
test_connections_of_a_uid(Fixture *fixture)
{
    Peer peers[4];

    if (getuid() != 0) {
        g_test_skip("taking another uid needs root");
        return;
    }
    fixture->server->limits.per_uid = 2;
    for (guint i = 0; i < 2; i++) {
        connect_as_stranger(fixture, &peers[i]);
        peer_assert_usable(&peers[i]);
    }
    connect_as_stranger(fixture, &peers[2]);
    assert_sent_away(&peers[2]);
    peer_init(&peers[3], fixture);
    peer_assert_usable(&peers[3]);
    peer_done(&peers[2]);
    peer_close(&peers[0]);
    fixture_settle(fixture);
    connect_as_stranger(fixture, &peers[2]);
    peer_assert_usable(&peers[2]);
    done(fixture, peers, 4);
}

static void
test_who_is_idle_for_longest_makes_room(Fixture *fixture)
{
    Peer peers[7];

    fixture->server->limits.connections = 8;
    fixture->server->limits.reserved = 0;
    connect_busy(fixture, peers, 1);
    for (guint i = 1; i < 6; i++) {
        peer_init(&peers[i], fixture);
        peer_assert_usable(&peers[i]);
        fixture_advance(fixture, 1000);
    }
    peer_assert_usable(&peers[1]);
    peer_init(&peers[6], fixture);
    peer_assert_usable(&peers[6]);
    peer_assert_closed(&peers[2]);
    g_assert_cmpuint(count(fixture), ==, 6);
    peer_assert_silent(&peers[0]);
    peer_assert_usable(&peers[1]);
    peer_assert_usable(&peers[3]);
    done(fixture, peers, 7);
}

static void
test_nobody_makes_room_before_it_is_needed(Fixture *fixture)
{
    Peer peers[6];

    fixture->server->limits.connections = 8;
    fixture->server->limits.reserved = 0;
    for (guint i = 0; i < 6; i++)
        peer_init(&peers[i], fixture);
    g_assert_cmpuint(count(fixture), ==, 6);
    for (guint i = 0; i < 6; i++)
        peer_assert_usable(&peers[i]);
    done(fixture, peers, 6);
}

static void
test_calls_of_a_uid(Fixture *fixture)
{
    Peer peers[3];

    fixture->server->limits.calls_per_uid = 2;
    connect_busy(fixture, peers, 2);
    peer_init(&peers[2], fixture);
    peer_assert_fails(&peers[2], PING, BUSY);
    fixture_answer(fixture);
    peer_assert_usable(&peers[2]);
    peer_assert_receives(&peers[0], I_AM);
    done(fixture, peers, 3);
}

/* Time */

static void
test_a_message_has_to_end_in_time(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    for (gint64 ms = 0; ms < WIRE_MESSAGE_MS - 1; ms += WIRE_MESSAGE_MS / 4) {
        peer_send_bytes(&peer, "{", 1);
        fixture_settle(fixture);
        fixture_advance(fixture, ms == 0 ? WIRE_MESSAGE_MS / 4 - 1 : WIRE_MESSAGE_MS / 4);
    }
    g_assert_cmpuint(count(fixture), ==, 1);
    fixture_advance(fixture, 1);
    peer_assert_closed(&peer);
    peer_done(&peer);
}

static void
test_an_idle_connection_ends(Fixture *fixture)
{
    Peer peers[2];

    connect_busy(fixture, peers, 1);
    peer_init(&peers[1], fixture);
    peer_assert_usable(&peers[1]);
    fixture_advance(fixture, WIRE_IDLE_MS - 1);
    g_assert_cmpuint(count(fixture), ==, 2);
    fixture_advance(fixture, 1);
    peer_assert_closed(&peers[1]);
    /* One that waits for its answer is not idle. */
    peer_assert_silent(&peers[0]);
    done(fixture, peers, 2);
}

/* Bytes that wait for the one client there is. */
static gsize
get_backlog(Fixture *fixture)
{
    GHashTableIter iter;
    gpointer connection = NULL;

    fixture_settle(fixture);
    g_hash_table_iter_init(&iter, fixture->server->connections);
    g_assert_true(g_hash_table_iter_next(&iter, &connection, NULL));
    return ((WireConnection *) connection)->out->len -
           ((WireConnection *) connection)->sent;
}

static void
test_a_reader_that_takes_nothing_is_let_go(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    do {
        peer_send(&peer, DESCRIBE);
    } while (get_backlog(fixture) == 0);
    fixture_advance(fixture, WIRE_STALL_MS - 1);
    g_assert_cmpuint(count(fixture), ==, 1);
    fixture_advance(fixture, 1);
    g_assert_cmpuint(count(fixture), ==, 0);
    peer_done(&peer);
}

static void
test_answers_unread_by_a_uid(Fixture *fixture)
{
    Peer peers[2];
    guint n_calls = 0;

    fixture->server->limits.output_per_uid = 1000;
    peer_init(&peers[0], fixture);
    do {
        peer_send(&peers[0], DESCRIBE);
        n_calls++;
    } while (get_backlog(fixture) < 1000);
    peer_init(&peers[1], fixture);
    peer_assert_fails(&peers[1], PING, BUSY);
    /* Who has answers to read is not answered before, not even with a refusal. */
    peer_send(&peers[0], PING);
    for (guint i = 0; i < n_calls; i++)
        g_free(peer_receive(&peers[0]));
    peer_assert_receives(&peers[0], PONG);
    peer_assert_usable(&peers[1]);
    done(fixture, peers, 2);
}

static void
test_output_is_bounded(Fixture *fixture)
{
    static const char call[] = "{\"method\":\"io.vmctl.Ping\"}";
    gsize most = 0;
    Peer peer;

    fixture->server->limits.output_bytes = 1000;
    peer_init(&peer, fixture);
    /* As much as the sockets take: nothing is read on either side in the end. */
    while (send(peer.fd, call, sizeof call, MSG_DONTWAIT) == sizeof call)
        most = MAX(most, get_backlog(fixture));
    g_assert_cmpuint(most, >=, 1000);
    g_assert_cmpuint(most, <, 1000 + 64);
    peer_done(&peer);
}

/* Bytes */

static void
read_much(Fixture *fixture, WireCall *call, const ProtoEventReadCall *in)
{
    g_autofree char *detail = g_strnfill(200, 'x');
    ProtoEvent event = { .seq = 1,
                         .at = detail,
                         .kind = EVENT_KIND_HOST_STATE,
                         .subject = detail,
                         .detail = detail };
    ProtoEventReadReply reply = { &event, 1, 1 };

    wire_call_reply(call, &reply);
}

static void
test_a_reply_has_a_size(Fixture *fixture)
{
    Peer peer;

    fixture->on_read = read_much;
    peer_init(&peer, fixture);
    peer_send(&peer, "{'method':'io.vmctl.Event.Read'}");
    g_autofree char *reply = peer_receive(&peer);

    /* Its NUL byte counts. */
    fixture->server->limits.reply_bytes = strlen(reply) + 1;
    peer_send(&peer, "{'method':'io.vmctl.Event.Read'}");
    peer_assert_receives(&peer, reply);
    fixture->server->limits.reply_bytes = strlen(reply);
    peer_assert_fails(&peer, "{'method':'io.vmctl.Event.Read'}", "io.vmctl.TooLarge");
    peer_assert_usable(&peer);
    peer_done(&peer);
}

static const struct {
    const char *name;
    Test test;
} tests[] = {
    { "connections-in-all", test_connections_in_all },
    { "the-last-are-kept-for-the-privileged", test_the_last_are_kept_for_the_privileged },
    { "connections-of-a-uid", test_connections_of_a_uid },
    { "who-is-idle-for-longest-makes-room", test_who_is_idle_for_longest_makes_room },
    { "nobody-makes-room-before-it-is-needed",
      test_nobody_makes_room_before_it_is_needed },
    { "calls-of-a-uid", test_calls_of_a_uid },
    { "a-message-has-to-end-in-time", test_a_message_has_to_end_in_time },
    { "an-idle-connection-ends", test_an_idle_connection_ends },
    { "a-reader-that-takes-nothing-is-let-go",
      test_a_reader_that_takes_nothing_is_let_go },
    { "answers-unread-by-a-uid", test_answers_unread_by_a_uid },
    { "output-is-bounded", test_output_is_bounded },
    { "a-reply-has-a-size", test_a_reply_has_a_size },
};

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/limits/", tests[i].name, NULL);

        g_test_add_data_func(path, &tests[i].test, run);
    }
    return g_test_run();
}
