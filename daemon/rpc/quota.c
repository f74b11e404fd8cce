/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/quota.h"

#include "rpc/identity.h"
#include "rpc/rpc.h"
#include "tenant/gate.h"

/* rows is an array of QUOTA_RESOURCES; names are not copied. */
static void
fill(TenantBook *book, const char *tenant, ProtoQuotaRow *rows)
{
    Quota used = tenant_get_use(book, tenant);
    Quota limit = tenant_get_limit(book, tenant);

    for (int i = 0; i < QUOTA_RESOURCES; i++) {
        rows[i] = (ProtoQuotaRow){
            .resource = (char *) (gsize) quota_resource_to_string((QuotaResource) i),
            .used = used.amount[i],
            .limit = limit.amount[i],
            .own = tenant_has_own_limit(book, tenant, (QuotaResource) i),
        };
    }
}

static void
reply_with(WireCall *call, const char *tenant)
{
    ProtoQuotaRow rows[QUOTA_RESOURCES];
    /* What Set answers is the same. */
    const ProtoQuotaGetReply reply = {
        .tenant = (char *) (gsize) tenant,
        .quota = rows,
        .n_quota = QUOTA_RESOURCES,
    };

    fill(rpc_of(call)->tenants, tenant, rows);
    wire_call_reply(call, &reply);
}

static void
get(WireCall *call, const ProtoQuotaGetCall *in)
{
    rpc_tell(call, in->tenant, reply_with);
}

static void
set(WireCall *call, const ProtoQuotaSetCall *in)
{
    const Actor actor = identity_get_actor(call);
    StoreTx *tx = rpc_begin_tenant(call, in->tenant);

    if (tx == NULL)
        return;
    tenant_set_quota(rpc_of(call)->tenants, tx, in, &actor);
    rpc_tell_changed(call, tx, in->tenant, reply_with);
}

const ProtoQuotaHandlers rpc_quota_handlers = {
    .get = get,
    .set = set,
};
