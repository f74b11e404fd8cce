/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/watch.h"

#include "proto.h"
#include "wire/link.h"

enum {
    WATCH_SECONDS = 15,
    ANSWER_MS = 5000,
    PAGE_ROWS = 500
};

/* One asking is one link: hosts, page by page, and then tenants.  Whatever goes wrong
 * ends it, and the next one begins anew. */
struct Watch {
    char *path;
    guint timer;
    WireLink *link;
    GPtrArray *hosts;
    GPtrArray *tenants;
    /* What has come so far. */
    GPtrArray *new_hosts;
    GPtrArray *new_tenants;
};

static const char *const resource_names[] = {
    [WATCH_INSTANCES] = "instances",
    [WATCH_VCPUS] = "vcpus",
    [WATCH_MEMORY_BYTES] = "memory_bytes",
    [WATCH_DISK_BYTES] = "disk_bytes",
};
G_STATIC_ASSERT(G_N_ELEMENTS(resource_names) == WATCH_RESOURCE_N);

const char *
watch_get_resource_name(guint resource)
{
    return resource_names[resource];
}

static void
host_free(gpointer data)
{
    WatchHost *host = data;

    g_free(host->name);
    g_free(host);
}

static void
tenant_free(gpointer data)
{
    WatchTenant *tenant = data;

    g_free(tenant->name);
    g_free(tenant);
}

static void
begin_lists(Watch *watch)
{
    g_clear_pointer(&watch->new_hosts, g_ptr_array_unref);
    g_clear_pointer(&watch->new_tenants, g_ptr_array_unref);
    watch->new_hosts = g_ptr_array_new_with_free_func(host_free);
    watch->new_tenants = g_ptr_array_new_with_free_func(tenant_free);
}

/* Replaces what is told by what has come. */
static void
end(Watch *watch)
{
    g_clear_pointer(&watch->link, wire_link_free);
    g_ptr_array_unref(watch->hosts);
    g_ptr_array_unref(watch->tenants);
    watch->hosts = g_steal_pointer(&watch->new_hosts);
    watch->tenants = g_steal_pointer(&watch->new_tenants);
}

/* vmd does not answer: nothing is known. */
static void
give_up(Watch *watch)
{
    begin_lists(watch);
    end(watch);
}

static void
on_closed(WireLink *link, gpointer data)
{
    give_up(data);
}

/* Tenants */

static void
on_tenants(const void *out, bool continues, const GError *error, gpointer data);

static void
ask_tenants(Watch *watch, char *after)
{
    const ProtoTenantListCall call = {
        .after = after,
        .has_limit = true,
        .limit = PAGE_ROWS,
    };

    wire_link_call(watch->link, &proto_tenant_list, &call, false, ANSWER_MS, on_tenants,
                   watch);
}

static void
take_amounts(gint64 amounts[WATCH_RESOURCE_N], const ProtoTenantAmounts *told)
{
    amounts[WATCH_INSTANCES] = told->instances;
    amounts[WATCH_VCPUS] = told->vcpus;
    amounts[WATCH_MEMORY_BYTES] = told->memory_bytes;
    amounts[WATCH_DISK_BYTES] = told->disk_bytes;
}

static void
take_tenant(Watch *watch, const ProtoTenant *told)
{
    WatchTenant *tenant = NULL;

    if (told->quota == NULL || told->state == TENANT_STATE_REMOVED)
        return;
    tenant = g_new0(WatchTenant, 1);
    tenant->name = g_strdup(told->name);
    take_amounts(tenant->used, &told->quota->used);
    take_amounts(tenant->limit, &told->quota->limit);
    g_ptr_array_add(watch->new_tenants, tenant);
}

static void
on_tenants(const void *out, bool continues, const GError *error, gpointer data)
{
    Watch *watch = data;
    const ProtoTenantListReply *reply = out;

    if (error != NULL) {
        give_up(watch);
        return;
    }
    for (gsize i = 0; i < reply->n_tenants; i++) {
        take_tenant(watch, &reply->tenants[i]);
    }
    if (reply->next != NULL) {
        ask_tenants(watch, reply->next);
    } else {
        end(watch);
    }
}

/* Hosts */

static void on_hosts(const void *out, bool continues, const GError *error, gpointer data);

static void
ask_hosts(Watch *watch, char *after)
{
    const ProtoHostListCall call = {
        .after = after,
        .has_limit = true,
        .limit = PAGE_ROWS,
    };

    wire_link_call(watch->link, &proto_host_list, &call, false, ANSWER_MS, on_hosts,
                   watch);
}

static void
on_hosts(const void *out, bool continues, const GError *error, gpointer data)
{
    Watch *watch = data;
    const ProtoHostListReply *reply = out;

    if (error != NULL) {
        give_up(watch);
        return;
    }
    for (gsize i = 0; i < reply->n_hosts; i++) {
        WatchHost *host = g_new0(WatchHost, 1);

        host->name = g_strdup(reply->hosts[i].name);
        host->is_connected = reply->hosts[i].state == HOST_STATE_CONNECTED;
        g_ptr_array_add(watch->new_hosts, host);
    }
    if (reply->next != NULL) {
        ask_hosts(watch, reply->next);
    } else {
        ask_tenants(watch, NULL);
    }
}

/* Now and then */

static gboolean
ask(gpointer data)
{
    Watch *watch = data;

    if (watch->link != NULL)
        return G_SOURCE_CONTINUE;
    begin_lists(watch);
    watch->link = wire_link_connect(watch->path, on_closed, watch, NULL);
    if (watch->link == NULL) {
        give_up(watch);
    } else {
        ask_hosts(watch, NULL);
    }
    return G_SOURCE_CONTINUE;
}

Watch *
watch_new(const char *path)
{
    Watch *watch = g_new0(Watch, 1);

    watch->path = g_strdup(path);
    watch->hosts = g_ptr_array_new_with_free_func(host_free);
    watch->tenants = g_ptr_array_new_with_free_func(tenant_free);
    watch->timer = g_timeout_add_seconds(WATCH_SECONDS, ask, watch);
    ask(watch);
    return watch;
}

void
watch_free(Watch *watch)
{
    if (watch == NULL)
        return;
    g_clear_handle_id(&watch->timer, g_source_remove);
    g_clear_pointer(&watch->link, wire_link_free);
    g_clear_pointer(&watch->new_hosts, g_ptr_array_unref);
    g_clear_pointer(&watch->new_tenants, g_ptr_array_unref);
    g_ptr_array_unref(watch->hosts);
    g_ptr_array_unref(watch->tenants);
    g_free(watch->path);
    g_free(watch);
}

GPtrArray *
watch_get_hosts(const Watch *watch)
{
    return watch->hosts;
}

GPtrArray *
watch_get_tenants(const Watch *watch)
{
    return watch->tenants;
}
