/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "sim/client.h"

/**
 * Groups of instances, in half of all seeds: tenants make, scale, update and remove them,
 * push what they are scaled by, and lay hands on their members.  The other seeds know
 * nothing of them.  What must hold of them is in groups-oracle.h.
 */
void groups_begin(guint32 seed);
void groups_end(void);

/** Whether this seed has them. */
bool groups_are_on(void);

/** The client asks for something of a group. */
void groups_act(Client *client);

/** The name of what is, was or will be a member. */
char *groups_choose_member(void);

/** Whether a group of that name was ever told to choose its number itself. */
bool groups_may_scale(const char *name);

/** How many members a request wanted; false of one that is not known, or wanted no
 * number. */
bool groups_find_count(const char *request_id, gint64 *ret_count);
