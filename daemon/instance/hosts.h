/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/book.h"
#include "place/place.h"

/**
 * The hosts, as placement sees them: what each may promise, and what it has promised to
 * the instances on it.
 */

/** What a host has promised. */
typedef struct {
    Quota used;
    /** Of that: to operations under way, which may yet give it back. */
    Quota reserved;
} HostUse;

/** What each host has promised, by walking through the instances: host name to HostUse.
 */
GHashTable *hosts_sum(InstanceBook *book);

/** The same of one host. */
HostUse hosts_sum_one(InstanceBook *book, const char *host);

/** PlaceHost, by name; it is good for as long as nothing changes.  Nothing is near. */
GArray *hosts_describe(InstanceBook *book);

/** Counts on hosts, of hosts_describe(), what a new instance of the tenant is kept apart
 * from, and what is kept apart from it.  placement may be NULL. */
void hosts_count_near(InstanceBook *book,
                      const char *tenant,
                      char *const *labels,
                      const ProtoPlacement *placement,
                      GArray *hosts);

/** Fails with PROTO_ERROR_NO_CAPACITY unless the instance's host has room for more. */
bool hosts_check_growth(const Instance *instance, const Quota *more, GError **error);
