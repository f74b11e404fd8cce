/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "store/store.h"

/**
 * Tells the service manager that the process is alive, as often as it asked for.  Each
 * word of it is an empty transaction that went to the store's thread and came back to the
 * main loop: if either stands still no word comes, and the manager starts the process
 * anew.  Hosts have no part in it: one that hangs is no reason to end.
 */
typedef struct Watchdog Watchdog;

/** Begins, or returns NULL if the service manager asked for none.  After store_start().
 */
Watchdog *watchdog_new(Store *store);

/** Ends it; after store_close(), or while no transaction is told of any more. */
void watchdog_free(Watchdog *watchdog);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Watchdog, watchdog_free)
