/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/connection.h"
#include "host/jobs.h"

/**
 * What the guests' agents say: whether one answers, and at which addresses its guest is.
 * Kept on the main loop; an agent that came is asked again and again until an address is
 * known, and ever more rarely while it says nothing.
 */
typedef struct Guests Guests;

/** The connection is one that only guests are asked over; changed is told on the main
 * loop when something new is known of a guest. */
Guests *guests_new(Connection *connection,
                   Jobs *jobs,
                   void (*changed)(const char *id, gpointer data),
                   gpointer data);

/** The domain is on: looks until its agent answers and knows an address, a bounded number
 * of times.  One that is watched already goes on as it does. */
void guests_watch(Guests *guests, const char *id);

/** The agent of this domain is there: looks at once and as often as at first, unless it
 * was there before and said nothing. */
void guests_hear(Guests *guests, const char *id);

/** The domain is off. */
void guests_forget(Guests *guests, const char *id);
void guests_forget_all(Guests *guests);

/** Fills in agent and addresses of a running domain. */
void guests_fill(Guests *guests, ProtoDomain *domain);
