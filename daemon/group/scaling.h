/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "group/autoscale.h"
#include "group/group.h"

/**
 * Groups that choose their number themselves: what is seen of their members is handed to
 * autoscale.h, and what that decides becomes what is wanted, as an event with its
 * figures.
 */

/** What would be wanted now, and why.  Fails with nothing: a group that does not scale by
 * itself stays as it is.  Free why. */
AutoscaleResult group_scaling_decide(Group *group, const GroupPlan *plan);

/** Follows that decision. */
void group_scaling_follow(Group *group, StoreTx *tx);

/** Takes a value that somebody pushes. */
void group_scaling_push(Group *group, gint64 value);

/** Sets how it scales by itself.  Fails with PROTO_ERROR_INVALID_PARAMETER. */
bool group_scaling_set(Group *group,
                       const ProtoGroupAutoscaleCall *in,
                       StoreTx *tx,
                       GError **error);

/** The counters of all instances were read. */
void group_scaling_ticked(GroupBook *book);
