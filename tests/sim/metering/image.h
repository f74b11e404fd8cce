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

/** A folder on the disk, and in it the file that is the anchor: the only one that is no
 * database. */
const char *image_get_folder(void);
const char *image_get_anchor(void);

/** Of the writes from now on the n-th is the last, and only a part of it is done.  0:
 * nothing happens. */
void image_die_at(guint64 n);

/** That write was reached: the process is to be killed before anybody hears of it. */
bool image_is_dead(void);

/** The process is killed now, if it was not before. */
void image_kill(void);

/** The database has been closed: what SQLite wrote since the kill is taken back. */
void image_revive(void);

/** What the files hold now; of a database that goes on writing later. */
GHashTable *image_copy(void);

/** Puts a copy, which it takes, in the place of the files.  No process runs. */
void image_put_back(GHashTable *copy);

/** So far, up to the death. */
guint64 image_count_writes(void);
guint64 image_count_commits(void);
