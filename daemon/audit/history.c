/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/history.h"

#include <string.h>

#include "audit/findings.h"

struct History {
    GPtrArray *findings;
    gint64 n_events;
    gint64 n_ledger;
    gint64 event_seq;
    gint64 ledger_seq;
    /** The time of the last ledger row. */
    char *at;
    /** Instance to the segment that is open, a gint64. */
    GHashTable *open;
    /** Ids that events told of: a set. */
    GHashTable *known;
};

History *
history_new(GPtrArray *findings)
{
    History *history = g_new0(History, 1);

    history->findings = findings;
    history->open = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    history->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return history;
}

void
history_free(History *history)
{
    if (history == NULL)
        return;
    g_hash_table_unref(history->open);
    g_hash_table_unref(history->known);
    g_free(history->at);
    g_free(history);
}

static bool
is_of_an_object(EventKind kind)
{
    return kind == EVENT_KIND_INSTANCE_STATE || kind == EVENT_KIND_TEMPLATE_ADDED ||
           kind == EVENT_KIND_TEMPLATE_REMOVED;
}

void
history_take_events(History *history, const ProtoEvent *events, gsize n_events)
{
    for (gsize i = 0; i < n_events; i++) {
        if (events[i].seq != history->event_seq + 1)
            findings_add(history->findings, FINDING_KIND_EVENTS, NULL, NULL,
                         "event %" G_GINT64_FORMAT " follows event %" G_GINT64_FORMAT,
                         events[i].seq, history->event_seq);
        history->event_seq = events[i].seq;
        if (is_of_an_object(events[i].kind) &&
            !g_hash_table_contains(history->known, events[i].subject))
            g_hash_table_add(history->known, g_strdup(events[i].subject));
    }
    history->n_events += (gint64) n_events;
}

static void
blame(History *history, const ProtoLedgerRow *row, const char *detail)
{
    findings_add(history->findings, FINDING_KIND_LEDGER, row->instance, row->name,
                 "row %" G_GINT64_FORMAT ": %s", row->seq, detail);
}

static void
take_opened(History *history, const ProtoLedgerRow *row)
{
    if (g_hash_table_contains(history->open, row->instance))
        blame(history, row, "opens a segment while another is open");
    if (row->segment != row->seq)
        blame(history, row, "opens a segment that is not its own");
    if (row->vcpus < 1 || row->memory_bytes < 1 || row->disk_bytes < 1)
        blame(history, row, "has a size below one");
    g_hash_table_insert(history->open, g_strdup(row->instance),
                        g_memdup2(&row->segment, sizeof row->segment));
}

static void
take_closed(History *history, const ProtoLedgerRow *row)
{
    const gint64 *segment = g_hash_table_lookup(history->open, row->instance);

    if (segment == NULL) {
        blame(history, row, "closes a segment while none is open");
    } else if (*segment != row->segment) {
        blame(history, row, "closes another segment than the open one");
    }
    g_hash_table_remove(history->open, row->instance);
}

void
history_take_ledger(History *history, const ProtoLedgerRow *rows, gsize n_rows)
{
    for (gsize i = 0; i < n_rows; i++) {
        if (rows[i].seq <= history->ledger_seq)
            blame(history, &rows[i], "is out of order");
        if (history->at != NULL && strcmp(rows[i].at, history->at) < 0)
            blame(history, &rows[i], "lies before the row before it");
        if (rows[i].kind == LEDGER_KIND_OPENED) {
            take_opened(history, &rows[i]);
        } else {
            take_closed(history, &rows[i]);
        }
        history->ledger_seq = rows[i].seq;
        g_free(history->at);
        history->at = g_strdup(rows[i].at);
    }
    history->n_ledger += (gint64) n_rows;
}

gint64
history_count_events(const History *history)
{
    return history->n_events;
}

gint64
history_count_ledger(const History *history)
{
    return history->n_ledger;
}

gint64
history_get_event_seq(const History *history)
{
    return history->event_seq;
}

gint64
history_get_ledger_seq(const History *history)
{
    return history->ledger_seq;
}

gint64
history_get_open(const History *history, const char *instance)
{
    const gint64 *segment = g_hash_table_lookup(history->open, instance);

    return segment != NULL ? *segment : 0;
}

bool
history_knows(const History *history, const char *id)
{
    return g_hash_table_contains(history->known, id);
}
