/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/budget.h"
#include "tenant/tenant.h"

/**
 * What each tenant may spend in a month.  A budget is a part of the tenant's row, and so
 * is what vmd-meter told of it last.
 */

/** NULL if the tenant has none, or was removed.  Owned by book. */
const ProtoBudgetRecord *budget_find(TenantBook *book, const char *tenant);

/** Fails as budget_admit() does. */
bool budget_check(TenantBook *book, const char *tenant, GError **error);

/* Changes, of a tenant that has a row: each adds it and events to tx, or fails and adds
 * nothing. */

/** Fails with PROTO_ERROR_INVALID_PARAMETER. */
bool budget_set(TenantBook *book,
                StoreTx *tx,
                const ProtoBudgetSetCall *in,
                const Actor *actor,
                GError **error);

void budget_remove(TenantBook *book, StoreTx *tx, const char *tenant, const Actor *actor);

/** Takes what vmd-meter tells of a tenant with a budget.  Another currency is trouble.
 * Fails with PROTO_ERROR_CONFLICT on what is older than what was told already, and with
 * PROTO_ERROR_INVALID_PARAMETER on a time that has not come. */
bool budget_tell(TenantBook *book,
                 StoreTx *tx,
                 const ProtoBudgetTellCall *in,
                 const Actor *actor,
                 GError **error);
