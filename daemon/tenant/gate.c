/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/gate.h"

#include "tenant/budget.h"
#include "tenant/rate.h"
#include "tenant/tenant-private.h"

void
tenant_book_add_holder(TenantBook *book, TenantSum sum, gpointer owner)
{
    const TenantHolder holder = { sum, owner };

    g_array_append_val(book->holders, holder);
}

static void
sum_operations(gpointer owner, const char *tenant, Quota *sum)
{
    sum->amount[QUOTA_OPERATIONS] += operation_engine_count_active_of(owner, tenant);
}

static bool
pass(const AdmissionAsk *ask, gpointer data, GError **error)
{
    TenantBook *book = data;
    Quota used = { 0 };
    Quota limit = { 0 };

    if (!(ask->gives_back && ask->by_admin) &&
        !tenant_check_enabled(book, ask->tenant, error))
        return false;
    if (ask->gives_back)
        return true;
    if (!budget_check(book, ask->tenant, error))
        return false;
    used = tenant_get_use(book, ask->tenant);
    limit = tenant_get_limit(book, ask->tenant);
    return quota_admit(&used, &ask->asked, &limit, error);
}

void
tenant_book_guard(TenantBook *book, OperationEngine *engine)
{
    tenant_book_add_holder(book, sum_operations, engine);
    operation_engine_set_gate(engine, pass, book);
}

Quota
tenant_get_use(TenantBook *book, const char *tenant)
{
    Quota sum = { 0 };

    for (guint i = 0; i < book->holders->len; i++) {
        const TenantHolder *holder = &g_array_index(book->holders, TenantHolder, i);

        holder->sum(holder->owner, tenant, &sum);
    }
    sum.amount[QUOTA_REQUESTS] = rate_get(book->rates, tenant);
    return sum;
}
