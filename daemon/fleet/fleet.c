/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/fleet.h"

struct Fleet {
    /** By name. */
    GPtrArray *hosts;
    GHashTable *by_name;
};

Fleet *
fleet_new(const Config *config, const HostListener *listener, GError **error)
{
    g_autoptr(GPtrArray) configs = config_get_hosts(config, error);
    Fleet *fleet = NULL;

    if (configs == NULL)
        return NULL;
    fleet = g_new0(Fleet, 1);
    fleet->hosts = g_ptr_array_new_with_free_func((GDestroyNotify) host_free);
    fleet->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    g_ptr_array_set_free_func(configs, NULL);
    for (guint i = 0; i < configs->len; i++) {
        Host *host = host_new(configs->pdata[i], listener);

        g_ptr_array_add(fleet->hosts, host);
        g_hash_table_insert(fleet->by_name, (gpointer) (gsize) host_get_name(host), host);
    }
    return fleet;
}

void
fleet_free(Fleet *fleet)
{
    if (fleet == NULL)
        return;
    g_hash_table_unref(fleet->by_name);
    g_ptr_array_unref(fleet->hosts);
    g_free(fleet);
}

void
fleet_start(Fleet *fleet)
{
    for (guint i = 0; i < fleet->hosts->len; i++) {
        host_start(fleet->hosts->pdata[i]);
    }
}

const GPtrArray *
fleet_get_hosts(const Fleet *fleet)
{
    return fleet->hosts;
}

Host *
fleet_find(const Fleet *fleet, const char *name)
{
    return name != NULL ? g_hash_table_lookup(fleet->by_name, name) : NULL;
}

void
fleet_call(Fleet *fleet,
           const char *host,
           HostLane lane,
           const WireMethod *method,
           const void *in,
           gint64 timeout_ms,
           WireLinkReply reply,
           gpointer data)
{
    Host *found = fleet_find(fleet, host);
    g_autoptr(GError) error = NULL;

    if (found != NULL) {
        host_call(found, lane, method, in, timeout_ms, reply, data);
        return;
    }
    proto_error_set_host_unreachable(&error, host != NULL ? host : "",
                                     "There is no host \"%s\" any more",
                                     host != NULL ? host : "");
    reply(NULL, false, error, data);
}
