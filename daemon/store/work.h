/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/database.h"
#include "store/store.h"

/** What other files of this folder let the store's thread do. */
typedef void (*StoreWork)(Store *store, Database *database, gpointer data);

/** Runs run on the thread, between two batches, then done (which may be NULL) on the main
 * loop.  Neither happens if the store is closed before. */
void store_work(Store *store, StoreWork run, void (*done)(gpointer data), gpointer data);
