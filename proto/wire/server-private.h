/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "wire/frame.h"
#include "wire/server.h"
#include "wire/watch.h"

/**
 * What server.c (sockets, limits), connection.c (bytes) and call.c (messages) share, and
 * what tests turn.
 */
typedef struct WireConnection WireConnection;

/** The limits that need many sockets or much time; a test sets smaller ones. */
typedef struct {
    guint connections;
    guint reserved;
    guint per_uid;
    guint calls_per_uid;
    gint64 message_ms;
    gint64 idle_ms;
    gint64 stall_ms;
    gsize output_bytes;
    gsize output_per_uid;
    gsize reply_bytes;
} WireServerLimits;

/** What one uid has open. */
typedef struct {
    guint connections;
    guint calls;
    gsize output;
} WireUse;

struct WireServer {
    WireServerOptions options;
    WireServerLimits limits;
    /** The clock that deadlines are held against, in milliseconds. */
    gint64 (*now_ms)(void);
    guint sweep_source;
    guint again_source;
    int spare;
    GPtrArray *listeners;
    GHashTable *connections;
    /** Connections that have whole messages left to look at. */
    GQueue again;
    GHashTable *uses;
    /** Parked calls whose client had gone before, to be told so. */
    GPtrArray *orphans;
    GPtrArray *interfaces;
    bool is_draining;
    /** One for the owner, one for each call: a call may be answered after the end. */
    guint references;
};

struct WireConnection {
    WireServer *server;
    int fd;
    WireWatch *watch;
    WirePeer peer;
    FrameReader in;
    GString *out;
    gsize sent;
    /** What of the backlog is in the uid's use. */
    gsize counted;
    WireCall *call;
    char *session;
    /** Since when a message is incomplete, output stands still, nothing happens; 0 for
     * not at all. */
    gint64 partial_since;
    gint64 stalled_since;
    gint64 idle_since;
    bool is_in_turn;
    bool is_queued;
    bool has_ended;
    bool closes_after_output;
    bool is_closed;
    void (*closed)(gpointer data);
    gpointer closed_data;
};

struct WireCall {
    WireServer *server;
    /** NULL when the client has gone. */
    WireConnection *connection;
    WirePeer peer;
    /** The peer's groups, once the connection no longer owns them. */
    gid_t *groups;
    /** That of the connection when the call came. */
    char *session;
    const WireMethod *method;
    gpointer in;
    bool more;
    bool oneway;
    bool is_parked;
    void (*gone)(WireCall *call, gpointer data);
    gpointer gone_data;
    /** Tells gone of a client that had gone before the call was parked: one of the
     * server's orphans. */
    guint gone_source;
    void (*drained)(WireCall *call, gpointer data);
    gpointer drained_data;
};

typedef struct {
    const WireInterface *interface;
    const void *handlers;
} WireServed;

/** Makes a connection of fd, which it takes. */
WireConnection *wire_connection_new(WireServer *server, int fd, WirePeer *peer);

/** Closes at once; what refers to it is told.  The memory goes when its turn is over. */
void wire_connection_close(WireConnection *connection);

/** Sends what can be sent, and waits for the rest. */
void wire_connection_flush(WireConnection *connection);

/** Looks at what has come, for as many messages as are fair. */
void wire_connection_turn(WireConnection *connection);

/** Its call has ended: what waits in its buffer can be looked at. */
void wire_connection_call_ended(WireConnection *connection);

void wire_server_queue_again(WireServer *server, WireConnection *connection);
void wire_server_unref(WireServer *server);
WireUse *wire_server_get_use(WireServer *server, uid_t uid);

/** Closes what is past a deadline; runs once a second by itself. */
void wire_server_sweep(WireServer *server);

/** Takes one message: starts its call, or answers that it is no good. */
void wire_call_start(WireConnection *connection, const char *message, gsize length);

/** Appends an error reply that belongs to no call. */
void wire_call_refuse(WireConnection *connection, GError *error);

/** The client has gone. */
void wire_call_lose(WireCall *call);

/** The backlog is empty. */
void wire_call_tell_drained(WireCall *call);

extern const WireInterface proto_service_interface;
extern const void *const wire_service_handlers;
