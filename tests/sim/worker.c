/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/worker.h"

#include <string.h>
#include <sys/socket.h>

#include "sim/machine.h"
#include "sim/world.h"

/*
 * fleet/worker.h without processes: the worker is a service of the machine on the same
 * main loop, at the other ends of the same sockets.
 */

enum {
    WAIT_FIRST_MS = 200,
    WAIT_LAST_MS = 10000,
    DEATH_MS = 10,
    FDS_MAX = 64
};

struct Worker {
    /** Of the machine that it is for. */
    char *name;
    guint n_fds;
    WorkerEvents events;
    FakeHost *fake;
    guint dying;
    guint restart;
    guint wait_ms;
};

static gboolean
start_again(gpointer data)
{
    Worker *worker = data;

    worker->restart = 0;
    worker_start(worker);
    return G_SOURCE_REMOVE;
}

static void
end(Worker *worker)
{
    g_clear_handle_id(&worker->dying, g_source_remove);
    machine_unserve(g_steal_pointer(&worker->fake));
    worker->restart = g_timeout_add(worker->wait_ms, start_again, worker);
    worker->wait_ms = MIN(worker->wait_ms * 2, WAIT_LAST_MS);
    worker->events.ended(worker->events.data);
}

static void
on_ended(FakeHost *fake, gpointer data)
{
    end(data);
}

static gboolean
die(gpointer data)
{
    Worker *worker = data;

    worker->dying = 0;
    end(worker);
    return G_SOURCE_REMOVE;
}

/* The end of its URI. */
static const char *
find_name(const char *const *argv)
{
    for (guint i = 0; argv[i] != NULL; i++) {
        if (g_str_has_prefix(argv[i], "sim:///"))
            return argv[i] + strlen("sim:///");
    }
    return NULL;
}

Worker *
worker_new(const char *const *argv, guint n_fds, const WorkerEvents *events)
{
    Worker *worker = g_new0(Worker, 1);

    worker->name = g_strdup(find_name(argv));
    worker->n_fds = n_fds;
    worker->events = *events;
    worker->wait_ms = WAIT_FIRST_MS;
    return worker;
}

void
worker_free(Worker *worker)
{
    if (worker == NULL)
        return;
    g_clear_handle_id(&worker->restart, g_source_remove);
    g_clear_handle_id(&worker->dying, g_source_remove);
    machine_unserve(worker->fake);
    g_free(worker->name);
    g_free(worker);
}

void
worker_start(Worker *worker)
{
    int ours[FDS_MAX];
    int theirs[FDS_MAX];

    for (guint i = 0; i < worker->n_fds; i++) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            g_error("Making a socket");
        ours[i] = pair[0];
        theirs[i] = pair[1];
    }
    worker->fake = machine_serve(worker->name, theirs, worker->n_fds, on_ended, worker);
    worker->events.started(ours, worker->n_fds, worker->events.data);
}

void
worker_kill(Worker *worker)
{
    if (worker->fake != NULL && worker->dying == 0)
        worker->dying = g_timeout_add(world_random(DEATH_MS), die, worker);
}

void
worker_settle(Worker *worker)
{
    worker->wait_ms = WAIT_FIRST_MS;
}
