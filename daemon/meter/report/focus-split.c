/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/focus-split.h"

enum {
    /* A tick is 10^-5 of an hour; of what is less the last place. */
    TICK_PLACES = 5,
    /* One of the second line's first 200 quantities does in all but one case of 10,000.
     */
    TRIES = 1000
};

static double
to_double(Decimal value)
{
    char text[DECIMAL_TEXT_SIZE];

    decimal_print(value, 1, text);
    return g_ascii_strtod(text, NULL);
}

static bool
is_product(Decimal price, Decimal quantity, Decimal cost)
{
    volatile double product = to_double(price) * to_double(quantity);
    volatile double told = to_double(cost);

    return product <= told && product >= told;
}

bool
focus_is_float_safe(const BillLine *line)
{
    return is_product(line->list_price, line->quantity, line->list_cost) &&
           is_product(line->contracted_price, line->quantity, line->contracted_cost);
}

/* The line with another quantity, and what that costs. */
static bool
set_quantity(BillLine *line, Decimal quantity)
{
    line->quantity = quantity;
    if (decimal_compare(line->estimated, quantity) > 0)
        line->estimated = quantity;
    return decimal_multiply(line->list_price, quantity, &line->list_cost, NULL) &&
           decimal_multiply(line->contracted_price, quantity, &line->contracted_cost,
                            NULL);
}

/* part of the quantity goes into the second line. */
static bool
split_off(const BillLine *line, Decimal part, BillLine parts[2])
{
    Decimal rest = { 0 };

    parts[0] = parts[1] = *line;
    if (!decimal_subtract(line->quantity, part, &rest, NULL) ||
        !set_quantity(&parts[0], rest) || !set_quantity(&parts[1], part) ||
        !decimal_subtract(line->estimated, parts[0].estimated, &parts[1].estimated, NULL))
        return false;
    return focus_is_float_safe(&parts[0]) && focus_is_float_safe(&parts[1]);
}

static bool
split_in(const BillLine *line, int places, BillLine parts[2])
{
    for (int tries = 1; tries <= TRIES; tries++) {
        const Decimal part = { tries, places };

        if (decimal_compare(part, line->quantity) >= 0)
            return false;
        if (split_off(line, part, parts))
            return true;
    }
    return false;
}

bool
focus_split(const BillLine *line, BillLine ret_parts[2])
{
    BillLine parts[2];

    if (line->category != BILL_CATEGORY_USAGE || line->is_correction ||
        line->quantity.value <= 0 || focus_is_float_safe(line))
        return false;
    if (!split_in(line, TICK_PLACES, parts) &&
        !split_in(line, line->quantity.places, parts))
        return false;
    ret_parts[0] = parts[0];
    ret_parts[1] = parts[1];
    return true;
}
