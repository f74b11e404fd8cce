/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/host.h"

#include <string.h>

#include "rpc/rpc.h"

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

static void
get(WireCall *call, const ProtoHostGetCall *in)
{
    ProtoHostGetReply reply = { .host = show(rpc_of(call)) };
    GError *error = NULL;

    if (strcmp(in->host, reply.host.name) == 0) {
        wire_call_reply(call, &reply);
        return;
    }
    proto_error_set_not_found(&error, "host", in->host, "There is no host \"%s\"",
                              in->host);
    wire_call_fail(call, error);
}

const ProtoHostHandlers rpc_host_handlers = {
    .list = list,
    .get = get,
};
