/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * How many requests each tenant made in the second that is under way.
 */
typedef struct Rates Rates;

Rates *rates_new(void);
void rates_free(Rates *rates);

/** Counts one more, and returns how many that makes. */
gint64 rate_count(Rates *rates, const char *tenant);

gint64 rate_get(const Rates *rates, const char *tenant);
