/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/host.h"

#include <string.h>

#include "rpc/rpc.h"

enum {
    LIST_TIMEOUT_MS = 20000
};

static ProtoHost
show(Rpc *rpc)
{
    ProtoHost shown = *host_get_view(rpc->host);
    Quota used = instance_book_sum(rpc->instances, NULL);

    shown.instances = used.amount[QUOTA_INSTANCES];
    shown.used_vcpus = used.amount[QUOTA_VCPUS];
    shown.used_memory_bytes = used.amount[QUOTA_MEMORY_BYTES];
    shown.used_disk_bytes = used.amount[QUOTA_DISK_BYTES];
    return shown;
}

static void
list(WireCall *call, const ProtoHostListCall *in)
{
    ProtoHost host = show(rpc_of(call));
    ProtoHostListReply reply = { .hosts = &host, .n_hosts = 1 };

    if (in->after != NULL && strcmp(in->after, host.name) >= 0)
        reply.n_hosts = 0;
    wire_call_reply(call, &reply);
}

/* Fails the call if there is no such host. */
static bool
find(WireCall *call, const char *name)
{
    GError *error = NULL;

    if (strcmp(name, host_get_name(rpc_of(call)->host)) == 0)
        return true;
    proto_error_set_not_found(&error, "host", name, "There is no host \"%s\"", name);
    wire_call_fail(call, error);
    return false;
}

static void
get(WireCall *call, const ProtoHostGetCall *in)
{
    ProtoHostGetReply reply = { .host = show(rpc_of(call)) };

    if (find(call, in->host))
        wire_call_reply(call, &reply);
}

/* A call that waits for its host; its client may go before. */
typedef struct {
    WireCall *call;
} Waiting;

static void
on_gone(WireCall *call, gpointer data)
{
    ((Waiting *) data)->call = NULL;
}

static void
on_foreign(const void *out, bool continues, const GError *error, gpointer data)
{
    g_autofree Waiting *waiting = data;
    const ProtoWorkerListForeignReply *listed = out;
    ProtoHostListForeignReply reply = { 0 };

    if (waiting->call == NULL)
        return;
    if (error != NULL) {
        wire_call_fail(waiting->call, g_error_copy(error));
        return;
    }
    reply.domains = listed->domains;
    reply.n_domains = listed->n_domains;
    wire_call_reply(waiting->call, &reply);
}

static void
list_foreign(WireCall *call, const ProtoHostListForeignCall *in)
{
    Waiting *waiting = NULL;

    if (!find(call, in->host))
        return;
    waiting = g_new0(Waiting, 1);
    waiting->call = call;
    wire_call_park(call, on_gone, waiting);
    host_call(rpc_of(call)->host, HOST_LANE_QUERY, &proto_worker_list_foreign, NULL,
              LIST_TIMEOUT_MS, on_foreign, waiting);
}

const ProtoHostHandlers rpc_host_handlers = {
    .list = list,
    .get = get,
    .list_foreign = list_foreign,
};
