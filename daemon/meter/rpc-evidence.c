/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/explain.h"
#include "meter/report/ledger-reply.h"
#include "meter/report/verify-reply.h"
#include "meter/rpc-private.h"

/* Exporting */

static void
export_ready(const Ask *ask)
{
    const ProtoBillingExportLedgerCall *in = ask->in;
    g_autoptr(View) view = NULL;
    const char *tenant = NULL;
    GError *error = NULL;

    if (ask_find_tenant(ask, in->tenant, &tenant, &error))
        view = view_open(ask->meter->store, in->has_as_of ? in->as_of : 0, &error);
    if (view == NULL || !ask_check_there(ask, view, tenant, &error)) {
        wire_call_fail(ask->call, error);
        return;
    }
    ledger_reply_start(ask->call, g_steal_pointer(&view), tenant);
}

void
meter_export_ledger(WireCall *call, const ProtoBillingExportLedgerCall *in)
{
    ask_start_without_books(call, in, export_ready);
}

/* Explaining */

G_STATIC_ASSERT((int) BILLED_KIND_INSTANCE == (int) RESOURCE_KIND_INSTANCE);
G_STATIC_ASSERT((int) BILLED_KIND_VOLUME == (int) RESOURCE_KIND_VOLUME);
G_STATIC_ASSERT((int) BILLED_KIND_ADDRESS == (int) RESOURCE_KIND_ADDRESS);

/* The resource if it is of a tenant in which the caller has a part; 0 if not. */
static bool
find_own(const Ask *ask,
         View *view,
         ResourceKind kind,
         const char *id,
         gint64 *ret_resource,
         GError **error)
{
    const Identity *identity = ask->identity;
    const char *tenant = ask->is_admin ? NULL : identity->tenant;
    gint64 resource = 0;

    if (!view_find_resource(view, kind, id, tenant, &resource, error))
        return false;
    for (gsize i = 0; i < identity->n_rights && resource == 0; i++) {
        if (!view_find_resource(view, kind, id, identity->rights[i].tenant, &resource,
                                error))
            return false;
    }
    *ret_resource = resource;
    return true;
}

static bool
find_resource(const Ask *ask, View *view, gint64 *ret_resource, GError **error)
{
    const ProtoBillingExplainCall *in = ask->in;
    ResourceKind kind = in->has_kind ? (ResourceKind) in->kind : RESOURCE_KIND_INSTANCE;
    gint64 resource = 0;

    if (!find_own(ask, view, kind, in->resource, &resource, error))
        return false;
    if (resource == 0) {
        proto_error_set_not_found(error, resource_kind_to_string(kind), in->resource,
                                  "There is no %s \"%s\" in the ledger",
                                  resource_kind_to_string(kind), in->resource);
        return false;
    }
    *ret_resource = resource;
    return true;
}

static void
explain_ready(const Ask *ask)
{
    const ProtoBillingExplainCall *in = ask->in;
    g_autoptr(View) view = NULL;
    GError *error = NULL;
    gint64 resource = 0;
    Window window = { 0 };

    view = view_open(ask->meter->store, in->has_as_of ? in->as_of : 0, &error);
    if (view == NULL || !find_resource(ask, view, &resource, &error) ||
        !window_resolve(in->from, in->to, ask_get_now_ms(ask), &window, &error)) {
        wire_call_fail(ask->call, error);
        return;
    }
    explain_start(ask->call, g_steal_pointer(&view), resource, &window, ask->is_admin);
}

void
meter_explain(WireCall *call, const ProtoBillingExplainCall *in)
{
    ask_start_without_books(call, in, explain_ready);
}

/* Verifying */

typedef struct {
    WireCall *call;
    Verify *verify;
    bool is_admin;
} Verifying;

/* What is verified was there when the call came; the client may have gone meanwhile. */
static void
on_hash(const char *hash, const GError *error, gpointer data)
{
    g_autofree Verifying *verifying = data;

    if (error == NULL)
        verify_compare(verifying->verify, hash);
    verify_reply_start(verifying->call, verifying->verify, verifying->is_admin);
}

/* Of whom an entry is, and of what, is for admins. */
static void
add_passed(const Ask *ask, Verify *verify)
{
    BooksAt at = { .seq = verify_get_rows(verify) };
    g_autoptr(GPtrArray) list = NULL;

    if (!ask->is_admin || !bookkeeper_update(ask->meter->bookkeeper, NULL))
        return;
    at.books = ask_get_books(ask).books;
    list = books_list_passed(&at);
    for (guint i = 0; i < list->len; i++) {
        const BooksPassed *passed = g_ptr_array_index(list, i);
        g_autofree char *text = g_strdup_printf(
            "is an entry of the books that is passed over: %s", passed->why);

        verify_add_break(verify, passed->seq, text);
    }
}

static void
verify_ready(const Ask *ask)
{
    GError *error = NULL;
    Verify *verify = verify_new(ask->meter->store, &error);
    Verifying *verifying = NULL;

    if (verify == NULL) {
        wire_call_fail(ask->call, error);
        return;
    }
    if (verify_get_rows(verify) == 0) {
        verify_reply_start(ask->call, verify, true);
        return;
    }
    add_passed(ask, verify);
    verifying = g_new0(Verifying, 1);
    *verifying = (Verifying){ ask->call, verify, ask->is_admin };
    controller_ask_hash(ask->meter->controller, verify_get_rows(verify), on_hash,
                        verifying);
}

void
meter_verify(WireCall *call, const ProtoBillingVerifyCall *in)
{
    ask_start_without_books(call, in, verify_ready);
}
