/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/rpc.h"

/**
 * All that vmd is made of but its process: the books, the engine, the host and the
 * service on top of them.  It has no socket of its own to listen at.
 */
typedef struct {
    Config *config;
    Rpc rpc;
    WireServer *server;
} Controller;

/** Fills controller, a zeroed struct, from the state folder of config, which it takes.
 * After a failure it is still to be released. */
bool controller_load(Controller *controller, Config *config, GError **error);

/** Starts the host, and goes on with what was under way. */
void controller_start(Controller *controller);

/** Releases everything; what was handed to the store is on disk then. */
void controller_done(Controller *controller);
