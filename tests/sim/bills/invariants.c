/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/invariants.h"

#include <string.h>

#include "meter/verify.h"
#include "sim/bills/ledger.h"
#include "sim/bills/prices.h"
#include "sim/bills/truth.h"
#include "sim/world.h"

enum {
    TICK_MS = 36
};

static Account *
get_truth(const Facts *facts, const BillWish *wish)
{
    bool is_whole = wish->to_day == 0;
    gint64 as_of = facts_resolve(facts, wish->month, wish->as_of);
    bool is_known = wish->is_newest && as_of == wish->as_of;
    const Question question = {
        .as_of = as_of,
        .known_ms = is_known ? wish->known_ms : ledger_get_time(as_of),
        .month = wish->month,
        .from_day = is_whole ? facts_first_day(wish->month) : wish->from_day,
        .to_day = is_whole ? facts_first_day(wish->month + 1) : wish->to_day,
    };

    return truth_bill(facts, &question);
}

/* The largest that an instance ever was, in what a meter counts. */
static gint64
get_largest(const Facts *facts, guint instance, guint meter)
{
    gint64 largest = 1;

    for (guint i = 0; i < facts->stretches->len; i++) {
        const Stretch *stretch = &g_array_index(facts->stretches, Stretch, i);

        if (stretch->instance == instance)
            largest = MAX(largest, truth_get_size(stretch, meter));
    }
    return largest;
}

/* No instance holds more than its size for as long as the days are. */
static void
check_length(const Account *billed, const Facts *facts, guint days)
{
    gint64 ticks = (gint64) days * (FACTS_DAY_MS / TICK_MS);

    for (guint meter = 0; meter < FACTS_FIRST_USED; meter++) {
        for (guint i = 0; i < FACTS_INSTANCES; i++) {
            gint64 most = get_largest(facts, i, meter) * ticks;

            if (account_get_held(billed, meter, i) > truth_get_quantity(meter, most))
                world_blame("I5: instance %u is billed for more %s than there is time", i,
                            facts_meters[meter]);
        }
    }
}

void
invariants_check_bill(MeterStore *store, const Facts *facts, const BillWish *wish)
{
    g_autoptr(Account) billed = account_new();
    g_autoptr(Account) truth = get_truth(facts, wish);
    guint days = wish->to_day != 0
                     ? wish->to_day - wish->from_day
                     : facts_first_day(wish->month + 1) - facts_first_day(wish->month);

    bill_add(store, facts, wish, billed);
    account_compare(billed, truth, facts_months[wish->month]);
    account_check(billed, facts_months[wish->month]);
    check_length(billed, facts, days);
}

void
invariants_check_split(MeterStore *store, const Facts *facts, const BillWish *wish)
{
    g_autoptr(Account) billed = account_new();
    g_autoptr(Account) truth = get_truth(facts, wish);

    for (guint i = 0; i < FACTS_TENANTS; i++) {
        BillWish one = *wish;

        one.tenant = facts_tenants[i];
        bill_add(store, facts, &one, billed);
    }
    account_compare(billed, truth, "I4: by tenant");
}

/* Money */

static Account *
bill_instead(MeterStore *store,
             const Facts *facts,
             const BillWish *wish,
             const Prices *prices)
{
    g_auto(ProtoRateCard) rates = { 0 };
    g_autoptr(Card) card = NULL;
    g_autoptr(GError) error = NULL;
    Account *account = account_new();
    BillWish instead = *wish;

    prices_write_card(prices, facts->currencies[0].code, &rates);
    card = card_new(&rates, "card", &error);
    if (card == NULL)
        world_blame("I16: the card: %s", error->message);
    instead.instead = card;
    bill_add(store, facts, &instead, account);
    return account;
}

static Prices
double_prices(const Prices *prices)
{
    Prices twice = *prices;

    for (guint i = 0; i < FACTS_METERS; i++) {
        twice.of[i].later_nano *= 2;
        for (guint j = 0; j < FACTS_TIERS; j++) {
            twice.of[i].nano[j] *= 2;
        }
    }
    return twice;
}

void
invariants_check_double(MeterStore *store,
                        const Facts *facts,
                        const BillWish *wish,
                        const Prices *prices)
{
    const Prices twice = double_prices(prices);
    g_autoptr(Account) once = bill_instead(store, facts, wish, prices);
    g_autoptr(Account) doubled = bill_instead(store, facts, wish, &twice);

    for (guint i = 0; i < FACTS_TENANTS; i++) {
        for (guint j = 0; j < FACTS_METERS; j++) {
            Sum a = account_get_usage(once, i, j);
            Sum b = account_get_usage(doubled, i, j);

            if (b.cost != 2 * a.cost || b.quantity != a.quantity)
                world_blame("I16: twice the price of %s is not twice the cost",
                            facts_meters[j]);
        }
    }
}

/* Digits, perhaps with a sign before them and a point among them. */
static Exact
read_money(const char *text)
{
    const char *point = strchr(text, '.');
    Exact value = 0;

    for (const char *p = text; *p != '\0'; p++) {
        if (g_ascii_isdigit(*p))
            value = value * 10 + (*p - '0');
    }
    value *= exact_ten_to(EXACT_PLACES - (point != NULL ? (guint) strlen(point) - 1 : 0));
    return *text == '-' ? -value : value;
}

static void
check_invoices_of(const BooksPeriod *period,
                  const char *tenant,
                  const Currency *currency,
                  Exact cost)
{
    guint count = 0;

    for (guint i = 0; i < period->invoices->len; i++) {
        const ProtoInvoiceNote *note = g_ptr_array_index(period->invoices, i);

        if (strcmp(note->tenant, tenant) != 0 ||
            strcmp(note->currency, currency->code) != 0)
            continue;
        count++;
        if (read_money(note->total) != truth_round(cost, currency->places))
            world_blame("I16: the invoice of %s for %s in %s is not what is to be paid",
                        tenant, period->name, currency->code);
    }
    if (count > 1 || (cost != 0 && count == 0))
        world_blame("I20: %s has %u invoices for %s in %s", tenant, count, period->name,
                    currency->code);
}

void
invariants_check_invoices(MeterStore *store, const Facts *facts, guint month)
{
    const BillWish wish = { .month = month, .as_of = ledger_count() };
    g_autoptr(Account) truth = get_truth(facts, &wish);
    g_autoptr(Books) books = bill_read_books(store);
    const BooksAt at = { books, G_MAXINT64 };
    const BooksPeriod *period = books_find_period(&at, facts_months[month]);

    if (period == NULL || period->sealed_seq == 0) {
        world_blame("I20: %s is closed and is not", facts_months[month]);
        return;
    }
    for (guint i = 0; i < FACTS_TENANTS * FACTS_CURRENCIES; i++) {
        guint tenant = i / FACTS_CURRENCIES;
        guint currency = i % FACTS_CURRENCIES;
        Exact cost = 0;

        if (account_get_cost(truth, tenant, currency, &cost))
            check_invoices_of(period, facts_tenants[tenant], &facts->currencies[currency],
                              cost);
    }
}

void
invariants_check_fixes(MeterStore *store, const Facts *facts)
{
    for (guint i = 0; i < facts->fixes->len; i++) {
        const Fix *fix = &g_array_index(facts->fixes, Fix, i);
        const Sum billed = bill_sum_line(store, ledger_count(), fix);

        if (facts_find_fix(facts, fix) == fix &&
            (billed.quantity != fix->quantity ||
             billed.cost != facts_get_cost(fix->quantity, fix->price)))
            world_blame("I20: %s of instance %u on day %u is not what was ordered",
                        facts_meters[fix->meter], fix->instance, fix->day);
    }
}

/* The store */

static void
blame_faults(Verify *verify)
{
    g_autoptr(GArray) faults = verify_take_faults(verify);

    for (guint i = 0; i < faults->len; i++) {
        world_blame("I15: verifying: %s", g_array_index(faults, VerifyFault, i).text);
    }
}

void
invariants_check_store(MeterStore *store)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Verify) verify = verify_new(store, &error);
    g_autofree char *held = meter_store_get_hash(store);
    g_autofree char *hash = ledger_get_hash(ledger_count());
    bool done = verify == NULL;

    if (meter_store_get_cursor(store) != ledger_count() || strcmp(held, hash) != 0)
        world_blame("I13: what is held is not the ledger");
    while (!done && verify_step(verify, &done, &error)) {
    }
    if (error != NULL)
        world_blame("I15: verifying: %s", error->message);
    else
        blame_faults(verify);
}
