/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/store.h"

/**
 * A file of rows that the ledger has lost: when it was put back to an older copy, nothing
 * but meter.db has them.  Before that is begun anew, all that it holds is written to a
 * file beside it, as "vmctl ledger export" writes a ledger: the rows that are lost, and
 * those before them, without which nobody could check them.
 *
 * The file is there whole or not at all.  Its name says which row is its last and how the
 * hash of that begins, so that whoever writes it again writes the same.
 */
typedef struct Lost Lost;

/** Begins to write what store holds, which has to outlive it. */
Lost *lost_new(MeterStore *store, GError **error);

/** What is not in its place by then is removed. */
void lost_free(Lost *lost);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lost, lost_free)

/** Writes some more.  ret_done: the file is in its place and on disk, and the store may
 * be begun anew. */
bool lost_step(Lost *lost, bool *ret_done, GError **error);

/** The path of the file of which seq, with that hash, is the last row; NULL if there is
 * none. */
char *lost_find(const MeterStore *store, gint64 seq, const char *hash);
