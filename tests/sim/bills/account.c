/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/account.h"

#include "sim/world.h"

Account *
account_new(void)
{
    Account *account = g_new0(Account, 1);

    account->cells = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    return account;
}

void
account_free(Account *account)
{
    if (account == NULL)
        return;
    g_hash_table_unref(account->cells);
    g_free(account);
}

void
sum_add(Sum *sum, Sum more, int times)
{
    sum->quantity += more.quantity * times;
    sum->cost += more.cost * times;
}

/* Cells */

static gint64
make_key(guint meter, guint instance, guint day, guint look)
{
    return (((gint64) meter * FACTS_INSTANCES + instance) * FACTS_DAYS + day) << 16 |
           look;
}

static guint
get_meter(gint64 key)
{
    return (guint) ((key >> 16) / FACTS_DAYS / FACTS_INSTANCES);
}

static guint
get_instance(gint64 key)
{
    return (guint) ((key >> 16) / FACTS_DAYS % FACTS_INSTANCES);
}

static guint
get_day(gint64 key)
{
    return (guint) ((key >> 16) % FACTS_DAYS);
}

void
account_add_cell(
    Account *account, guint meter, guint instance, guint day, guint look, Exact quantity)
{
    gint64 key = make_key(meter, instance, day, look);
    Exact *cell = g_hash_table_lookup(account->cells, &key);

    if (quantity == 0)
        return;
    if (cell == NULL) {
        cell = g_new0(Exact, 1);
        g_hash_table_insert(account->cells, g_memdup2(&key, sizeof key), cell);
    }
    *cell += quantity;
}

Exact
account_get_held(const Account *account, guint meter, guint instance)
{
    GHashTableIter iter;
    gpointer key = NULL;
    gpointer cell = NULL;
    Exact sum = 0;

    g_hash_table_iter_init(&iter, account->cells);
    while (g_hash_table_iter_next(&iter, &key, &cell)) {
        gint64 at = *(const gint64 *) key;

        if (get_meter(at) == meter && get_instance(at) == instance)
            sum += *(const Exact *) cell;
    }
    return sum;
}

/* A cell of one that another has not, or not so; NULL if there is none. */
static const gint64 *
find_difference(const Account *account, const Account *other)
{
    GHashTableIter iter;
    gpointer key = NULL;
    gpointer cell = NULL;

    g_hash_table_iter_init(&iter, account->cells);
    while (g_hash_table_iter_next(&iter, &key, &cell)) {
        const Exact *same = g_hash_table_lookup(other->cells, key);

        if (same == NULL || *same != *(const Exact *) cell)
            return key;
    }
    return NULL;
}

bool
account_is_same(const Account *account, const Account *other)
{
    return find_difference(account, other) == NULL &&
           find_difference(other, account) == NULL;
}

static void
compare_cells(const Account *account, const Account *other, const char *what)
{
    const gint64 *key = find_difference(account, other);

    if (key != NULL)
        world_blame("I15, I21: %s: %s of instance %u as guest-%u on day %u is not "
                    "what was used",
                    what, facts_meters[get_meter(*key)], get_instance(*key),
                    (guint) (*key & 0xffff), get_day(*key));
}

/* Sums */

Sum
account_get_usage(const Account *account, guint tenant, guint meter)
{
    Sum sum = { 0 };

    for (guint i = 0; i < FACTS_TIERS; i++) {
        sum_add(&sum, account->usage[tenant][meter][i], 1);
    }
    return sum;
}

bool
account_get_cost(const Account *account, guint tenant, guint currency, Exact *ret_cost)
{
    bool is_certain = true;

    *ret_cost = 0;
    for (guint i = 0; i < FACTS_METERS; i++) {
        if (account->currencies[tenant] == currency)
            *ret_cost += account_get_usage(account, tenant, i).cost;
        *ret_cost += account->corrections[currency][tenant][i].cost;
        is_certain &= !account->is_uncertain[tenant][i];
    }
    return is_certain;
}

static void
compare_tiers(const Account *billed,
              const Account *truth,
              guint tenant,
              guint meter,
              const char *what)
{
    for (guint i = 0; i < FACTS_TIERS; i++) {
        const Sum *a = &billed->usage[tenant][meter][i];
        const Sum *b = &truth->usage[tenant][meter][i];

        if (a->quantity != b->quantity)
            world_blame("I17: %s: tier %u of %s of %s is filled wrongly", what, i,
                        facts_meters[meter], facts_tenants[tenant]);
        if (a->cost != b->cost)
            world_blame("I16: %s: %s of %s does not cost what it has to", what,
                        facts_meters[meter], facts_tenants[tenant]);
    }
}

static void
compare_corrections(const Account *billed,
                    const Account *truth,
                    guint tenant,
                    guint meter,
                    const char *what)
{
    for (guint i = 0; i < FACTS_CURRENCIES; i++) {
        const Sum *a = &billed->corrections[i][tenant][meter];
        const Sum *b = &truth->corrections[i][tenant][meter];

        if (!truth->is_uncertain[tenant][meter] &&
            (a->quantity != b->quantity || a->cost != b->cost))
            world_blame("I20: %s: with its corrections, %s of %s is not what is true",
                        what, facts_meters[meter], facts_tenants[tenant]);
    }
}

void
account_compare(const Account *billed, const Account *truth, const char *what)
{
    for (guint i = 0; i < FACTS_TENANTS; i++) {
        for (guint j = 0; j < FACTS_METERS; j++) {
            compare_tiers(billed, truth, i, j, what);
            compare_corrections(billed, truth, i, j, what);
        }
    }
    compare_cells(billed, truth, what);
    compare_cells(truth, billed, what);
}

/* By tenant and meter, from what lies by instance and day. */
void
account_check(const Account *account, const char *what)
{
    Exact sums[FACTS_TENANTS][FACTS_METERS] = { 0 };
    GHashTableIter iter;
    gpointer key = NULL;
    gpointer cell = NULL;

    g_hash_table_iter_init(&iter, account->cells);
    while (g_hash_table_iter_next(&iter, &key, &cell)) {
        gint64 at = *(const gint64 *) key;

        sums[get_instance(at) % FACTS_TENANTS][get_meter(at)] += *(const Exact *) cell;
    }
    for (guint i = 0; i < FACTS_TENANTS; i++) {
        for (guint j = 0; j < FACTS_METERS; j++) {
            if (sums[i][j] != account_get_usage(account, i, j).quantity)
                world_blame("I4: %s: %s by resource and day is not that of %s", what,
                            facts_meters[j], facts_tenants[i]);
        }
    }
}
