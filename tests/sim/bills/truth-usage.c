/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/truth-private.h"

enum {
    TICK_MS = 36,
    TICK_NS = 36000000
};

/** Of an integer that a meter counts: how many decimal places of its unit are factor. */
static const struct {
    gint64 factor;
    guint places;
} units[FACTS_METERS] = {
    { 1, 5 },
    { 1, 5 },
    /* A 1024th of a GiB in a 100,000th of an hour. */
    { 9765625, 15 },
    { 9765625, 15 },
    { 1, 5 },
    { 1, 5 },
    { 1, 9 },
    { 1, 9 },
    { 1, 0 },
    { 1, 0 },
    { 1, 9 },
    { 1, 9 },
};

Exact
truth_get_quantity(guint meter, Exact amount)
{
    return amount * units[meter].factor *
           exact_ten_to(EXACT_PLACES - units[meter].places);
}

Exact
truth_get_amount(guint meter, gint64 quantity)
{
    return quantity * exact_ten_to(units[meter].places) / units[meter].factor;
}

guint
truth_get_day(gint64 at_ms)
{
    return (guint) ((at_ms - facts_day_start(0)) / FACTS_DAY_MS);
}

/* What is held */

gint64
truth_get_size(const Stretch *stretch, guint meter)
{
    bool is_running = stretch->state == BILLING_STATE_RUNNING;
    bool is_on = is_running || stretch->state == BILLING_STATE_PAUSED;

    switch (stretch->kind) {
    case RESOURCE_KIND_VOLUME:
        return meter == 3 ? stretch->disk_mib : 0;
    case RESOURCE_KIND_ADDRESS:
        return meter == 4 ? 1 : 0;
    case RESOURCE_KIND_INSTANCE:
        if (meter == 0)
            return is_running;
        if (meter == 1)
            return is_on ? stretch->vcpus : 0;
        return meter == 2 && is_on ? stretch->memory_mib : 0;
    case RESOURCE_KIND_N:
        break;
    }
    return 0;
}

/* A run has ended: how long it is charged for is told by the price at its end. */
static void
end_run(Scope *scope, const Stretch *last, gint64 start_ms, gint64 next_ms)
{
    const Question *question = scope->question;
    gint64 end_ms = facts_get_end(last, question->as_of, question->known_ms);
    const Price *price = NULL;
    gint64 to_ms = 0;

    if (last->end_seq == 0 || last->end_seq > question->as_of ||
        end_ms >= facts_month_start(question->month + 1))
        return;
    price = truth_find_price(scope->facts, question->as_of, scope->tenant, scope->meter,
                             end_ms);
    to_ms = MIN(start_ms + price->min_run_ms, next_ms);
    g_assert(scope->n_tails < TRUTH_TAILS_MAX);
    if (!price->is_free && to_ms > end_ms)
        scope->tails[scope->n_tails++] = (Tail){ last, end_ms, to_ms };
}

/* Stretches that are charged and touch each other are a run. */
static void
find_tails(Scope *scope, guint instance)
{
    const Question *question = scope->question;
    const Stretch *last = NULL;
    gint64 start_ms = 0;
    gint64 end_ms = 0;

    for (guint i = 0; i < scope->facts->stretches->len; i++) {
        const Stretch *stretch = &g_array_index(scope->facts->stretches, Stretch, i);
        gint64 until_ms = facts_get_end(stretch, question->as_of, question->known_ms);

        if (stretch->seq > question->as_of || stretch->instance != instance ||
            stretch->kind != RESOURCE_KIND_INSTANCE || stretch->start_ms >= until_ms ||
            truth_get_size(stretch, scope->meter) == 0)
            continue;
        if (last == NULL || stretch->start_ms != end_ms) {
            if (last != NULL)
                end_run(scope, last, start_ms, stretch->start_ms);
            start_ms = stretch->start_ms;
        }
        last = stretch;
        end_ms = until_ms;
    }
    if (last != NULL)
        end_run(scope, last, start_ms, G_MAXINT64);
}

/* Of a stretch, from one instant of a day to another; into a cell if there are any. */
static Exact
add_held(const Scope *scope,
         const Stretch *stretch,
         gint64 from_ms,
         gint64 to_ms,
         Account *account)
{
    Exact amount = 0;

    if (from_ms >= to_ms)
        return 0;
    amount = (Exact) truth_get_size(stretch, scope->meter) *
             (to_ms / TICK_MS - from_ms / TICK_MS);
    if (account != NULL)
        account_add_cell(account, scope->meter, stretch->instance, truth_get_day(from_ms),
                         stretch->look, truth_get_quantity(scope->meter, amount));
    return amount;
}

/* In a time within a day. */
static Exact
sum_held(const Scope *scope, gint64 from_ms, gint64 to_ms, Account *account)
{
    const Question *question = scope->question;
    Exact sum = 0;

    for (guint i = 0; i < scope->facts->stretches->len; i++) {
        const Stretch *stretch = &g_array_index(scope->facts->stretches, Stretch, i);
        gint64 end_ms = facts_get_end(stretch, question->as_of, question->known_ms);

        if (stretch->seq <= question->as_of &&
            stretch->instance % FACTS_TENANTS == scope->tenant)
            sum += add_held(scope, stretch, MAX(stretch->start_ms, from_ms),
                            MIN(end_ms, to_ms), account);
    }
    for (guint i = 0; i < scope->n_tails; i++) {
        const Tail *tail = &scope->tails[i];

        sum += add_held(scope, tail->last, MAX(tail->from_ms, from_ms),
                        MIN(tail->to_ms, to_ms), account);
    }
    return sum;
}

/* What is used */

/* What of it had been used by then. */
static Exact
get_part(Exact quantity, const Use *use, gint64 at_ms)
{
    if (at_ms <= use->from_ms)
        return 0;
    if (at_ms >= use->to_ms)
        return quantity;
    return quantity * (at_ms - use->from_ms) / (use->to_ms - use->from_ms);
}

/* What a day has is what there was after it less what there was before. */
static void
add_use(Scope *scope, const Use *use)
{
    if (use->seq > scope->question->as_of ||
        use->instance % FACTS_TENANTS != scope->tenant ||
        FACTS_FIRST_USED + (guint) use->counter != scope->meter)
        return;
    for (guint day = 0; day <= FACTS_DAYS; day++) {
        scope->used[use->instance][day] +=
            get_part(use->certain, use, facts_day_start(day)) +
            get_part(use->estimated, use, facts_day_start(day));
    }
}

static Exact
get_used(const Scope *scope, guint instance, guint day)
{
    Exact used = scope->used[instance][day];

    return scope->meter == FACTS_FIRST_USED ? used / TICK_NS : used;
}

/* As what an instance was known when a day ended. */
static guint
find_look(const Scope *scope, guint instance, guint day)
{
    const Question *question = scope->question;
    guint look = 0;

    for (guint i = 0; i < scope->facts->stretches->len; i++) {
        const Stretch *stretch = &g_array_index(scope->facts->stretches, Stretch, i);

        if (stretch->seq <= question->as_of && stretch->instance == instance &&
            stretch->kind == RESOURCE_KIND_INSTANCE &&
            stretch->start_ms < facts_day_start(day + 1) &&
            facts_get_end(stretch, question->as_of, question->known_ms) >
                facts_day_start(day))
            look = stretch->look;
    }
    return look;
}

static Exact
sum_used(const Scope *scope, guint day, Account *account)
{
    Exact sum = 0;

    for (guint i = scope->tenant; i < FACTS_INSTANCES; i += FACTS_TENANTS) {
        Exact amount = get_used(scope, i, day + 1) - get_used(scope, i, day);

        sum += amount;
        if (account != NULL && amount != 0)
            account_add_cell(account, scope->meter, i, day, find_look(scope, i, day),
                             truth_get_quantity(scope->meter, amount));
    }
    return sum;
}

/* Scope */

void
scope_init(
    Scope *scope, const Facts *facts, const Question *question, guint tenant, guint meter)
{
    *scope = (Scope){ facts, question, tenant, meter, { { 0 } }, { { 0 } }, 0 };
    for (guint i = 0; meter >= FACTS_FIRST_USED && i < facts->uses->len; i++) {
        add_use(scope, &g_array_index(facts->uses, Use, i));
    }
    for (guint i = tenant; i < FACTS_INSTANCES; i += FACTS_TENANTS) {
        find_tails(scope, i);
    }
}

/* What a time between two cuts has of the meter.  What is used lies where its day
 * begins. */
Exact
scope_sum_up(const Scope *scope, gint64 from_ms, gint64 to_ms, Account *account)
{
    guint day = truth_get_day(from_ms);

    if (scope->meter < FACTS_FIRST_USED)
        return sum_held(scope, from_ms, to_ms, account);
    return from_ms == facts_day_start(day) ? sum_used(scope, day, account) : 0;
}
