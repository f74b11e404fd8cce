/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/quantity.h"

#include "proto.h"

enum {
    TICK_MS = 36,
    /* An hour has 10^5 ticks. */
    HOUR_PLACES = 5,
    /* A GiB-hour has 2^10 * 10^5 MiB-ticks, and 5^10 / 10^15 is one of them. */
    GIB_HOUR_PLACES = 15,
    FIVE_TO_TEN = 9765625,
};

#define QUANTITY_MAX ((Quantity) (~(unsigned __int128) 0 >> 1))

static bool
refuse(GError **error)
{
    proto_error_set_internal(error, "usage", "The usage is too large to be counted");
    return false;
}

gint64
quantity_tick(gint64 at_ms)
{
    gint64 tick = at_ms / TICK_MS;

    return at_ms % TICK_MS < 0 ? tick - 1 : tick;
}

gint64
quantity_mib(gint64 bytes)
{
    const gint64 mib = 1024 * 1024;

    return bytes / mib + (bytes % mib > 0 ? 1 : 0);
}

bool
quantity_add(Quantity *sum, gint64 amount, gint64 ticks, GError **error)
{
    /* The product of two 64-bit numbers always fits. */
    return quantity_merge(sum, (Quantity) amount * ticks, error);
}

bool
quantity_merge(Quantity *sum, Quantity more, GError **error)
{
    Quantity result = 0;

    if (__builtin_add_overflow(*sum, more, &result))
        return refuse(error);
    *sum = result;
    return true;
}

/* value / 10^places, with at least one place and no more zeros than that. */
static char *
format_decimal(Quantity value, int places)
{
    /* 39 digits, the point, the sign and the end. */
    char text[48];
    char *start = text + sizeof text - 1;
    unsigned __int128 rest =
        value < 0 ? -(unsigned __int128) value : (unsigned __int128) value;
    bool has_digit = false;

    *start = '\0';
    for (int place = 0; place <= places || rest > 0; place++, rest /= 10) {
        char digit = (char) ('0' + (int) (rest % 10));

        if (place == places)
            *--start = '.';
        if (digit != '0' || has_digit || place >= places - 1) {
            *--start = digit;
            has_digit = true;
        }
    }
    if (value < 0)
        *--start = '-';
    return g_strdup(start);
}

char *
quantity_format_hours(Quantity ticks)
{
    return format_decimal(ticks, HOUR_PLACES);
}

bool
quantity_format_gib_hours(Quantity mib_ticks, char **ret_text, GError **error)
{
    /* Not __builtin_mul_overflow(): clang's needs a library of its own for 128 bits. */
    if (mib_ticks > QUANTITY_MAX / FIVE_TO_TEN || mib_ticks < -QUANTITY_MAX / FIVE_TO_TEN)
        return refuse(error);
    *ret_text = format_decimal(mib_ticks * FIVE_TO_TEN, GIB_HOUR_PLACES);
    return true;
}
