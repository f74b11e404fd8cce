/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/budget.h"

#include "model/decimal.h"

enum {
    TENTHS_NEAR = 8,
    TENTHS_ALL = 10
};

bool
budget_is_amount(const char *text)
{
    Decimal amount = { 0 };

    return decimal_parse(text, &amount) && amount.value >= 0;
}

static bool
has_spent(const ProtoBudgetRecord *budget, int tenths)
{
    Decimal amount = { 0 };
    Decimal spent = { 0 };

    if (budget->spent == NULL || !decimal_parse(budget->spent, &spent) ||
        !decimal_parse(budget->amount, &amount))
        return false;
    /* A tenth is one place more. */
    amount.value *= tenths;
    amount.places++;
    return decimal_compare(spent, amount) >= 0;
}

BudgetState
budget_get_state(const ProtoBudgetRecord *budget)
{
    if (has_spent(budget, TENTHS_ALL))
        return BUDGET_STATE_SPENT;
    return has_spent(budget, TENTHS_NEAR) ? BUDGET_STATE_NEAR : BUDGET_STATE_WITHIN;
}

bool
budget_admit(const ProtoBudgetRecord *budget, const char *tenant, GError **error)
{
    if (budget->policy == BUDGET_POLICY_TELL ||
        budget_get_state(budget) != BUDGET_STATE_SPENT)
        return true;
    proto_error_set_budget_exceeded(
        error, tenant, budget->spent, budget->amount, budget->currency, budget->period,
        "The budget of \"%s\" for %s is spent: %s of %s %s", tenant, budget->period,
        budget->spent, budget->amount, budget->currency);
    return false;
}

gint64
budget_get_stop_ms(const ProtoBudgetRecord *budget)
{
    return budget->policy == BUDGET_POLICY_STOP && budget->has_spent_ms ? budget->spent_ms
                                                                        : 0;
}

bool
budget_take_news(ProtoBudgetRecord *budget, BudgetState state)
{
    char **told =
        state == BUDGET_STATE_NEAR ? &budget->near_period : &budget->spent_period;

    if (budget_get_state(budget) < state || g_strcmp0(*told, budget->period) == 0)
        return false;
    g_free(*told);
    *told = g_strdup(budget->period);
    return true;
}
