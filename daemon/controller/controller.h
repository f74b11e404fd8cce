/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/rebuild.h"
#include "rpc/rpc.h"

/**
 * All that vmd is made of but its process: the books, the engine, the hosts and the
 * service on top of them.  It has no socket of its own to listen at.
 */
typedef struct {
    Config *config;
    Rpc rpc;
    WireServer *server;
    /** Set while lost rows are to be made again, at the first list of each host. */
    RebuildDone rebuilt;
    gpointer rebuilt_data;
    /** The hosts (Host *) that have not listed theirs, and how many are at it. */
    GHashTable *to_rebuild;
    guint n_rebuilding;
    guint n_rebuilt;
    GPtrArray *left;
} Controller;

/** Fills controller, a zeroed struct, from the state folder of config, which it takes.
 * anew: also where a database was lost.  After a failure it is still to be released. */
bool controller_load(Controller *controller, Config *config, bool anew, GError **error);

/** Starts the hosts, and goes on with what was under way. */
void controller_start(Controller *controller);

/** Starts the hosts to take up what they have and the database has not, and tells then.
 * Operations that were under way stay so. */
void controller_rebuild(Controller *controller, RebuildDone done, gpointer data);

/** Releases everything; what was handed to the store is on disk then. */
void controller_done(Controller *controller);
