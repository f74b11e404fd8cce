/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/money/biller.h"
#include "sim/bills/account.h"
#include "sim/bills/facts.h"

/** What vmd-meter bills, as parts to be compared and as bytes. */

/** Which bill. */
typedef struct {
    /** As of a row, which is the newest if vmd-meter is not to be told which. */
    gint64 as_of;
    bool is_newest;
    /** Up to when the newest counts what goes on; of another it is when it was booked. */
    gint64 known_ms;
    guint month;
    /** Days of all months, from one on and before another; both 0: the month. */
    guint from_day;
    guint to_day;
    /** NULL: of all. */
    const char *tenant;
    const Card *instead;
    /** What happens after the bill was asked for and before it is read; NULL: nothing. */
    void (*meanwhile)(MeterStore *store);
} BillWish;

/** The books as the store has them by now. */
Books *bill_read_books(MeterStore *store);

/** Adds the lines of a bill to account, and blames a line that is wrong by itself. */
void
bill_add(MeterStore *store, const Facts *facts, const BillWish *wish, Account *account);

/** A bill as a report, "table", "csv", "json" or "focus" by its number; free with
 * g_free(). */
char *bill_write(MeterStore *store, const BillWish *wish, guint format);

enum {
    BILL_FORMATS = 4
};

/** A line of use of a closed month that chance chooses, with the quantity and the price
 * as they are billed by now; false if there is none. */
bool bill_pick(MeterStore *store, gint64 as_of, guint month, Fix *ret_fix);

/** What all bills come to of the line that fix is of. */
Sum bill_sum_line(MeterStore *store, gint64 as_of, const Fix *fix);
