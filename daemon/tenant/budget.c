/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/budget.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "tenant/tenant-private.h"

const ProtoBudgetRecord *
budget_find(TenantBook *book, const char *tenant)
{
    const ProtoTenantRecord *record = tenant_find(book, tenant);

    return record != NULL && record->removed_at == NULL ? record->budget : NULL;
}

bool
budget_check(TenantBook *book, const char *tenant, GError **error)
{
    const ProtoBudgetRecord *budget = budget_find(book, tenant);

    return budget == NULL || budget_admit(budget, tenant, error);
}

/* What follows from a change: since when all is spent, and what is new by it. */
static void
settle(StoreTx *tx, ProtoTenantRecord *record, const Actor *actor)
{
    ProtoBudgetRecord *budget = record->budget;
    bool is_spent = budget_get_state(budget) == BUDGET_STATE_SPENT;
    g_autofree char *detail =
        g_strdup_printf("%s of %s %s in %s", budget->spent, budget->amount,
                        budget->currency, budget->period);

    if (is_spent && !budget->has_spent_ms)
        budget->spent_ms = clock_wall_ms();
    if (!is_spent)
        budget->spent_ms = 0;
    budget->has_spent_ms = is_spent;
    if (budget_take_news(budget, BUDGET_STATE_NEAR))
        tenant_add_event(tx, EVENT_KIND_BUDGET_NEAR, record, detail, actor);
    if (budget_take_news(budget, BUDGET_STATE_SPENT))
        tenant_add_event(tx, EVENT_KIND_BUDGET_SPENT, record, detail, actor);
}

/* Setting */

static bool
refuse(GError **error, const char *path, const char *reason)
{
    proto_error_set_invalid_parameter(error, path, reason, "%s %s", path, reason);
    return false;
}

static bool
is_currency(const char *text)
{
    return strlen(text) == 3 && g_ascii_isupper(text[0]) && g_ascii_isupper(text[1]) &&
           g_ascii_isupper(text[2]);
}

static bool
check_set(const ProtoBudgetRecord *budget, const ProtoBudgetSetCall *in, GError **error)
{
    if (budget == NULL && in->amount == NULL)
        return refuse(error, "parameters.amount", "is missing");
    if (budget == NULL && in->currency == NULL)
        return refuse(error, "parameters.currency", "is missing");
    if (in->amount != NULL && !budget_is_amount(in->amount))
        return refuse(error, "parameters.amount", "is not an amount of money");
    if (in->currency != NULL && !is_currency(in->currency))
        return refuse(error, "parameters.currency", "is not a code such as EUR");
    return true;
}

static void
forget_told(ProtoBudgetRecord *budget)
{
    g_clear_pointer(&budget->spent, g_free);
    g_clear_pointer(&budget->period, g_free);
    g_clear_pointer(&budget->trouble, g_free);
    budget->has_as_of_ms = false;
    budget->as_of_ms = 0;
}

static void
forget_news(ProtoBudgetRecord *budget)
{
    g_clear_pointer(&budget->near_period, g_free);
    g_clear_pointer(&budget->spent_period, g_free);
}

bool
budget_set(TenantBook *book,
           StoreTx *tx,
           const ProtoBudgetSetCall *in,
           const Actor *actor,
           GError **error)
{
    ProtoTenantRecord *record = tenant_get_row(book, in->tenant);
    g_autofree char *detail = NULL;
    ProtoBudgetRecord *budget = record->budget;

    if (!check_set(budget, in, error))
        return false;
    if (budget == NULL)
        budget = record->budget = g_new0(ProtoBudgetRecord, 1);
    if (in->amount != NULL && g_strcmp0(in->amount, budget->amount) != 0) {
        text_replace(&budget->amount, in->amount);
        forget_news(budget);
    }
    if (in->currency != NULL && g_strcmp0(in->currency, budget->currency) != 0) {
        text_replace(&budget->currency, in->currency);
        forget_told(budget);
        forget_news(budget);
    }
    if (in->has_policy)
        budget->policy = in->policy;
    detail = g_strdup_printf("amount=%s currency=%s policy=%s", budget->amount,
                             budget->currency, budget_policy_to_string(budget->policy));
    settle(tx, record, actor);
    tenant_put_changed(book, tx, EVENT_KIND_BUDGET_SET, record, detail, actor);
    return true;
}

void
budget_remove(TenantBook *book, StoreTx *tx, const char *tenant, const Actor *actor)
{
    ProtoTenantRecord *record = tenant_get_row(book, tenant);

    if (record->budget == NULL)
        return;
    proto_budget_record_clear(record->budget);
    g_clear_pointer(&record->budget, g_free);
    tenant_put_changed(book, tx, EVENT_KIND_BUDGET_REMOVED, record, NULL, actor);
}

/* Telling */

static bool
check_time(TenantBook *book,
           const ProtoBudgetRecord *budget,
           const ProtoBudgetTellCall *in,
           gint64 *ret_at_ms,
           GError **error)
{
    gint64 at_ms = 0;

    if (!clock_parse_time(in->as_of, &at_ms) || at_ms > store_ledger_now_ms(book->store))
        return refuse(error, "parameters.as_of", "has not come yet");
    if (budget->has_as_of_ms && at_ms < budget->as_of_ms) {
        proto_error_set_conflict(error, "budget", in->tenant, NULL,
                                 "What \"%s\" has spent is known beyond %s already",
                                 in->tenant, in->as_of);
        return false;
    }
    *ret_at_ms = at_ms;
    return true;
}

/* What is wrong with what is told, or NULL; free it. */
static char *
find_trouble(const ProtoBudgetRecord *budget, const ProtoBudgetTellCall *in)
{
    if (in->trouble != NULL || in->currency == NULL ||
        strcmp(in->currency, budget->currency) == 0)
        return g_strdup(in->trouble);
    return g_strdup_printf("the budget is in %s, and what is spent in %s",
                           budget->currency, in->currency);
}

bool
budget_tell(TenantBook *book,
            StoreTx *tx,
            const ProtoBudgetTellCall *in,
            const Actor *actor,
            GError **error)
{
    ProtoTenantRecord *record = tenant_get_row(book, in->tenant);
    ProtoBudgetRecord *budget = record->budget;
    g_autofree char *trouble = find_trouble(budget, in);
    gint64 at_ms = 0;

    if (!check_time(book, budget, in, &at_ms, error))
        return false;
    if (trouble == NULL && in->spent == NULL)
        return refuse(error, "parameters.spent", "is missing");
    text_replace(&budget->trouble, trouble);
    if (trouble == NULL) {
        text_replace(&budget->spent, in->spent);
        g_free(budget->period);
        budget->period = tenant_format_month(at_ms);
        budget->has_as_of_ms = true;
        budget->as_of_ms = at_ms;
        settle(tx, record, actor);
    }
    tenant_put(book, tx, record);
    return true;
}
