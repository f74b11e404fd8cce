/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/process.h"
#include "build-config.h"
#include "model/role.h"
#include "rpc/account.h"
#include "rpc/identity.h"
#include "rpc/rpc.h"
#include "tenant/token.h"

static void
get_info(WireCall *call, const ProtoVmctlGetInfoCall *in)
{
    Rpc *rpc = rpc_of(call);
    ProtoVmctlGetInfoReply reply = {
        .program = (char *) (gsize) "vmd",
        .version = (char *) (gsize) VMCTL_VERSION,
        .service_id = (char *) (gsize) store_get_service_id(rpc->store),
        .uptime_ms = clock_boot_ms() - rpc->started_boot_ms,
        .seq = store_get_seq(rpc->store),
        .resident_bytes = process_get_resident_bytes(),
    };

    wire_call_reply(call, &reply);
}

static void
ping(WireCall *call, const ProtoVmctlPingCall *in)
{
    wire_call_reply(call, NULL);
}

static bool
describe_holder(WireCall *call,
                const char *secret,
                ProtoVmctlWhoAmIReply *ret_reply,
                GError **error)
{
    const ProtoTokenRecord *token = token_find_secret(rpc_of(call)->tenants, secret);

    if (token == NULL) {
        proto_error_set_permission_denied(error, ROLE_BILLING,
                                          "The token is good for nothing");
        return false;
    }
    *ret_reply = (ProtoVmctlWhoAmIReply){
        .uid = wire_call_get_peer(call)->uid,
        .tenant = token->view.tenant,
        .role = role_of_member(token->view.role),
        .token = token->view.id,
    };
    return true;
}

/* Tells what it describes, which it takes, or what that is in the tenant asked for. */
static void
reply_with(WireCall *call,
           const ProtoVmctlWhoAmICall *in,
           ProtoVmctlWhoAmIReply *description)
{
    const char *tenant = NULL;
    GError *error = NULL;

    if (in->tenant != NULL && !identity_find_tenant(call, in->tenant, &tenant, &error)) {
        wire_call_fail(call, error);
    } else {
        if (in->tenant != NULL) {
            description->tenant = in->tenant;
            identity_get_role(call, tenant, &description->role);
        }
        wire_call_reply(call, description);
    }
    g_free(description->rights);
}

/* Another uid */

/** A call that waits for an account; its client may go before. */
typedef struct {
    WireCall *call;
    const ProtoVmctlWhoAmICall *in;
} Waiting;

static void
on_gone(WireCall *call, gpointer data)
{
    ((Waiting *) data)->call = NULL;
}

static void
on_account(const WirePeer *peer, gpointer data)
{
    g_autofree Waiting *waiting = data;
    ProtoVmctlWhoAmIReply reply = { 0 };

    if (waiting->call == NULL)
        return;
    identity_describe_peer(rpc_of(waiting->call), peer, &reply);
    reply_with(waiting->call, waiting->in, &reply);
}

static void
describe_other(WireCall *call, const ProtoVmctlWhoAmICall *in)
{
    Waiting *waiting = NULL;
    GError *error = NULL;

    if (!rpc_is_admin(call)) {
        proto_error_set_permission_denied(&error, ROLE_ADMIN,
                                          "Asking for another uid needs the role admin");
        wire_call_fail(call, error);
        return;
    }
    waiting = g_new0(Waiting, 1);
    *waiting = (Waiting){ call, in };
    wire_call_park(call, on_gone, waiting);
    account_look_up((guint32) in->uid, on_account, waiting);
}

static void
who_am_i(WireCall *call, const ProtoVmctlWhoAmICall *in)
{
    bool is_other = in->has_uid && in->uid != (gint64) wire_call_get_peer(call)->uid;
    ProtoVmctlWhoAmIReply reply = { 0 };
    GError *error = NULL;

    if (in->secret == NULL && is_other) {
        describe_other(call, in);
    } else if (in->secret != NULL ? describe_holder(call, in->secret, &reply, &error)
                                  : identity_describe(call, &reply, &error)) {
        reply_with(call, in, &reply);
    } else {
        wire_call_fail(call, error);
    }
}

const ProtoVmctlHandlers rpc_vmctl_handlers = {
    .get_info = get_info,
    .ping = ping,
    .who_am_i = who_am_i,
};
