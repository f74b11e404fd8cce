/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/decimal.h"

#include <string.h>

#include "proto.h"

typedef unsigned __int128 Magnitude;

static const __int128 value_max = (__int128) (~(Magnitude) 0 >> 1);

static bool
refuse(GError **error)
{
    proto_error_set_internal(error, "usage", "The amount is too large to be counted");
    return false;
}

static Magnitude
get_magnitude(__int128 value)
{
    return value < 0 ? -(Magnitude) value : (Magnitude) value;
}

/* Not __builtin_mul_overflow(): clang's needs a library of its own for 128 bits. */
static bool
multiply(__int128 a, __int128 b, __int128 *ret_product)
{
    Magnitude x = get_magnitude(a);
    Magnitude y = get_magnitude(b);
    bool is_short = (x >> 63) == 0 && (y >> 63) == 0;

    if (!is_short && y != 0 && x > (Magnitude) value_max / y)
        return false;
    *ret_product = a * b;
    return true;
}

static bool
scale(__int128 value, int places, __int128 *ret_scaled)
{
    for (int place = 0; place < places; place++) {
        if (!multiply(value, 10, &value))
            return false;
    }
    *ret_scaled = value;
    return true;
}

/* Both with the places of the one that has more. */
static bool
align(Decimal *a, Decimal *b)
{
    if (a->places < b->places) {
        if (!scale(a->value, b->places - a->places, &a->value))
            return false;
        a->places = b->places;
    } else if (b->places < a->places) {
        if (!scale(b->value, a->places - b->places, &b->value))
            return false;
        b->places = a->places;
    }
    return true;
}

bool
decimal_add(Decimal a, Decimal b, Decimal *ret_sum, GError **error)
{
    Decimal sum = { 0 };

    if (!align(&a, &b) || __builtin_add_overflow(a.value, b.value, &sum.value) ||
        sum.value < -value_max)
        return refuse(error);
    sum.places = a.places;
    *ret_sum = sum;
    return true;
}

bool
decimal_subtract(Decimal a, Decimal b, Decimal *ret_difference, GError **error)
{
    Decimal difference = { 0 };

    if (!align(&a, &b) || __builtin_sub_overflow(a.value, b.value, &difference.value) ||
        difference.value < -value_max)
        return refuse(error);
    difference.places = a.places;
    *ret_difference = difference;
    return true;
}

/* Zeros at the end that only take room. */
static Decimal
trim(Decimal value, int least_places)
{
    while (value.places > least_places && value.value % 10 == 0) {
        value.value /= 10;
        value.places--;
    }
    return value;
}

bool
decimal_multiply(Decimal a, Decimal b, Decimal *ret_product, GError **error)
{
    Decimal product = { .places = a.places + b.places };

    if (!multiply(a.value, b.value, &product.value))
        return refuse(error);
    if (product.places > DECIMAL_PLACES_MAX)
        product = trim(product, DECIMAL_PLACES_MAX);
    if (product.places > DECIMAL_PLACES_MAX)
        return refuse(error);
    *ret_product = product;
    return true;
}

bool
decimal_round(Decimal value, int places, Decimal *ret_rounded, GError **error)
{
    Decimal rounded = { .places = places };
    __int128 step = 1;
    __int128 rest = 0;
    __int128 over = 0;

    if (value.places <= places) {
        if (!scale(value.value, places - value.places, &rounded.value))
            return refuse(error);
        *ret_rounded = rounded;
        return true;
    }
    if (!scale(step, value.places - places, &step))
        return refuse(error);
    rounded.value = value.value / step;
    rest = value.value % step;
    rest = rest < 0 ? -rest : rest;
    over = rest - (step - rest);
    if (over > 0 || (over == 0 && rounded.value % 2 != 0))
        rounded.value += value.value < 0 ? -1 : 1;
    *ret_rounded = rounded;
    return true;
}

Decimal
decimal_negate(Decimal value)
{
    return (Decimal){ -value.value, value.places };
}

int
decimal_compare(Decimal a, Decimal b)
{
    bool is_first = a.places < b.places;
    const Decimal coarse = is_first ? a : b;

    /* The one that has to be scaled and then does not fit is farther from zero. */
    if (!align(&a, &b))
        return (coarse.value > 0) == is_first ? 1 : -1;
    return (a.value > b.value) - (a.value < b.value);
}

/* The digits of a value, at least so many, in front of end; divides in 64 bits wherever
 * that will do. */
static char *
put_digits(Magnitude value, int least, char *end)
{
    const guint64 part = G_GUINT64_CONSTANT(1000000000000000000);
    char *start = end;

    while (value > 0 || end - start < least) {
        guint64 low = (guint64) (value % part);

        value /= part;
        for (int i = 0; i < 18 && (value > 0 || low > 0 || end - start < least); i++) {
            *--start = (char) ('0' + (int) (low % 10));
            low /= 10;
        }
    }
    return start;
}

gsize
decimal_print(Decimal value, int least_places, char text[DECIMAL_TEXT_SIZE])
{
    char digits[DECIMAL_TEXT_SIZE];
    char *end = digits + sizeof digits;
    const char *start = put_digits(get_magnitude(value.value), value.places + 1, end);
    gsize whole = (gsize) (end - start) - (gsize) value.places;
    int places = value.places;
    char *at = text;

    while (places > least_places && start[whole + (gsize) places - 1] == '0') {
        places--;
    }
    if (value.value < 0)
        *at++ = '-';
    memcpy(at, start, whole);
    at += whole;
    if (MAX(places, least_places) > 0)
        *at++ = '.';
    memcpy(at, start + whole, (gsize) places);
    at += places;
    for (; places < least_places; places++) {
        *at++ = '0';
    }
    *at = '\0';
    return (gsize) (at - text);
}

char *
decimal_format(Decimal value, int least_places)
{
    char text[DECIMAL_TEXT_SIZE];

    decimal_print(value, least_places, text);
    return g_strdup(text);
}

static bool
append_digit(Decimal *value, char digit, bool has_point)
{
    if (!multiply(value->value, 10, &value->value) ||
        __builtin_add_overflow(value->value, digit - '0', &value->value))
        return false;
    value->places += has_point ? 1 : 0;
    return value->places <= DECIMAL_PLACES_MAX;
}

bool
decimal_parse(const char *text, Decimal *ret_value)
{
    bool is_negative = *text == '-';
    const char *digits = is_negative ? text + 1 : text;
    bool has_point = false;
    Decimal value = { 0 };

    if (!g_ascii_isdigit(*digits))
        return false;
    for (const char *at = digits; *at != '\0'; at++) {
        if (*at == '.' && !has_point && g_ascii_isdigit(at[1])) {
            has_point = true;
        } else if (!g_ascii_isdigit(*at) || !append_digit(&value, *at, has_point)) {
            return false;
        }
    }
    *ret_value = is_negative ? decimal_negate(value) : value;
    return true;
}
