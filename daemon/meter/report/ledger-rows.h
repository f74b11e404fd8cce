/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/report/text-reply.h"
#include "meter/view.h"
#include "proto.h"
#include "store/chain.h"

/** The rows of the ledger as its chain has them, a few at a time: those of tenant whole,
 * of others their leaf. */
typedef struct {
    View *view;
    /** NULL: all whole. */
    char *tenant;
    char *head_hash;
    /** Of the last row that was read. */
    gint64 seq;
    ChainHash hash;
    GByteArray *rows;
    /** ProtoLedgerProof, of what was read last. */
    GArray *proofs;
} LedgerRows;

/** Takes view over. */
LedgerRows *ledger_rows_new(View *view, const char *tenant);
void ledger_rows_free(gpointer data);

/** The next rows; none after the last. */
bool ledger_rows_read_on(LedgerRows *self, GError **error);

/** All of them as lines of JSON, the first of which says which ledger it is, as "vmctl
 * ledger export" prints them.  Takes view over. */
TextSource ledger_text_new(View *view, const char *tenant);

/** Whether the rows of a text that is done are all that there were, as they were. */
bool ledger_text_is_whole(const TextSource *source);
