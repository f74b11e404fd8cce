/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "arguments.h"
#include "exits.h"
#include "render/render.h"
#include "wire/client.h"

/**
 * One run of vmctl: its connections, how it prints, and how it will end.
 */
struct Session {
    char *sockets[SERVICE_N];
    WireClient *clients[SERVICE_N];
    /** Services that have answered: their loss is waited out. */
    bool was_connected[SERVICE_N];
    /** SIGINT and SIGTERM, once somebody waits; -1 before. */
    int signal_fd;
    bool is_interrupted;
    Format format;
    /** What stdout and stderr are. */
    bool is_out_terminal;
    bool is_err_terminal;
    /** For the head of error messages. */
    const Command *command;
    /** What goes on when the waiting is interrupted, and how to look at it; or NULL. */
    char *note;
    ExitCode exit;
};

/** Paths, format and terminals from the arguments and the environment. */
void session_init(Session *session, const Arguments *arguments);
void session_done(Session *session);

/** The socket of the service if nothing else is said: PATH or $VMCTL_SOCKET, else the
 * system's, else the user's own. Meter's lies beside vmd's. */
char *session_find_socket(const char *path, Service service);

/**
 * Calls method with in, a struct of its call, and waits for the reply.  A connection that
 * is lost on the way is made again, and the call repeated, within 30 s: a change has a
 * request id and happens once.  Ends with is_interrupted and PROTO_ERROR_CANCELLED when
 * session_catch_signals() was called and a signal came.
 */
bool session_call(Session *session,
                  Service service,
                  const WireMethod *method,
                  const void *in,
                  gint64 timeout_ms,
                  WireReply *ret_reply,
                  GError **error);

/** Sends a call, each of whose replies is then read by session_receive(). */
bool session_send(Session *session,
                  Service service,
                  const WireMethod *method,
                  const void *in,
                  WireClientFlags flags,
                  GError **error);
bool session_receive(Session *session,
                     Service service,
                     gint64 timeout_ms,
                     WireReply *ret_reply,
                     GError **error);

/** Waits until fd (or none, -1) can be read or a signal has come, up to a deadline in
 * monotonic microseconds (-1: for ever); false past it. */
bool session_wait_for_input(Session *session, int fd, gint64 deadline);

/** Lets the connection go; the next call makes another. */
void session_drop(Session *session, Service service);

/** From here on a signal ends waiting, not the program. */
void session_catch_signals(Session *session);

/** Sleeps, or less if a signal comes. */
void session_pause(Session *session, gint64 ms);

/** Whether the error tells of a connection, not of what a service answered. */
bool session_is_lost(const GError *error);

/** Whether a progress line may be drawn. */
bool session_shows_progress(const Session *session);

/** Says on stderr what cannot be said by an error. */
void session_warn(const Session *session, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** Prints an error with its hint; what names the thing that failed, or is NULL.  Keeps
 * the exit code for the end: one code if all agree, else EXIT_FAILED. */
void session_fail(Session *session, const char *what, const GError *error);
void session_fail_with(Session *session, ExitCode code);

/** Prints by the command's view and the session's format. */
void session_print(const Session *session, const View *view, JsonNode *reply);

/** Writes to stdout; a reader that has gone is not an error. */
void session_write(const char *data, gsize length);
