/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * Exact amounts of usage.  The unit of time is the tick, 36 ms, of which an hour has
 * 10^5: hours are finite decimals.  A tick is taken of an instant and never of a
 * difference, so that the parts of a time always add up to the whole.  Pure.
 */

/** A sum of ticks times something that is charged: vCPUs, MiB. */
typedef __int128 Quantity;

/** The number of whole ticks up to an instant, rounded towards the past. */
gint64 quantity_tick(gint64 at_ms);

/** A size in MiB, a part of one counted as a whole. */
gint64 quantity_mib(gint64 bytes);

/** Adds amount times ticks to sum.  Fails, with sum untouched, when it does not fit. */
bool quantity_add(Quantity *sum, gint64 amount, gint64 ticks, GError **error);

/** Adds more to sum.  Fails, with sum untouched, when it does not fit. */
bool quantity_merge(Quantity *sum, Quantity more, GError **error);

/** Ticks as hours: an exact decimal with one to five places. */
char *quantity_format_hours(Quantity ticks);

/** MiB times ticks as GiB-hours: an exact decimal with one to fifteen places.  Fails when
 * it does not fit. */
bool quantity_format_gib_hours(Quantity mib_ticks, char **ret_text, GError **error);
