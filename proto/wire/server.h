/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "limits.h"
#include "schema.h"

/**
 * A varlink service on Unix sockets.  It owns the connections and holds every limit of
 * limits.h towards them. Runs on the main loop of the default context, all calls from
 * that thread; one epoll descriptor whatever the number of connections.  One call of a
 * connection is in work at a time, the rest waits in its buffer.
 */
typedef struct WireServer WireServer;

/** Who is at the other end, taken once when the connection was accepted. */
typedef struct {
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    gsize n_groups;
    /** A socket that the service was handed and not one it accepted: vmd and its worker.
     */
    bool is_worker;
} WirePeer;

typedef struct {
    const char *vendor;
    const char *product;
    const char *version;
    const char *url;
    WireLimits limits;
    /**
     * Says whether the caller may call the method; called before the parameters are
     * parsed.  NULL: everybody may. Fails with PROTO_ERROR_PERMISSION_DENIED.
     */
    bool (*authorize)(WireCall *call, const WireMethod *method, GError **error);
    /** Says whether peer may use the connections kept in reserve.  NULL: only uid 0. */
    bool (*is_privileged)(const WirePeer *peer, gpointer data);
    gpointer data;
} WireServerOptions;

WireServer *wire_server_new(const WireServerOptions *options);

/** Closes everything.  Calls in work are dropped as if their clients had gone. */
void wire_server_free(WireServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WireServer, wire_server_free)

/** Serves an interface with handlers, its generated struct, which must outlive the
 * server. */
void
wire_server_add(WireServer *server, const WireInterface *interface, const void *handlers);

/**
 * Listens at path.  A socket that nobody answers on is replaced; one that is answered is
 * an error. The mode is set before anybody can connect.
 */
bool wire_server_listen(
    WireServer *server, const char *path, mode_t mode, gid_t group, GError **error);

/** Listens on a socket that the service manager opened.  Takes fd. */
void wire_server_listen_fd(WireServer *server, int fd);

/** Serves one connected socket with the limits of a peer, without deadlines.  Takes fd.
 */
void wire_server_attach(WireServer *server,
                        int fd,
                        void (*closed)(gpointer data),
                        gpointer data);

/** Takes no new connection and reads no new call; returns whether calls are still in
 * work. */
bool wire_server_drain(WireServer *server);

guint wire_server_count_connections(WireServer *server);

/* A call: from the handler's start to its final reply.  The parameters that the handler
 * got live as long. */

gpointer wire_call_get_data(WireCall *call);
const WirePeer *wire_call_get_peer(WireCall *call);
const WireMethod *wire_call_get_method(WireCall *call);

/** What the handler got: the method's call struct. */
const void *wire_call_get_parameters(WireCall *call);

/**
 * What the owner of the server keeps with the connection: the calls from now on have it.
 * text is copied; NULL is none.
 */
void wire_call_set_session(WireCall *call, const char *text);
const char *wire_call_get_session(WireCall *call);

/** The client asked for more than one reply. */
bool wire_call_wants_more(WireCall *call);

/** The final reply.  out is the method's reply struct, printed at once and not kept. Ends
 * call. */
void wire_call_reply(WireCall *call, const void *out);

/**
 * One reply of several; only when the client asked for more.  A client that does not keep
 * up is let go here: a parked call's gone runs before this returns.
 */
void wire_call_continue(WireCall *call, const void *out);

/** Bytes that the client has not yet taken: a stream waits while it is large. */
gsize wire_call_get_backlog(WireCall *call);

/** Is told once when the backlog is empty again, or not at all when the client has gone.
 */
void wire_call_on_drained(WireCall *call,
                          void (*drained)(WireCall *call, gpointer data),
                          gpointer data);

/** Fails the call.  Takes error.  Ends call. */
void wire_call_fail(WireCall *call, GError *error);

/**
 * Parks the call: it no longer counts as in work, and gone is called, from the main loop,
 * if the client goes before the reply or has gone already.  After gone the call must not
 * be used.
 */
void wire_call_park(WireCall *call,
                    void (*gone)(WireCall *call, gpointer data),
                    gpointer data);
