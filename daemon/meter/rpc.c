/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/rpc.h"

#include "base/clock.h"
#include "base/process.h"
#include "build-config.h"
#include "meter/rpc-private.h"

static Meter *
meter_of(WireCall *call)
{
    return wire_call_get_data(call);
}

static void
fail_with(WireCall *call, const GError *error)
{
    wire_call_fail(call, g_error_copy(error));
}

/* Who calls: the holder of the token that the connection presented, or else its uid. */
static void
find_caller(WireCall *call, IdentityFound found, gpointer data)
{
    identity_find(meter_of(call)->identities, wire_call_get_peer(call)->uid,
                  wire_call_get_session(call), found, data);
}

/* io.vmctl */

static void
get_info(WireCall *call, const ProtoVmctlGetInfoCall *in)
{
    Meter *meter = meter_of(call);
    ProtoVmctlGetInfoReply reply = {
        .program = (char *) (gsize) "vmd-meter",
        .version = (char *) (gsize) VMCTL_VERSION,
        .service_id = (char *) (gsize) meter_store_get_service_id(meter->store),
        .uptime_ms = clock_boot_ms() - meter->started_boot_ms,
        .seq = meter_store_get_cursor(meter->store),
        .resident_bytes = process_get_resident_bytes(),
    };

    wire_call_reply(call, &reply);
}

static void
ping(WireCall *call, const ProtoVmctlPingCall *in)
{
    wire_call_reply(call, NULL);
}

/* In which tenant, and what it is there. An admin is one in each. */
static bool
choose_tenant(const Identity *identity,
              const ProtoVmctlWhoAmICall *in,
              const char **ret_tenant,
              Role *ret_role,
              GError **error)
{
    *ret_tenant = in->tenant != NULL ? in->tenant : identity->tenant;
    *ret_role = identity->role;
    if (in->tenant == NULL || identity->role == ROLE_ADMIN ||
        identity_get_role(identity, in->tenant, ret_role))
        return true;
    proto_error_set_not_found(error, "tenant", in->tenant, "There is no tenant \"%s\"",
                              in->tenant);
    return false;
}

static void
reply_who(const Identity *identity, const GError *error, gpointer data)
{
    WireCall *call = data;
    ProtoVmctlWhoAmIReply reply = { 0 };
    g_autoptr(GError) refusal = NULL;
    const char *tenant = NULL;

    if (identity == NULL) {
        fail_with(call, error);
        return;
    }
    if (!choose_tenant(identity, wire_call_get_parameters(call), &tenant, &reply.role,
                       &refusal)) {
        fail_with(call, refusal);
        return;
    }
    reply.uid = identity->uid;
    reply.tenant = (char *) (gsize) tenant;
    reply.token = (char *) (gsize) identity->token;
    reply.rights = (ProtoRight *) (gsize) identity->rights;
    reply.n_rights = identity->n_rights;
    wire_call_reply(call, &reply);
}

typedef struct {
    WireCall *call;
    uid_t uid;
} WhoIs;

/* The caller asked for somebody else. */
static void
on_asker(const Identity *identity, const GError *error, gpointer data)
{
    g_autofree WhoIs *who = data;
    g_autoptr(GError) refusal = NULL;

    if (identity == NULL) {
        fail_with(who->call, error);
        return;
    }
    if (identity->role != ROLE_ADMIN) {
        proto_error_set_permission_denied(&refusal, ROLE_ADMIN,
                                          "Asking for another uid needs the role admin");
        fail_with(who->call, refusal);
        return;
    }
    identity_find(meter_of(who->call)->identities, who->uid, NULL, reply_who, who->call);
}

static void
who_am_i(WireCall *call, const ProtoVmctlWhoAmICall *in)
{
    uid_t own = wire_call_get_peer(call)->uid;
    WhoIs *who = NULL;

    if (!in->has_uid || in->uid == own) {
        find_caller(call, reply_who, call);
        return;
    }
    who = g_new0(WhoIs, 1);
    *who = (WhoIs){ call, (uid_t) in->uid };
    find_caller(call, on_asker, who);
}

/* io.vmctl.Session */

static void
on_authenticated(const Identity *identity, const GError *error, gpointer data)
{
    WireCall *call = data;
    const ProtoSessionAuthenticateCall *in = wire_call_get_parameters(call);
    ProtoSessionAuthenticateReply reply = { 0 };

    if (identity == NULL) {
        fail_with(call, error);
        return;
    }
    wire_call_set_session(call, in->secret);
    reply.token = (char *) (gsize) identity->token;
    reply.tenant = (char *) (gsize) identity->tenant;
    wire_call_reply(call, &reply);
}

static void
authenticate(WireCall *call, const ProtoSessionAuthenticateCall *in)
{
    identity_find(meter_of(call)->identities, wire_call_get_peer(call)->uid, in->secret,
                  on_authenticated, call);
}

static const ProtoSessionHandlers session_handlers = {
    .authenticate = authenticate,
};

static const ProtoVmctlHandlers vmctl_handlers = {
    .get_info = get_info,
    .ping = ping,
    .who_am_i = who_am_i,
};

static const ProtoBillingHandlers billing_handlers = {
    .usage = meter_usage,
    .set_card = meter_set_card,
    .list_cards = meter_list_cards,
    .get_card = meter_get_card,
    .assign = meter_assign,
    .list_periods = meter_list_periods,
    .close_period = meter_close_period,
    .report = meter_report,
    .quote = meter_quote,
    .correct = meter_correct,
    .recover = meter_recover,
    .export_ledger = meter_export_ledger,
    .explain = meter_explain,
    .verify = meter_verify,
};

WireServer *
meter_server_new(Meter *meter)
{
    const WireServerOptions options = {
        .vendor = "vmctl",
        .product = "vmd-meter",
        .version = VMCTL_VERSION,
        .url = "https://vmctl.io",
        .limits = WIRE_LIMITS_CLIENT,
        .data = meter,
    };
    WireServer *server = wire_server_new(&options);

    wire_server_add(server, &proto_vmctl_interface, &vmctl_handlers);
    wire_server_add(server, &proto_session_interface, &session_handlers);
    wire_server_add(server, &proto_billing_interface, &billing_handlers);
    return server;
}
