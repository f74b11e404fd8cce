/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "controller/controller.h"

/** vmd as a process that is started and killed, in this one, with its database in memory.
 */

/** Chooses how often it reads counters. */
void vmd_begin(void);

/** Starts it; blames what keeps it from starting. */
void vmd_start(void);

/** Kills it: what is not in the image is lost. */
void vmd_kill(void);

/** NULL while none runs. */
Controller *vmd_get(void);

/** Every operation has ended. */
bool vmd_is_idle(void);

gint64 vmd_get_tick_ms(void);
