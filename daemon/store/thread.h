/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * A thread that works off jobs in the order in which they come, as many at a time as
 * wait, and the way back to the main loop.  Jobs belong to whoever made them.
 */
typedef struct StoreThread StoreThread;

typedef struct {
    /** Works off jobs, some at a time.  On the thread. */
    void (*perform)(GPtrArray *jobs, gpointer data);
    /** Is told of each that was worked off, in order, on the main loop.  Takes job. */
    void (*done)(gpointer job, gpointer data);
    /** Takes a job that is not told of any more. */
    GDestroyNotify drop;
    gpointer data;
} StoreThreadWork;

StoreThread *store_thread_new(const StoreThreadWork *work);

/** Works off what waits, and ends the thread.  What was done is not told any more. */
void store_thread_free(StoreThread *thread);

/** From the main loop. */
void store_thread_push(StoreThread *thread, gpointer job);
