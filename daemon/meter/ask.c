/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/ask.h"

#include "base/clock.h"
#include "model/role.h"

typedef struct {
    Ask ask;
    bool needs_books;
    AskReady ready;
} Asking;

static void
asking_free(Asking *asking)
{
    identity_free(asking->ask.identity);
    g_free(asking);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Asking, asking_free)

static void
on_fresh(gpointer data)
{
    g_autoptr(Asking) asking = data;
    GError *error = NULL;

    if (asking->needs_books &&
        !bookkeeper_update(asking->ask.meter->bookkeeper, &error)) {
        wire_call_fail(asking->ask.call, error);
        return;
    }
    asking->ready(&asking->ask);
}

static void
on_known(const Identity *identity, const GError *error, gpointer data)
{
    g_autoptr(Asking) asking = data;
    Ask *ask = &asking->ask;
    GError *refusal = NULL;

    if (identity == NULL) {
        wire_call_fail(ask->call, g_error_copy(error));
        return;
    }
    if (!role_check(identity->role, wire_call_get_method(ask->call), &refusal)) {
        wire_call_fail(ask->call, refusal);
        return;
    }
    ask->identity = identity_copy(identity);
    ask->is_admin = identity->role == ROLE_ADMIN;
    controller_refresh(ask->meter->controller, on_fresh, g_steal_pointer(&asking));
}

static void
start(WireCall *call, const void *in, bool needs_books, AskReady ready)
{
    Asking *asking = g_new0(Asking, 1);

    *asking = (Asking){
        .ask = { .call = call, .meter = wire_call_get_data(call), .in = in },
        .needs_books = needs_books,
        .ready = ready,
    };
    identity_find(asking->ask.meter->identities, wire_call_get_peer(call)->uid,
                  wire_call_get_session(call), on_known, asking);
}

void
ask_start(WireCall *call, const void *in, AskReady ready)
{
    start(call, in, true, ready);
}

void
ask_start_without_books(WireCall *call, const void *in, AskReady ready)
{
    start(call, in, false, ready);
}

static bool
refuse_choice(const Identity *identity, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (gsize i = 0; i < identity->n_rights; i++) {
        g_ptr_array_add(names, identity->rights[i].tenant);
    }
    return role_refuse_choice(names, error);
}

bool
ask_find_tenant(const Ask *ask,
                const char *asked,
                const char **ret_tenant,
                GError **error)
{
    const Identity *identity = ask->identity;
    const char *name = asked != NULL ? asked : identity->tenant;
    Role role = ROLE_BILLING;

    if (ask->is_admin) {
        *ret_tenant = asked;
        return true;
    }
    if (*name == '\0')
        return refuse_choice(identity, error);
    if (!identity_get_role(identity, name, &role)) {
        proto_error_set_not_found(error, "tenant", name, "There is no tenant \"%s\"",
                                  name);
        return false;
    }
    *ret_tenant = name;
    return role_check(role, wire_call_get_method(ask->call), error);
}

bool
ask_check_there(const Ask *ask, View *view, const char *tenant, GError **error)
{
    Role role = ROLE_BILLING;
    bool has = false;

    if (tenant == NULL || identity_get_role(ask->identity, tenant, &role))
        return true;
    if (!view_has_tenant(view, tenant, &has, error))
        return false;
    if (has)
        return true;
    proto_error_set_not_found(error, "tenant", tenant, "There is no tenant \"%s\"",
                              tenant);
    return false;
}

BooksAt
ask_get_books(const Ask *ask)
{
    return (BooksAt){ bookkeeper_get_books(ask->meter->bookkeeper), G_MAXINT64 };
}

gint64
ask_get_now_ms(const Ask *ask)
{
    gint64 known_ms = meter_store_get_known_ms(ask->meter->store);

    return known_ms > 0 ? known_ms : clock_wall_ms();
}
