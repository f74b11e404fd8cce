/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * A process that is kept running: started again with a growing wait whenever it ends.  It
 * ends with us.  It is a child of ours, or one that the service manager starts when we
 * connect to its socket (base/handover.h).
 */
typedef struct Worker Worker;

typedef struct {
    /** Is told when it was started, with our ends of its sockets, which it takes.  NULL
     * if it has none. */
    void (*started)(const int *fds, guint n_fds, gpointer data);
    /** Is told when it has ended; NULL if nobody cares. */
    void (*ended)(gpointer data);
    gpointer data;
} WorkerEvents;

/**
 * Describes it: argv is copied.  A child gets n_fds connected sockets as its file
 * descriptors from 3 on; if argv[0] is "unix:PATH" they are handed over there, and the
 * rest of argv is not used.  Nothing runs before worker_start().
 */
Worker *worker_new(const char *const *argv, guint n_fds, const WorkerEvents *events);

/** Ends it and forgets it; tells nobody. */
void worker_free(Worker *worker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Worker, worker_free)

void worker_start(Worker *worker);

/** Kills a child; has another one end.  It is started again later, as always. */
void worker_kill(Worker *worker);

/** It does its work: the next wait is short again. */
void worker_settle(Worker *worker);
