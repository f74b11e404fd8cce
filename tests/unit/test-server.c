/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire-fixture.h"

#define INVALID "io.vmctl.InvalidParameter"
#define NO_INTERFACE "org.varlink.service.InterfaceNotFound"
#define NO_METHOD "org.varlink.service.MethodNotFound"

typedef void (*Test)(Fixture *fixture);

static void
run(gconstpointer data)
{
    Fixture fixture;

    fixture_init(&fixture);
    (*(const Test *) data)(&fixture);
    fixture_done(&fixture);
}

/* Calls */

static void
test_answers(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_assert_usable(&peer);
    peer_assert_usable(&peer);
    peer_done(&peer);
}

typedef struct {
    const char *text;
    const char *name;
    const char *path;
} Refusal;

static const Refusal refusals[] = {
    { "", INVALID, "message" },
    { "{", INVALID, "message" },
    { "[]", INVALID, "message" },
    { "{'method':'io.vmctl.Ping','method':'io.vmctl.Ping'}", INVALID, "message" },
    { "{'method':'io.vmctl.Ping','parameters':{'x':1.5}}", INVALID, "message" },
    { "{}", INVALID, "method" },
    { "{'method':1}", INVALID, "method" },
    { "{'method':null}", INVALID, "method" },
    { "{'method':'io.vmctl.Ping','parameters':[]}", INVALID, "parameters" },
    { "{'method':'io.vmctl.Ping','more':1}", INVALID, "more" },
    { "{'method':'io.vmctl.Ping','oneway':null}", INVALID, "oneway" },
    { "{'method':'io.vmctl.Ping','upgrade':true}", INVALID, "upgrade" },
    { "{'method':'io.vmctl.Ping','parameter':{}}", INVALID, "parameter" },
    { "{'method':'io.vmctl.Ping','wi\\u006egs':1}", INVALID, "wings" },
    { "{'method':'io.vmctl.Ping','parameters':{'x':null}}", INVALID, "parameters.x" },
    { "{'method':'io.vmctl.WhoAmI','parameters':{'uid':-1}}", INVALID, "parameters.uid" },
    { "{'method':''}", NO_INTERFACE, NULL },
    { "{'method':'Ping'}", NO_INTERFACE, NULL },
    { "{'method':'.Ping'}", NO_INTERFACE, NULL },
    { "{'method':'io.vmctl.Flight.Start'}", NO_INTERFACE, NULL },
    { "{'method':'io.vmctl.host.Start'}", NO_INTERFACE, NULL },
    { "{'method':'io.vmctl.'}", NO_METHOD, NULL },
    { "{'method':'io.vmctl.ping'}", NO_METHOD, NULL },
};

static void
test_refuses_and_stays_usable(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(refusals); i++) {
        const Refusal *row = &refusals[i];

        peer_send(&peer, row->text);
        g_autofree char *reply = peer_receive(&peer);
        g_autofree char *start = g_strdup_printf("{'error':'%s',", row->name);
        g_autofree char *path =
            g_strdup_printf("'path':'%s'", row->path == NULL ? "" : row->path);

        g_assert_true(g_str_has_prefix(reply, start));
        g_assert_true(row->path == NULL || strstr(reply, path) != NULL);
        peer_assert_usable(&peer);
    }
    peer_done(&peer);
}

static void
test_absent_parameters_are_empty(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_send(&peer, "{'method':'io.vmctl.Ping','parameters':null}");
    peer_assert_receives(&peer, PONG);
    peer_send(&peer, "{'parameters':{},'oneway':false,'more':false,'upgrade':false,"
                     "'method':'io.vmctl.Ping'}");
    peer_assert_receives(&peer, PONG);
    peer_done(&peer);
}

static void
test_a_message_is_what_it_means_however_it_is_written(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_send(&peer, "{'m\\u0065thod':'io.vmctl.\\u0050ing'}");
    peer_assert_receives(&peer, PONG);
    peer_send(&peer, "\n{ 'parameters' :\t{ \r\n } , 'method' : 'io.vmctl.Ping' } ");
    peer_assert_receives(&peer, PONG);
    peer_send(&peer, "{'method':'io.vmctl.Ping','on\\u0065way':true}");
    peer_assert_silent(&peer);
    peer_done(&peer);
}

static void
test_oneway_has_no_reply(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_send(&peer, "{'method':'io.vmctl.Ping','oneway':true}");
    peer_send(&peer, "{'method':'io.vmctl.Ping','oneway':true,'more':true}");
    peer_assert_silent(&peer);
    g_assert_cmpuint(fixture->n_pings, ==, 2);
    peer_assert_usable(&peer);
    peer_done(&peer);
}

static void
test_oneway_errors_have_no_reply(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_send(&peer, "{'method':'io.vmctl.GetInfo','oneway':true}");
    peer_send(&peer, "{'method':'io.vmctl.Fly','oneway':true}");
    peer_send(&peer, "{'method':'no.such.Fly','oneway':true}");
    peer_send(&peer, "{'method':'io.vmctl.Ping','parameters':{'x':1},'oneway':true}");
    peer_send(&peer, "{'method':'io.vmctl.Ping','wings':1,'oneway':true}");
    peer_assert_silent(&peer);
    peer_assert_usable(&peer);
    peer_done(&peer);
}

static void
test_more_gives_one_reply_where_there_is_one(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_send(&peer, "{'method':'io.vmctl.Ping','more':true}");
    peer_assert_receives(&peer, PONG);
    peer_assert_silent(&peer);
    peer_done(&peer);
}

static void
read_twice(Fixture *fixture, WireCall *call, const ProtoEventReadCall *in)
{
    ProtoEventReadReply reply = { .next = 1 };

    if (wire_call_wants_more(call)) {
        wire_call_continue(call, &reply);
        reply.next = 2;
    }
    wire_call_reply(call, &reply);
}

static void
test_more_gives_several(Fixture *fixture)
{
    Peer peer;

    fixture->on_read = read_twice;
    peer_init(&peer, fixture);
    peer_send(&peer, READ_MORE);
    peer_assert_receives(&peer, "{'parameters':{'events':[],'next':1},'continues':true}");
    peer_assert_receives(&peer, "{'parameters':{'events':[],'next':2}}");
    peer_send(&peer, "{'method':'io.vmctl.Event.Read'}");
    peer_assert_receives(&peer, "{'parameters':{'events':[],'next':1}}");
    peer_assert_usable(&peer);
    peer_done(&peer);
}

static void
test_replies_later_and_in_order(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_send(&peer, WHO_AM_I);
    peer_send(&peer, PING);
    peer_assert_silent(&peer);
    g_assert_cmpuint(fixture->n_pings, ==, 0);
    fixture_answer(fixture);
    peer_assert_receives(&peer, I_AM);
    peer_assert_receives(&peer, PONG);
    peer_done(&peer);
}

static void
test_one_connection_does_not_hold_up_another(Fixture *fixture)
{
    Peer waiting;
    Peer other;

    peer_init(&waiting, fixture);
    peer_init(&other, fixture);
    peer_send(&waiting, WHO_AM_I);
    peer_assert_usable(&other);
    fixture_answer(fixture);
    peer_assert_receives(&waiting, I_AM);
    peer_done(&waiting);
    peer_done(&other);
}

static void
test_denies_before_it_parses(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    fixture->denies = true;
    peer_assert_fails(&peer, "{'method':'io.vmctl.WhoAmI','parameters':{'uid':-1}}",
                      "io.vmctl.PermissionDenied");
    fixture->denies = false;
    peer_assert_usable(&peer);
    peer_done(&peer);
}

/* Introspection */

static void
test_lists_interfaces(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_send(&peer, "{'method':'org.varlink.service.GetInfo'}");
    peer_assert_receives(&peer,
                         "{'parameters':{'vendor':'vmctl','product':'test','version':'1',"
                         "'url':'https://example.org/','interfaces':["
                         "'org.varlink.service','io.vmctl','io.vmctl.Event']}}");
    peer_done(&peer);
}

static void
test_describes_interfaces(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_send(&peer, "{'method':'org.varlink.service.GetInterfaceDescription',"
                     "'parameters':{'interface':'io.vmctl.Event'}}");
    g_autofree char *reply = peer_receive(&peer);

    g_assert_true(g_str_has_prefix(reply, "{'parameters':{'description':'#"));
    g_assert_nonnull(strstr(reply, "interface io.vmctl.Event\\n"));
    peer_assert_fails(&peer,
                      "{'method':'org.varlink.service.GetInterfaceDescription',"
                      "'parameters':{'interface':'no.such'}}",
                      NO_INTERFACE);
    peer_assert_fails(&peer,
                      "{'method':'org.varlink.service.GetInterfaceDescription',"
                      "'parameters':{'interface':'io.vmctl.host'}}",
                      NO_INTERFACE);
    peer_done(&peer);
}

static void
count(gpointer data)
{
    (*(guint *) data)++;
}

static void
test_attached_peer_sees_private_interfaces(Fixture *fixture)
{
    Peer peer;
    guint n_closed = 0;

    peer_init_attached(&peer, fixture, count, &n_closed);
    peer_send(&peer, "{'method':'org.varlink.service.GetInterfaceDescription',"
                     "'parameters':{'interface':'io.vmctl.host'}}");
    g_autofree char *reply = peer_receive(&peer);

    g_assert_true(g_str_has_prefix(reply, "{'parameters':"));
    peer_assert_usable(&peer);
    g_assert_cmpuint(n_closed, ==, 0);
    peer_done(&peer);
    fixture_settle(fixture);
    g_assert_cmpuint(n_closed, ==, 1);
}

/* Clients that go */

static void
test_vanishing_at_any_byte_leaves_nothing(Fixture *fixture)
{
    static const char text[] = "{\"method\":\"io.vmctl.Ping\",\"parameters\":{}}";

    for (gsize cut = 0; cut <= sizeof text; cut++) {
        Peer peer;

        peer_init(&peer, fixture);
        peer_send_bytes(&peer, text, cut);
        peer_done(&peer);
    }
    fixture_settle(fixture);
    g_assert_cmpuint(wire_server_count_connections(fixture->server), ==, 0);
    g_assert_cmpuint(wire_server_get_use(fixture->server, geteuid())->connections, ==, 0);
    g_assert_cmpuint(wire_server_get_use(fixture->server, geteuid())->calls, ==, 0);
}

static void
test_reply_to_one_who_has_gone_is_dropped(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_send(&peer, WHO_AM_I);
    fixture_settle(fixture);
    peer_done(&peer);
    fixture_settle(fixture);
    g_assert_cmpuint(wire_server_count_connections(fixture->server), ==, 0);
    /* Who asked is still known. */
    const WirePeer *who = wire_call_get_peer(fixture->calls->pdata[0]);

    g_assert_cmpuint(who->uid, ==, geteuid());
    for (gsize i = 0; i < who->n_groups; i++)
        g_assert_cmpuint(who->groups[i], !=, (gid_t) -1);
    fixture_answer(fixture);
    g_assert_cmpuint(wire_server_get_use(fixture->server, geteuid())->calls, ==, 0);
}

static void
test_reply_after_the_server_is_dropped(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_send(&peer, WHO_AM_I);
    fixture_settle(fixture);
    g_clear_pointer(&fixture->server, wire_server_free);
    g_assert_true(wire_call_get_data(fixture->calls->pdata[0]) == fixture);
    fixture_answer(fixture);
    peer_assert_closed(&peer);
    peer_done(&peer);
}

static void
on_gone(WireCall *call, gpointer data)
{
    ((Fixture *) data)->n_gone++;
}

static void
read_parked(Fixture *fixture, WireCall *call, const ProtoEventReadCall *in)
{
    g_ptr_array_add(fixture->calls, call);
    wire_call_park(call, on_gone, fixture);
}

static void
test_parked_call_is_told_once(Fixture *fixture)
{
    Peer peer;

    fixture->on_read = read_parked;
    peer_init(&peer, fixture);
    peer_send(&peer, READ_MORE);
    peer_assert_silent(&peer);
    g_assert_cmpuint(fixture->n_gone, ==, 0);
    peer_done(&peer);
    fixture_settle(fixture);
    g_assert_cmpuint(fixture->n_gone, ==, 1);
}

static void
test_parked_call_is_told_of_the_servers_end(Fixture *fixture)
{
    Peer peer;

    fixture->on_read = read_parked;
    peer_init(&peer, fixture);
    peer_send(&peer, READ_MORE);
    fixture_settle(fixture);
    g_clear_pointer(&fixture->server, wire_server_free);
    g_assert_cmpuint(fixture->n_gone, ==, 1);
    peer_done(&peer);
}

static void
read_too_much_then_park(Fixture *fixture, WireCall *call, const ProtoEventReadCall *in)
{
    ProtoEventReadReply reply = { .next = 1 };

    fixture->server->limits.output_bytes = 10;
    wire_call_continue(call, &reply);
    read_parked(fixture, call, in);
}

static void
read_too_much_then_end(Fixture *fixture, WireCall *call, const ProtoEventReadCall *in)
{
    read_too_much_then_park(fixture, call, in);
    fixture->must_end = true;
}

/* The server ends before it has told the owner that the client had gone. */
static void
test_parking_after_the_client_was_let_go_is_told_at_the_end(Fixture *fixture)
{
    Peer peer;

    fixture->on_read = read_too_much_then_end;
    peer_init(&peer, fixture);
    peer_send(&peer, READ_MORE);
    while (!fixture->must_end) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_clear_pointer(&fixture->server, wire_server_free);
    g_assert_cmpuint(fixture->n_gone, ==, 1);
    fixture_settle(fixture);
    g_assert_cmpuint(fixture->n_gone, ==, 1);
    peer_done(&peer);
}

static void
test_parking_after_the_client_was_let_go(Fixture *fixture)
{
    Peer peer;

    fixture->on_read = read_too_much_then_park;
    peer_init(&peer, fixture);
    peer_send(&peer, READ_MORE);
    peer_assert_closed(&peer);
    fixture_settle(fixture);
    g_assert_cmpuint(fixture->n_gone, ==, 1);
    peer_done(&peer);
}

static void
test_parked_call_can_be_answered(Fixture *fixture)
{
    ProtoEventReadReply reply = { .next = 3 };
    Peer peer;

    fixture->on_read = read_parked;
    peer_init(&peer, fixture);
    peer_send(&peer, READ_MORE);
    peer_assert_silent(&peer);
    wire_call_reply(fixture->calls->pdata[0], &reply);
    peer_assert_receives(&peer, "{'parameters':{'events':[],'next':3}}");
    peer_done(&peer);
    fixture_settle(fixture);
    g_assert_cmpuint(fixture->n_gone, ==, 0);
}

/* One that only stops sending gets every answer: what shells do with a pipe. */
static void
test_half_closed_gets_every_reply(Fixture *fixture)
{
    const guint n_calls = 8000;
    Peer peer;

    peer_init(&peer, fixture);
    for (guint i = 0; i < n_calls; i++)
        peer_send(&peer, PING);
    g_assert_cmpint(shutdown(peer.fd, SHUT_WR), ==, 0);
    for (guint i = 0; i < n_calls; i++)
        peer_assert_receives(&peer, PONG);
    peer_assert_closed(&peer);
    peer_done(&peer);
}

static void
test_half_closed_waits_for_its_reply(Fixture *fixture)
{
    Peer peer;

    peer_init(&peer, fixture);
    peer_send(&peer, WHO_AM_I);
    peer_send(&peer, PING);
    g_assert_cmpint(shutdown(peer.fd, SHUT_WR), ==, 0);
    peer_assert_silent(&peer);
    fixture_answer(fixture);
    peer_assert_receives(&peer, I_AM);
    peer_assert_receives(&peer, PONG);
    peer_assert_closed(&peer);
    peer_done(&peer);
}

/* Streams */

static void
on_drained(WireCall *call, gpointer data)
{
    ProtoEventReadReply reply = { .next = 9 };

    wire_call_reply(call, &reply);
}

static void
read_when_drained(Fixture *fixture, WireCall *call, const ProtoEventReadCall *in)
{
    ProtoEventReadReply reply = { .next = 8 };

    if (in->has_limit)
        wire_call_continue(call, &reply);
    wire_call_park(call, on_gone, fixture);
    wire_call_on_drained(call, on_drained, fixture);
}

static void
test_tells_when_drained(Fixture *fixture)
{
    Peer peer;

    fixture->on_read = read_when_drained;
    peer_init(&peer, fixture);
    peer_send(&peer,
              "{'method':'io.vmctl.Event.Read','parameters':{'limit':1},'more':true}");
    peer_assert_receives(&peer, "{'parameters':{'events':[],'next':8},'continues':true}");
    peer_assert_receives(&peer, "{'parameters':{'events':[],'next':9}}");
    peer_assert_usable(&peer);
    peer_done(&peer);
}

static void
test_tells_when_nothing_was_sent(Fixture *fixture)
{
    Peer peer;

    fixture->on_read = read_when_drained;
    peer_init(&peer, fixture);
    peer_send(&peer, READ_MORE);
    peer_assert_receives(&peer, "{'parameters':{'events':[],'next':9}}");
    peer_done(&peer);
}

static void
test_tells_of_an_empty_backlog_from_outside(Fixture *fixture)
{
    Peer peer;

    fixture->on_read = read_parked;
    peer_init(&peer, fixture);
    peer_send(&peer, READ_MORE);
    fixture_settle(fixture);
    wire_call_on_drained(fixture->calls->pdata[0], on_drained, fixture);
    peer_assert_receives(&peer, "{'parameters':{'events':[],'next':9}}");
    peer_done(&peer);
}

/* The end */

static void
test_drain_waits_for_calls_in_work(Fixture *fixture)
{
    Peer peer;
    Peer other;

    peer_init(&peer, fixture);
    peer_init(&other, fixture);
    peer_send(&peer, WHO_AM_I);
    peer_send(&peer, PING);
    fixture_settle(fixture);
    g_assert_true(wire_server_drain(fixture->server));
    peer_send(&other, PING);
    peer_assert_silent(&other);
    fixture_answer(fixture);
    peer_assert_receives(&peer, I_AM);
    g_assert_false(wire_server_drain(fixture->server));
    peer_assert_silent(&peer);
    g_assert_cmpuint(fixture->n_pings, ==, 0);
    peer_done(&peer);
    peer_done(&other);
}

static void
test_drain_does_not_wait_for_parked_calls(Fixture *fixture)
{
    Peer peer;

    fixture->on_read = read_parked;
    peer_init(&peer, fixture);
    peer_send(&peer, READ_MORE);
    fixture_settle(fixture);
    g_assert_false(wire_server_drain(fixture->server));
    peer_done(&peer);
}

/* Listening */

static void
test_mode_is_set(Fixture *fixture)
{
    g_autofree char *path = g_build_filename(fixture->folder, "other", NULL);
    GStatBuf status;

    g_assert_true(wire_server_listen(fixture->server, path, 0620, getegid(), NULL));
    g_assert_cmpint(g_stat(path, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0620);
    g_unlink(path);
}

static void
test_refuses_a_socket_that_is_answered(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    Peer peer;

    g_assert_false(
        wire_server_listen(fixture->server, fixture->path, 0666, (gid_t) -1, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_ALREADY_EXISTS);
    peer_init(&peer, fixture);
    peer_assert_usable(&peer);
    peer_done(&peer);
}

static void
test_replaces_a_socket_that_nobody_answers(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    WireServerOptions options = fixture->server->options;

    wire_server_free(fixture->server);
    g_assert_true(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
    fixture->server = wire_server_new(&options);
    wire_server_listen(fixture->server, fixture->path, 0666, (gid_t) -1, &error);
    g_assert_no_error(error);
}

static void
test_never_removes_a_file(Fixture *fixture)
{
    g_autofree char *path = g_build_filename(fixture->folder, "precious", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(path, "data", -1, NULL));
    g_assert_false(wire_server_listen(fixture->server, path, 0666, (gid_t) -1, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_ALREADY_EXISTS);
    g_assert_true(g_file_test(path, G_FILE_TEST_IS_REGULAR));
    g_unlink(path);
}

static void
test_names_a_path_that_cannot_be(Fixture *fixture)
{
    g_autofree char *name = g_strnfill(108, 'x');
    g_autofree char *missing = g_build_filename(fixture->folder, "no", "socket", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) too_long = NULL;

    g_assert_false(
        wire_server_listen(fixture->server, missing, 0666, (gid_t) -1, &error));
    g_assert_nonnull(strstr(error->message, missing));
    g_assert_false(
        wire_server_listen(fixture->server, name, 0666, (gid_t) -1, &too_long));
    g_assert_error(too_long, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
}

static const struct {
    const char *name;
    Test test;
} tests[] = {
    { "answers", test_answers },
    { "refuses-and-stays-usable", test_refuses_and_stays_usable },
    { "absent-parameters-are-empty", test_absent_parameters_are_empty },
    { "a-message-is-what-it-means-however-it-is-written",
      test_a_message_is_what_it_means_however_it_is_written },
    { "oneway-has-no-reply", test_oneway_has_no_reply },
    { "oneway-errors-have-no-reply", test_oneway_errors_have_no_reply },
    { "more-gives-one-reply-where-there-is-one",
      test_more_gives_one_reply_where_there_is_one },
    { "more-gives-several", test_more_gives_several },
    { "replies-later-and-in-order", test_replies_later_and_in_order },
    { "one-connection-does-not-hold-up-another",
      test_one_connection_does_not_hold_up_another },
    { "denies-before-it-parses", test_denies_before_it_parses },
    { "lists-interfaces", test_lists_interfaces },
    { "describes-interfaces", test_describes_interfaces },
    { "attached-peer-sees-private-interfaces",
      test_attached_peer_sees_private_interfaces },
    { "vanishing-at-any-byte-leaves-nothing", test_vanishing_at_any_byte_leaves_nothing },
    { "reply-to-one-who-has-gone-is-dropped", test_reply_to_one_who_has_gone_is_dropped },
    { "reply-after-the-server-is-dropped", test_reply_after_the_server_is_dropped },
    { "parked-call-is-told-once", test_parked_call_is_told_once },
    { "parked-call-is-told-of-the-servers-end",
      test_parked_call_is_told_of_the_servers_end },
    { "parking-after-the-client-was-let-go", test_parking_after_the_client_was_let_go },
    { "parking-after-the-client-was-let-go-is-told-at-the-end",
      test_parking_after_the_client_was_let_go_is_told_at_the_end },
    { "parked-call-can-be-answered", test_parked_call_can_be_answered },
    { "half-closed-gets-every-reply", test_half_closed_gets_every_reply },
    { "half-closed-waits-for-its-reply", test_half_closed_waits_for_its_reply },
    { "tells-when-drained", test_tells_when_drained },
    { "tells-when-nothing-was-sent", test_tells_when_nothing_was_sent },
    { "tells-of-an-empty-backlog-from-outside",
      test_tells_of_an_empty_backlog_from_outside },
    { "drain-waits-for-calls-in-work", test_drain_waits_for_calls_in_work },
    { "drain-does-not-wait-for-parked-calls", test_drain_does_not_wait_for_parked_calls },
    { "mode-is-set", test_mode_is_set },
    { "refuses-a-socket-that-is-answered", test_refuses_a_socket_that_is_answered },
    { "replaces-a-socket-that-nobody-answers",
      test_replaces_a_socket_that_nobody_answers },
    { "never-removes-a-file", test_never_removes_a_file },
    { "names-a-path-that-cannot-be", test_names_a_path_that_cannot_be },
};

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/server/", tests[i].name, NULL);

        g_test_add_data_func(path, &tests[i].test, run);
    }
    return g_test_run();
}
