/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * One page over HTTP/1.1, made while it is sent.  Runs on the main loop of the default
 * context: no thread.
 *
 * Whoever may open the socket may ask, and is trusted with nothing else: only GET and
 * HEAD of the one page are answered; a request has 16 KiB for its line and headers; a
 * connection has one request, which is over after HTTP_DEADLINE_MS, taken or not; there
 * are HTTP_CONNECTIONS_MAX of them at most.  A page holds one part of itself at a time,
 * however long it is.
 */
typedef struct HttpServer HttpServer;

#define HTTP_CONNECTIONS_MAX 32
/** From the connection's begin to its end. */
#define HTTP_DEADLINE_MS 30000
/** Time without a byte in either direction. */
#define HTTP_IDLE_SECONDS 5

/** A page on its way to one client. */
typedef struct {
    /** A literal. */
    const char *content_type;
    gpointer stream;

    /**
     * Works on for a moment, and appends what is ready to part: perhaps nothing.
     * ret_done: that was all.  Failing cuts the connection, so that nobody takes what was
     * sent for the whole.
     */
    bool (*next)(gpointer stream, GString *part, bool *ret_done, GError **error);
    void (*free)(gpointer stream);
} HttpDocument;

/** What is served. */
typedef struct {
    /** A literal: "/metrics". */
    const char *path;

    /**
     * Begins the page for a client that said that it accepts accept, or nothing (NULL).
     * Failing is answered with 503 and the error's message.
     */
    bool (*open)(gpointer data,
                 const char *accept,
                 HttpDocument *ret_document,
                 GError **error);
    gpointer data;
} HttpPage;

/**
 * Serves page, which is copied, on a socket that listens; takes fd.  A socket of TCP is
 * meant for this machine: a request whose Host is another one is refused, so that no page
 * in a browser gets at it under a name of its own.
 */
HttpServer *http_server_new(int fd, const HttpPage *page, GError **error);

/** Closes everything; NULL is nothing. */
void http_server_free(HttpServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpServer, http_server_free)

/** A socket that listens at a port of the loopback, 127.0.0.1; -1 if it cannot be had. */
int http_listen_loopback(guint16 port, GError **error);
