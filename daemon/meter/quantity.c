/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/quantity.h"

#include "meter/money/meters.h"
#include "proto.h"

enum {
    TICK_MS = 36,
    /* An hour has 10^5 ticks. */
    HOUR_PLACES = 5
};

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

char *
quantity_format_hours(Quantity ticks)
{
    return decimal_format((Decimal){ ticks, HOUR_PLACES }, 1);
}

bool
quantity_format_gib_hours(Quantity mib_ticks, char **ret_text, GError **error)
{
    Decimal gib_hours = { 0 };

    if (!meter_get_quantity(METER_MEMORY, mib_ticks, &gib_hours, error))
        return false;
    *ret_text = decimal_format(gib_hours, 1);
    return true;
}
