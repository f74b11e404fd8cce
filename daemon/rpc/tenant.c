/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/tenant.h"

#include <string.h>

#include "instance/disabled.h"
#include "rpc/tenant-private.h"
#include "tenant/gate.h"
#include "tenant/unbilled.h"

static gint64
count_instances(const Rpc *rpc, const char *tenant)
{
    const BookTenant *found = instance_book_get_tenant(rpc->instances, tenant);

    return found != NULL ? g_hash_table_size(found->instances) : 0;
}

static ProtoTenantAmounts
show_amounts(const Quota *quota)
{
    return (ProtoTenantAmounts){
        .instances = quota->amount[QUOTA_INSTANCES],
        .vcpus = quota->amount[QUOTA_VCPUS],
        .memory_bytes = quota->amount[QUOTA_MEMORY_BYTES],
        .disk_bytes = quota->amount[QUOTA_DISK_BYTES],
    };
}

/* Pointers are borrowed; quota is overwritten. */
static ProtoTenant
show(const Rpc *rpc, const ProtoTenantRecord *record, ProtoTenantQuota *quota)
{
    const Quota used = instance_book_sum(rpc->instances, record->name);
    const Quota limit = tenant_get_limit(rpc->tenants, record->name);

    *quota = (ProtoTenantQuota){ show_amounts(&used), show_amounts(&limit) };
    return (ProtoTenant){
        .name = record->name,
        .display_name = record->display_name,
        .labels = record->labels,
        .state = tenant_get_state(record),
        .reason = record->reason,
        .when_disabled =
            record->has_when_disabled ? record->when_disabled : WHEN_DISABLED_STOP,
        .has_uid = record->has_uid,
        .uid = record->uid,
        .instances = count_instances(rpc, record->name),
        .unbilled = record->unbilled,
        .created_at = record->created_at,
        .changed_at = record->changed_at,
        .quota = quota,
    };
}

/* Looking */

/* All methods but List answer {tenant: Tenant}. */
static void
reply_with(WireCall *call, const char *name)
{
    const Rpc *rpc = rpc_of(call);
    const ProtoTenantRecord *record = tenant_find(rpc->tenants, name);
    ProtoTenantQuota quota;
    /* One that has never been used has no row. */
    const ProtoTenantGetReply reply = {
        record != NULL ? show(rpc, record, &quota)
                       : (ProtoTenant){ .name = (char *) (gsize) name }
    };

    wire_call_reply(call, &reply);
}

static void
get(WireCall *call, const ProtoTenantGetCall *in)
{
    rpc_tell(call, in->tenant, reply_with);
}

static void
list(WireCall *call, const ProtoTenantListCall *in)
{
    Rpc *rpc = rpc_of(call);
    guint limit = rpc_get_limit(in->has_limit, in->limit);
    g_autofree ProtoTenant *rows = g_new0(ProtoTenant, limit);
    g_autofree ProtoTenantQuota *quotas = g_new0(ProtoTenantQuota, limit);
    ProtoTenantListReply reply = { .tenants = rows };
    const ProtoTenantRecord *record =
        tenant_find_after(rpc->tenants, in->after != NULL ? in->after : "");

    for (; record != NULL; record = tenant_find_after(rpc->tenants, record->name)) {
        if (!identity_may_see(call, record->name))
            continue;
        if (reply.n_tenants == limit) {
            reply.next = rows[limit - 1].name;
            break;
        }
        rows[reply.n_tenants] = show(rpc, record, &quotas[reply.n_tenants]);
        reply.n_tenants++;
    }
    wire_call_reply(call, &reply);
}

/* Changing */

static void
create(WireCall *call, const ProtoTenantCreateCall *in)
{
    Rpc *rpc = rpc_of(call);
    const Actor actor = identity_get_actor(call);
    StoreTx *tx = store_begin(rpc->store);
    GError *error = NULL;
    const ProtoTenantRecord *record = tenant_create(rpc->tenants, tx, in, &actor, &error);

    if (record == NULL) {
        store_commit(tx);
        wire_call_fail(call, error);
        return;
    }
    rpc_tell_changed(call, tx, record->name, reply_with);
}

static void
set(WireCall *call, const ProtoTenantSetCall *in)
{
    Rpc *rpc = rpc_of(call);
    const Actor actor = identity_get_actor(call);
    StoreTx *tx = rpc_begin_tenant(call, in->tenant);

    if (tx == NULL)
        return;
    tenant_set(rpc->tenants, tx, in, &actor);
    rpc_tell_changed(call, tx, in->tenant, reply_with);
}

static void
disable(WireCall *call, const ProtoTenantDisableCall *in)
{
    Rpc *rpc = rpc_of(call);
    const Actor actor = identity_get_actor(call);
    StoreTx *tx = rpc_begin_tenant(call, in->tenant);

    if (tx == NULL)
        return;
    tenant_disable(rpc->tenants, tx, in->tenant, in->reason, &actor);
    rpc_tell_changed(call, tx, in->tenant, reply_with);
    disabled_look(rpc->instances);
}

static void
enable(WireCall *call, const ProtoTenantEnableCall *in)
{
    Rpc *rpc = rpc_of(call);
    const Actor actor = identity_get_actor(call);
    StoreTx *tx = rpc_begin_tenant(call, in->tenant);

    if (tx == NULL)
        return;
    tenant_enable(rpc->tenants, tx, in->tenant, &actor);
    rpc_tell_changed(call, tx, in->tenant, reply_with);
    group_book_kick(rpc->groups);
}

static bool
check_owns_nothing(const Rpc *rpc, const char *tenant, GError **error)
{
    const Quota held = tenant_get_use(rpc->tenants, tenant);
    bool owns = count_instances(rpc, tenant) > 0;

    for (int i = 0; i < QUOTA_REQUESTS; i++) {
        owns |= held.amount[i] > 0;
    }
    if (!owns)
        return true;
    proto_error_set_illegal_state(
        error, "in_use",
        "The tenant \"%s\" has %" G_GINT64_FORMAT " instances, %" G_GINT64_FORMAT
        " groups, and %" G_GINT64_FORMAT " operations under way",
        tenant, held.amount[QUOTA_INSTANCES], held.amount[QUOTA_GROUPS],
        held.amount[QUOTA_OPERATIONS]);
    return false;
}

static void
remove_tenant(WireCall *call, const ProtoTenantRemoveCall *in)
{
    Rpc *rpc = rpc_of(call);
    const Actor actor = identity_get_actor(call);
    const ProtoTenantRecord *record = tenant_find(rpc->tenants, in->tenant);
    StoreTx *tx = NULL;
    GError *error = NULL;

    /* Again: it is done. */
    if (record != NULL && tenant_get_state(record) == TENANT_STATE_REMOVED) {
        rpc_tell_changed(call, store_begin(rpc->store), in->tenant, reply_with);
        return;
    }
    if (!check_owns_nothing(rpc, in->tenant, &error) ||
        (!in->unbilled && !unbilled_check(rpc->tenants, in->tenant, &error))) {
        wire_call_fail(call, error);
        return;
    }
    tx = rpc_begin_tenant(call, in->tenant);
    if (tx == NULL)
        return;
    tenant_remove(rpc->tenants, tx, in->tenant, &actor);
    rpc_tell_changed(call, tx, in->tenant, reply_with);
}

const ProtoTenantHandlers rpc_tenant_handlers = {
    .create = create,
    .get = get,
    .list = list,
    .set = set,
    .disable = disable,
    .enable = enable,
    .remove = remove_tenant,
    .add_member = rpc_add_member,
    .remove_member = rpc_remove_member,
    .list_members = rpc_list_members,
    .create_token = rpc_create_token,
    .list_tokens = rpc_list_tokens,
    .revoke_token = rpc_revoke_token,
};
