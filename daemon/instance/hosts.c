/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/hosts.h"

#include "fleet/capacity.h"

/* What is held beyond what is granted, or all of it while it is made. */
static void
add_use(HostUse *use, Instance *instance)
{
    const ProtoInstance *view = &instance->record.view;
    bool is_new = view->state == INSTANCE_STATE_PENDING ||
                  (view->state == INSTANCE_STATE_STARTING && view->generation == 0);
    ProtoSize held = instance_get_held_size(instance);
    ProtoSize more = {
        held.vcpus - (is_new ? 0 : view->vcpus),
        held.memory_bytes - (is_new ? 0 : view->memory_bytes),
        held.disk_bytes - (is_new ? 0 : view->disk_bytes),
    };

    quota_add(&use->used, &held, 1);
    if (view->operation == NULL)
        return;
    quota_add(&use->reserved, &more, 1);
    use->reserved.amount[QUOTA_INSTANCES] -= is_new ? 0 : 1;
}

GHashTable *
hosts_sum(InstanceBook *book)
{
    GHashTable *uses = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Instance *instance = value;
        const char *host = instance->record.view.host;
        HostUse *use = host != NULL ? g_hash_table_lookup(uses, host) : NULL;

        if (host != NULL && use == NULL) {
            use = g_new0(HostUse, 1);
            g_hash_table_insert(uses, g_strdup(host), use);
        }
        if (use != NULL)
            add_use(use, instance);
    }
    return uses;
}

HostUse
hosts_sum_one(InstanceBook *book, const char *host)
{
    g_autoptr(GHashTable) uses = hosts_sum(book);
    const HostUse *use = g_hash_table_lookup(uses, host);

    return use != NULL ? *use : (HostUse){ 0 };
}

static PlaceHost
describe(const Host *host, GHashTable *uses)
{
    const ProtoHost *view = host_get_view(host);
    const HostUse *use = g_hash_table_lookup(uses, view->name);
    PlaceHost described = {
        .name = view->name,
        .refusal = host_is_connected(host) ? NULL : "it cannot be reached",
        .pool = view->pool,
        .labels = view->labels,
        .arch = view->arch,
        .capacity = capacity_of(host_get_config(host), view),
    };

    if (use != NULL)
        described.used = use->used;
    return described;
}

GArray *
hosts_describe(InstanceBook *book)
{
    const GPtrArray *all = fleet_get_hosts(book->fleet);
    g_autoptr(GHashTable) uses = hosts_sum(book);
    GArray *hosts = g_array_new(FALSE, FALSE, sizeof(PlaceHost));

    for (guint i = 0; i < all->len; i++) {
        PlaceHost host = describe(all->pdata[i], uses);

        g_array_append_val(hosts, host);
    }
    return hosts;
}
