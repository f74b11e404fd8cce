/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/tenant.h"

#include <string.h>

#include "instance/disabled.h"
#include "rpc/rpc.h"

static gint64
count_instances(const Rpc *rpc, const char *tenant)
{
    GHashTable *set = g_hash_table_lookup(rpc->instances->by_tenant, tenant);

    return set != NULL ? g_hash_table_size(set) : 0;
}

/* Pointers are borrowed. */
static ProtoTenant
show(const Rpc *rpc, const ProtoTenantRecord *record)
{
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
        .created_at = record->created_at,
        .changed_at = record->changed_at,
    };
}

/* Looking */

static void
get(WireCall *call, const ProtoTenantGetCall *in)
{
    Rpc *rpc = rpc_of(call);
    const char *name = NULL;
    const ProtoTenantRecord *record = NULL;
    ProtoTenantGetReply reply = { 0 };
    GError *error = NULL;

    if (!rpc_get_tenant(call, in->tenant, &name, &error)) {
        wire_call_fail(call, error);
        return;
    }
    record = tenant_find(rpc->tenants, name);
    /* One that has never been used has no row. */
    reply.tenant = record != NULL ? show(rpc, record)
                                  : (ProtoTenant){ .name = (char *) (gsize) name };
    wire_call_reply(call, &reply);
}

static bool
may_see(WireCall *call, const char *tenant)
{
    return rpc_is_admin(call) || strcmp(rpc_get_principal(call).tenant, tenant) == 0;
}

static void
list(WireCall *call, const ProtoTenantListCall *in)
{
    Rpc *rpc = rpc_of(call);
    guint limit = rpc_get_limit(in->has_limit, in->limit);
    g_autofree ProtoTenant *rows = g_new0(ProtoTenant, limit);
    ProtoTenantListReply reply = { .tenants = rows };
    const ProtoTenantRecord *record =
        tenant_find_after(rpc->tenants, in->after != NULL ? in->after : "");

    for (; record != NULL; record = tenant_find_after(rpc->tenants, record->name)) {
        if (!may_see(call, record->name))
            continue;
        if (reply.n_tenants == limit) {
            reply.next = rows[limit - 1].name;
            break;
        }
        rows[reply.n_tenants++] = show(rpc, record);
    }
    wire_call_reply(call, &reply);
}

/* Changing */

/** A change that is on its way to the disk. */
typedef struct {
    WireCall *call;
    const ProtoTenantRecord *record;
} PendingTenant;

static void
on_changed(gpointer data)
{
    g_autofree PendingTenant *pending = data;
    /* All these methods answer {tenant: Tenant}. */
    const ProtoTenantGetReply reply = { show(rpc_of(pending->call), pending->record) };

    wire_call_reply(pending->call, &reply);
}

/* Commits tx, and answers with what record is then; or fails with error, which is taken.
 * A row lasts as long as the book. */
static void
finish(WireCall *call, StoreTx *tx, const ProtoTenantRecord *record, GError *error)
{
    PendingTenant *pending = NULL;

    if (record == NULL) {
        store_commit(tx);
        wire_call_fail(call, error);
        return;
    }
    pending = g_new0(PendingTenant, 1);
    *pending = (PendingTenant){ call, record };
    store_on_commit(tx, on_changed, pending);
    store_commit(tx);
}

/* Begins a change of a tenant that is there, and has a row from then on; or fails the
 * call and returns NULL. */
static StoreTx *
begin(WireCall *call, const char *tenant)
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

static void
create(WireCall *call, const ProtoTenantCreateCall *in)
{
    Rpc *rpc = rpc_of(call);
    StoreTx *tx = store_begin(rpc->store);
    GError *error = NULL;
    const ProtoTenantRecord *record =
        tenant_create(rpc->tenants, tx, in, rpc_get_principal(call).uid, &error);

    finish(call, tx, record, error);
}

static void
set(WireCall *call, const ProtoTenantSetCall *in)
{
    Rpc *rpc = rpc_of(call);
    StoreTx *tx = NULL;
    GError *error = NULL;

    if (in->display_name == NULL && in->labels == NULL && !in->has_when_disabled) {
        proto_error_set_invalid_parameter(&error, "parameters.display_name",
                                          "is missing, and so are the others",
                                          "There is nothing to set");
        wire_call_fail(call, error);
        return;
    }
    tx = begin(call, in->tenant);
    if (tx != NULL)
        finish(call, tx, tenant_set(rpc->tenants, tx, in, rpc_get_principal(call).uid),
               NULL);
}

static void
disable(WireCall *call, const ProtoTenantDisableCall *in)
{
    Rpc *rpc = rpc_of(call);
    StoreTx *tx = begin(call, in->tenant);

    if (tx == NULL)
        return;
    finish(call, tx,
           tenant_disable(rpc->tenants, tx, in->tenant, in->reason,
                          rpc_get_principal(call).uid),
           NULL);
    disabled_look(rpc->instances);
}

static void
enable(WireCall *call, const ProtoTenantEnableCall *in)
{
    Rpc *rpc = rpc_of(call);
    StoreTx *tx = begin(call, in->tenant);

    if (tx != NULL)
        finish(call, tx,
               tenant_enable(rpc->tenants, tx, in->tenant, rpc_get_principal(call).uid),
               NULL);
}

static bool
check_owns_nothing(const Rpc *rpc, const char *tenant, GError **error)
{
    gint64 instances = count_instances(rpc, tenant);
    gint64 groups = group_book_count(rpc->groups, tenant);
    guint operations = operation_engine_count_active_of(rpc->engine, tenant);

    if (instances == 0 && groups == 0 && operations == 0)
        return true;
    proto_error_set_illegal_state(error, "in_use",
                                  "The tenant \"%s\" has %" G_GINT64_FORMAT
                                  " instances, %" G_GINT64_FORMAT
                                  " groups, and %u operations under way",
                                  tenant, instances, groups, operations);
    return false;
}

static void
remove_tenant(WireCall *call, const ProtoTenantRemoveCall *in)
{
    Rpc *rpc = rpc_of(call);
    const ProtoTenantRecord *record = tenant_find(rpc->tenants, in->tenant);
    StoreTx *tx = NULL;
    GError *error = NULL;

    /* Again: it is done. */
    if (record != NULL && tenant_get_state(record) == TENANT_STATE_REMOVED) {
        finish(call, store_begin(rpc->store), record, NULL);
        return;
    }
    if (!check_owns_nothing(rpc, in->tenant, &error)) {
        wire_call_fail(call, error);
        return;
    }
    tx = begin(call, in->tenant);
    if (tx != NULL)
        finish(call, tx,
               tenant_remove(rpc->tenants, tx, in->tenant, rpc_get_principal(call).uid),
               NULL);
}

const ProtoTenantHandlers rpc_tenant_handlers = {
    .create = create,
    .get = get,
    .list = list,
    .set = set,
    .disable = disable,
    .enable = enable,
    .remove = remove_tenant,
};
