/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"
#include "store/chain.h"

/**
 * Checks an export of the ledger as "vmctl ledger export" writes it, a line at a time:
 * the first says which ledger it is of and up to where, each of the others has a row, or
 * its leaf.  tools/verify-ledger says the same of it, and shares no code with this. Pure.
 *
 * The first fault is the last: behind it everything would be wrong.
 */
typedef struct LedgerFile LedgerFile;

/** A row that is known to be true, and its hash, from a bill or an earlier export. */
typedef struct {
    gint64 seq;
    ChainHash hash;
} LedgerFileHead;

/** known is copied; NULL: the file is held against what it says itself. */
LedgerFile *ledger_file_new(const LedgerFileHead *known);
void ledger_file_free(LedgerFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LedgerFile, ledger_file_free)

/** The next line, without its end; false at a fault, and from then on. */
bool ledger_file_take(LedgerFile *file, const char *line, gsize length);

/** There is no other line.  What was found, as io.vmctl.Billing.Verify tells it; owned by
 * file. */
const ProtoBillingVerifyReply *ledger_file_end(LedgerFile *file);
