/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/quota.h"

/**
 * Which host takes an instance.  A pure function of what the hosts have and have
 * promised.
 */
typedef struct {
    const char *name;
    /** Why it can take nothing; NULL: it can. */
    const char *refusal;
    /** What may be promised, and what is. */
    Quota capacity;
    Quota used;
} PlaceHost;

/**
 * The index of the host with the most memory left that has room for size.  Fails with
 * PROTO_ERROR_NO_CAPACITY and each host's reason.
 */
bool place_choose(const PlaceHost *hosts,
                  gsize n_hosts,
                  const ProtoSize *size,
                  gsize *ret_index,
                  GError **error);
