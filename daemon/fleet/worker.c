/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/worker.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/handover.h"

enum {
    WAIT_FIRST_MS = 200,
    WAIT_LAST_MS = 10000,
    FIRST_FD = 3,
};

static const char socket_prefix[] = "unix:";

struct Worker {
    char **argv;
    guint n_fds;
    WorkerEvents events;
    /** One that we started. */
    GPid pid;
    /** To one that the service manager starts, or -1. */
    int connection;
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
has_ended(Worker *worker)
{
    worker->watch = 0;
    start_later(worker);
    if (worker->events.ended != NULL)
        worker->events.ended(worker->events.data);
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
    has_ended(worker);
}

static gboolean
on_connection_lost(int fd, GIOCondition condition, gpointer data)
{
    Worker *worker = data;

    close(worker->connection);
    worker->connection = -1;
    has_ended(worker);
    return G_SOURCE_REMOVE;
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
    memset(ours, -1, sizeof *ours * HANDOVER_FDS_MAX);
    memset(theirs, -1, sizeof *theirs * HANDOVER_FDS_MAX);
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
    /* The service manager hears us alone. */
    g_auto(GStrv) environment = g_environ_unsetenv(g_get_environ(), "NOTIFY_SOCKET");
    int targets[HANDOVER_FDS_MAX];

    for (int i = 0; i < HANDOVER_FDS_MAX; i++) {
        targets[i] = FIRST_FD + i;
    }
    if (!g_spawn_async_with_pipes_and_fds(
            NULL, (const char *const *) worker->argv, (const char *const *) environment,
            G_SPAWN_DO_NOT_REAP_CHILD, die_with_parent, NULL, -1, -1, -1, theirs, targets,
            worker->n_fds, &worker->pid, NULL, NULL, NULL, &error)) {
        g_warning("Starting %s: %s", worker->argv[0], error->message);
        return false;
    }
    worker->watch = g_child_watch_add(worker->pid, on_child_exit, worker);
    return true;
}

static bool
hand_over(Worker *worker, const int *theirs)
{
    g_autoptr(GError) error = NULL;

    worker->connection = handover_send(worker->argv[0] + strlen(socket_prefix), theirs,
                                       worker->n_fds, &error);
    if (worker->connection < 0) {
        g_warning("%s", error->message);
        return false;
    }
    worker->watch =
        g_unix_fd_add(worker->connection, G_IO_IN | G_IO_HUP, on_connection_lost, worker);
    return true;
}

Worker *
worker_new(const char *const *argv, guint n_fds, const WorkerEvents *events)
{
    Worker *worker = g_new0(Worker, 1);

    g_assert(n_fds <= HANDOVER_FDS_MAX);
    worker->argv = g_strdupv((char **) (gsize) argv);
    worker->n_fds = n_fds;
    worker->connection = -1;
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
    if (worker->connection >= 0)
        close(worker->connection);
    g_strfreev(worker->argv);
    g_free(worker);
}

void
worker_start(Worker *worker)
{
    int ours[HANDOVER_FDS_MAX];
    int theirs[HANDOVER_FDS_MAX];
    bool started = false;

    g_assert(worker->pid == 0 && worker->connection < 0);
    started = make_sockets(worker->n_fds, ours, theirs) &&
              (g_str_has_prefix(worker->argv[0], socket_prefix) ? hand_over
                                                                : spawn)(worker, theirs);
    close_all(theirs, worker->n_fds);
    if (!started) {
        close_all(ours, worker->n_fds);
        start_later(worker);
        return;
    }
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
    if (worker->connection >= 0)
        shutdown(worker->connection, SHUT_RDWR);
}

void
worker_settle(Worker *worker)
{
    worker->wait_ms = WAIT_FIRST_MS;
}
