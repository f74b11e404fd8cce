/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/** The host of fleet/host.h, which holds the guests, without a worker between: until it
 * is calm, calls fail, hang, take their time and are done without an answer, events come
 * late, twice, in another order or not at all, and counters are not told. */

/** Chooses what goes wrong, and how often. */
void host_begin(void);
void host_calm(void);
