/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/rpc.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "build-config.h"
#include "proto.h"

enum {
    PAGE_ROWS = 100,
    GROUPS_MAX = 256,
};

Rpc *
rpc_of(WireCall *call)
{
    return wire_call_get_data(call);
}

static bool
is_member(const WirePeer *peer, gid_t group)
{
    if (group == (gid_t) -1)
        return false;
    for (gsize i = 0; i < peer->n_groups; i++) {
        if (peer->groups[i] == group)
            return true;
    }
    return peer->gid == group;
}

/* Our own uid is that of a meter that we started, which reads the ledger. */
static bool
may_change_all(const Rpc *rpc, const WirePeer *peer)
{
    return peer->uid == 0 || peer->uid == geteuid() || is_member(peer, rpc->admin_group);
}

/* A reader is an admin whom authorize() keeps from every change. */
static bool
is_admin(const Rpc *rpc, const WirePeer *peer)
{
    return may_change_all(rpc, peer) || is_member(peer, rpc->reader_group);
}

bool
rpc_is_admin_uid(const Rpc *rpc, gint64 uid)
{
    const struct passwd *account = getpwuid((uid_t) uid);
    gid_t groups[GROUPS_MAX];
    int n_groups = GROUPS_MAX;
    WirePeer peer = { .uid = (uid_t) uid, .gid = (gid_t) -2, .groups = groups };

    if (account != NULL &&
        getgrouplist(account->pw_name, account->pw_gid, groups, &n_groups) >= 0) {
        peer.gid = account->pw_gid;
        peer.n_groups = (gsize) n_groups;
    }
    return is_admin(rpc, &peer);
}

static bool
is_privileged(const WirePeer *peer, gpointer data)
{
    return is_admin(data, peer);
}

bool
rpc_is_admin(WireCall *call)
{
    return is_admin(rpc_of(call), wire_call_get_peer(call));
}

Principal
rpc_get_principal(WireCall *call)
{
    const WirePeer *peer = wire_call_get_peer(call);

    return (Principal){
        .uid = peer->uid,
        .tenant = tenant_of_uid(rpc_of(call)->tenants, peer->uid),
        .role = rpc_is_admin(call) ? ROLE_ADMIN : ROLE_TENANT_ADMIN,
    };
}

/* What an accountant may do who else only reads. */
static bool
is_for_accountant(const Rpc *rpc, const WireMethod *method, const WirePeer *peer)
{
    return method == &proto_ledger_note && is_member(peer, rpc->accountant_group);
}

static bool
check_role(WireCall *call, const WireMethod *method, GError **error)
{
    const Rpc *rpc = rpc_of(call);
    const WirePeer *peer = wire_call_get_peer(call);

    if (method->effect != WIRE_EFFECT_READ && is_member(peer, rpc->reader_group) &&
        !may_change_all(rpc, peer)) {
        proto_error_set_permission_denied(error, ROLE_ADMIN,
                                          "%s changes something: a reader may not",
                                          method->full_name);
        return false;
    }
    if ((int) rpc_get_principal(call).role < method->role) {
        proto_error_set_permission_denied(error, (Role) method->role,
                                          "%s needs the role %s", method->full_name,
                                          role_to_string((Role) method->role));
        return false;
    }
    return true;
}

static bool
authorize(WireCall *call, const WireMethod *method, GError **error)
{
    const Rpc *rpc = rpc_of(call);

    if (!is_for_accountant(rpc, method, wire_call_get_peer(call)) &&
        !check_role(call, method, error))
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
        .is_privileged = is_privileged,
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
    wire_server_add(server, &proto_tenant_interface, &rpc_tenant_handlers);
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

/* "Not yours" and "not there" are the same bytes. */
static bool
find_tenant(WireCall *call, const char *asked, const char **ret_tenant, GError **error)
{
    TenantBook *tenants = rpc_of(call)->tenants;
    const char *own = rpc_get_principal(call).tenant;
    const char *name = asked != NULL ? asked : own;
    bool is_own = strcmp(name, own) == 0;

    if (is_own ? tenant_find(tenants, name) == NULL || tenant_exists(tenants, name)
               : rpc_is_admin(call) && tenant_exists(tenants, name)) {
        *ret_tenant = is_own ? own : asked;
        return true;
    }
    proto_error_set_not_found(error, "tenant", name, "There is no tenant \"%s\"", name);
    return false;
}

bool
rpc_get_tenant(WireCall *call, const char *asked, const char **ret_tenant, GError **error)
{
    const char *tenant = NULL;

    if (!find_tenant(call, asked, &tenant, error) || !rpc_may_change(call, tenant, error))
        return false;
    *ret_tenant = tenant;
    return true;
}

Instance *
rpc_find_instance(WireCall *call, const char *text, const char *tenant, GError **error)
{
    const char *owner = NULL;
    Instance *instance = NULL;

    if (!find_tenant(call, tenant, &owner, error))
        return NULL;
    instance = instance_find(rpc_of(call)->instances, owner,
                             tenant == NULL && rpc_is_admin(call), text, error);
    if (instance == NULL || !rpc_may_change(call, instance->record.view.tenant, error))
        return NULL;
    return instance;
}

ProtoInstance
rpc_show_instance(const Instance *instance)
{
    ProtoInstance shown = instance->record.view;

    shown.seen_at = host_get_view(instance->book->host)->seen_at;
    return shown;
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
    g_autoptr(GPtrArray) operations = operation_find_request(
        rpc_of(call)->engine, change->request.uid, change->request.request_id);
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
    g_auto(Change) change = { 0 };

    change.hash = hash_request(call, in);
    change.request = (OperationRequest){
        .tenant = tenant,
        .uid = rpc_get_principal(call).uid,
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
