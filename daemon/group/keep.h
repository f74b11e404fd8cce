/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "group/group.h"

/**
 * Keeps groups as they are wanted: carries out what the plan says by the ordinary
 * operations on instances, in the transaction that it is given.  It looks when a member
 * changes and when the plan asks for it, and it starts from what is there, so it does not
 * matter where the last process ended.
 */

/** Its Instances, borrowed, in an order that is the same in each run. */
GPtrArray *group_list_members(const Group *group);

/** What is to be done now; the members in the order of the plan's numbers, if they are
 * wanted. */
void group_look_ahead(Group *group, GPtrArray **ret_members, GroupPlan *ret_plan);

/** What is to be done if so many were wanted. */
void group_look_ahead_to(Group *group, gint64 wanted, GroupPlan *ret_plan);

/**
 * Whether quota and hosts have room for n more members of it; fails as create_plan()
 * does.
 */
bool group_has_room(Group *group, gint64 n, GError **error);

/** Does now what is to be done. */
void group_keep(Group *group, StoreTx *tx);

/** Does it in the next turn of the main loop. */
void group_keep_soon(Group *group);

/** Brings the record's view in line with the members: counts, state and reason. */
void group_count(Group *group);

/** What a member is for its group. */
GroupPhase group_get_phase(const Group *group, Instance *instance);

/** How book listens to instances. */
InstanceListener group_get_listener(GroupBook *book);
