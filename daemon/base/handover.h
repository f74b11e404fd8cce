/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

enum {
    HANDOVER_FDS_MAX = 64
};

/**
 * How a worker that the service manager started gets its sockets: vmd connects to the
 * socket that the manager listens on for the worker, and sends them in one message.  The
 * connection then stays open without a word: when either side ends or shuts it, the other
 * one knows: a worker that hangs is not killed by vmd, but by the manager.  Who may
 * connect is said by the socket's owner and mode.
 */

/** Connects to path and sends fds, at most HANDOVER_FDS_MAX.  Returns the connection, or
 * -1. */
int handover_send(const char *path, const int *fds, guint n_fds, GError **error);

/**
 * The sockets of a worker: n_fds from 3 on if vmd started it, and ret_connection is -1;
 * what came with a connection to the manager's socket if the manager did.  Then the
 * worker ends when ret_connection becomes readable.  ret_fds has room for
 * HANDOVER_FDS_MAX.  Waits.
 */
bool handover_take(
    guint n_fds, int *ret_fds, guint *ret_n_fds, int *ret_connection, GError **error);
