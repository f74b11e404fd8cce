/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"
#include "store/database.h"
#include "store/store.h"

/**
 * The SQL of the store: every statement, prepared once, and the rows that go through it.
 * Used by whichever thread owns the database at the time.
 */
typedef struct WriteSet WriteSet;
typedef struct Write Write;

WriteSet *write_set_new(Database *database, GError **error);
void write_set_free(WriteSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WriteSet, write_set_free)

/** A write is made on the main loop and run on the thread; body is taken. */
Write *write_new_put(
    StoreTable table, const char *key, const char *a, const char *b, char *body);
Write *write_new_delete(StoreTable table, const char *key);
Write *write_new_event(gint64 seq, char *body);
Write *write_new_ledger(const ProtoLedgerRow *row, gint64 at_ms);
void write_free(Write *write);

bool write_run(WriteSet *set, const Write *write, GError **error);

/** Rows after a seq, at most limit: arrays of ProtoEvent and of ProtoLedgerRow that clear
 * their elements. */
GArray *write_read_events(WriteSet *set, gint64 after, guint limit, GError **error);
GArray *write_read_ledger(WriteSet *set, gint64 after, guint limit, GError **error);

/** What is wrong with the file: an array of texts that it owns. */
GArray *write_check(WriteSet *set, GError **error);

/** Fails if the file is damaged in its structure: quicker than write_check(), which holds
 * the indexes against the rows too. */
bool write_quick_check(WriteSet *set, GError **error);

/** Reads the JSON of a row into ret_value, type->size bytes. */
bool write_parse_body(const WireStruct *type,
                      const char *body,
                      void *ret_value,
                      GError **error);

bool write_load(WriteSet *set,
                StoreTable table,
                bool (*row)(const char *body, gpointer data, GError **error),
                gpointer data,
                GError **error);

/** Reads the installation's identity, making it if there is none. */
bool write_load_service_id(WriteSet *set, char **ret_id, GError **error);

/** The number of the newest event and the time of the newest ledger row; 0 where there is
 * none. */
bool write_load_newest(WriteSet *set, gint64 *ret_seq, gint64 *ret_at_ms, GError **error);
