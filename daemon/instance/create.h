/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/book.h"
#include "op/admission.h"

/**
 * Making instances: from what was asked for to admitted operations.
 */
typedef struct {
    char *template_id;
    ProtoSize size;
    char **names;
    char **hosts;
    gsize count;
    /** What hinders it: the first is the error of a real run. */
    GPtrArray *refusals;
    /** ProtoHostRefusal: of hosts, where they hinder it. */
    GArray *host_refusals;
    GError *error;
    /** Of a dry run. */
    Quota used;
    Quota after;
    Quota limit;
    /** Leave for all of them; NULL if it is hindered by the quota. */
    Admission *admission;
} CreatePlan;

/** The group that instances are made for. */
typedef struct {
    const char *id;
    const char *name;
    /** What they are called; as many as the count. */
    char *const *names;
} CreateGroup;

/**
 * Looks at everything that a create would need, and changes nothing.  request says who
 * asks, for which tenant; group may be NULL.  Fails when the request itself is no good;
 * what only hinders it now (quota, room) is in ret_plan->refusals.
 */
bool create_plan(InstanceBook *book,
                 const ProtoInstanceCreateCall *in,
                 const CreateGroup *group,
                 const OperationRequest *request,
                 CreatePlan *ret_plan,
                 GError **error);
void create_plan_clear(CreatePlan *plan);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CreatePlan, create_plan_clear)

/** Admits what was planned in this turn of the main loop: adds instances and operations
 * to tx.  Operations are borrowed. */
GPtrArray *create_admit(InstanceBook *book,
                        StoreTx *tx,
                        CreatePlan *plan,
                        const ProtoInstanceCreateCall *in,
                        const CreateGroup *group,
                        const OperationRequest *request);
