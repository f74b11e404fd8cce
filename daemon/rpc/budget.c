/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/budget.h"

#include "base/clock.h"
#include "instance/disabled.h"
#include "rpc/identity.h"
#include "rpc/rpc.h"

/* Pointers are borrowed; ret_as_of is to be freed. */
static ProtoBudget
show(const char *tenant, const ProtoBudgetRecord *budget, char **ret_as_of)
{
    *ret_as_of = budget->has_as_of_ms ? clock_format_time(budget->as_of_ms) : NULL;
    return (ProtoBudget){
        .tenant = (char *) (gsize) tenant,
        .amount = budget->amount,
        .currency = budget->currency,
        .policy = budget->policy,
        .state = budget_get_state(budget),
        .spent = budget->spent,
        .period = budget->period,
        .as_of = *ret_as_of,
        .trouble = budget->trouble,
    };
}

static void
fail_without_budget(WireCall *call, const char *tenant)
{
    GError *error = NULL;

    proto_error_set_not_found(&error, "budget", tenant, "The tenant \"%s\" has no budget",
                              tenant);
    wire_call_fail(call, error);
}

/* Looking */

static void
reply_with(WireCall *call, const char *tenant)
{
    const ProtoBudgetRecord *budget = budget_find(rpc_of(call)->tenants, tenant);
    g_autofree char *as_of = NULL;
    ProtoBudgetGetReply reply = { 0 };

    if (budget == NULL) {
        fail_without_budget(call, tenant);
        return;
    }
    /* What Set answers is the same. */
    reply.budget = show(tenant, budget, &as_of);
    wire_call_reply(call, &reply);
}

static void
get(WireCall *call, const ProtoBudgetGetCall *in)
{
    rpc_tell(call, in->tenant, reply_with);
}

static void
list(WireCall *call, const ProtoBudgetListCall *in)
{
    TenantBook *tenants = rpc_of(call)->tenants;
    guint limit = rpc_get_limit(in->has_limit, in->limit);
    g_autofree ProtoBudget *rows = g_new0(ProtoBudget, limit);
    g_autoptr(GPtrArray) times = g_ptr_array_new_with_free_func(g_free);
    ProtoBudgetListReply reply = { .budgets = rows };
    const ProtoTenantRecord *record =
        tenant_find_after(tenants, in->after != NULL ? in->after : "");

    for (; record != NULL; record = tenant_find_after(tenants, record->name)) {
        const ProtoBudgetRecord *budget = budget_find(tenants, record->name);
        char *as_of = NULL;

        if (budget == NULL || !identity_may_see(call, record->name))
            continue;
        if (reply.n_budgets == limit) {
            reply.next = rows[limit - 1].tenant;
            break;
        }
        rows[reply.n_budgets++] = show(record->name, budget, &as_of);
        g_ptr_array_add(times, as_of);
    }
    wire_call_reply(call, &reply);
}

/* Changing */

/* Commits tx and tells of it then, or fails with error, which is taken. */
static void
finish(WireCall *call, StoreTx *tx, const char *tenant, RpcTell tell, GError *error)
{
    if (error != NULL) {
        store_commit(tx);
        wire_call_fail(call, error);
        return;
    }
    rpc_tell_changed(call, tx, tenant, tell);
    disabled_look(rpc_of(call)->instances);
}

static void
set(WireCall *call, const ProtoBudgetSetCall *in)
{
    const Actor actor = identity_get_actor(call);
    StoreTx *tx = rpc_begin_tenant(call, in->tenant);
    GError *error = NULL;

    if (tx == NULL)
        return;
    budget_set(rpc_of(call)->tenants, tx, in, &actor, &error);
    finish(call, tx, in->tenant, reply_with, error);
}

static void
reply_removed(WireCall *call, const char *tenant)
{
    const ProtoBudgetRemoveReply reply = { (char *) (gsize) tenant };

    wire_call_reply(call, &reply);
}

static void
remove_budget(WireCall *call, const ProtoBudgetRemoveCall *in)
{
    const Actor actor = identity_get_actor(call);
    StoreTx *tx = rpc_begin_tenant(call, in->tenant);

    if (tx == NULL)
        return;
    budget_remove(rpc_of(call)->tenants, tx, in->tenant, &actor);
    finish(call, tx, in->tenant, reply_removed, NULL);
}

static void
reply_told(WireCall *call, const char *tenant)
{
    wire_call_reply(call, NULL);
}

static void
tell(WireCall *call, const ProtoBudgetTellCall *in)
{
    Rpc *rpc = rpc_of(call);
    const Actor actor = identity_get_actor(call);
    StoreTx *tx = NULL;
    GError *error = NULL;

    if (budget_find(rpc->tenants, in->tenant) == NULL) {
        fail_without_budget(call, in->tenant);
        return;
    }
    tx = store_begin(rpc->store);
    budget_tell(rpc->tenants, tx, in, &actor, &error);
    finish(call, tx, in->tenant, reply_told, error);
}

const ProtoBudgetHandlers rpc_budget_handlers = {
    .get = get,
    .list = list,
    .set = set,
    .remove = remove_budget,
    .tell = tell,
};
