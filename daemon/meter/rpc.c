/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/rpc.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "build-config.h"
#include "meter/evidence.h"
#include "meter/report/usage-reply.h"

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

/* io.vmctl */

static gint64
get_resident_bytes(void)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) fields = NULL;

    if (!g_file_get_contents("/proc/self/statm", &text, NULL, NULL))
        return 0;
    fields = g_strsplit(text, " ", 3);
    if (g_strv_length(fields) < 2)
        return 0;
    return g_ascii_strtoll(fields[1], NULL, 10) * sysconf(_SC_PAGESIZE);
}

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
        .resident_bytes = get_resident_bytes(),
    };

    wire_call_reply(call, &reply);
}

static void
ping(WireCall *call, const ProtoVmctlPingCall *in)
{
    wire_call_reply(call, NULL);
}

static void
reply_who(const Identity *identity, const GError *error, gpointer data)
{
    WireCall *call = data;
    ProtoVmctlWhoAmIReply reply = { 0 };

    if (identity == NULL) {
        fail_with(call, error);
        return;
    }
    reply.uid = identity->uid;
    reply.tenant = (char *) (gsize) identity->tenant;
    reply.role = identity->role;
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
    identity_find(meter_of(who->call)->identities, who->uid, reply_who, who->call);
}

static void
who_am_i(WireCall *call, const ProtoVmctlWhoAmICall *in)
{
    Meter *meter = meter_of(call);
    uid_t own = wire_call_get_peer(call)->uid;
    WhoIs *who = NULL;

    if (!in->has_uid || in->uid == own) {
        identity_find(meter->identities, own, reply_who, call);
        return;
    }
    who = g_new0(WhoIs, 1);
    *who = (WhoIs){ call, (uid_t) in->uid };
    identity_find(meter->identities, own, on_asker, who);
}

/* io.vmctl.Billing */

typedef struct {
    WireCall *call;
    const ProtoBillingUsageCall *in;
    char *own_tenant;
    Role role;
} UsageRequest;

static void
usage_request_free(UsageRequest *request)
{
    g_free(request->own_tenant);
    g_free(request);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsageRequest, usage_request_free)

/*
 * Whose usage is asked for; NULL is everybody's.  "Not yours" and "not there" are the
 * same bytes.
 */
static bool
get_tenant(const UsageRequest *request,
           View *view,
           const char **ret_tenant,
           GError **error)
{
    const char *asked = request->in->tenant;
    bool has = false;

    if (asked == NULL) {
        *ret_tenant = request->role == ROLE_ADMIN ? NULL : request->own_tenant;
        return true;
    }
    if (strcmp(asked, request->own_tenant) == 0) {
        *ret_tenant = request->own_tenant;
        return true;
    }
    if (request->role == ROLE_ADMIN && !view_has_tenant(view, asked, &has, error))
        return false;
    if (!has) {
        proto_error_set_not_found(error, "tenant", asked, "There is no tenant \"%s\"",
                                  asked);
        return false;
    }
    *ret_tenant = asked;
    return true;
}

static gint64
get_now_ms(const View *view)
{
    gint64 known_ms = view_get_head(view)->known_ms;

    return known_ms > 0 ? known_ms : clock_wall_ms();
}

static void
on_usage_fresh(gpointer data)
{
    g_autoptr(UsageRequest) request = data;
    g_autoptr(View) view = NULL;
    const char *tenant = NULL;
    Window window = { 0 };
    GError *error = NULL;

    view = view_open(meter_of(request->call)->store, 0, &error);
    if (view == NULL || !get_tenant(request, view, &tenant, &error) ||
        !window_resolve(request->in->from, request->in->to, get_now_ms(view), &window,
                        &error)) {
        wire_call_fail(request->call, error);
        return;
    }
    usage_reply_start(request->call, g_steal_pointer(&view), tenant, &window);
}

static void
on_usage_asker(const Identity *identity, const GError *error, gpointer data)
{
    g_autoptr(UsageRequest) request = data;
    Meter *meter = meter_of(request->call);

    if (identity == NULL) {
        fail_with(request->call, error);
        return;
    }
    request->own_tenant = g_strdup(identity->tenant);
    request->role = identity->role;
    controller_refresh(meter->controller, on_usage_fresh, g_steal_pointer(&request));
}

static void
usage(WireCall *call, const ProtoBillingUsageCall *in)
{
    UsageRequest *request = g_new0(UsageRequest, 1);

    *request = (UsageRequest){ .call = call, .in = in };
    identity_find(meter_of(call)->identities, wire_call_get_peer(call)->uid,
                  on_usage_asker, request);
}

static const ProtoVmctlHandlers vmctl_handlers = {
    .get_info = get_info,
    .ping = ping,
    .who_am_i = who_am_i,
};

static const ProtoBillingHandlers billing_handlers = {
    .usage = usage,
    .export_ledger = evidence_export_ledger,
    .explain = evidence_explain,
    .verify = evidence_verify,
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
    wire_server_add(server, &proto_billing_interface, &billing_handlers);
    return server;
}
