/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/epoll.h>

/**
 * Descriptors that the main loop waits for, through one epoll instance: the loop itself
 * looks at one descriptor a turn, however many there are.  What GLib does for each of its
 * sources in each turn would cost more than a small call.  To be used from the thread of
 * the default main context.
 */
typedef struct WireWatch WireWatch;

/** Is told of events (EPOLLIN and so on); may free any watch, its own too. */
typedef void (*WireWatchTold)(uint32_t events, gpointer data);

/** Waits for events at fd, which stays its owner's. */
WireWatch *wire_watch_new(int fd, uint32_t events, WireWatchTold told, gpointer data);

/** Waits for other events from now on; does nothing if they are the same. */
void wire_watch_set_events(WireWatch *watch, uint32_t events);

uint32_t wire_watch_get_events(const WireWatch *watch);

/** Told is not called any more.  To be done before the descriptor is closed: its number
 * may be another's then.  NULL does nothing. */
void wire_watch_free(WireWatch *watch);
