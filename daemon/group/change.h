/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "group/group.h"

/**
 * What people ask of groups.  Each is an operation on the group that ends when the group
 * is as wanted, or says what is in the way.  A newer one takes the place of what is under
 * way.
 */
extern const Workflow *const group_workflows[];
extern const gsize group_n_workflows;

/** Makes a group of the request's tenant.  Fails when the request is no good, and when
 * there is no room for its first members; nothing is made then. */
Operation *group_change_create(GroupBook *book,
                               const ProtoGroupCreateCall *in,
                               StoreTx *tx,
                               OperationRequest *request,
                               GError **error);

/** Tells it how many to have; nothing changes on failure. */
Operation *group_change_scale(
    Group *group, gint64 wanted, StoreTx *tx, OperationRequest *request, GError **error);

/** Goes to another template, on with what halted, or back. */
Operation *group_change_update(Group *group,
                               const ProtoGroupUpdateCall *in,
                               StoreTx *tx,
                               OperationRequest *request,
                               GError **error);

/** Removes it with all its members. */
Operation *
group_change_remove(Group *group, StoreTx *tx, OperationRequest *request, GError **error);
