/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/member.h"

#include "rpc/tenant-private.h"
#include "tenant/token.h"

/** A change of members or tokens that is on its way to the disk. */
typedef struct {
    WireCall *call;
    char *tenant;
    /** What is told of a token; or NULL. */
    ProtoToken *token;
    char *secret;
} Pending;

static void
pending_free(Pending *pending)
{
    g_free(pending->tenant);
    if (pending->token != NULL)
        proto_token_clear(pending->token);
    g_free(pending->token);
    if (pending->secret != NULL)
        explicit_bzero(pending->secret, strlen(pending->secret));
    g_free(pending->secret);
    g_free(pending);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pending, pending_free)

/* The tenant of a change, with a row; or fails the call and returns NULL. */
static StoreTx *
begin(WireCall *call, const char *asked, const char **ret_tenant)
{
    GError *error = NULL;
    StoreTx *tx = NULL;

    if (!rpc_get_tenant(call, asked, ret_tenant, &error)) {
        wire_call_fail(call, error);
        return NULL;
    }
    tx = store_begin(rpc_of(call)->store);
    tenant_ensure(rpc_of(call)->tenants, tx, *ret_tenant);
    return tx;
}

static void
finish(StoreTx *tx, void (*on_disk)(gpointer data), const Pending *pending)
{
    store_on_commit(tx, on_disk, g_memdup2(pending, sizeof *pending));
    store_commit(tx);
}

/* Ends a change that is not made. */
static void
give_up(WireCall *call, StoreTx *tx, GError *error)
{
    store_commit(tx);
    wire_call_fail(call, error);
}

/* Members */

static void
reply_members(WireCall *call, const char *tenant)
{
    const ProtoTenantRecord *record = tenant_find(rpc_of(call)->tenants, tenant);
    /* The three methods answer the same. */
    ProtoTenantListMembersReply reply = { 0 };

    if (record != NULL)
        reply = (ProtoTenantListMembersReply){ record->members, record->n_members };
    wire_call_reply(call, &reply);
}

static void
on_members(gpointer data)
{
    g_autoptr(Pending) pending = data;

    reply_members(pending->call, pending->tenant);
}

void
rpc_list_members(WireCall *call, const ProtoTenantListMembersCall *in)
{
    const char *tenant = NULL;
    GError *error = NULL;

    if (rpc_get_tenant(call, in->tenant, &tenant, &error)) {
        reply_members(call, tenant);
    } else {
        wire_call_fail(call, error);
    }
}

void
rpc_add_member(WireCall *call, const ProtoTenantAddMemberCall *in)
{
    const Actor actor = identity_get_actor(call);
    const char *tenant = NULL;
    StoreTx *tx = begin(call, in->tenant, &tenant);
    GError *error = NULL;

    if (tx == NULL)
        return;
    if (member_add(rpc_of(call)->tenants, tx, tenant, in, &actor, &error)) {
        finish(tx, on_members, &(Pending){ call, .tenant = g_strdup(tenant) });
    } else {
        give_up(call, tx, error);
    }
}

void
rpc_remove_member(WireCall *call, const ProtoTenantRemoveMemberCall *in)
{
    const Actor actor = identity_get_actor(call);
    const char *tenant = NULL;
    StoreTx *tx = begin(call, in->tenant, &tenant);

    if (tx == NULL)
        return;
    member_remove(rpc_of(call)->tenants, tx, tenant, in, &actor);
    finish(tx, on_members, &(Pending){ call, .tenant = g_strdup(tenant) });
}

/* Tokens */

static void
on_token_created(gpointer data)
{
    g_autoptr(Pending) pending = data;
    const ProtoTenantCreateTokenReply reply = { *pending->token, pending->secret };

    wire_call_reply(pending->call, &reply);
}

static bool
check_may_make(WireCall *call, GError **error)
{
    if (wire_call_get_session(call) == NULL)
        return true;
    proto_error_set_permission_denied(error, ROLE_TENANT_ADMIN,
                                      "A token makes no tokens: a user has to");
    return false;
}

void
rpc_create_token(WireCall *call, const ProtoTenantCreateTokenCall *in)
{
    const Actor actor = identity_get_actor(call);
    const char *tenant = NULL;
    StoreTx *tx = begin(call, in->tenant, &tenant);
    const ProtoTokenRecord *token = NULL;
    Pending pending = { .call = call };
    GError *error = NULL;

    if (tx == NULL)
        return;
    if (check_may_make(call, &error))
        token = token_create(rpc_of(call)->tenants, tx, tenant, in, &actor,
                             &pending.secret, &error);
    if (token == NULL) {
        give_up(call, tx, error);
        return;
    }
    pending.token = g_new0(ProtoToken, 1);
    proto_token_copy(&token->view, pending.token);
    finish(tx, on_token_created, &pending);
}

void
rpc_list_tokens(WireCall *call, const ProtoTenantListTokensCall *in)
{
    const char *tenant = NULL;
    const ProtoTenantRecord *record = NULL;
    g_autofree ProtoToken *rows = NULL;
    ProtoTenantListTokensReply reply = { 0 };
    GError *error = NULL;

    if (!rpc_get_tenant(call, in->tenant, &tenant, &error)) {
        wire_call_fail(call, error);
        return;
    }
    record = tenant_find(rpc_of(call)->tenants, tenant);
    reply.n_tokens = record != NULL ? record->n_tokens : 0;
    reply.tokens = rows = g_new0(ProtoToken, reply.n_tokens + 1);
    for (gsize i = 0; i < reply.n_tokens; i++) {
        rows[i] = record->tokens[i].view;
        rows[i].expired = token_has_expired(&record->tokens[i]);
    }
    wire_call_reply(call, &reply);
}

static void
on_token_revoked(gpointer data)
{
    g_autoptr(Pending) pending = data;
    const ProtoTenantRevokeTokenReply reply = { *pending->token };

    wire_call_reply(pending->call, &reply);
}

void
rpc_revoke_token(WireCall *call, const ProtoTenantRevokeTokenCall *in)
{
    const Actor actor = identity_get_actor(call);
    const char *tenant = NULL;
    StoreTx *tx = begin(call, in->tenant, &tenant);
    Pending pending = { .call = call };
    GError *error = NULL;

    if (tx == NULL)
        return;
    pending.token = token_revoke(rpc_of(call)->tenants, tx, tenant, in->token, &actor);
    if (pending.token == NULL) {
        proto_error_set_not_found(&error, "token", in->token, "There is no token \"%s\"",
                                  in->token);
        give_up(call, tx, error);
        return;
    }
    finish(tx, on_token_revoked, &pending);
}
