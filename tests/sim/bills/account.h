/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/bills/facts.h"

/** What some usage comes to, in parts: by tenant, meter and tier in quantity and money,
 * and by meter, instance, day and look in quantity. */

typedef struct {
    Exact quantity;
    Exact cost;
} Sum;

typedef struct {
    Sum usage[FACTS_TENANTS][FACTS_METERS][FACTS_TIERS];
    /** In what each pays for usage; of a month before it may be in another. */
    guint currencies[FACTS_TENANTS];
    /** Of months before, unless something came late of lines that somebody corrected: see
     * invariants_check_fixes(). */
    Sum corrections[FACTS_CURRENCIES][FACTS_TENANTS][FACTS_METERS];
    bool is_uncertain[FACTS_TENANTS][FACTS_METERS];
    /** A cell by its key: Exact. */
    GHashTable *cells;
} Account;

Account *account_new(void);
void account_free(Account *account);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Account, account_free)

/** Adds to a cell of a day, which is one of FACTS_DAYS. */
void account_add_cell(
    Account *account, guint meter, guint instance, guint day, guint look, Exact quantity);

/** A tenant's use of a meter, in all tiers. */
Sum account_get_usage(const Account *account, guint tenant, guint meter);

/** What an instance has of a meter, on all days. */
Exact account_get_held(const Account *account, guint meter, guint instance);

/** All that a tenant is to pay in a currency, before it is rounded; false if it is
 * uncertain. */
bool
account_get_cost(const Account *account, guint tenant, guint currency, Exact *ret_cost);

/** Whether instances have the same of all meters on all days. */
bool account_is_same(const Account *account, const Account *other);

/** Adds one to another, times so much. */
void sum_add(Sum *sum, Sum more, int times);

/** Blames where what was billed is not what is true, each by the invariant it breaks. */
void account_compare(const Account *billed, const Account *truth, const char *what);

/** Blames what of an account does not add up to what else is in it. */
void account_check(const Account *account, const char *what);
