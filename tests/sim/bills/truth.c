/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "sim/bills/ledger.h"
#include "sim/bills/truth-private.h"

enum {
    /** Of days, cards and deals, of which there are fewer. */
    CUTS_MAX = 256
};

/* Time */

static int
compare_instants(const void *a, const void *b)
{
    gint64 left = *(const gint64 *) a;
    gint64 right = *(const gint64 *) b;

    return (left > right) - (left < right);
}

/* Where days begin, and where prices may change. */
static guint
cut_month(const Scope *scope, gint64 cuts[CUTS_MAX])
{
    const Facts *facts = scope->facts;
    guint month = scope->question->month;
    guint count = 0;

    for (guint day = facts_first_day(month); day <= facts_first_day(month + 1); day++) {
        cuts[count++] = facts_day_start(day);
    }
    for (guint i = 0; i < facts->prices->len; i++) {
        const Prices *prices = &g_array_index(facts->prices, Prices, i);

        cuts[count++] = prices->from_ms;
        cuts[count++] = prices->of[scope->meter].change_ms;
    }
    for (guint i = 0; i < facts->deals->len; i++) {
        cuts[count++] = g_array_index(facts->deals, Deal, i).from_ms;
    }
    g_assert(count <= CUTS_MAX);
    qsort(cuts, count, sizeof *cuts, compare_instants);
    return count;
}

/* Money */

/* Fills tiers with amount, of which before were filled by then; counts what is wanted. */
static void
fill(const Scope *scope, gint64 at_ms, Exact amount, Exact before, Sum sums[FACTS_TIERS])
{
    gint64 as_of = scope->question->as_of;
    const Price *price =
        truth_find_price(scope->facts, as_of, scope->tenant, scope->meter, at_ms);

    for (guint i = 0; i < price->n_tiers; i++) {
        bool is_last = i + 1 == price->n_tiers;
        Exact room = is_last
                         ? amount
                         : truth_get_amount(scope->meter, price->from[i + 1]) - before;
        Exact part = CLAMP(room, 0, amount);
        gint64 list = 0;
        gint64 nano = 0;

        truth_get_prices(scope->facts, as_of, scope->tenant, scope->meter, i, at_ms,
                         &list, &nano);
        sums[i].quantity += truth_get_quantity(scope->meter, part);
        /* A quantity has fifteen places at most. */
        sums[i].cost += truth_get_quantity(scope->meter, part) /
                        exact_ten_to(TRUTH_PRICE_PLACES) * nano;
        before += part;
        amount -= part;
    }
}

static void
rate(const Scope *scope, Sum sums[FACTS_TIERS], Account *account)
{
    const Question *question = scope->question;
    gint64 cuts[CUTS_MAX];
    guint count = cut_month(scope, cuts);
    gint64 end_ms = facts_month_start(question->month + 1);
    Exact before = 0;

    for (guint i = 0; i + 1 < count && cuts[i] < end_ms; i++) {
        bool is_in =
            cuts[i] >= facts_month_start(question->month) && cuts[i] < cuts[i + 1];
        bool is_wanted = is_in && truth_get_day(cuts[i]) >= question->from_day &&
                         truth_get_day(cuts[i]) < question->to_day;
        Exact amount = 0;

        if (!is_in || truth_find_price(scope->facts, question->as_of, scope->tenant,
                                       scope->meter, cuts[i])
                          ->is_free)
            continue;
        amount = scope_sum_up(scope, cuts[i], cuts[i + 1], is_wanted ? account : NULL);
        if (is_wanted)
            fill(scope, cuts[i], amount, before, sums);
        before += amount;
    }
}

/* Corrections */

/* A month as a whole, as if it had not been closed; into cells if there are any. */
static Sum
rate_month(
    const Scope *scope, guint month, gint64 as_of, gint64 known_ms, Account *account)
{
    const Question question = { as_of, known_ms, month, facts_first_day(month),
                                facts_first_day(month + 1) };
    Scope whole;
    Sum sums[FACTS_TIERS] = { 0 };
    Sum sum = { 0 };

    scope_init(&whole, scope->facts, &question, scope->tenant, scope->meter);
    rate(&whole, sums, account);
    for (guint i = 0; i < FACTS_TIERS; i++) {
        sum_add(&sum, sums[i], 1);
    }
    return sum;
}

/* What a tenant's corrections of a meter come to. */
static Sum *
get_corrections(const Scope *scope, guint month, Account *account)
{
    guint currency = truth_get_currency(scope->facts, scope->question->as_of,
                                        scope->tenant, facts_month_start(month));

    return &account->corrections[currency][scope->tenant][scope->meter];
}

/* What became known since the month before was closed. */
static void
add_known(const Scope *scope, gint64 before, Account *account)
{
    const Question *question = scope->question;

    for (guint month = 0; month < question->month; month++) {
        Sum *sum = get_corrections(scope, month, account);

        sum_add(sum, rate_month(scope, month, question->as_of, question->known_ms, NULL),
                1);
        sum_add(sum, rate_month(scope, month, before, ledger_get_time(before), NULL), -1);
    }
}

/* What somebody ordered while the month was the first that was open. */
static void
add_fixed(const Scope *scope, Account *account)
{
    for (guint i = 0; i < scope->facts->fixes->len; i++) {
        const Fix *fix = &g_array_index(scope->facts->fixes, Fix, i);

        if (fix->seq <= scope->question->as_of && fix->tenant == scope->tenant &&
            fix->meter == scope->meter &&
            facts_count_closed(scope->facts, fix->seq) == scope->question->month)
            sum_add(get_corrections(scope, fix->month, account),
                    (Sum){ fix->more_quantity, fix->more_cost }, 1);
    }
}

static bool
has_fix(const Scope *scope, guint month)
{
    for (guint i = 0; i < scope->facts->fixes->len; i++) {
        const Fix *fix = &g_array_index(scope->facts->fixes, Fix, i);

        if (fix->seq <= scope->question->as_of && fix->tenant == scope->tenant &&
            fix->meter == scope->meter && fix->month == month)
            return true;
    }
    return false;
}

/* Whether something became known of a month in which lines are what somebody ordered. */
static bool
is_uncertain(const Scope *scope, gint64 before)
{
    const Question *question = scope->question;

    for (guint month = 0; month < question->month; month++) {
        g_autoptr(Account) now = account_new();
        g_autoptr(Account) then = account_new();

        if (!has_fix(scope, month))
            continue;
        rate_month(scope, month, question->as_of, question->known_ms, now);
        rate_month(scope, month, before, ledger_get_time(before), then);
        if (!account_is_same(now, then))
            return true;
    }
    return false;
}

/* What is known and was not when the month before was closed. */
static void
add_late(const Scope *scope, gint64 before, Account *account)
{
    add_known(scope, before, account);
    account->is_uncertain[scope->tenant][scope->meter] = is_uncertain(scope, before);
}

Account *
truth_bill(const Facts *facts, const Question *question)
{
    Account *account = account_new();
    guint month = question->month;
    bool is_first_open = month > 0 && facts_count_closed(facts, question->as_of) >= month;

    for (guint i = 0; i < FACTS_TENANTS; i++) {
        account->currencies[i] =
            truth_get_currency(facts, question->as_of, i, facts_month_start(month));
        for (guint j = 0; j < FACTS_METERS; j++) {
            Scope scope;

            scope_init(&scope, facts, question, i, j);
            rate(&scope, account->usage[i][j], account);
            add_fixed(&scope, account);
            if (is_first_open)
                add_late(&scope, facts->closed_seq[month - 1], account);
        }
    }
    return account;
}
