/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * A child process that is kept running: started again with a growing wait whenever it
 * ends.  It ends with us.
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
 * Describes a child: argv is copied.  It gets n_fds connected sockets as its file
 * descriptors from 3 on. Nothing runs before worker_start().
 */
Worker *worker_new(const char *const *argv, guint n_fds, const WorkerEvents *events);

/** Kills the child and forgets it; tells nobody. */
void worker_free(Worker *worker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Worker, worker_free)

void worker_start(Worker *worker);

/** Kills the child; it is started again later, as always. */
void worker_kill(Worker *worker);

/** The child does its work: the next wait is short again. */
void worker_settle(Worker *worker);
