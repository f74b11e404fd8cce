/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "proto.h"
#include "wire/frame.h"
#include "wire/server-private.h"

/**
 * A server in this process, clients as plain sockets, and handlers that do what a test
 * says. Nothing sleeps: what a test waits for it pumps the main loop for, with a
 * deadline.
 *
 *     Ping      answers at once
 *     WhoAmI    is kept in calls, unanswered
 *     Read      calls on_read
 */
typedef struct Fixture Fixture;

struct Fixture {
    char *folder;
    char *path;
    WireServer *server;
    GPtrArray *calls;
    guint n_pings;
    guint n_gone;
    bool must_end;
    void (*on_read)(Fixture *fixture, WireCall *call, const ProtoEventReadCall *in);
    /** Given to the server: refuses calls, says who is privileged. */
    bool denies;
    bool privileged;
};

/** A client. */
typedef struct {
    Fixture *fixture;
    int fd;
    FrameReader in;
    bool is_closed;
} Peer;

/** The server's limits are as they are by default, its clock is the fixture's. */
void fixture_init(Fixture *fixture);

/** With smaller messages. */
void fixture_init_with(Fixture *fixture, const WireLimits *limits);
void fixture_done(Fixture *fixture);

/** Moves the clock and closes what is past a deadline. */
void fixture_advance(Fixture *fixture, gint64 ms);

/** Runs the main loop until it has nothing to do. */
void fixture_settle(Fixture *fixture);

void peer_init(Peer *peer, Fixture *fixture);

/** A connected pair of which the server has the other end. */
void peer_init_attached(Peer *peer,
                        Fixture *fixture,
                        void (*closed)(gpointer data),
                        gpointer data);
void peer_done(Peer *peer);

/** Closes, as a client that vanishes does. */
void peer_close(Peer *peer);

/** Sends text and its NUL byte, with ' for ". */
void peer_send(Peer *peer, const char *text);
void peer_send_bytes(Peer *peer, const char *bytes, gsize length);

/** The next message, with ' for "; NULL once the server has closed. */
char *peer_receive(Peer *peer);

/** No message has come, and the connection is open. */
void peer_assert_silent(Peer *peer);

/** Fails unless the next message is text. */
void peer_assert_receives(Peer *peer, const char *text);

/** Fails unless the server has closed, without another message. */
void peer_assert_closed(Peer *peer);

/** Calls Ping and gets its answer: the connection is usable. */
void peer_assert_usable(Peer *peer);

/** Sends text, and gets an error of this name. */
void peer_assert_fails(Peer *peer, const char *text, const char *name);

#define PING "{'method':'io.vmctl.Ping'}"
#define PONG "{'parameters':{}}"
#define WHO_AM_I "{'method':'io.vmctl.WhoAmI'}"
#define I_AM "{'parameters':{'uid':7,'tenant':'t','role':'viewer','rights':[]}}"
#define READ_MORE "{'method':'io.vmctl.Event.Read','more':true}"

/** Answers the first call that is kept. */
void fixture_answer(Fixture *fixture);
