/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/socket.h>
#include <unistd.h>

#include "fleet/worker.h"
#include "fuzz/inside.h"
#include "store/thread.h"

/*
 * Stand-ins for the parts of vmd that wait for somebody else: its store's thread works on
 * the main loop, its worker is the target's, and its disk is memory.  What an executable
 * defines is not taken from a library.
 */

enum {
    RESTART_MS = 200,
    FDS_MAX = 64
};

int
fsync(int fd)
{
    return 0;
}

int
fdatasync(int fd)
{
    return 0;
}

/* The thread */

struct StoreThread {
    StoreThreadWork work;
    GQueue waiting;
    guint source;
};

static void
perform(StoreThread *thread, bool tells)
{
    g_autoptr(GPtrArray) jobs = g_ptr_array_new();

    while (thread->waiting.length > 0)
        g_ptr_array_add(jobs, g_queue_pop_head(&thread->waiting));
    thread->work.perform(jobs, thread->work.data);
    for (guint i = 0; i < jobs->len; i++) {
        if (tells) {
            thread->work.done(jobs->pdata[i], thread->work.data);
        } else {
            thread->work.drop(jobs->pdata[i]);
        }
    }
}

static gboolean
on_idle(gpointer data)
{
    StoreThread *thread = data;

    thread->source = 0;
    perform(thread, true);
    return G_SOURCE_REMOVE;
}

StoreThread *
store_thread_new(const StoreThreadWork *work)
{
    StoreThread *thread = g_new0(StoreThread, 1);

    thread->work = *work;
    g_queue_init(&thread->waiting);
    return thread;
}

void
store_thread_free(StoreThread *thread)
{
    if (thread == NULL)
        return;
    g_clear_handle_id(&thread->source, g_source_remove);
    if (inside_is_thrown_away()) {
        g_queue_clear_full(&thread->waiting, thread->work.drop);
    } else if (thread->waiting.length > 0) {
        perform(thread, false);
    }
    g_free(thread);
}

void
store_thread_push(StoreThread *thread, gpointer job)
{
    g_queue_push_tail(&thread->waiting, job);
    if (thread->source == 0)
        thread->source = g_idle_add_full(G_PRIORITY_DEFAULT, on_idle, thread, NULL);
}

/* The worker */

struct Worker {
    guint n_fds;
    WorkerEvents events;
    bool is_running;
    guint source;
};

static gboolean
start(gpointer data)
{
    Worker *worker = data;

    worker->source = 0;
    worker_start(worker);
    return G_SOURCE_REMOVE;
}

static gboolean
die(gpointer data)
{
    Worker *worker = data;
    const InsideWorker *player = inside_get_worker();

    worker->is_running = false;
    player->killed(player->data);
    worker->source = g_timeout_add(RESTART_MS, start, worker);
    worker->events.ended(worker->events.data);
    return G_SOURCE_REMOVE;
}

Worker *
worker_new(const char *const *argv, guint n_fds, const WorkerEvents *events)
{
    Worker *worker = g_new0(Worker, 1);

    g_assert(n_fds <= FDS_MAX);
    worker->n_fds = n_fds;
    worker->events = *events;
    return worker;
}

void
worker_free(Worker *worker)
{
    const InsideWorker *player = inside_get_worker();

    if (worker == NULL)
        return;
    g_clear_handle_id(&worker->source, g_source_remove);
    if (worker->is_running)
        player->killed(player->data);
    g_free(worker);
}

void
worker_start(Worker *worker)
{
    const InsideWorker *player = inside_get_worker();
    int ours[FDS_MAX];
    int theirs[FDS_MAX];

    for (guint i = 0; i < worker->n_fds; i++) {
        int pair[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
        ours[i] = pair[0];
        theirs[i] = pair[1];
    }
    worker->is_running = true;
    player->started(theirs, worker->n_fds, player->data);
    worker->events.started(ours, worker->n_fds, worker->events.data);
}

void
worker_kill(Worker *worker)
{
    if (worker->is_running && worker->source == 0)
        worker->source = g_idle_add(die, worker);
}

void
worker_settle(Worker *worker)
{
}
