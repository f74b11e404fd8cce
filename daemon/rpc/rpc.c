/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/rpc.h"

#include <string.h>
#include <unistd.h>

#include "build-config.h"
#include "proto.h"
#include "rpc/identity.h"

enum {
    PAGE_ROWS = 100,
};

Rpc *
rpc_of(WireCall *call)
{
    return wire_call_get_data(call);
}

static bool
authorize(WireCall *call, const WireMethod *method, GError **error)
{
    const Rpc *rpc = rpc_of(call);

    if (!identity_authorize(call, method, error))
        return false;
    if (method->effect == WIRE_EFFECT_CHANGE && store_is_short(rpc->store)) {
        proto_error_set_disk_full(error, "state_dir",
                                  "The disk with the service's database is full");
        return false;
    }
    return true;
}

WireServer *
rpc_server_new(Rpc *rpc)
{
    const WireServerOptions options = {
        .vendor = "vmctl",
        .product = "vmd",
        .version = VMCTL_VERSION,
        .url = "https://vmctl.io",
        .limits = WIRE_LIMITS_CLIENT,
        .authorize = authorize,
        .is_privileged = identity_is_privileged,
        .data = rpc,
    };
    WireServer *server = wire_server_new(&options);

    wire_server_add(server, &proto_vmctl_interface, &rpc_vmctl_handlers);
    wire_server_add(server, &proto_instance_interface, &rpc_instance_handlers);
    wire_server_add(server, &proto_group_interface, &rpc_group_handlers);
    wire_server_add(server, &proto_template_interface, &rpc_template_handlers);
    wire_server_add(server, &proto_host_interface, &rpc_host_handlers);
    wire_server_add(server, &proto_operation_interface, &rpc_operation_handlers);
    wire_server_add(server, &proto_event_interface, &rpc_event_handlers);
    wire_server_add(server, &proto_session_interface, &rpc_session_handlers);
    wire_server_add(server, &proto_tenant_interface, &rpc_tenant_handlers);
    wire_server_add(server, &proto_quota_interface, &rpc_quota_handlers);
    wire_server_add(server, &proto_budget_interface, &rpc_budget_handlers);
    wire_server_add(server, &proto_ledger_interface, &rpc_ledger_handlers);
    wire_server_add(server, &proto_audit_interface, &rpc_audit_handlers);
    return server;
}

bool
rpc_may_change(WireCall *call, const char *tenant, GError **error)
{
    WireEffect effect = wire_call_get_method(call)->effect;
    bool gives_back = effect == WIRE_EFFECT_RELEASE && rpc_is_admin(call);

    return effect == WIRE_EFFECT_READ || gives_back ||
           tenant_check_enabled(rpc_of(call)->tenants, tenant, error);
}

bool
rpc_get_tenant(WireCall *call, const char *asked, const char **ret_tenant, GError **error)
{
    const char *tenant = NULL;

    if (!identity_find_tenant(call, asked, &tenant, error) ||
        !rpc_may_change(call, tenant, error))
        return false;
    *ret_tenant = tenant;
    return true;
}

StoreTx *
rpc_begin_tenant(WireCall *call, const char *tenant)
{
    Rpc *rpc = rpc_of(call);
    GError *error = NULL;
    StoreTx *tx = NULL;

    if (!tenant_exists(rpc->tenants, tenant)) {
        proto_error_set_not_found(&error, "tenant", tenant, "There is no tenant \"%s\"",
                                  tenant);
        wire_call_fail(call, error);
        return NULL;
    }
    tx = store_begin(rpc->store);
    tenant_ensure(rpc->tenants, tx, tenant);
    return tx;
}

void
rpc_tell(WireCall *call, const char *asked, RpcTell tell)
{
    const char *tenant = NULL;
    GError *error = NULL;

    if (rpc_get_tenant(call, asked, &tenant, &error)) {
        tell(call, tenant);
    } else {
        wire_call_fail(call, error);
    }
}

typedef struct {
    WireCall *call;
    const char *tenant;
    RpcTell tell;
} ChangedTenant;

static void
on_changed(gpointer data)
{
    g_autofree ChangedTenant *changed = data;

    changed->tell(changed->call, changed->tenant);
}

void
rpc_tell_changed(WireCall *call, StoreTx *tx, const char *tenant, RpcTell tell)
{
    ChangedTenant *changed = g_new0(ChangedTenant, 1);

    /* A row lasts as long as the book. */
    *changed =
        (ChangedTenant){ call, tenant_find(rpc_of(call)->tenants, tenant)->name, tell };
    store_on_commit(tx, on_changed, changed);
    store_commit(tx);
}

Instance *
rpc_find_instance(WireCall *call, const char *text, const char *tenant, GError **error)
{
    const char *owner = NULL;
    Instance *instance = NULL;

    /* An id says whose it is by itself. */
    if (tenant == NULL) {
        instance = instance_get(rpc_of(call)->instances, text);
        if (instance != NULL && !identity_may_see(call, instance->record.view.tenant))
            instance = NULL;
        if (instance != NULL &&
            !identity_check(call, instance->record.view.tenant, error))
            return NULL;
    }
    if (instance == NULL) {
        if (!identity_find_tenant(call, tenant, &owner, error))
            return NULL;
        instance = instance_find(rpc_of(call)->instances, owner, false, text, error);
    }
    if (instance == NULL || !rpc_may_change(call, instance->record.view.tenant, error))
        return NULL;
    return instance;
}

ProtoInstance
rpc_show_instance(const Instance *instance)
{
    ProtoInstance shown = instance->record.view;

    shown.seen_at = instance_get_seen_at(instance);
    return shown;
}

bool
rpc_reply_repeat(WireCall *call, GPtrArray *repeated)
{
    if (repeated == NULL)
        return false;
    rpc_reply_operation(call, store_begin(rpc_of(call)->store), repeated->pdata[0]);
    g_ptr_array_unref(repeated);
    return true;
}

GTreeNode *
rpc_find_start(GTree *tree, const char *after, const char *tenant)
{
    g_autofree char *first = tenant != NULL ? g_strdup_printf("%s/", tenant) : NULL;

    if (after != NULL && (first == NULL || strcmp(after, first) > 0))
        return g_tree_upper_bound(tree, after);
    return first != NULL ? g_tree_lower_bound(tree, first) : g_tree_node_first(tree);
}

guint
rpc_get_limit(bool has_limit, gint64 limit)
{
    return has_limit ? (guint) limit : PAGE_ROWS;
}

/* Changes */

static char *
hash_request(WireCall *call, const void *in)
{
    const WireMethod *method = wire_call_get_method(call);
    g_autoptr(GString) text = g_string_new(method->full_name);

    wire_struct_print(method->call, in, text);
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str,
                                         (gssize) text->len);
}

static bool
find_repeat(WireCall *call,
            const Change *change,
            GPtrArray **ret_operations,
            GError **error)
{
    g_autoptr(GPtrArray) operations =
        operation_find_request(rpc_of(call)->engine, change->request.uid,
                               change->request.token, change->request.request_id);
    const Operation *first = operations->len > 0 ? operations->pdata[0] : NULL;

    if (first != NULL && g_strcmp0(first->record.request_hash, change->hash) != 0) {
        proto_error_set_request_mismatch(
            error, change->request.request_id,
            "The request id \"%s\" was used for another request",
            change->request.request_id);
        return false;
    }
    if (first != NULL)
        *ret_operations = g_steal_pointer(&operations);
    return true;
}

bool
rpc_change_init(WireCall *call,
                const void *in,
                const char *request_id,
                const char *tenant,
                Change *ret_change,
                GPtrArray **ret_operations,
                GError **error)
{
    const Actor actor = identity_get_actor(call);
    g_auto(Change) change = { 0 };

    change.hash = hash_request(call, in);
    change.request = (OperationRequest){
        .tenant = tenant,
        .uid = actor.uid,
        .token = actor.token,
        .by_admin = rpc_is_admin(call),
        .request_id = request_id,
        .request_hash = change.hash,
    };
    *ret_operations = NULL;
    if (request_id != NULL && !find_repeat(call, &change, ret_operations, error))
        return false;
    *ret_change = change;
    change = (Change){ 0 };
    return true;
}

void
rpc_change_clear(Change *change)
{
    g_free(change->hash);
    *change = (Change){ 0 };
}

/** Every method that makes one operation answers {operation: string}. */
typedef struct {
    WireCall *call;
    char *operation;
} PendingReply;

static void
on_durable(gpointer data)
{
    PendingReply *pending = data;
    ProtoInstanceStartReply reply = { .operation = pending->operation };

    wire_call_reply(pending->call, &reply);
    g_free(pending->operation);
    g_free(pending);
}

void
rpc_reply_operation(WireCall *call, StoreTx *tx, const Operation *operation)
{
    PendingReply *pending = g_new0(PendingReply, 1);

    pending->call = call;
    pending->operation = g_strdup(operation->record.view.id);
    store_on_commit(tx, on_durable, pending);
    store_commit(tx);
}
