/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WAIT_FIRST_MS = 200,
    WAIT_LAST_MS = 10000,
    FIRST_FD = 3,
    FDS_MAX = 64
};

struct Worker {
    char **argv;
    guint n_fds;
    WorkerEvents events;
    GPid pid;
    guint watch;
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
start_later(Worker *worker)
{
    worker->restart = g_timeout_add(worker->wait_ms, start_again, worker);
    worker->wait_ms = MIN(worker->wait_ms * 2, WAIT_LAST_MS);
}

static void
on_child_exit(GPid pid, gint status, gpointer data)
{
    Worker *worker = data;
    g_autoptr(GError) error = NULL;

    if (!g_spawn_check_wait_status(status, &error))
        g_warning("%s: %s", worker->argv[0], error->message);
    g_spawn_close_pid(pid);
    worker->pid = 0;
    worker->watch = 0;
    start_later(worker);
    if (worker->events.ended != NULL)
        worker->events.ended(worker->events.data);
}

/* Runs in the child, between fork and exec. */
static void
die_with_parent(gpointer data)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static void
close_all(int *fds, guint n_fds)
{
    for (guint i = 0; i < n_fds; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

static bool
make_sockets(guint n_fds, int *ours, int *theirs)
{
    memset(ours, -1, sizeof *ours * FDS_MAX);
    memset(theirs, -1, sizeof *theirs * FDS_MAX);
    for (guint i = 0; i < n_fds; i++) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
            g_warning("Making a socket for a worker: %s", g_strerror(errno));
            return false;
        }
        ours[i] = pair[0];
        theirs[i] = pair[1];
    }
    return true;
}

static bool
spawn(Worker *worker, const int *theirs)
{
    g_autoptr(GError) error = NULL;
    int targets[FDS_MAX];

    for (int i = 0; i < FDS_MAX; i++) {
        targets[i] = FIRST_FD + i;
    }
    if (!g_spawn_async_with_pipes_and_fds(
            NULL, (const char *const *) worker->argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
            die_with_parent, NULL, -1, -1, -1, theirs, targets, worker->n_fds,
            &worker->pid, NULL, NULL, NULL, &error)) {
        g_warning("Starting %s: %s", worker->argv[0], error->message);
        return false;
    }
    return true;
}

Worker *
worker_new(const char *const *argv, guint n_fds, const WorkerEvents *events)
{
    Worker *worker = g_new0(Worker, 1);

    g_assert(n_fds <= FDS_MAX);
    worker->argv = g_strdupv((char **) (gsize) argv);
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
    g_clear_handle_id(&worker->watch, g_source_remove);
    if (worker->pid != 0) {
        kill(worker->pid, SIGTERM);
        g_spawn_close_pid(worker->pid);
    }
    g_strfreev(worker->argv);
    g_free(worker);
}

void
worker_start(Worker *worker)
{
    int ours[FDS_MAX];
    int theirs[FDS_MAX];
    bool started = false;

    g_assert(worker->pid == 0);
    started = make_sockets(worker->n_fds, ours, theirs) && spawn(worker, theirs);
    close_all(theirs, worker->n_fds);
    if (!started) {
        close_all(ours, worker->n_fds);
        start_later(worker);
        return;
    }
    worker->watch = g_child_watch_add(worker->pid, on_child_exit, worker);
    if (worker->events.started != NULL) {
        worker->events.started(ours, worker->n_fds, worker->events.data);
    } else {
        close_all(ours, worker->n_fds);
    }
}

void
worker_kill(Worker *worker)
{
    if (worker->pid != 0)
        kill(worker->pid, SIGKILL);
}

void
worker_settle(Worker *worker)
{
    worker->wait_ms = WAIT_FIRST_MS;
}
