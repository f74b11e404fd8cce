/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/bills/facts.h"

/** What an admin asks of vmd-meter, as chance will have it.  It may be refused. */

/** Another version of a card, or another deal with a tenant. */
void orders_change_prices(void);

/** For a tenant a card, perhaps one in another currency, from the beginning of a month
 * on. */
void orders_go_abroad(guint month);

/** Something else in the place of a line of a closed month, or of what was put there
 * before; false if there is none.  All that the ledger has has to be known. */
bool orders_correct(const Facts *facts);
