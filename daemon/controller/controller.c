/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "controller/controller.h"

#include <malloc.h>

#include "base/clock.h"
#include "instance/disabled.h"
#include "instance/reconcile.h"
#include "instance/tick.h"
#include "tenant/gate.h"

/* Making lost rows again */

static void
on_rebuilt(guint made, GPtrArray *left, gpointer data)
{
    Controller *controller = data;

    controller->n_rebuilt += made;
    for (guint i = 0; i < left->len; i++) {
        g_ptr_array_add(controller->left, g_strdup(left->pdata[i]));
    }
    if (--controller->n_rebuilding == 0 && g_hash_table_size(controller->to_rebuild) == 0)
        controller->rebuilt(controller->n_rebuilt, controller->left,
                            controller->rebuilt_data);
}

/* What the hosts tell */

static void
on_listed(Host *host, const ProtoDomain *domains, gsize n_domains, gpointer data)
{
    Controller *controller = data;
    InstanceBook *book = controller->rpc.instances;

    if (controller->to_rebuild != NULL &&
        g_hash_table_remove(controller->to_rebuild, host)) {
        controller->n_rebuilding++;
        rebuild_start(book, host, domains, n_domains, on_rebuilt, controller);
        return;
    }
    reconcile_host(book, host_get_name(host), domains, n_domains);
}

static void
on_changed(Host *host, HostEventKind kind, const ProtoDomain *domain, gpointer data)
{
    Controller *controller = data;

    reconcile_event(controller->rpc.instances, host_get_name(host), domain);
}

static void
on_host_state(Host *host, gpointer data)
{
    Controller *controller = data;
    const ProtoHost *view = host_get_view(host);
    StoreTx *tx = store_begin(controller->rpc.store);
    ProtoEvent event = {
        .kind = EVENT_KIND_HOST_STATE,
        .subject = g_strdup(view->name),
        .state = g_strdup(host_state_to_string(view->state)),
        .detail = g_strdup(view->reason),
    };

    store_add_event(tx, &event);
    store_commit(tx);
    rpc_try_held(&controller->rpc);
    if (!host_is_connected(host))
        return;
    operation_engine_kick(controller->rpc.engine);
    group_book_kick(controller->rpc.groups);
}

static void
on_event(const ProtoEvent *event, gpointer data)
{
    Controller *controller = data;

    reader_wake(&controller->rpc, READER_EVENTS);
}

static void
on_ledger(gpointer data)
{
    Controller *controller = data;

    reader_wake(&controller->rpc, READER_LEDGER);
}

/* Putting it together */

static bool
make_books(Controller *controller, GError **error)
{
    Rpc *rpc = &controller->rpc;
    const HostListener listener = { on_listed, on_changed, on_host_state, controller };
    const Quota limit = { { [QUOTA_INSTANCES] = controller->config->quota_instances,
                            [QUOTA_VCPUS] = controller->config->quota_vcpus,
                            [QUOTA_MEMORY_BYTES] = controller->config->quota_memory,
                            [QUOTA_DISK_BYTES] = controller->config->quota_disk,
                            [QUOTA_ADDRESSES] = controller->config->quota_addresses,
                            [QUOTA_GROUPS] = controller->config->quota_groups,
                            [QUOTA_OPERATIONS] = controller->config->quota_operations,
                            [QUOTA_REQUESTS] = controller->config->quota_requests } };

    rpc->config = controller->config;
    for (int kind = 0; kind < READER_KINDS; kind++) {
        rpc->followers[kind] = g_ptr_array_new();
    }
    rpc->held = g_ptr_array_new_with_free_func(g_free);
    rpc->started_boot_ms = clock_boot_ms();
    rpc->fleet = fleet_new(controller->config, &listener, error);
    if (rpc->fleet == NULL)
        return false;
    rpc->engine =
        operation_engine_new(rpc->store, (guint) controller->config->operations_kept,
                             (guint) controller->config->operations_side_by_side);
    rpc->tenants = tenant_book_new(rpc->store, &limit);
    tenant_book_guard(rpc->tenants, rpc->engine);
    rpc->templates = template_book_new(rpc->store, rpc->engine, rpc->fleet);
    rpc->instances = instance_book_new(rpc->store, rpc->engine, rpc->tenants,
                                       rpc->templates, rpc->fleet, controller->config);
    rpc->groups = group_book_new(rpc->instances);
    return true;
}

static bool
load_books(const Rpc *rpc, GError **error)
{
    return tenant_book_load(rpc->tenants, error) &&
           fleet_load(rpc->fleet, rpc->store, error) &&
           template_book_load(rpc->templates, error) &&
           operation_engine_load(rpc->engine, error) &&
           instance_book_load(rpc->instances, error) &&
           group_book_load(rpc->groups, error);
}

bool
controller_load(Controller *controller, Config *config, bool anew, GError **error)
{
    Rpc *rpc = &controller->rpc;

    controller->config = config;
    rpc->admin_group = (gid_t) -1;
    rpc->reader_group = (gid_t) -1;
    rpc->accountant_group = (gid_t) -1;
    rpc->store = store_open(config->state_dir, anew, error);
    if (rpc->store == NULL)
        return false;
    if (!make_books(controller, error) ||
        (*config->anchor != '\0' &&
         !store_keep_anchor(rpc->store, config->anchor, error)) ||
        !load_books(rpc, error))
        return false;
    /* What reading took and does not need any more. */
    malloc_trim(0);
    store_on_event(rpc->store, on_event, controller);
    store_on_ledger(rpc->store, on_ledger, controller);
    store_start(rpc->store);
    if (config->backups_kept > 0)
        store_keep_backups(rpc->store, (guint) config->backups_kept,
                           (guint) config->backup_seconds);
    controller->server = rpc_server_new(rpc);
    return true;
}

void
controller_start(Controller *controller)
{
    fleet_start(controller->rpc.fleet);
    tick_start(controller->rpc.instances);
    operation_engine_resume(controller->rpc.engine);
    disabled_start(controller->rpc.instances);
    group_book_kick(controller->rpc.groups);
}

void
controller_rebuild(Controller *controller, RebuildDone done, gpointer data)
{
    const GPtrArray *hosts = fleet_get_hosts(controller->rpc.fleet);

    controller->rebuilt = done;
    controller->rebuilt_data = data;
    controller->to_rebuild = g_hash_table_new(NULL, NULL);
    controller->left = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < hosts->len; i++) {
        g_hash_table_add(controller->to_rebuild, hosts->pdata[i]);
    }
    operation_engine_stop(controller->rpc.engine);
    fleet_start(controller->rpc.fleet);
}

void
controller_done(Controller *controller)
{
    Rpc *rpc = &controller->rpc;

    /* The server lets go of the calls that are held. */
    g_clear_handle_id(&rpc->hold_source, g_source_remove);
    g_clear_pointer(&rpc->held, g_ptr_array_unref);
    wire_server_free(controller->server);
    fleet_free(rpc->fleet);
    store_close(rpc->store);
    group_book_free(rpc->groups);
    instance_book_free(rpc->instances);
    operation_engine_free(rpc->engine);
    template_book_free(rpc->templates);
    tenant_book_free(rpc->tenants);
    for (int kind = 0; kind < READER_KINDS; kind++) {
        g_clear_pointer(&rpc->followers[kind], g_ptr_array_unref);
    }
    g_clear_pointer(&controller->to_rebuild, g_hash_table_unref);
    g_clear_pointer(&controller->left, g_ptr_array_unref);
    config_free(controller->config);
    *controller = (Controller){ 0 };
}
