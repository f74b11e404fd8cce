/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/thread.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The two queues are all that both sides touch. */

enum {
    BATCH_JOBS = 1024
};

struct StoreThread {
    StoreThreadWork work;
    GThread *thread;
    GAsyncQueue *waiting;
    GAsyncQueue *done;
    int wake;
    guint wake_source;
    /** Pushed behind the last job. */
    char end;
};

static gpointer
run(gpointer data)
{
    StoreThread *thread = data;
    bool stop = false;

    while (!stop) {
        g_autoptr(GPtrArray) jobs = g_ptr_array_new();
        uint64_t one = 1;

        for (gpointer job = g_async_queue_pop(thread->waiting); job != NULL;
             job = !stop && jobs->len < BATCH_JOBS
                       ? g_async_queue_try_pop(thread->waiting)
                       : NULL) {
            stop = job == &thread->end;
            if (!stop)
                g_ptr_array_add(jobs, job);
        }
        thread->work.perform(jobs, thread->work.data);
        for (guint i = 0; i < jobs->len; i++) {
            g_async_queue_push(thread->done, jobs->pdata[i]);
        }
        if (write(thread->wake, &one, sizeof one) < 0)
            g_critical("Waking the main loop: %s", g_strerror(errno));
    }
    return NULL;
}

static gboolean
take_done(int fd, GIOCondition condition, gpointer data)
{
    StoreThread *thread = data;
    uint64_t count = 0;

    if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN)
        g_critical("Hearing from the store: %s", g_strerror(errno));
    for (gpointer job = g_async_queue_try_pop(thread->done); job != NULL;
         job = g_async_queue_try_pop(thread->done)) {
        thread->work.done(job, thread->work.data);
    }
    return G_SOURCE_CONTINUE;
}

StoreThread *
store_thread_new(const StoreThreadWork *work)
{
    StoreThread *thread = g_new0(StoreThread, 1);

    thread->work = *work;
    thread->waiting = g_async_queue_new();
    thread->done = g_async_queue_new_full(work->drop);
    thread->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    thread->wake_source = g_unix_fd_add(thread->wake, G_IO_IN, take_done, thread);
    thread->thread = g_thread_new("store", run, thread);
    return thread;
}

void
store_thread_free(StoreThread *thread)
{
    if (thread == NULL)
        return;
    g_async_queue_push(thread->waiting, &thread->end);
    g_thread_join(thread->thread);
    g_source_remove(thread->wake_source);
    g_async_queue_unref(thread->waiting);
    g_async_queue_unref(thread->done);
    close(thread->wake);
    g_free(thread);
}

void
store_thread_push(StoreThread *thread, gpointer job)
{
    g_async_queue_push(thread->waiting, job);
}
