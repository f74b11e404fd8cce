/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "host/fake/fake.h"

/**
 * The machines with the instances' domains, one or several: they outlive every process.
 * Until they are told to be quiet, calls to each fail, take their time, hang or are done
 * without an answer, its worker dies, events come late, twice or not at all, its libvirt
 * goes away for a while or for good, and guests do as they like.
 */

/** Begins them, with domains that are nobody's we know. */
void machine_begin(void);
void machine_end(void);

/** From now on so many guests in a thousand are not well at any time, each for a while.
 */
void machine_sicken(guint per_mille);

/** No fault from here on; what has begun goes on. */
void machine_calm(void);

/** The power goes and comes back: no domain is on. */
void machine_reset(void);

/** The service of a worker that was started for the machine of that name. */
FakeHost *machine_serve(const char *name,
                        const int *fds,
                        guint n_fds,
                        void (*ended)(FakeHost *fake, gpointer data),
                        gpointer data);

/** The worker has ended; what it was at may have been carried out by libvirt. */
void machine_unserve(FakeHost *fake);

/** What a machine holds. */
FakeFleet *machine_get_fleet(const char *name);

/** The name of the index-th machine; NULL after the last. */
const char *machine_get_name(guint index);

/** Whether an id is of the domains that are nobody's. */
bool machine_is_stranger(const char *id);

/** Blames what became of the strangers. */
void machine_check_strangers(void);

/** How many faults they made. */
guint machine_count_faults(void);
