/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/history.h"

#include <string.h>

#include "audit/findings.h"

struct History {
    GPtrArray *findings;
    gint64 n_events;
    gint64 event_seq;
    /** Ids that events told of: a set. */
    GHashTable *known;
};

History *
history_new(GPtrArray *findings)
{
    History *history = g_new0(History, 1);

    history->findings = findings;
    history->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return history;
}

void
history_free(History *history)
{
    if (history == NULL)
        return;
    g_hash_table_unref(history->known);
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

gint64
history_count_events(const History *history)
{
    return history->n_events;
}

gint64
history_get_event_seq(const History *history)
{
    return history->event_seq;
}

bool
history_knows(const History *history, const char *id)
{
    return g_hash_table_contains(history->known, id);
}
