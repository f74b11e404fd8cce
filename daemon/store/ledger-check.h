/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"
#include "store/chain.h"

/**
 * Checks a ledger while it is read, from the first row on, in order: numbers without a
 * hole, the chain of hashes, times that do not run backwards, segments of a resource that
 * open and close in turn and do not overlap, and uses of a counter that lie in their
 * segment and do not overlap.  Pure.
 */
typedef struct LedgerCheck LedgerCheck;

/** Is told of each fault: the row, the resource (NULL if it has none) and its name, and
 * what is wrong with it. */
typedef void (*LedgerBlame)(
    gint64 seq, const char *resource, const char *name, const char *text, gpointer data);

LedgerCheck *ledger_check_new(const char *service_id, LedgerBlame blame, gpointer data);
void ledger_check_free(LedgerCheck *check);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LedgerCheck, ledger_check_free)

/** The next row, as it is packed; hash is what it is said to have, or NULL if nothing is
 * said. */
void ledger_check_take(LedgerCheck *check,
                       const ProtoLedgerRow *row,
                       const guint8 *packed,
                       gsize length,
                       const ChainHash *hash);

/** The same of a row of which there is only the leaf: it is in the chain, and nothing
 * else is known of it. */
void ledger_check_pass(LedgerCheck *check, const ChainHash *leaf);

/** Where it stands: the number and the hash of the last row, and how many there were. */
gint64 ledger_check_get_seq(const LedgerCheck *check);
ChainHash ledger_check_get_hash(const LedgerCheck *check);
gint64 ledger_check_count(const LedgerCheck *check);

/** What a row tells of the ledger not going on from where it once was; NULL if it tells
 * nothing of that.  Free with g_free(). */
char *ledger_check_describe_break(const ProtoLedgerRow *row);

/** The segment that is open for a resource; 0 if none. */
gint64
ledger_check_get_open(const LedgerCheck *check, ResourceKind kind, const char *resource);
