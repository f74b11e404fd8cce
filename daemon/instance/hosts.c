/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/hosts.h"

#include "fleet/capacity.h"
#include "instance/held.h"

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

static const char *
get_refusal(const Host *host)
{
    if (!host_is_connected(host))
        return "it cannot be reached";
    return host_get_view(host)->drained ? "it is drained" : NULL;
}

static PlaceHost
describe(InstanceBook *book, const Host *host)
{
    const ProtoHost *view = host_get_view(host);

    return (PlaceHost){
        .name = view->name,
        .refusal = get_refusal(host),
        .pool = view->pool,
        .labels = view->labels,
        .arch = view->arch,
        .capacity = capacity_of(host_get_config(host), view),
        .used = held_get_on_host(book, view->name),
    };
}

GArray *
hosts_describe(InstanceBook *book)
{
    const GPtrArray *all = fleet_get_hosts(book->fleet);
    GArray *hosts = g_array_new(FALSE, FALSE, sizeof(PlaceHost));

    for (guint i = 0; i < all->len; i++) {
        PlaceHost host = describe(book, all->pdata[i]);

        g_array_append_val(hosts, host);
    }
    return hosts;
}

/* Keeping apart */

static PlaceHost *
get_row(GArray *hosts, guint index)
{
    return &g_array_index(hosts, PlaceHost, index);
}

static const PlaceHost *
find_row(GArray *hosts, const char *name)
{
    for (guint i = 0; i < hosts->len; i++) {
        if (g_strcmp0(get_row(hosts, i)->name, name) == 0)
            return get_row(hosts, i);
    }
    return NULL;
}

/* Whether the two are one place, for who counts places by that label. */
static bool
is_one_place(const PlaceHost *a, const PlaceHost *b, const char *by)
{
    const char *place = by != NULL ? place_get_label(a->labels, by) : NULL;

    return a == b ||
           (place != NULL && g_strcmp0(place, place_get_label(b->labels, by)) == 0);
}

/* The instance is on at, and wants to be alone there. */
static void
deny_around(GArray *hosts, const PlaceHost *at, const char *by)
{
    for (guint i = 0; i < hosts->len; i++) {
        if (is_one_place(at, get_row(hosts, i), by))
            get_row(hosts, i)->is_denied = true;
    }
}

void
hosts_count_near(InstanceBook *book,
                 const char *tenant,
                 char *const *labels,
                 const ProtoPlacement *placement,
                 GArray *hosts)
{
    const BookTenant *found = instance_book_get_tenant(book, tenant);
    char **apart_from = placement != NULL ? placement->anti_affinity : NULL;
    GHashTableIter iter;
    gpointer key = NULL;

    if (found == NULL)
        return;
    g_hash_table_iter_init(&iter, apart_from != NULL ? found->instances : found->apart);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const ProtoInstance *view = &((Instance *) key)->record.view;
        const ProtoPlacement *wish = view->placement;
        bool is_near = apart_from != NULL && place_has_labels(view->labels, apart_from);
        bool denies = wish != NULL && wish->anti_affinity != NULL &&
                      !wish->anti_affinity_soft &&
                      place_has_labels(labels, wish->anti_affinity);
        const PlaceHost *at = is_near || denies ? find_row(hosts, view->host) : NULL;

        if (at != NULL && is_near)
            get_row(hosts, (guint) (at - get_row(hosts, 0)))->n_near++;
        if (at != NULL && denies)
            deny_around(hosts, at, wish->anti_affinity_by);
    }
}

/* Growth */

bool
hosts_check_growth(const Instance *instance, const Quota *more, GError **error)
{
    const Host *host = instance_get_host(instance);
    g_autofree char *reason = NULL;
    ProtoRefusal refusal = { 0 };
    PlaceHost described = { 0 };

    /* What a host has that has not answered yet is not known. */
    if (host == NULL || host_get_view(host)->memory_bytes == 0)
        return true;
    described = describe(instance->book, host);
    reason = place_check_room(&described, more);
    if (reason == NULL)
        return true;
    refusal = (ProtoRefusal){ (char *) (gsize) described.name, reason };
    proto_error_set_no_capacity(error, &refusal, 1, "Host %s cannot take it: %s",
                                described.name, reason);
    return false;
}
