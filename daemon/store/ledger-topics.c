/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/ledger-topics.h"

#include <string.h>

static const struct {
    const char *name;
    const WireStruct *type;
} topics[] = {
    [LEDGER_TOPIC_CARD] = { "card", &proto_rate_card_type },
    [LEDGER_TOPIC_ASSIGNMENT] = { "assignment", &proto_assignment_note_type },
    [LEDGER_TOPIC_CLOSED] = { "closed", &proto_closed_note_type },
    [LEDGER_TOPIC_INVOICE] = { "invoice", &proto_invoice_note_type },
    [LEDGER_TOPIC_SEALED] = { "sealed", &proto_sealed_note_type },
    [LEDGER_TOPIC_CORRECTION] = { "correction", &proto_correction_note_type },
    [LEDGER_TOPIC_RECOVERED] = { "recovered", &proto_recovered_note_type },
};

G_STATIC_ASSERT(G_N_ELEMENTS(topics) == LEDGER_TOPIC_N);

const char *
ledger_topic_get_name(LedgerTopic topic)
{
    return topics[topic].name;
}

const WireStruct *
ledger_topic_get_type(LedgerTopic topic)
{
    return topics[topic].type;
}

bool
ledger_topic_find(const char *name, LedgerTopic *ret_topic)
{
    for (gsize i = 0; name != NULL && i < G_N_ELEMENTS(topics); i++) {
        if (strcmp(name, topics[i].name) != 0)
            continue;
        *ret_topic = (LedgerTopic) i;
        return true;
    }
    return false;
}

bool
ledger_topic_is(LedgerTopic topic, const ProtoLedgerRow *row)
{
    return row->kind == LEDGER_KIND_NOTED &&
           g_strcmp0(row->topic, topics[topic].name) == 0;
}
