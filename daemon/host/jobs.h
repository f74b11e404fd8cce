/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * libvirt's calls block, so each is a job on a thread of a bounded pool.  Jobs with the
 * same key run in order; jobs of different lanes do not wait for one another.  Everything
 * but the work itself happens on the main loop.
 */
typedef struct Jobs Jobs;

typedef enum {
    JOB_GENERAL,
    /** What sets something free. */
    JOB_URGENT,
    /** What only looks, and asks no guest. */
    JOB_QUERY,
    /** What asks a guest, which may not answer, for somebody who waits for it. */
    JOB_HEALTH,
    /** What talks with a guest for longer. */
    JOB_TALK,
    /** What asks guests while nobody waits for it: it may take for ever. */
    JOB_GUEST,
    JOB_LANES,
} JobLane;

/** Runs on a thread; gets what job_new() was given. */
typedef void (*JobWork)(gpointer data);

/** Is told on the main loop when the work is done. */
typedef void (*JobDone)(gpointer data);

Jobs *jobs_new(void);

/** key NULL: in no order.  The key is copied. */
void jobs_push(
    Jobs *jobs, JobLane lane, const char *key, JobWork work, JobDone done, gpointer data);
