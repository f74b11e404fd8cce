/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/budget.h"

static ProtoBudgetRecord
make(const char *amount, const char *spent, BudgetPolicy policy)
{
    return (ProtoBudgetRecord){
        .amount = (char *) (gsize) amount,
        .currency = (char *) (gsize) "EUR",
        .policy = policy,
        .spent = (char *) (gsize) spent,
        .period = spent != NULL ? (char *) (gsize) "2026-11" : NULL,
    };
}

static void
test_the_state_changes_at_80_and_at_100_percent_exactly(void)
{
    const struct {
        const char *amount;
        const char *spent;
        BudgetState state;
    } rows[] = {
        { "100", NULL, BUDGET_STATE_WITHIN },
        { "100", "0", BUDGET_STATE_WITHIN },
        { "100", "-5", BUDGET_STATE_WITHIN },
        { "100", "79.999999999", BUDGET_STATE_WITHIN },
        { "100", "80", BUDGET_STATE_NEAR },
        { "100.00", "80.0", BUDGET_STATE_NEAR },
        { "100", "99.99", BUDGET_STATE_NEAR },
        { "100", "100.00", BUDGET_STATE_SPENT },
        { "0.01", "0.007", BUDGET_STATE_WITHIN },
        { "0.01", "0.008", BUDGET_STATE_NEAR },
        { "0", "0", BUDGET_STATE_SPENT },
        { "0", NULL, BUDGET_STATE_WITHIN },
        { "999999999999999999999999", "799999999999999999999999", BUDGET_STATE_WITHIN },
        { "999999999999999999999999", "999999999999999999999999", BUDGET_STATE_SPENT },
        { "0.0000000000000000000001", "999999999999999999999999", BUDGET_STATE_SPENT },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        const ProtoBudgetRecord budget =
            make(rows[i].amount, rows[i].spent, BUDGET_POLICY_TELL);

        g_test_message("%s of %s", rows[i].spent, rows[i].amount);
        g_assert_cmpint(budget_get_state(&budget), ==, rows[i].state);
    }
}

static void
test_an_amount_is_a_decimal_that_is_not_below_zero(void)
{
    g_assert_true(budget_is_amount("0"));
    g_assert_true(budget_is_amount("250.50"));
    g_assert_false(budget_is_amount("-1"));
    g_assert_false(budget_is_amount("1e3"));
    g_assert_false(budget_is_amount(""));
}

static void
test_only_a_spent_budget_that_says_so_refuses(void)
{
    for (int policy = 0; policy < BUDGET_POLICY_N; policy++) {
        const ProtoBudgetRecord near = make("10", "9.99", (BudgetPolicy) policy);
        const ProtoBudgetRecord spent = make("10", "10.50", (BudgetPolicy) policy);
        g_autoptr(GError) error = NULL;
        const ProtoErrorBudgetExceeded *said = NULL;

        g_assert_true(budget_admit(&near, "shop", &error));
        g_assert_no_error(error);
        g_assert_cmpint(budget_admit(&spent, "shop", &error), ==,
                        policy == BUDGET_POLICY_TELL);
        if (policy == BUDGET_POLICY_TELL)
            continue;
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_BUDGET_EXCEEDED);
        said = wire_error_get_parameters(error);
        g_assert_cmpstr(said->tenant, ==, "shop");
        g_assert_cmpstr(said->spent, ==, "10.50");
        g_assert_cmpstr(said->budget, ==, "10");
        g_assert_cmpstr(said->currency, ==, "EUR");
        g_assert_cmpstr(said->period, ==, "2026-11");
    }
}

static void
test_only_stop_stops_and_only_while_all_is_spent(void)
{
    for (int policy = 0; policy < BUDGET_POLICY_N; policy++) {
        ProtoBudgetRecord budget = make("10", "10", (BudgetPolicy) policy);

        g_assert_cmpint(budget_get_stop_ms(&budget), ==, 0);
        budget.has_spent_ms = true;
        budget.spent_ms = 42;
        g_assert_cmpint(budget_get_stop_ms(&budget), ==,
                        policy == BUDGET_POLICY_STOP ? 42 : 0);
    }
}

static void
test_each_news_is_told_once_a_month(void)
{
    ProtoBudgetRecord budget = make("10", "8", BUDGET_POLICY_TELL);

    g_assert_true(budget_take_news(&budget, BUDGET_STATE_NEAR));
    g_assert_false(budget_take_news(&budget, BUDGET_STATE_NEAR));
    g_assert_false(budget_take_news(&budget, BUDGET_STATE_SPENT));
    budget.spent = (char *) (gsize) "12";
    g_assert_false(budget_take_news(&budget, BUDGET_STATE_NEAR));
    g_assert_true(budget_take_news(&budget, BUDGET_STATE_SPENT));
    budget.spent = (char *) (gsize) "7";
    g_assert_false(budget_take_news(&budget, BUDGET_STATE_NEAR));
    budget.spent = (char *) (gsize) "12";
    g_assert_false(budget_take_news(&budget, BUDGET_STATE_SPENT));
    budget.period = (char *) (gsize) "2026-12";
    g_assert_true(budget_take_news(&budget, BUDGET_STATE_NEAR));
    g_assert_true(budget_take_news(&budget, BUDGET_STATE_SPENT));
    g_free(budget.near_period);
    g_free(budget.spent_period);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/budget/the-state-changes-at-80-and-at-100-percent-exactly",
                    test_the_state_changes_at_80_and_at_100_percent_exactly);
    g_test_add_func("/budget/an-amount-is-a-decimal-that-is-not-below-zero",
                    test_an_amount_is_a_decimal_that_is_not_below_zero);
    g_test_add_func("/budget/only-a-spent-budget-that-says-so-refuses",
                    test_only_a_spent_budget_that_says_so_refuses);
    g_test_add_func("/budget/only-stop-stops-and-only-while-all-is-spent",
                    test_only_stop_stops_and_only_while_all_is_spent);
    g_test_add_func("/budget/each-news-is-told-once-a-month",
                    test_each_news_is_told_once_a_month);
    return g_test_run();
}
