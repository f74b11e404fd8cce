/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * What a seed decides: chance, the clocks, the order of things, and the trace of what
 * happened.  Between world_begin() and world_end() the process has no other time than
 * this one: the main loop does not wait, the clock is moved to its next timer instead.
 * One world at a time, since a process has one clock.
 */

/** verbose: the trace is printed too. */
void world_begin(guint32 seed, bool verbose);
void world_end(void);

/* Chance: one stream of numbers for what the seed does to the controller. The controller
 * has another. */

/** From 0 up to but without below. */
guint world_random(guint below);
bool world_chance(guint per_mille);

/* Time */

/** Milliseconds since the world began. */
gint64 world_now_ms(void);

/** The wall clock is set by so much. */
void world_jump_wall(gint64 by_ms);

/** The machine boots: another boot id, and its clock begins again. */
void world_boot(void);

/** Runs the main loop until is_over or for so long, whichever comes first; returns
 * is_over's last word.  NULL is never over. */
bool world_run(bool (*is_over)(gpointer data), gpointer data, gint64 limit_ms);

/* The record */

/** Adds a line to the trace. */
void world_trace(const char *format, ...) G_GNUC_PRINTF(1, 2);

/** What must not be was seen: prints it with the seed. */
void world_blame(const char *format, ...) G_GNUC_PRINTF(1, 2);

/** From now on a critical message with this text in it is what has to come. */
void world_expect(const char *text);

/** How often something was blamed. */
guint world_count_faults(void);

/** Over the whole trace: two runs with one hash did the same. */
guint64 world_hash(void);

/** Makes a folder in memory, or on the disk where there is little of that; PREFIX-XXXXXX.
 * The caller removes and frees it. */
char *world_make_folder(const char *prefix);
