/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * What a service manager and its services say to each other: the two small protocols of
 * sd_notify(3) and sd_listen_fds(3), without the library (its dependencies would be a
 * tenth of our memory).
 */

/** Tells the service manager, if there is one: "READY=1", "STOPPING=1", "WATCHDOG=1",
 * "STATUS=...". */
void service_notify(const char *state);

/** After how long a silence the service manager takes us for dead; 0: it does not watch.
 * Children are not told. */
guint service_take_watchdog_ms(void);

/** From here on tells the service manager that our main loop turns, if it asks. */
void service_keep_alive(void);

/** The sockets that were opened for us, from the returned descriptor on; ret_count may be
 * 0.  ret_names, if it is not NULL, are what the manager calls them, of which there may
 * be fewer. */
int service_take_sockets(guint *ret_count, GStrv *ret_names);
