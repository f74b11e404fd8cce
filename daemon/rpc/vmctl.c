/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/process.h"
#include "build-config.h"
#include "model/role.h"
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

/* Describes whom the call asks for. */
static bool
describe(WireCall *call,
         const ProtoVmctlWhoAmICall *in,
         ProtoVmctlWhoAmIReply *ret_reply,
         GError **error)
{
    bool is_other = in->has_uid && in->uid != (gint64) wire_call_get_peer(call)->uid;

    if (in->secret != NULL)
        return describe_holder(call, in->secret, ret_reply, error);
    if (!is_other)
        return identity_describe(call, ret_reply, error);
    if (!rpc_is_admin(call)) {
        proto_error_set_permission_denied(error, ROLE_ADMIN,
                                          "Asking for another uid needs the role admin");
        return false;
    }
    identity_describe_uid(rpc_of(call), in->uid, ret_reply);
    return true;
}

static void
who_am_i(WireCall *call, const ProtoVmctlWhoAmICall *in)
{
    ProtoVmctlWhoAmIReply reply = { 0 };
    g_autofree ProtoRight *rights = NULL;
    const char *tenant = NULL;
    GError *error = NULL;

    if (!describe(call, in, &reply, &error)) {
        wire_call_fail(call, error);
        return;
    }
    rights = reply.rights;
    if (in->tenant != NULL) {
        if (!identity_find_tenant(call, in->tenant, &tenant, &error)) {
            wire_call_fail(call, error);
            return;
        }
        reply.tenant = in->tenant;
        identity_get_role(call, tenant, &reply.role);
    }
    wire_call_reply(call, &reply);
}

const ProtoVmctlHandlers rpc_vmctl_handlers = {
    .get_info = get_info,
    .ping = ping,
    .who_am_i = who_am_i,
};
