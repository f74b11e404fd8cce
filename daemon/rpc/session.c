/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/rpc.h"
#include "tenant/token.h"

static void
authenticate(WireCall *call, const ProtoSessionAuthenticateCall *in)
{
    const ProtoTokenRecord *token = token_find_secret(rpc_of(call)->tenants, in->secret);
    ProtoSessionAuthenticateReply reply = { 0 };
    GError *error = NULL;

    if (token == NULL) {
        proto_error_set_permission_denied(&error, ROLE_BILLING,
                                          "The token is good for nothing: it is another "
                                          "service's, was revoked, or has expired");
        wire_call_fail(call, error);
        return;
    }
    wire_call_set_session(call, token->view.id);
    reply = (ProtoSessionAuthenticateReply){
        .token = token->view.id,
        .tenant = token->view.tenant,
    };
    wire_call_reply(call, &reply);
}

const ProtoSessionHandlers rpc_session_handlers = {
    .authenticate = authenticate,
};
