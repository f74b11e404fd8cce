/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/quota.h"

/**
 * Which host takes an instance.  A pure function of what the hosts are, have and have
 * promised: no clock, no chance, and the order in which they stand makes no difference.
 *
 * First each host passes the filters or says why not: it answers, is not drained, is of
 * the pool, has the labels, runs the template's architecture, has room, and is far enough
 * from what the instance is kept apart from.  Of those that pass, the best is the one
 * with the fewest of its like nearby, then by load as the strategy has it, then by name.
 */

typedef enum {
    /** The least loaded. */
    PLACE_SPREAD,
    /** The most loaded that still has room. */
    PLACE_PACK,
} PlaceStrategy;

typedef struct {
    const char *name;
    /** Why it can take nothing: it does not answer, or is drained.  NULL: it can. */
    const char *refusal;
    /** The set of hosts that it belongs to. */
    const char *pool;
    /** KEY, VALUE, KEY, VALUE, NULL; NULL is none. */
    char *const *labels;
    /** What its processors are; NULL: not known, and takes all. */
    const char *arch;
    /** What may be promised, and what is: to instances, and to operations under way. */
    Quota capacity;
    Quota used;
    /** How many instances are on it that the new one is kept apart from. */
    gint64 n_near;
    /** An instance there, or near by as that one counts it, is kept apart from the new
     * one by a wish of its own. */
    bool is_denied;
} PlaceHost;

typedef struct {
    ProtoSize size;
    /** NULL: any. */
    const char *pool;
    /** Those that a host must have, as in PlaceHost. */
    char *const *labels;
    const char *arch;
    PlaceStrategy strategy;
    /** Hosts with the same value of this label are one place to be kept apart from; NULL:
     * each host is a place of its own. */
    const char *apart_by;
    /** Never in a place with a near one; else as far as may be. */
    bool is_strictly_apart;
} PlaceRequest;

/**
 * The index of the best host.  Fails with PROTO_ERROR_NO_CAPACITY and each host's reason,
 * by name.
 */
bool place_choose(const PlaceHost *hosts,
                  gsize n_hosts,
                  const PlaceRequest *request,
                  gsize *ret_index,
                  GError **error);

/** Why host has no room for more; NULL if it has. */
char *place_check_room(const PlaceHost *host, const Quota *more);

/** Whether labels (KEY, VALUE, ..., NULL) has all that wanted has. */
bool place_has_labels(char *const *labels, char *const *wanted);

/** The value of a label, or NULL. */
const char *place_get_label(char *const *labels, const char *key);
