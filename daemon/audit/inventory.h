/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet/fleet.h"

/** What one host holds, as it told. */
typedef struct {
    const char *host;
    /** ProtoHeld. */
    GArray *objects;
    /** Why it did not tell; NULL: it did. */
    GError *error;
} Inventory;

/** Told once: an Inventory for each host, by name, owned by the array. */
typedef void (*InventoriesDone)(GPtrArray *inventories, gpointer data);

/** Asks all hosts at once, and tells when each has answered or failed.  done gets the
 * array to keep. */
void inventories_ask(Fleet *fleet, InventoriesDone done, gpointer data);

/** The inventory of a host that told; NULL if it did not, or is not there. */
const Inventory *inventories_find(const GPtrArray *inventories, const char *host);
