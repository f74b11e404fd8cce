/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "proto.h"

/**
 * What libvirt's hook (data/hooks/50-vmctl) wrote down of guests that began and ended to
 * run.  Kept until it is forgotten, in the file too: whoever learns it may be killed
 * before it has done anything with it.  Belongs to the main loop.
 */
typedef struct Runs Runs;

/** Looks into the folder where the hook writes; it need not be there.  "" is none. */
Runs *runs_new(const char *folder);
void runs_free(Runs *runs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Runs, runs_free)

/** Reads what has been written since.  Returns how much is known by now: what a domain is
 * asked afterwards is not older. */
guint64 runs_read(Runs *runs);

/** Adds to a domain what was known of it at that time. */
void runs_fill(const Runs *runs, guint64 known, ProtoDomain *domain);

/** Forgets what happened up to then, and makes the file shorter. */
void runs_forget(Runs *runs, gint64 until_wall_ms);
