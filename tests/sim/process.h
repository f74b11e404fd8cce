/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "controller/controller.h"

/**
 * vmd as a process that is started and killed: the controller as daemon/vmd.c has it, in
 * this process.
 */

/** Starts it; blames what keeps it from starting. */
void process_start(void);

/** Kills it: what is not on disk is lost. */
void process_kill(void);

/** NULL while none runs. */
Controller *process_get(void);

/** A new connection of a uid. */
int process_connect(uid_t uid);

/** Every operation has ended. */
bool process_is_idle(void);
