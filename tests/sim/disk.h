/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/**
 * The folder of the database, in memory where there is such a file system.  A process
 * that is killed leaves the files as they are then; so what the database writes when it
 * is closed in good order is taken back.
 */

/** Makes the folder, empty. */
void disk_begin(void);
void disk_end(void);

const char *disk_get_folder(void);

/** A batch may be committed after this. */
void disk_mark(void);

/** The next end of the process is one of the machine: what was not synchronised may be
 * missing too. */
void disk_lose_power(void);

/** The process is killed now: keeps the files.  Of what was written since the mark, which
 * nobody was told of, a part may be missing. */
void disk_keep(void);

/** The database has been closed: puts back what was kept. */
void disk_restore(void);
