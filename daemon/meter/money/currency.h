/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/** The places of the smallest unit in which code, an active currency of ISO 4217, is
 * paid: 2 for EUR, 0 for JPY.  False if there is no such currency.  Pure. */
bool currency_get_places(const char *code, int *ret_places);
