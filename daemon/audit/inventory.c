/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/inventory.h"

enum {
    INVENTORY_TIMEOUT_MS = 60000
};

typedef struct Asking Asking;

/** A host that is asked. */
typedef struct {
    Asking *asking;
    Inventory *inventory;
} Asked;

struct Asking {
    GPtrArray *inventories;
    Asked *hosts;
    guint n_waited_for;
    InventoriesDone done;
    gpointer data;
};

static void
inventory_free(gpointer data)
{
    Inventory *inventory = data;

    g_array_unref(inventory->objects);
    g_clear_error(&inventory->error);
    g_free(inventory);
}

static Inventory *
inventory_new(const char *host)
{
    Inventory *inventory = g_new0(Inventory, 1);

    inventory->host = host;
    inventory->objects = g_array_new(FALSE, TRUE, sizeof(ProtoHeld));
    g_array_set_clear_func(inventory->objects, (GDestroyNotify) proto_held_clear);
    return inventory;
}

static void
end_one(Asking *asking)
{
    if (--asking->n_waited_for > 0)
        return;
    asking->done(asking->inventories, asking->data);
    g_free(asking->hosts);
    g_free(asking);
}

static void
on_inventory(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoWorkerInventoryReply *reply = out;
    Asked *asked = data;

    for (gsize i = 0; reply != NULL && i < reply->n_objects; i++) {
        ProtoHeld copy = { 0 };

        proto_held_copy(&reply->objects[i], &copy);
        g_array_append_val(asked->inventory->objects, copy);
    }
    if (continues)
        return;
    asked->inventory->error = error != NULL ? g_error_copy(error) : NULL;
    end_one(asked->asking);
}

void
inventories_ask(Fleet *fleet, InventoriesDone done, gpointer data)
{
    const GPtrArray *hosts = fleet_get_hosts(fleet);
    Asking *asking = g_new0(Asking, 1);

    asking->inventories = g_ptr_array_new_with_free_func(inventory_free);
    asking->hosts = g_new0(Asked, hosts->len);
    asking->done = done;
    asking->data = data;
    /* One more than there are: it ends when all have been asked. */
    asking->n_waited_for = hosts->len + 1;
    for (guint i = 0; i < hosts->len; i++) {
        Inventory *inventory = inventory_new(host_get_name(hosts->pdata[i]));

        g_ptr_array_add(asking->inventories, inventory);
        asking->hosts[i] = (Asked){ asking, inventory };
        host_call(hosts->pdata[i], HOST_LANE_QUERY, &proto_worker_inventory, NULL,
                  INVENTORY_TIMEOUT_MS, on_inventory, &asking->hosts[i]);
    }
    end_one(asking);
}

const Inventory *
inventories_find(const GPtrArray *inventories, const char *host)
{
    for (guint i = 0; i < inventories->len; i++) {
        const Inventory *inventory = inventories->pdata[i];

        if (g_strcmp0(inventory->host, host) == 0)
            return inventory->error == NULL ? inventory : NULL;
    }
    return NULL;
}
