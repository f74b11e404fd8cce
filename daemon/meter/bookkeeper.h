/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/controller.h"
#include "meter/money/books.h"
#include "meter/store.h"
#include "store/ledger-topics.h"

/**
 * Keeps the books: folds the notes of the ledger as they come, and has vmd write new
 * ones.  A note counts when it has come back with the ledger, and not before.  Main loop
 * only.
 */
typedef struct Bookkeeper Bookkeeper;

/** Both must outlive it, but for the answers that controller_free() gives. */
Bookkeeper *bookkeeper_new(MeterStore *store, Controller *controller);
void bookkeeper_free(Bookkeeper *bookkeeper);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bookkeeper, bookkeeper_free)

/** Takes the notes that the store has, all of them if it was begun anew.  What does not
 * fit is passed over, and logged; fails on what is no entry of the books at all. */
bool bookkeeper_update(Bookkeeper *bookkeeper, GError **error);

Books *bookkeeper_get_books(const Bookkeeper *bookkeeper);

/** seq is the row of the note; 0 with an error. */
typedef void (*BookkeeperDone)(gint64 seq, const GError *error, gpointer data);

/**
 * Writes a note, the struct of its topic, that follows the newest one of the books, and
 * waits until it has come back.  Whoever calls has checked it.  done may be called at
 * once; PROTO_ERROR_CONFLICT when another note came in between.
 */
void bookkeeper_note(Bookkeeper *bookkeeper,
                     LedgerTopic topic,
                     const char *tenant,
                     const void *note,
                     BookkeeperDone done,
                     gpointer data);
