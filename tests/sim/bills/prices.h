/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/bills/facts.h"

/** What chance makes of prices, and how vmd-meter is told of them. */

/** A card that begins at an instant: some meters cost nothing, some have tiers, some
 * change later. */
Prices prices_choose(guint card, gint64 from_ms);

/** Who pays what from an instant on: a discount, or a price that was agreed on. */
Deal prices_deal(gint tenant, guint card, gint64 from_ms);

/** "standard", "low", "foreign" and "foreign-low". */
const char *prices_name_card(guint card);

/** Of the n'th tier of a meter, from 1 on; of a price without tiers if tier is 0. Free
 * with g_free(). */
char *prices_name_sku(guint meter, guint tier);

/** A price in a decimal; free with g_free(). */
char *prices_format(gint64 nano);

/** Release with proto_rate_card_clear(). */
void
prices_write_card(const Prices *prices, const char *currency, ProtoRateCard *ret_card);
