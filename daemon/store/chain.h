/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * The chain of hashes over the ledger's rows, see proto/io.vmctl.Ledger.varlink.  A row
 * has a leaf, of itself alone, and a hash, of its leaf and of the hash before it: who has
 * the leaves of rows that are not for him can still check the chain.  Pure.
 */
enum {
    CHAIN_HASH_BYTES = 32
};

typedef struct {
    guint8 bytes[CHAIN_HASH_BYTES];
} ChainHash;

/** The hash before the first row of an installation's ledger. */
ChainHash chain_begin(const char *service_id);

/** The leaf of a row, which is packed without its hash. */
ChainHash chain_leaf(const guint8 *row, gsize length);

/** The hash of the row with that leaf. */
ChainHash chain_next(const ChainHash *before, const ChainHash *leaf);

bool chain_is_equal(const ChainHash *a, const ChainHash *b);

/** 64 hexadecimal digits. */
char *chain_to_text(const ChainHash *hash);

/** Whether text is 64 lower-case hexadecimal digits, and what they say. */
bool chain_from_text(const char *text, ChainHash *ret_hash);
