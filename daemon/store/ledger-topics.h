/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * The topics of the entries of the books, which are rows of kind LEDGER_KIND_NOTED: what
 * vmd takes, and what vmd-meter reads.
 */
typedef enum {
    /** A version of a rate card, and who has which. */
    LEDGER_TOPIC_CARD,
    LEDGER_TOPIC_ASSIGNMENT,
    /** A period is closed: the ledger up to that entry is what it is billed from.  Then
     * come its invoices, and one entry that seals it. */
    LEDGER_TOPIC_CLOSED,
    LEDGER_TOPIC_INVOICE,
    LEDGER_TOPIC_SEALED,
    LEDGER_TOPIC_CORRECTION,
    /** Accepts a fork. */
    LEDGER_TOPIC_RECOVERED,
    LEDGER_TOPIC_N
} LedgerTopic;

/** A literal. */
const char *ledger_topic_get_name(LedgerTopic topic);

/** What the note of such an entry is, as JSON. */
const WireStruct *ledger_topic_get_type(LedgerTopic topic);

/** name may be NULL. */
bool ledger_topic_find(const char *name, LedgerTopic *ret_topic);

/** Whether row is an entry on topic. */
bool ledger_topic_is(LedgerTopic topic, const ProtoLedgerRow *row);
