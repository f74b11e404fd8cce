/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tenant/tenant.h"

/**
 * What each tenant may hold at most: of each resource its own limit, or else everybody's.
 */

/** Whether the limit of that resource is the tenant's own. */
bool tenant_has_own_limit(TenantBook *book, const char *name, QuotaResource resource);

/** Sets the limits that in has, all others as well to everybody's if it says so; adds the
 * row and an event to tx.  The tenant has a row. */
void tenant_set_quota(TenantBook *book,
                      StoreTx *tx,
                      const ProtoQuotaSetCall *in,
                      const Actor *actor);

/** Counts a request of the tenant.  Fails with PROTO_ERROR_QUOTA_EXCEEDED beyond what it
 * may make in a second. */
bool tenant_count_request(TenantBook *book, const char *name, GError **error);
