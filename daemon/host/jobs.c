/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/jobs.h"

typedef struct {
    Jobs *jobs;
    JobLane lane;
    char *key;
    JobWork work;
    JobDone done;
    gpointer data;
} Job;

struct Jobs {
    GThreadPool *pools[JOB_LANES];
    /** Key to a GQueue of jobs, the first of which runs. */
    GHashTable *by_key;
};

static const int threads[JOB_LANES] = {
    [JOB_GENERAL] = 8, [JOB_URGENT] = 2, [JOB_QUERY] = 3,
    [JOB_HEALTH] = 4,  [JOB_TALK] = 8,   [JOB_GUEST] = 1,
};

/* Starts the next job of the key, if any. */
static void
leave_key(Jobs *jobs, Job *job)
{
    GQueue *queue = g_hash_table_lookup(jobs->by_key, job->key);
    Job *next = NULL;

    g_queue_pop_head(queue);
    next = g_queue_peek_head(queue);
    if (next != NULL) {
        g_thread_pool_push(jobs->pools[next->lane], next, NULL);
    } else {
        g_hash_table_remove(jobs->by_key, job->key);
    }
}

static gboolean
finish(gpointer data)
{
    Job *job = data;

    if (job->key != NULL)
        leave_key(job->jobs, job);
    job->done(job->data);
    g_free(job->key);
    g_free(job);
    return G_SOURCE_REMOVE;
}

static void
run(gpointer data, gpointer user_data)
{
    Job *job = data;

    job->work(job->data);
    g_idle_add_full(G_PRIORITY_DEFAULT, finish, job, NULL);
}

Jobs *
jobs_new(void)
{
    Jobs *jobs = g_new0(Jobs, 1);

    for (int lane = 0; lane < JOB_LANES; lane++) {
        jobs->pools[lane] = g_thread_pool_new(run, NULL, threads[lane], FALSE, NULL);
    }
    jobs->by_key = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                         (GDestroyNotify) g_queue_free);
    return jobs;
}

/* Joins the queue of its key; true if its turn is now. */
static bool
enter_key(Jobs *jobs, Job *job)
{
    GQueue *queue = g_hash_table_lookup(jobs->by_key, job->key);

    if (queue == NULL) {
        queue = g_queue_new();
        g_hash_table_insert(jobs->by_key, g_strdup(job->key), queue);
    }
    g_queue_push_tail(queue, job);
    return queue->length == 1;
}

void
jobs_push(
    Jobs *jobs, JobLane lane, const char *key, JobWork work, JobDone done, gpointer data)
{
    Job *job = g_new0(Job, 1);

    *job = (Job){ jobs, lane, g_strdup(key), work, done, data };
    if (key == NULL || enter_key(jobs, job))
        g_thread_pool_push(jobs->pools[lane], job, NULL);
}
