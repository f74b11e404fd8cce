/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"
#include "store/database.h"
#include "store/store.h"

/**
 * The SQL of records and events: every statement, prepared once, and the rows that go
 * through it.  Used by whichever thread owns the database at the time.
 */
typedef struct WriteSet WriteSet;
typedef struct Write Write;

WriteSet *write_set_new(Database *database, GError **error);
void write_set_free(WriteSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WriteSet, write_set_free)

/** A write is made on the main loop and run on the thread; body and packed are taken. */
Write *write_new_put(
    StoreTable table, const char *key, const char *a, const char *b, char *body);
Write *write_new_put_packed(StoreTable table, const char *key, GByteArray *packed);
Write *write_new_delete(StoreTable table, const char *key);
Write *write_new_event(gint64 seq, char *body);
void write_free(Write *write);

bool write_run(WriteSet *set, const Write *write, GError **error);

/** Events after a seq, at most limit: an array of ProtoEvent that clears its elements. */
GArray *write_read_events(WriteSet *set, gint64 after, guint limit, GError **error);

/** What is wrong with the file: an array of texts that it owns. */
GArray *write_check(WriteSet *set, GError **error);

/** Fails if the file is damaged in its structure: quicker than write_check(), which holds
 * the indexes against the rows too. */
bool write_quick_check(WriteSet *set, GError **error);

/** Reads a whole table: row gets each record, type->size bytes on the heap. */
bool write_load(WriteSet *set,
                StoreTable table,
                const WireStruct *type,
                void (*row)(gpointer record, gpointer data),
                gpointer data,
                GError **error);

/** Reads the installation's identity, making it if there is none. */
bool write_load_service_id(WriteSet *set, char **ret_id, GError **error);

/** The number of the newest event; 0 if there is none. */
bool write_load_newest(WriteSet *set, gint64 *ret_seq, GError **error);
