/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "proto.h"

/**
 * What a tenant may hold.  Pure.  What is used is what the rows come to: see
 * instance/held.h for how that is kept.
 */
typedef enum {
    QUOTA_INSTANCES,
    QUOTA_VCPUS,
    QUOTA_MEMORY_BYTES,
    QUOTA_DISK_BYTES,
    /** Those above make up a size, and are what a host has; the others only a tenant. */
    QUOTA_SIZES,
    QUOTA_ADDRESSES = QUOTA_SIZES,
    QUOTA_GROUPS,
    /** Under way. */
    QUOTA_OPERATIONS,
    /** In a second. */
    QUOTA_REQUESTS,
    QUOTA_RESOURCES,
} QuotaResource;

typedef struct {
    gint64 amount[QUOTA_RESOURCES];
} Quota;

/** "instances", "vcpus", "memory_bytes", ... */
const char *quota_resource_to_string(QuotaResource resource);

/** Adds one instance of this size, count times; sums stop at the largest number rather
 * than wrap. */
void quota_add(Quota *used, const ProtoSize *size, gint64 count);

/** Adds amounts, count times. */
void quota_add_times(Quota *used, const Quota *amounts, gint64 count);

/** Whether asked fits beside used; fails with PROTO_ERROR_QUOTA_EXCEEDED on the first
 * resource that does not. */
bool
quota_admit(const Quota *used, const Quota *asked, const Quota *limit, GError **error);
