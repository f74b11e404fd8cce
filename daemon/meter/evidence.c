/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/evidence.h"

#include <string.h>

#include "base/clock.h"
#include "meter/report/explain.h"
#include "meter/report/export.h"
#include "meter/report/verify-reply.h"
#include "meter/rpc.h"

/* A call of which it is found out who makes it, and for which the store is brought up to
 * now. */
typedef struct Request Request;

struct Request {
    WireCall *call;
    Meter *meter;
    const void *in;
    char *own_tenant;
    Role role;
    void (*ready)(Request *request);
};

static void
request_free(Request *request)
{
    g_free(request->own_tenant);
    g_free(request);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Request, request_free)

static void
on_fresh(gpointer data)
{
    g_autoptr(Request) request = data;

    request->ready(request);
}

static void
on_asker(const Identity *identity, const GError *error, gpointer data)
{
    g_autoptr(Request) request = data;
    Controller *controller = request->meter->controller;

    if (identity == NULL) {
        wire_call_fail(request->call, g_error_copy(error));
        return;
    }
    request->own_tenant = g_strdup(identity->tenant);
    request->role = identity->role;
    controller_refresh(controller, on_fresh, g_steal_pointer(&request));
}

static void
ask(WireCall *call, const void *in, void (*ready)(Request *request))
{
    Request *request = g_new0(Request, 1);

    request->call = call;
    request->meter = wire_call_get_data(call);
    request->in = in;
    request->ready = ready;
    identity_find(request->meter->identities, wire_call_get_peer(call)->uid, on_asker,
                  request);
}

/*
 * Whose rows are asked for; NULL is everybody's.  "Not yours" and "not there" are the
 * same bytes.
 */
static bool
get_tenant(const Request *request,
           View *view,
           const char *asked,
           const char **ret_tenant,
           GError **error)
{
    bool has = false;

    if (asked == NULL) {
        *ret_tenant = request->role == ROLE_ADMIN ? NULL : request->own_tenant;
        return true;
    }
    if (request->role == ROLE_ADMIN && !view_has_tenant(view, asked, &has, error))
        return false;
    if (!has && strcmp(asked, request->own_tenant) != 0) {
        proto_error_set_not_found(error, "tenant", asked, "There is no tenant \"%s\"",
                                  asked);
        return false;
    }
    *ret_tenant = asked;
    return true;
}

/* Exporting */

static void
export_ready(Request *request)
{
    const ProtoBillingExportLedgerCall *in = request->in;
    g_autoptr(View) view = NULL;
    const char *tenant = NULL;
    GError *error = NULL;

    view = view_open(request->meter->store, in->has_as_of ? in->as_of : 0, &error);
    if (view == NULL || !get_tenant(request, view, in->tenant, &tenant, &error)) {
        wire_call_fail(request->call, error);
        return;
    }
    export_start(request->call, g_steal_pointer(&view), tenant);
}

void
evidence_export_ledger(WireCall *call, const ProtoBillingExportLedgerCall *in)
{
    ask(call, in, export_ready);
}

/* Explaining */

G_STATIC_ASSERT((int) BILLED_KIND_INSTANCE == (int) RESOURCE_KIND_INSTANCE);
G_STATIC_ASSERT((int) BILLED_KIND_VOLUME == (int) RESOURCE_KIND_VOLUME);
G_STATIC_ASSERT((int) BILLED_KIND_ADDRESS == (int) RESOURCE_KIND_ADDRESS);

/* The number of the resource that is asked for, if the caller may see it. */
static bool
find_resource(const Request *request, View *view, gint64 *ret_resource, GError **error)
{
    const ProtoBillingExplainCall *in = request->in;
    ResourceKind kind = in->has_kind ? (ResourceKind) in->kind : RESOURCE_KIND_INSTANCE;

    if (!view_find_resource(view, kind, in->resource,
                            request->role == ROLE_ADMIN ? NULL : request->own_tenant,
                            ret_resource, error))
        return false;
    if (*ret_resource != 0)
        return true;
    proto_error_set_not_found(error, resource_kind_to_string(kind), in->resource,
                              "There is no %s \"%s\" in the ledger",
                              resource_kind_to_string(kind), in->resource);
    return false;
}

static void
explain_ready(Request *request)
{
    const ProtoBillingExplainCall *in = request->in;
    g_autoptr(View) view = NULL;
    GError *error = NULL;
    gint64 now_ms = clock_wall_ms();
    gint64 resource = 0;
    Window window = { 0 };

    view = view_open(request->meter->store, in->has_as_of ? in->as_of : 0, &error);
    if (view != NULL && view_get_head(view)->known_ms > 0)
        now_ms = view_get_head(view)->known_ms;
    if (view == NULL || !find_resource(request, view, &resource, &error) ||
        !window_resolve(in->from, in->to, now_ms, &window, &error)) {
        wire_call_fail(request->call, error);
        return;
    }
    explain_start(request->call, g_steal_pointer(&view), resource, &window,
                  request->role == ROLE_ADMIN);
}

void
evidence_explain(WireCall *call, const ProtoBillingExplainCall *in)
{
    ask(call, in, explain_ready);
}

/* Verifying */

typedef struct {
    WireCall *call;
    Verify *verify;
    Role role;
} Verifying;

/* What is verified was there when the call came; the client may have gone meanwhile. */
static void
on_hash(const char *hash, const GError *error, gpointer data)
{
    g_autofree Verifying *verifying = data;

    if (error == NULL)
        verify_compare(verifying->verify, hash);
    verify_reply_start(verifying->call, verifying->verify, verifying->role == ROLE_ADMIN);
}

static void
verify_ready(Request *request)
{
    GError *error = NULL;
    Verify *verify = verify_new(request->meter->store, &error);
    Verifying *verifying = NULL;

    if (verify == NULL) {
        wire_call_fail(request->call, error);
        return;
    }
    if (verify_get_rows(verify) == 0) {
        verify_reply_start(request->call, verify, true);
        return;
    }
    verifying = g_new0(Verifying, 1);
    *verifying = (Verifying){ request->call, verify, request->role };
    controller_ask_hash(request->meter->controller, verify_get_rows(verify), on_hash,
                        verifying);
}

void
evidence_verify(WireCall *call, const ProtoBillingVerifyCall *in)
{
    ask(call, in, verify_ready);
}
