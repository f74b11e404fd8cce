/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * meter.db: a copy of the controller's ledger, its segments, and how far it was read.
 * Holds nothing that cannot be read again from the ledger, as long as that is whole.
 *
 * Rows and the cursor are written in one transaction, so that every row counts exactly
 * once whoever was killed when: a row that is held already changes nothing, and a row
 * that does not fit to those held is an error that leaves all as it was.
 *
 * All calls from one thread.
 */
typedef struct MeterStore MeterStore;

/** Opens directory/meter.db, making both if they are missing (0700, 0600). */
MeterStore *meter_store_open(const char *directory, GError **error);
void meter_store_close(MeterStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MeterStore, meter_store_close)

/** The identity of the installation whose ledger is held; "" before the first. */
const char *meter_store_get_service_id(MeterStore *store);

/** The seq of the newest row that was taken, 0 if there is none, and its hash. */
gint64 meter_store_get_cursor(MeterStore *store);
char *meter_store_get_hash(MeterStore *store);

/** The instant up to which the facts are known: open segments count up to it. */
gint64 meter_store_get_known_ms(MeterStore *store);

/** Makes sure that the ledger of service_id is the one that is held.  The first is
 * remembered; fails for another one. */
bool meter_store_bind(MeterStore *store, const char *service_id, GError **error);

/* Forks */

/**
 * The ledger that is there does not go on from the rows that are held: its row seq, or if
 * it ends before the cursor its last one, has hash.  That is kept, and no view is opened,
 * until the books accept it, and it is read anew, or the ledger that is held is back.
 */
bool
meter_store_set_fork(MeterStore *store, gint64 seq, const char *hash, GError **error);

/** The ledger that is there is the one that is held. */
bool meter_store_clear_fork(MeterStore *store, GError **error);

/** Whether a fork is known that the books have not accepted. */
bool meter_store_has_fork(const MeterStore *store);

/** Fails with PROTO_ERROR_ILLEGAL_STATE if so, and says where it is. */
bool meter_store_check_fork(const MeterStore *store, GError **error);

/** What a fork that is known is about. */
typedef struct {
    /** The ledger tells of it in this row; 0: only the rows that are held do. */
    gint64 told_seq;
    /** The last row known of those that are lost, and its hash. */
    gint64 lost_seq;
    char *lost_hash;
} MeterFork;

/** Fails if no fork is known.  ret_fork->lost_hash is released with g_free(). */
bool meter_store_read_fork(MeterStore *store, MeterFork *ret_fork, GError **error);

/** Whether packed is an entry that accepts a fork, and not one that is held. */
bool meter_store_is_recovery(MeterStore *store, const guint8 *packed, gsize length);

/** Whether all rows that are held are in a file of meter/lost.h too. */
bool meter_store_is_kept(const MeterStore *store);

/** Forgets all rows, to read the ledger again: only those that are kept.  Views that are
 * open fail. */
bool meter_store_begin_anew(MeterStore *store, GError **error);

/** Another number each time that it was begun anew. */
guint meter_store_get_generation(const MeterStore *store);

/* Rows */

/** Rows up to seq are there to be read: until then, many are written at once. */
void meter_store_expect(MeterStore *store, gint64 seq);

/**
 * Takes rows of the ledger, packed, all or none.  hash is what the last of them is said
 * to have.  They are on disk, and in views, when it returns, or if more are expected,
 * soon or after meter_store_flush().
 */
bool meter_store_apply(MeterStore *store,
                       const guint8 *packed,
                       gsize length,
                       const char *hash,
                       GError **error);

/** Rows after one and up to another, packed one behind the other, into rows: not all at
 * once.  ret_last is the last of them, after if there are none. */
bool meter_store_read_rows(MeterStore *store,
                           gint64 after,
                           gint64 until,
                           GByteArray *rows,
                           gint64 *ret_last,
                           GError **error);

/** Writes what was taken, so that it is in views; if that fails, it was not taken. */
bool meter_store_flush(MeterStore *store, GError **error);

/** There is no row after the cursor, as of now_ms. */
void meter_store_set_known_ms(MeterStore *store, gint64 now_ms);
