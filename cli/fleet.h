/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * What `vmctl apply` is given: the groups and instances that there are to be, each as the
 * parameters of io.vmctl.Group.Create and io.vmctl.Instance.Create.  Compared with what
 * there is, it becomes steps.  Talks to nobody.
 *
 *     { "fleet": "shop",
 *       "groups": [ { "group": "web", "max": 8, "count": 2 } ],
 *       "instances": [ { "name": "db", "vcpus": 2 } ] }
 *
 * All that is made carries the label fleet=NAME, by which what is not named any more is
 * known.
 */
typedef struct {
    char *name;
    ProtoGroupCreateCall *groups;
    gsize n_groups;
    ProtoInstanceCreateCall *instances;
    gsize n_instances;
} Fleet;

/** Fails with PROTO_ERROR_INVALID_PARAMETER, whose path leads into the file. */
bool fleet_parse(const char *text, Fleet *ret_fleet, GError **error);
void fleet_clear(Fleet *fleet);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fleet, fleet_clear)

/** What there is. */
typedef struct {
    const ProtoGroup *groups;
    gsize n_groups;
    const ProtoInstance *instances;
    gsize n_instances;
} FleetPresent;

typedef struct {
    /** "create", "resize", "scale", "update", "remove"; "refuse" is what cannot be done
     * to what is there. */
    const char *action;
    /** "group", "instance" */
    const char *kind;
    char *name;
    char *detail;
    /** The call that does it, and its struct; NULL for "refuse". */
    const WireMethod *method;
    gpointer in;
} FleetStep;

/** What to do, in this order; what is as it is to be makes no step.  prune: what has the
 * fleet's label and is not named goes. */
GPtrArray *fleet_compare(const Fleet *fleet, const FleetPresent *present, bool prune);
