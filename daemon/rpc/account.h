/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "wire/server.h"

/**
 * The accounts of users.  Whoever keeps them may be elsewhere, and slow: they are looked
 * up on a thread of its own, and nobody else waits for that.
 */

/** What a uid would be if it called itself; without an account it has no groups. */
typedef void (*AccountFound)(const WirePeer *peer, gpointer data);

/** found is told from the main loop, later. */
void account_look_up(guint32 uid, AccountFound found, gpointer data);
