/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/ask.h"

/**
 * Closes a period: a note that fixes what it is billed by, an invoice for each tenant
 * and currency, and a note that all are there.  Each step is a row of the ledger, so that
 * it can be interrupted anywhere; the next try goes on where it was, and comes to the
 * same bytes. One at a time.
 */

typedef void (*ClosingDone)(const BooksPeriod *period,
                            const GError *error,
                            gpointer data);

/**
 * Closes a month, or goes on with it.  Fails with PROTO_ERROR_INVALID_PARAMETER on what
 * is no month or has not ended, with PROTO_ERROR_ILLEGAL_STATE before the grace is over,
 * while an earlier period is open, and on usage without a price.
 */
void closing_start(Meter *meter, const char *period, ClosingDone done, gpointer data);
