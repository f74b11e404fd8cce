/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/bills/bill.h"

/** What has to hold of bills: each is blamed by the number it has among the invariants of
 * metering. */

/** A bill is what is true, by the parts that wish has and as a whole. */
void invariants_check_bill(MeterStore *store, const Facts *facts, const BillWish *wish);

/** The bills of tenants, asked for one by one, are the bill of all. */
void invariants_check_split(MeterStore *store, const Facts *facts, const BillWish *wish);

/** Twice the prices are twice the cost. */
void invariants_check_double(MeterStore *store,
                             const Facts *facts,
                             const BillWish *wish,
                             const Prices *prices);

/** A month that is closed has an invoice for everybody who has to pay, and one only. */
void invariants_check_invoices(MeterStore *store, const Facts *facts, guint month);

/** What somebody corrected is what he ordered, by all bills, whatever came in before and
 * after that. */
void invariants_check_fixes(MeterStore *store, const Facts *facts);

/** All that a store holds is the ledger, and its sums are what the rows say. */
void invariants_check_store(MeterStore *store);
