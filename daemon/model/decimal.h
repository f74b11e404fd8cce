/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * Exact decimals, for quantities, prices and money: value / 10^places.  What does not fit
 * is an error and never wraps.  Pure, and the same in every locale.
 */
typedef struct {
    __int128 value;
    int places;
} Decimal;

enum {
    /** More are never needed: a price has 9, a quantity 15. */
    DECIMAL_PLACES_MAX = 24,
    /** 39 digits, the point, the sign and the end, with room for leading zeros. */
    DECIMAL_TEXT_SIZE = 72
};

/** These fail, with the result untouched, when it does not fit. */
bool decimal_add(Decimal a, Decimal b, Decimal *ret_sum, GError **error);
bool decimal_subtract(Decimal a, Decimal b, Decimal *ret_difference, GError **error);
bool decimal_multiply(Decimal a, Decimal b, Decimal *ret_product, GError **error);

/** The nearest with so many places; of two that are as near the one whose last digit is
 * even.  Fails when it does not fit. */
bool decimal_round(Decimal value, int places, Decimal *ret_rounded, GError **error);

Decimal decimal_negate(Decimal value);

/** Below, at or above zero as a is less than, equal to or more than b. */
int decimal_compare(Decimal a, Decimal b);

/** Writes it with all digits that count and at least so many places; returns the length.
 * An integer without places has no point. */
gsize decimal_print(Decimal value, int least_places, char text[DECIMAL_TEXT_SIZE]);

/** The same; free with g_free(). */
char *decimal_format(Decimal value, int least_places);

/** Reads digits, perhaps with a sign before them and a point among them; nothing else is
 * a decimal, and neither is what has more than DECIMAL_PLACES_MAX places or does not fit.
 */
bool decimal_parse(const char *text, Decimal *ret_value);
