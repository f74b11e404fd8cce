/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/thread.h"

#include "sim/disk.h"
#include "sim/world.h"

/*
 * The store's thread without a thread: what it does comes from the main loop, when the
 * seed says so.  A batch is performed some time after its first job came, and told of
 * some time after that; a crash can come before, between and after.
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

static gboolean perform(gpointer data);
static gboolean tell(gpointer data);

static void
wait_for_more(StoreThread *thread)
{
    if (thread->source == 0 && thread->waiting.length > 0)
        thread->source = g_timeout_add(world_random(WAIT_MS), perform, thread);
}

static void
perform_batch(StoreThread *thread)
{
    guint count = 1 + world_random(BATCH_JOBS);

    for (guint i = 0; i < count && thread->waiting.length > 0; i++) {
        g_ptr_array_add(thread->done, g_queue_pop_head(&thread->waiting));
    }
    thread->work.perform(thread->done, thread->work.data);
}

static gboolean
perform(gpointer data)
{
    StoreThread *thread = data;

    perform_batch(thread);
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

/* The process has been killed: what waits is lost, or was just being committed. */
void
store_thread_free(StoreThread *thread)
{
    if (thread == NULL)
        return;
    g_clear_handle_id(&thread->source, g_source_remove);
    disk_mark();
    if (thread->done->len == 0 && thread->waiting.length > 0 && world_chance(500))
        perform_batch(thread);
    disk_keep();
    for (guint i = 0; i < thread->done->len; i++) {
        thread->work.drop(thread->done->pdata[i]);
    }
    g_queue_clear_full(&thread->waiting, thread->work.drop);
    g_ptr_array_unref(thread->done);
    g_free(thread);
}

void
store_thread_push(StoreThread *thread, gpointer job)
{
    g_queue_push_tail(&thread->waiting, job);
    wait_for_more(thread);
}
