/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tenant/tenant.h"

/**
 * Who else acts for a tenant than the uid whose own it is: users and groups, each with a
 * role.
 */

/** Who is looked for: a uid and its groups. */
typedef struct {
    gint64 uid;
    const guint32 *gids;
    gsize n_gids;
} MemberIds;

/** What they are in the tenant: of several memberships the most.  False if they are no
 * members, or the tenant is not there. */
bool member_get_role(TenantBook *book,
                     const char *tenant,
                     const MemberIds *ids,
                     Role *ret_role);

/** The tenants, by name, that they are members of and that are there; each once, owned by
 * book.  Free the array. */
GPtrArray *member_list_tenants(TenantBook *book, const MemberIds *ids);

/** These add the row and an event to tx; the tenant has a row.  Fails with
 * PROTO_ERROR_TOO_LARGE. */
bool member_add(TenantBook *book,
                StoreTx *tx,
                const char *tenant,
                const ProtoTenantAddMemberCall *in,
                const Actor *actor,
                GError **error);
/** One that is no member is left so. */
void member_remove(TenantBook *book,
                   StoreTx *tx,
                   const char *tenant,
                   const ProtoTenantRemoveMemberCall *in,
                   const Actor *actor);
