/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/identity.h"

#include <string.h>
#include <unistd.h>

#include "model/role.h"
#include "tenant/member.h"
#include "tenant/quota.h"
#include "tenant/token.h"

enum {
    GROUPS_MAX = 256,
};

G_STATIC_ASSERT(sizeof(gid_t) == sizeof(guint32));

static bool
is_member(const WirePeer *peer, gid_t group)
{
    if (group == (gid_t) -1)
        return false;
    for (gsize i = 0; i < peer->n_groups; i++) {
        if (peer->groups[i] == group)
            return true;
    }
    return peer->gid == group;
}

/* Our own uid is that of a meter that we started, which reads the ledger. */
static bool
may_change_all(const Rpc *rpc, const WirePeer *peer)
{
    return peer->uid == 0 || peer->uid == geteuid() || is_member(peer, rpc->admin_group);
}

/* A reader is an admin whom identity_authorize() keeps from every change. */
static bool
is_admin(const Rpc *rpc, const WirePeer *peer)
{
    return may_change_all(rpc, peer) || is_member(peer, rpc->reader_group);
}

bool
identity_is_privileged(const WirePeer *peer, gpointer data)
{
    return is_admin(data, peer);
}

bool
rpc_is_admin(WireCall *call)
{
    return wire_call_get_session(call) == NULL &&
           is_admin(rpc_of(call), wire_call_get_peer(call));
}

/* The peer's gid is looked for among its groups, too. */
static MemberIds
get_ids(const WirePeer *peer, guint32 gids[GROUPS_MAX])
{
    gsize n_gids = MIN(peer->n_groups, GROUPS_MAX - 1);

    for (gsize i = 0; i < n_gids; i++) {
        gids[i] = peer->groups[i];
    }
    gids[n_gids++] = peer->gid;
    return (MemberIds){ peer->uid, gids, n_gids };
}

/* A uid, with a token or without */

static bool
get_role_of_peer(const Rpc *rpc, const WirePeer *peer, const char *tenant, Role *ret_role)
{
    guint32 gids[GROUPS_MAX];
    const MemberIds ids = get_ids(peer, gids);
    bool is_own = strcmp(tenant, tenant_of_uid(rpc->tenants, peer->uid)) == 0;

    if (is_own && tenant_find(rpc->tenants, tenant) == NULL) {
        *ret_role = is_admin(rpc, peer) ? ROLE_ADMIN : ROLE_TENANT_ADMIN;
        return true;
    }
    if (!tenant_exists(rpc->tenants, tenant))
        return false;
    if (is_admin(rpc, peer)) {
        *ret_role = ROLE_ADMIN;
        return true;
    }
    if (is_own) {
        *ret_role = ROLE_TENANT_ADMIN;
        return true;
    }
    return member_get_role(rpc->tenants, tenant, &ids, ret_role);
}

bool
identity_get_role(WireCall *call, const char *tenant, Role *ret_role)
{
    const Rpc *rpc = rpc_of(call);
    const char *session = wire_call_get_session(call);
    const ProtoTokenRecord *token = NULL;

    if (session == NULL)
        return get_role_of_peer(rpc, wire_call_get_peer(call), tenant, ret_role);
    token = token_find(rpc->tenants, session);
    if (token == NULL || strcmp(token->view.tenant, tenant) != 0)
        return false;
    *ret_role = role_of_member(token->view.role);
    return true;
}

/* One's own, the only one that one is a member of, or none: then one has to choose. */
static void
describe_peer(const Rpc *rpc, const WirePeer *peer, Principal *principal)
{
    guint32 gids[GROUPS_MAX];
    const MemberIds ids = get_ids(peer, gids);
    const char *own = tenant_of_uid(rpc->tenants, peer->uid);
    g_autoptr(GPtrArray) others = member_list_tenants(rpc->tenants, &ids);

    *principal = (Principal){
        .uid = peer->uid,
        .is_admin = is_admin(rpc, peer),
        .tenant = own,
        .role = is_admin(rpc, peer) ? ROLE_ADMIN : ROLE_TENANT_ADMIN,
    };
    if (!principal->is_admin && others->len > 0)
        principal->tenant = others->len == 1 ? others->pdata[0] : NULL;
}

bool
identity_get(WireCall *call, Principal *ret_principal, GError **error)
{
    const Rpc *rpc = rpc_of(call);
    const char *session = wire_call_get_session(call);
    const ProtoTokenRecord *token = NULL;

    if (session == NULL) {
        describe_peer(rpc, wire_call_get_peer(call), ret_principal);
        return true;
    }
    token = token_find(rpc->tenants, session);
    if (token == NULL) {
        proto_error_set_permission_denied(error, ROLE_BILLING,
                                          "The token was revoked or has expired");
        return false;
    }
    *ret_principal = (Principal){
        .uid = wire_call_get_peer(call)->uid,
        .token = session,
        .tenant = token->view.tenant,
        .role = role_of_member(token->view.role),
    };
    return true;
}

/* Rights */

/* What an accountant may do who else only reads. */
static bool
is_for_accountant(WireCall *call, const WireMethod *method)
{
    return (method == &proto_ledger_note || method == &proto_budget_tell) &&
           wire_call_get_session(call) == NULL &&
           is_member(wire_call_get_peer(call), rpc_of(call)->accountant_group);
}

static bool
check_reader(WireCall *call, const WireMethod *method, GError **error)
{
    const Rpc *rpc = rpc_of(call);
    const WirePeer *peer = wire_call_get_peer(call);

    if (method->effect == WIRE_EFFECT_READ || !is_member(peer, rpc->reader_group) ||
        may_change_all(rpc, peer))
        return true;
    proto_error_set_permission_denied(
        error, ROLE_ADMIN, "%s changes something: a reader may not", method->full_name);
    return false;
}

bool
identity_authorize(WireCall *call, const WireMethod *method, GError **error)
{
    Principal principal = { 0 };

    /* One whose token is good for nothing can present another. */
    if (method == &proto_session_authenticate || is_for_accountant(call, method))
        return true;
    if (!check_reader(call, method, error) || !identity_get(call, &principal, error) ||
        !role_check(principal.role, method, error))
        return false;
    return principal.is_admin ||
           tenant_count_request(rpc_of(call)->tenants,
                                principal.tenant != NULL ? principal.tenant
                                                         : identity_get_home(call),
                                error);
}

bool
identity_may_see(WireCall *call, const char *tenant)
{
    Role role = ROLE_BILLING;

    return identity_get_role(call, tenant, &role);
}

bool
identity_check(WireCall *call, const char *tenant, GError **error)
{
    Role role = ROLE_BILLING;

    identity_get_role(call, tenant, &role);
    return role_check(role, wire_call_get_method(call), error);
}

static bool
fail_choice(WireCall *call, GError **error)
{
    guint32 gids[GROUPS_MAX];
    const MemberIds ids = get_ids(wire_call_get_peer(call), gids);
    g_autoptr(GPtrArray) names = member_list_tenants(rpc_of(call)->tenants, &ids);

    return role_refuse_choice(names, error);
}

/* "Not yours" and "not there" are the same bytes. */
bool
identity_find_tenant(WireCall *call,
                     const char *asked,
                     const char **ret_tenant,
                     GError **error)
{
    Principal principal = { 0 };
    const char *name = NULL;

    if (!identity_get(call, &principal, error))
        return false;
    name = asked != NULL ? asked : principal.tenant;
    if (name == NULL)
        return fail_choice(call, error);
    if (!identity_may_see(call, name)) {
        proto_error_set_not_found(error, "tenant", name, "There is no tenant \"%s\"",
                                  name);
        return false;
    }
    if (!identity_check(call, name, error))
        return false;
    *ret_tenant = name;
    return true;
}

Actor
identity_get_actor(WireCall *call)
{
    return (Actor){ wire_call_get_peer(call)->uid, wire_call_get_session(call) };
}

const char *
identity_get_home(WireCall *call)
{
    return tenant_of_uid(rpc_of(call)->tenants, wire_call_get_peer(call)->uid);
}

/* In words */

static void
add_right(ProtoVmctlWhoAmIReply *reply, const char *tenant, Role role)
{
    reply->rights = g_renew(ProtoRight, reply->rights, reply->n_rights + 1);
    reply->rights[reply->n_rights++] = (ProtoRight){ (char *) (gsize) tenant, role };
}

void
identity_describe_peer(const Rpc *rpc,
                       const WirePeer *peer,
                       ProtoVmctlWhoAmIReply *ret_reply)
{
    guint32 gids[GROUPS_MAX];
    const MemberIds ids = get_ids(peer, gids);
    g_autoptr(GPtrArray) names = member_list_tenants(rpc->tenants, &ids);
    Principal principal = { 0 };
    Role role = ROLE_BILLING;

    describe_peer(rpc, peer, &principal);
    *ret_reply = (ProtoVmctlWhoAmIReply){
        .uid = peer->uid,
        .tenant = (char *) (gsize) (principal.tenant != NULL ? principal.tenant : ""),
        .role = principal.role,
    };
    if (principal.tenant != NULL && get_role_of_peer(rpc, peer, principal.tenant, &role))
        ret_reply->role = role;
    for (guint i = 0; i < names->len; i++) {
        get_role_of_peer(rpc, peer, names->pdata[i], &role);
        add_right(ret_reply, names->pdata[i], role);
    }
}

bool
identity_describe(WireCall *call, ProtoVmctlWhoAmIReply *ret_reply, GError **error)
{
    Principal principal = { 0 };

    if (wire_call_get_session(call) == NULL) {
        identity_describe_peer(rpc_of(call), wire_call_get_peer(call), ret_reply);
        return true;
    }
    if (!identity_get(call, &principal, error))
        return false;
    *ret_reply = (ProtoVmctlWhoAmIReply){
        .uid = principal.uid,
        .tenant = (char *) (gsize) principal.tenant,
        .role = principal.role,
        .token = (char *) (gsize) principal.token,
    };
    return true;
}
