/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/rpc.h"

/**
 * Tells vmd, a few times a minute, what each tenant that has a budget has spent in the
 * month that it is, or why that is not known.  What follows is vmd's business.  Main loop
 * only.
 */
typedef struct Budgets Budgets;

/** path is the socket of vmd; what meter points to must outlive it, but for the answers
 * that controller_free() gives. */
Budgets *budgets_new(const char *path, Meter *meter);
void budgets_free(Budgets *budgets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Budgets, budgets_free)
