/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * The files of the database, in memory: a VFS of SQLite's, the default one from the first
 * image_begin() on.  Its process can be killed at any write, also in the midst of one:
 * what was written until then is what the next process finds.
 */

void image_begin(void);
void image_end(void);

/** A folder on the disk, for what is no database. */
const char *image_get_folder(void);

/** Of the writes from now on the n-th is the last, and only a part of it is done.  0:
 * nothing happens. */
void image_die_at(guint64 n);

/** That write was reached: the process is to be killed before anybody hears of it. */
bool image_is_dead(void);

/** The process is killed now, if it was not before. */
void image_kill(void);

/** The database has been closed: what SQLite wrote since the kill is taken back. */
void image_revive(void);

/** So far, up to the death. */
guint64 image_count_writes(void);
guint64 image_count_commits(void);
