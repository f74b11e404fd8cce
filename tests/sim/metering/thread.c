/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/metering/thread.h"

#include "sim/metering/image.h"
#include "sim/world.h"
#include "store/thread.h"

/*
 * store/thread.h without a thread: a batch is performed some time after its first job
 * came, and told of some time after that, unless the process has died in it.
 */

enum {
    WAIT_MS = 20,
    TELL_MS = 5,
    BATCH_JOBS = 64,
};

struct StoreThread {
    StoreThreadWork work;
    GQueue waiting;
    GPtrArray *done;
    guint source;
};

static struct {
    guint64 given;
    guint64 kept;
} jobs;

static gboolean perform(gpointer data);
static gboolean tell(gpointer data);

void
thread_begin(void)
{
    jobs.given = jobs.kept = 0;
}

guint64
thread_count_given(void)
{
    return jobs.given;
}

guint64
thread_count_kept(void)
{
    return jobs.kept;
}

static void
wait_for_more(StoreThread *thread)
{
    if (thread->source == 0 && thread->waiting.length > 0)
        thread->source = g_timeout_add(world_random(WAIT_MS), perform, thread);
}

static gboolean
perform(gpointer data)
{
    StoreThread *thread = data;
    guint count = 1 + world_random(BATCH_JOBS);
    guint64 before = image_count_commits();

    for (guint i = 0; i < count && thread->waiting.length > 0; i++) {
        g_ptr_array_add(thread->done, g_queue_pop_head(&thread->waiting));
    }
    thread->work.perform(thread->done, thread->work.data);
    thread->source = 0;
    /* A batch of nothing but reads commits nothing, and is as good as kept. */
    if (image_count_commits() > before || !image_is_dead())
        jobs.kept += thread->done->len;
    if (!image_is_dead())
        thread->source = g_timeout_add(world_random(TELL_MS), tell, thread);
    return G_SOURCE_REMOVE;
}

static gboolean
tell(gpointer data)
{
    StoreThread *thread = data;
    g_autoptr(GPtrArray) done = g_steal_pointer(&thread->done);

    thread->done = g_ptr_array_new();
    thread->source = 0;
    for (guint i = 0; i < done->len; i++) {
        thread->work.done(done->pdata[i], thread->work.data);
    }
    wait_for_more(thread);
    return G_SOURCE_REMOVE;
}

StoreThread *
store_thread_new(const StoreThreadWork *work)
{
    StoreThread *thread = g_new0(StoreThread, 1);

    thread->work = *work;
    thread->done = g_ptr_array_new();
    g_queue_init(&thread->waiting);
    return thread;
}

/* The process has been killed: what waits is lost. */
void
store_thread_free(StoreThread *thread)
{
    if (thread == NULL)
        return;
    g_clear_handle_id(&thread->source, g_source_remove);
    for (guint i = 0; i < thread->done->len; i++) {
        thread->work.drop(thread->done->pdata[i]);
    }
    g_queue_clear_full(&thread->waiting, thread->work.drop);
    g_ptr_array_unref(thread->done);
    g_free(thread);
    jobs.given = jobs.kept;
}

void
store_thread_push(StoreThread *thread, gpointer job)
{
    jobs.given++;
    g_queue_push_tail(&thread->waiting, job);
    wait_for_more(thread);
}
