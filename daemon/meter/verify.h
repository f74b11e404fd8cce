/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/store.h"

/**
 * Checks all that a store holds, as of its newest row, a bit at a time: how rows are
 * packed, their numbers and times, the chain of hashes up to the one that is kept, the
 * segments and uses that they tell of, and that each table has what follows from the rows
 * and no more.  Only tables of a whole ledger are compared to their end.
 *
 * Memory grows with the resources and their counters, as it does where rows are checked,
 * and not with time: sums are compared by a linear fingerprint, day by day.
 */
typedef struct Verify Verify;

typedef struct {
    /** 0 if it is of none. */
    gint64 row;
    /** What is wrong, and of which instance or NULL. */
    char *text;
    char *resource;
} VerifyFault;

/** Where the ledger does not go on from where it once was, as its rows tell, and what the
 * books pass over. */
typedef struct {
    gint64 row;
    char *text;
} VerifyBreak;

/** store must outlive it. */
Verify *verify_new(MeterStore *store, GError **error);
void verify_free(Verify *verify);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Verify, verify_free)

/** Goes on for a while; ret_done at the end.  Fails when the database does. */
bool verify_step(Verify *verify, bool *ret_done, GError **error);

/** Tells of row too, beside the breaks. */
void verify_add_break(Verify *verify, gint64 row, const char *text);

/** What the controller says the hash of the last row is; NULL: it has no such row. */
void verify_compare(Verify *verify, const char *hash);

/** Whether the controller said something, and in ret_same whether it is the same. */
bool verify_get_same(const Verify *verify, bool *ret_same);

/** The rows that were checked, and how many there are. */
gint64 verify_get_checked(const Verify *verify);
gint64 verify_get_rows(const Verify *verify);

/** The hash that the rows checked so far have. */
char *verify_get_hash(const Verify *verify);

/** What was found since the last call, VerifyFault; 100 in all are told.  Release with
 * g_array_unref(). */
GArray *verify_take_faults(Verify *verify);

/** The same of what are no faults, VerifyBreak; all are told. */
GArray *verify_take_breaks(Verify *verify);
