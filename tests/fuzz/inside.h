/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "controller/controller.h"

/**
 * vmd inside the process of a target: the controller as daemon/vmd.c has it, over a
 * folder in memory, without threads and processes, in the time of sim/world.h, which does
 * not pass by waiting.  One at a time; every one begins alike, with a template "tiny" and
 * a running instance "web" of root's tenant.
 */

/** Who plays the worker. */
typedef struct {
    /** It was started with these connections, which it takes. */
    void (*started)(const int *fds, guint n_fds, gpointer data);
    /** It is killed: its connections close. */
    void (*killed)(gpointer data);
    gpointer data;
} InsideWorker;

/** Begins one with a worker; NULL is a fake host, of whose calls one in 16 fails, waits
 * or hangs if it is faulty. */
void inside_begin(const InsideWorker *worker, bool is_faulty);

/** The worker goes, and a fake host without faults comes in its stead. */
void inside_heal(void);

/** Ends it.  Aborts when its log holds a critical message, or when what is on disk cannot
 * be read again. */
void inside_end(void);

Controller *inside_get(void);

/** The database that every one begins with; borrowed. */
GBytes *inside_get_database(void);

/** Puts a database into the folder instead; returns its path. */
char *inside_put_database(const void *data, gsize length);

/** Loads one from the database as it lies in the folder, looks at it, and throws it away
 * before it has begun. */
bool inside_load(void (*look)(const Controller *controller), GError **error);

/** Runs the main loop until every operation and audit has ended; aborts if that takes
 * longer than any deadline. */
void inside_settle(void);

/** Aborts unless quotas hold and an audit finds nothing. */
void inside_audit(void);

/** A client. */
typedef struct {
    int fd;
    GByteArray *received;
    guint n_replies;
    bool is_closed;
} InsideClient;

void inside_client_init(InsideClient *client, uid_t uid);
void inside_client_done(InsideClient *client);

/** Sends bytes and a NUL byte. */
void inside_client_send(InsideClient *client, const void *data, gsize length);

/** Takes what has come.  Aborts unless every reply is JSON that the guard takes, with
 * parameters or an error of the schema. */
void inside_client_receive(InsideClient *client);

/** What the stand-ins of parts.c ask for. */
const InsideWorker *inside_get_worker(void);
bool inside_is_thrown_away(void);
