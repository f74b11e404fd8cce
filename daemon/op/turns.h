/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * Whose turn it is.  So many items are at work at a time; the others wait, each in the
 * queue of its tenant, and the tenants take turns: what one of them asks for in bulk
 * holds up another by one item at most.  Of one tenant what is urgent goes first, else
 * who came first.  Pure.
 */
typedef struct Turns Turns;

/** width: how many are at work at a time. */
Turns *turns_new(guint width);
void turns_free(Turns *turns);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Turns, turns_free)

/** Lets item wait. */
void turns_add(Turns *turns, const char *tenant, gpointer item, bool is_urgent);

/** It waits no more. */
void turns_remove(Turns *turns, const char *tenant, gpointer item);

/** The next that may go to work, which from then on is; NULL if nobody waits or nothing
 * is free. */
gpointer turns_take(Turns *turns);

/** One of those at work is not any more. */
void turns_release(Turns *turns);

bool turns_is_anybody_waiting(const Turns *turns);
