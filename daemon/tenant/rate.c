/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/rate.h"

#include "base/clock.h"

enum {
    SECOND_MS = 1000
};

struct Rates {
    /** The second by the boot clock, and the requests in it: name to number. */
    gint64 second;
    GHashTable *counts;
};

static gint64
get_second(void)
{
    return clock_boot_ms() / SECOND_MS;
}

Rates *
rates_new(void)
{
    Rates *rates = g_new0(Rates, 1);

    rates->counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return rates;
}

void
rates_free(Rates *rates)
{
    if (rates == NULL)
        return;
    g_hash_table_unref(rates->counts);
    g_free(rates);
}

gint64
rate_count(Rates *rates, const char *tenant)
{
    gsize count = 0;

    if (rates->second != get_second())
        g_hash_table_remove_all(rates->counts);
    rates->second = get_second();
    count = GPOINTER_TO_SIZE(g_hash_table_lookup(rates->counts, tenant)) + 1;
    g_hash_table_replace(rates->counts, g_strdup(tenant), GSIZE_TO_POINTER(count));
    return (gint64) count;
}

gint64
rate_get(const Rates *rates, const char *tenant)
{
    if (rates->second != get_second())
        return 0;
    return (gint64) GPOINTER_TO_SIZE(g_hash_table_lookup(rates->counts, tenant));
}
