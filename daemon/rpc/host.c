/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fleet/capacity.h"
#include "instance/hosts.h"
#include "rpc/identity.h"
#include "rpc/rpc.h"

enum {
    LIST_TIMEOUT_MS = 20000
};

static ProtoHost
show(const Host *host, const HostUse *use)
{
    static const HostUse nothing;
    ProtoHost shown = *host_get_view(host);
    Quota capacity = capacity_of(host_get_config(host), &shown);

    if (use == NULL)
        use = &nothing;
    shown.instances = use->used.amount[QUOTA_INSTANCES];
    shown.used_vcpus = use->used.amount[QUOTA_VCPUS];
    shown.used_memory_bytes = use->used.amount[QUOTA_MEMORY_BYTES];
    shown.used_disk_bytes = use->used.amount[QUOTA_DISK_BYTES];
    shown.has_capacity_vcpus = shown.has_capacity_memory_bytes =
        shown.has_capacity_disk_bytes = true;
    shown.capacity_vcpus = capacity.amount[QUOTA_VCPUS];
    shown.capacity_memory_bytes = capacity.amount[QUOTA_MEMORY_BYTES];
    shown.capacity_disk_bytes = capacity.amount[QUOTA_DISK_BYTES];
    shown.has_reserved_vcpus = shown.has_reserved_memory_bytes =
        shown.has_reserved_disk_bytes = true;
    shown.reserved_vcpus = use->reserved.amount[QUOTA_VCPUS];
    shown.reserved_memory_bytes = use->reserved.amount[QUOTA_MEMORY_BYTES];
    shown.reserved_disk_bytes = use->reserved.amount[QUOTA_DISK_BYTES];
    return shown;
}

static void
list(WireCall *call, const ProtoHostListCall *in)
{
    const GPtrArray *hosts = fleet_get_hosts(rpc_of(call)->fleet);
    g_autoptr(GHashTable) uses = hosts_sum(rpc_of(call)->instances);
    guint limit = rpc_get_limit(in->has_limit, in->limit);
    g_autofree ProtoHost *rows = g_new0(ProtoHost, limit);
    ProtoHostListReply reply = { .hosts = rows };

    for (guint i = 0; i < hosts->len; i++) {
        const char *name = host_get_name(hosts->pdata[i]);

        if (in->after != NULL && strcmp(name, in->after) <= 0)
            continue;
        if (reply.n_hosts == limit) {
            reply.next = rows[limit - 1].name;
            break;
        }
        rows[reply.n_hosts++] = show(hosts->pdata[i], g_hash_table_lookup(uses, name));
    }
    wire_call_reply(call, &reply);
}

/* Fails the call if there is no such host. */
static Host *
find(WireCall *call, const char *name)
{
    Host *host = fleet_find(rpc_of(call)->fleet, name);
    GError *error = NULL;

    if (host != NULL)
        return host;
    proto_error_set_not_found(&error, "host", name, "There is no host \"%s\"", name);
    wire_call_fail(call, error);
    return NULL;
}

static void
get(WireCall *call, const ProtoHostGetCall *in)
{
    const Host *host = find(call, in->host);
    ProtoHostGetReply reply = { 0 };
    HostUse use = { 0 };

    if (host == NULL)
        return;
    use = hosts_sum_one(rpc_of(call)->instances, in->host);
    reply.host = show(host, &use);
    wire_call_reply(call, &reply);
}

/* Changes */

/** A change that is on its way to the disk. */
typedef struct {
    WireCall *call;
    const Host *host;
} Pending;

static void
on_changed(gpointer data)
{
    g_autofree Pending *pending = data;
    Rpc *rpc = rpc_of(pending->call);
    HostUse use = hosts_sum_one(rpc->instances, host_get_name(pending->host));
    ProtoHostGetReply reply = { .host = show(pending->host, &use) };

    wire_call_reply(pending->call, &reply);
}

/* The replies of all changes are a struct with the host, as that of Get. */
static void
reply_changed(WireCall *call, StoreTx *tx, const Host *host)
{
    Pending *pending = g_new0(Pending, 1);

    *pending = (Pending){ call, host };
    store_on_commit(tx, on_changed, pending);
    store_commit(tx);
}

static void
set_drained(WireCall *call, const char *name, bool is_drained)
{
    Host *host = find(call, name);
    StoreTx *tx = NULL;

    if (host == NULL)
        return;
    tx = store_begin(rpc_of(call)->store);
    fleet_set_drained(rpc_of(call)->fleet, tx, host, is_drained,
                      identity_get_actor(call).uid);
    reply_changed(call, tx, host);
}

static void
drain(WireCall *call, const ProtoHostDrainCall *in)
{
    set_drained(call, in->host, true);
}

static void
undrain(WireCall *call, const ProtoHostUndrainCall *in)
{
    set_drained(call, in->host, false);
}

static void
set(WireCall *call, const ProtoHostSetCall *in)
{
    Host *host = find(call, in->host);
    StoreTx *tx = NULL;

    if (host == NULL)
        return;
    tx = store_begin(rpc_of(call)->store);
    fleet_set_labels(rpc_of(call)->fleet, tx, host, in->labels,
                     identity_get_actor(call).uid);
    reply_changed(call, tx, host);
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
    Host *host = find(call, in->host);
    Waiting *waiting = NULL;

    if (host == NULL)
        return;
    waiting = g_new0(Waiting, 1);
    waiting->call = call;
    wire_call_park(call, on_gone, waiting);
    host_call(host, HOST_LANE_QUERY, &proto_worker_list_foreign, NULL, LIST_TIMEOUT_MS,
              on_foreign, waiting);
}

const ProtoHostHandlers rpc_host_handlers = {
    .list = list,
    .get = get,
    .list_foreign = list_foreign,
    .drain = drain,
    .undrain = undrain,
    .set = set,
};
