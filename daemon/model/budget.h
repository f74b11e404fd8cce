/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "proto.h"

/**
 * What becomes of a tenant that has a budget.  Pure: it follows from what was set and
 * from what vmd-meter told last, so nothing changes while that tells nothing.
 */

/** Whether text is an amount of money that can be compared: a decimal, not below zero. */
bool budget_is_amount(const char *text);

/** From 80 % on it is near. */
BudgetState budget_get_state(const ProtoBudgetRecord *budget);

/** Fails with PROTO_ERROR_BUDGET_EXCEEDED where all is spent, and the policy is not just
 * to tell. */
bool budget_admit(const ProtoBudgetRecord *budget, const char *tenant, GError **error);

/** Since when the tenant's instances are to be stopped; 0: they are not. */
gint64 budget_get_stop_ms(const ProtoBudgetRecord *budget);

/** Whether that state was reached, and not yet told of in the month that was told last;
 * from now on it has been. */
bool budget_take_news(ProtoBudgetRecord *budget, BudgetState state);
