/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/rpc.h"

/**
 * Who calls, and what they may do: the one place where a role is held against a method's
 * @role.
 *
 * A caller is the holder of a token, if the connection presented one, or else the uid and
 * groups that the kernel tells of.  A uid has its own tenant, as its tenant_admin, and is
 * what others' tenants made it a member as; an admin acts for every tenant.  What is not
 * the caller's is not there.
 */

/** What the caller is, whatever tenant it is about. */
typedef struct {
    gint64 uid;
    /** The id of its token, or NULL; lives as long as the call. */
    const char *token;
    bool is_admin;
    /** The tenant that it acts for if none is named; NULL: it has to name one.  Owned by
     * the tenant book. */
    const char *tenant;
    /** The most that it is anywhere. */
    Role role;
} Principal;

/** Fails with PROTO_ERROR_PERMISSION_DENIED if the token is good for nothing any more. */
bool identity_get(WireCall *call, Principal *ret_principal, GError **error);

/** For the server: before the parameters are read.  Whether the caller may call the
 * method for any tenant at all, and has requests left in this second. */
bool identity_authorize(WireCall *call, const WireMethod *method, GError **error);
bool identity_is_privileged(const WirePeer *peer, gpointer data);

/** Whether the caller has any part in the tenant. */
bool identity_may_see(WireCall *call, const char *tenant);

/** Whether its role there is enough for the method that it calls.  Fails with
 * PROTO_ERROR_PERMISSION_DENIED; the caller may see the tenant. */
bool identity_check(WireCall *call, const char *tenant, GError **error);

/**
 * The tenant that a request is about: the one that the caller acts for if asked is NULL.
 * Fails with PROTO_ERROR_NOT_FOUND for one that it has no part in, and as
 * identity_check().
 */
bool identity_find_tenant(WireCall *call,
                          const char *asked,
                          const char **ret_tenant,
                          GError **error);

/** The role of the caller in a tenant; false if it has no part in it. */
bool identity_get_role(WireCall *call, const char *tenant, Role *ret_role);

/** For events and operations; lives as long as the call. */
Actor identity_get_actor(WireCall *call);

/** The tenant for what belongs to none: the uid's own. */
const char *identity_get_home(WireCall *call);

/** What who is known by peer may do.  Free the rights with g_free(). */
void identity_describe_peer(const Rpc *rpc,
                            const WirePeer *peer,
                            ProtoVmctlWhoAmIReply *ret_reply);

/** The caller itself. */
bool identity_describe(WireCall *call, ProtoVmctlWhoAmIReply *ret_reply, GError **error);
