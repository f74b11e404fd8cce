/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/ask.h"

typedef struct {
    Ask ask;
    Role needs;
    AskReady ready;
} Asking;

static void
asking_free(Asking *asking)
{
    g_free(asking->ask.tenant);
    g_free(asking);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Asking, asking_free)

static void
on_fresh(gpointer data)
{
    g_autoptr(Asking) asking = data;
    GError *error = NULL;

    if (!bookkeeper_update(asking->ask.meter->bookkeeper, &error)) {
        wire_call_fail(asking->ask.call, error);
        return;
    }
    asking->ready(&asking->ask);
}

static void
on_known(const Identity *identity, const GError *error, gpointer data)
{
    g_autoptr(Asking) asking = data;
    Controller *controller = asking->ask.meter->controller;
    GError *refusal = NULL;

    if (identity == NULL) {
        wire_call_fail(asking->ask.call, g_error_copy(error));
        return;
    }
    if (identity->role < asking->needs) {
        proto_error_set_permission_denied(
            &refusal, asking->needs, "%s needs the role %s",
            wire_call_get_method(asking->ask.call)->full_name,
            role_to_string(asking->needs));
        wire_call_fail(asking->ask.call, refusal);
        return;
    }
    asking->ask.role = identity->role;
    asking->ask.tenant = g_strdup(identity->tenant);
    controller_refresh(controller, on_fresh, g_steal_pointer(&asking));
}

void
ask_start(WireCall *call, const void *in, Role needs, AskReady ready)
{
    Asking *asking = g_new0(Asking, 1);

    *asking = (Asking){
        .ask = { .call = call, .meter = wire_call_get_data(call), .in = in },
        .needs = needs,
        .ready = ready,
    };
    identity_find(asking->ask.meter->identities, wire_call_get_peer(call)->uid,
                  wire_call_get_session(call), on_known, asking);
}
