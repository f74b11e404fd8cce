/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/usage-reply.h"
#include "meter/rpc-private.h"

static void
usage_ready(const Ask *ask)
{
    const ProtoBillingUsageCall *in = ask->in;
    g_autoptr(View) view = NULL;
    const char *tenant = NULL;
    Window window = { 0 };
    GError *error = NULL;

    if (ask_find_tenant(ask, in->tenant, &tenant, &error))
        view = view_open(ask->meter->store, 0, &error);
    if (view == NULL || !ask_check_there(ask, view, tenant, &error) ||
        !window_resolve(in->from, in->to, ask_get_now_ms(ask), &window, &error)) {
        wire_call_fail(ask->call, error);
        return;
    }
    usage_reply_start(ask->call, g_steal_pointer(&view), tenant, &window);
}

void
meter_usage(WireCall *call, const ProtoBillingUsageCall *in)
{
    ask_start_without_books(call, in, usage_ready);
}
