/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/** The rows of a ledger as they were read: packed, one behind the other, where each ends,
 * and the ChainHash of each. */
typedef struct {
    GByteArray *packed;
    GArray *ends;
    GArray *hashes;
} Tape;

void tape_init(Tape *tape);
void tape_done(Tape *tape);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Tape, tape_done)

/** Forges the ledger in one way that chance chooses, and blames whom that deceives. */
void tamper_check(const Tape *tape, const char *service_id);
