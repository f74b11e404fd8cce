/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "wire/server.h"

/**
 * An answer that takes many turns of the main loop: a bit of it a turn, while others are
 * answered too, and no more than the client takes.
 */

/** Does a turn's work.  False when it has ended the call, with an answer or an error. */
typedef bool (*StreamStep)(WireCall *call, gpointer data);

/** Calls step again and again until it has ended call or the client has gone, then frees
 * data. */
void stream_start(WireCall *call, StreamStep step, gpointer data, GDestroyNotify free);
