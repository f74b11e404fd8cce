/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "rpc/rpc.h"

/*
 * Just after a start no host has told yet what is on it, and so none has room.  What
 * would be refused for that alone is tried again when one more host has answered, and for
 * the last time when all have, or after HOLD_MS.
 */

enum {
    HOLD_MS = 10000
};

typedef struct {
    WireCall *call;
    const void *in;
    RpcTry try;
} Held;

static bool
are_hosts_starting(const Rpc *rpc)
{
    const GPtrArray *hosts = fleet_get_hosts(rpc->fleet);

    if (clock_boot_ms() - rpc->started_boot_ms >= HOLD_MS)
        return false;
    for (guint i = 0; i < hosts->len; i++) {
        if (host_get_view(hosts->pdata[i])->state == HOST_STATE_STARTING)
            return true;
    }
    return false;
}

bool
rpc_may_find_room(const Rpc *rpc, const GError *error)
{
    return g_error_matches(error, PROTO_ERROR, PROTO_ERROR_NO_CAPACITY) &&
           are_hosts_starting(rpc);
}

static gboolean
give_up(gpointer data)
{
    Rpc *rpc = data;

    rpc->hold_source = 0;
    rpc_try_held(rpc);
    return G_SOURCE_REMOVE;
}

static void
hold(WireCall *call, const void *in, RpcTry try)
{
    Rpc *rpc = rpc_of(call);
    Held *held = g_new0(Held, 1);

    *held = (Held){ call, in, try };
    g_ptr_array_add(rpc->held, held);
    if (rpc->hold_source == 0)
        rpc->hold_source = g_timeout_add(HOLD_MS, give_up, rpc);
}

void
rpc_try(WireCall *call, const void *in, RpcTry try)
{
    GError *error = NULL;

    if (try(call, in, &error))
        return;
    if (rpc_may_find_room(rpc_of(call), error)) {
        g_error_free(error);
        hold(call, in, try);
    } else {
        wire_call_fail(call, error);
    }
}

void
rpc_try_held(Rpc *rpc)
{
    g_autoptr(GPtrArray) held = g_steal_pointer(&rpc->held);

    rpc->held = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < held->len; i++) {
        const Held *one = held->pdata[i];

        rpc_try(one->call, one->in, one->try);
    }
}
