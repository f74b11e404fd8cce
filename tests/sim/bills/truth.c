/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/truth.h"

#include <stdlib.h>

#include "sim/bills/ledger.h"

enum {
    TICK_MS = 36,
    TICK_NS = 36000000,
    PPM = 1000000,
    PRICE_PLACES = 9,
    /** Of days, cards and deals, of which there are fewer. */
    CUTS_MAX = 256,
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

/** What is asked, of a tenant's use of a meter. */
typedef struct {
    const Facts *facts;
    const Question *question;
    guint tenant;
    guint meter;
    /** Of a meter that is used: what an instance had used when a day began. */
    Exact used[FACTS_INSTANCES][FACTS_DAYS + 1];
} Scope;

Exact
truth_get_quantity(guint meter, Exact amount)
{
    return amount * units[meter].factor *
           exact_ten_to(EXACT_PLACES - units[meter].places);
}

Exact
truth_round(Exact value, guint places)
{
    Exact unit = exact_ten_to(EXACT_PLACES - places);
    Exact size = value < 0 ? -value : value;
    Exact whole = size / unit;
    Exact rest = size % unit;

    if (rest * 2 > unit || (rest * 2 == unit && whole % 2 != 0))
        whole++;
    return (value < 0 ? -whole : whole) * unit;
}

/* Prices */

static const Deal *
find_deal(const Facts *facts, gint64 as_of, gint tenant, gint64 at_ms)
{
    for (guint i = facts->deals->len; i > 0; i--) {
        const Deal *deal = &g_array_index(facts->deals, Deal, i - 1);

        if (deal->seq <= as_of && deal->tenant == tenant && deal->from_ms <= at_ms)
            return deal;
    }
    return tenant >= 0 ? find_deal(facts, as_of, -1, at_ms) : NULL;
}

/* Of the newest version that has begun. */
static const Price *
find_price(const Facts *facts, gint64 as_of, guint card, guint meter, gint64 at_ms)
{
    for (guint i = facts->prices->len; i > 0; i--) {
        const Prices *prices = &g_array_index(facts->prices, Prices, i - 1);

        if (prices->seq <= as_of && prices->card == card && prices->from_ms <= at_ms)
            return &prices->of[meter];
    }
    return NULL;
}

static const Price *
find_price_for(const Facts *facts, gint64 as_of, guint tenant, guint meter, gint64 at_ms)
{
    return find_price(facts, as_of, find_deal(facts, as_of, (gint) tenant, at_ms)->card,
                      meter, at_ms);
}

static gint64
take_discount(gint64 nano, gint64 discount_ppm)
{
    Exact exact = (Exact) nano * (PPM - discount_ppm) *
                  exact_ten_to(EXACT_PLACES - PRICE_PLACES) / PPM;

    return (gint64) (truth_round(exact, PRICE_PLACES) /
                     exact_ten_to(EXACT_PLACES - PRICE_PLACES));
}

void
truth_get_prices(const Facts *facts,
                 gint64 as_of,
                 guint tenant,
                 guint meter,
                 guint tier,
                 gint64 at_ms,
                 gint64 *ret_list,
                 gint64 *ret_contracted)
{
    const Deal *deal = find_deal(facts, as_of, (gint) tenant, at_ms);
    const Price *price = find_price(facts, as_of, deal->card, meter, at_ms);
    bool is_later = price->change_ms != 0 && at_ms >= price->change_ms;
    guint name = price->n_tiers > 1 ? tier + 1 : 0;

    *ret_list = is_later ? price->later_nano : price->nano[tier];
    *ret_contracted = deal->meter == (gint) meter && deal->tier == name
                          ? deal->nano
                          : take_discount(*ret_list, deal->discount_ppm);
}

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

static guint
get_day(gint64 at_ms)
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

/* In a time within a day; into cells if there are any. */
static Exact
sum_held(const Scope *scope, gint64 from_ms, gint64 to_ms, Account *account)
{
    const Question *question = scope->question;
    Exact sum = 0;

    for (guint i = 0; i < scope->facts->stretches->len; i++) {
        const Stretch *stretch = &g_array_index(scope->facts->stretches, Stretch, i);
        gint64 end_ms =
            MIN(facts_get_end(stretch, question->as_of, question->known_ms), to_ms);
        gint64 start_ms = MAX(stretch->start_ms, from_ms);
        Exact amount = 0;

        if (stretch->seq > question->as_of ||
            stretch->instance % FACTS_TENANTS != scope->tenant || start_ms >= end_ms)
            continue;
        amount = (Exact) truth_get_size(stretch, scope->meter) *
                 (end_ms / TICK_MS - start_ms / TICK_MS);
        sum += amount;
        if (account != NULL)
            account_add_cell(account, scope->meter, stretch->instance, get_day(from_ms),
                             stretch->look, truth_get_quantity(scope->meter, amount));
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

static void
scope_init(
    Scope *scope, const Facts *facts, const Question *question, guint tenant, guint meter)
{
    *scope = (Scope){ facts, question, tenant, meter, { { 0 } } };
    for (guint i = 0; meter >= FACTS_FIRST_USED && i < facts->uses->len; i++) {
        add_use(scope, &g_array_index(facts->uses, Use, i));
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

/* Money */

/* What a time between two cuts has of the meter.  What is used lies where its day
 * begins. */
static Exact
sum_up(const Scope *scope, gint64 from_ms, gint64 to_ms, Account *account)
{
    guint day = get_day(from_ms);

    if (scope->meter < FACTS_FIRST_USED)
        return sum_held(scope, from_ms, to_ms, account);
    return from_ms == facts_day_start(day) ? sum_used(scope, day, account) : 0;
}

/* Fills tiers with amount, of which before were filled by then; counts what is wanted. */
static void
fill(const Scope *scope, gint64 at_ms, Exact amount, Exact before, Sum sums[FACTS_TIERS])
{
    gint64 as_of = scope->question->as_of;
    const Price *price =
        find_price_for(scope->facts, as_of, scope->tenant, scope->meter, at_ms);

    for (guint i = 0; i < price->n_tiers; i++) {
        bool is_last = i + 1 == price->n_tiers;
        Exact scale = exact_ten_to(units[scope->meter].places);
        Exact room =
            is_last ? amount
                    : price->from[i + 1] * scale / units[scope->meter].factor - before;
        Exact part = CLAMP(room, 0, amount);
        gint64 list = 0;
        gint64 nano = 0;

        truth_get_prices(scope->facts, as_of, scope->tenant, scope->meter, i, at_ms,
                         &list, &nano);
        sums[i].quantity += truth_get_quantity(scope->meter, part);
        sums[i].cost +=
            part * units[scope->meter].factor * nano *
            exact_ten_to(EXACT_PLACES - PRICE_PLACES - units[scope->meter].places);
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
        bool is_wanted = is_in && get_day(cuts[i]) >= question->from_day &&
                         get_day(cuts[i]) < question->to_day;
        Exact amount = 0;

        if (!is_in || find_price_for(scope->facts, question->as_of, scope->tenant,
                                     scope->meter, cuts[i])
                          ->is_free)
            continue;
        amount = sum_up(scope, cuts[i], cuts[i + 1], is_wanted ? account : NULL);
        if (is_wanted)
            fill(scope, cuts[i], amount, before, sums);
        before += amount;
    }
}

/* Corrections */

/* A month as a whole, as if it had not been closed. */
static Sum
rate_month(const Scope *scope, guint month, gint64 as_of, gint64 known_ms)
{
    const Question question = { as_of, known_ms, month, facts_first_day(month),
                                facts_first_day(month + 1) };
    Scope whole;
    Sum sums[FACTS_TIERS] = { 0 };
    Sum sum = { 0 };

    scope_init(&whole, scope->facts, &question, scope->tenant, scope->meter);
    rate(&whole, sums, NULL);
    for (guint i = 0; i < FACTS_TIERS; i++) {
        sum_add(&sum, sums[i], 1);
    }
    return sum;
}

/* What became known since the month before was closed. */
static Sum
find_late(const Scope *scope, gint64 before)
{
    const Question *question = scope->question;
    Sum sum = { 0 };

    for (guint month = 0; month < question->month; month++) {
        sum_add(&sum, rate_month(scope, month, question->as_of, question->known_ms), 1);
        sum_add(&sum, rate_month(scope, month, before, ledger_get_time(before)), -1);
    }
    return sum;
}

/* What somebody ordered while the month was the first that was open. */
static Sum
find_fixed(const Scope *scope)
{
    Sum sum = { 0 };

    for (guint i = 0; i < scope->facts->fixes->len; i++) {
        const Fix *fix = &g_array_index(scope->facts->fixes, Fix, i);

        if (fix->seq <= scope->question->as_of && fix->tenant == scope->tenant &&
            fix->meter == scope->meter &&
            facts_count_closed(scope->facts, fix->seq) == scope->question->month)
            sum_add(&sum, (Sum){ fix->more_quantity, fix->more_cost }, 1);
    }
    return sum;
}

Account *
truth_bill(const Facts *facts, const Question *question)
{
    Account *account = account_new();
    guint month = question->month;
    bool is_first_open = month > 0 && facts_count_closed(facts, question->as_of) >= month;

    for (guint i = 0; i < FACTS_TENANTS; i++) {
        for (guint j = 0; j < FACTS_METERS; j++) {
            Scope scope;

            scope_init(&scope, facts, question, i, j);
            rate(&scope, account->usage[i][j], account);
            account->corrections[i][j] = find_fixed(&scope);
            if (is_first_open)
                sum_add(&account->corrections[i][j],
                        find_late(&scope, facts->closed_seq[month - 1]), 1);
        }
    }
    return account;
}
