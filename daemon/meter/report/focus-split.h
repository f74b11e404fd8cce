/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "meter/money/bill.h"

/**
 * For who checks a FOCUS dataset in binary fractions: there price times quantity is not
 * the cost to the last bit in a third of all lines, though it is in decimals.  Pure.
 */

/** Whether price times quantity is the cost, list and contracted, in IEEE 754 doubles. */
bool focus_is_float_safe(const BillLine *line);

/** Two lines that add up to line and are safe; false, with ret_parts untouched, if line
 * is safe already, has no price and quantity, or there is no such pair near at hand. */
bool focus_split(const BillLine *line, BillLine ret_parts[2]);
