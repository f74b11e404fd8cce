/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/explain.h"

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/report/stream.h"
#include "meter/rollup.h"
#include "proto.h"
#include "wire/pack.h"

/*
 * Segments and gaps are found by their resource.  Uses are not: but the sums of the days
 * tell which row was the first, and how many there are.  So rows are read from there on
 * until all were found.
 */

enum {
    /* Facts of one reply. */
    REPLY_FACTS = 200
};

typedef enum {
    STAGE_SEGMENTS,
    STAGE_GAPS,
    STAGE_USES
} Stage;

typedef struct {
    View *view;
    gint64 resource;
    bool shows_hosts;
    char *from;
    char *to;
    char *hash;
    Stage stage;
    ViewSegments *segments;
    ViewGaps *gaps;
    /** The days that window touches, and how many parts of rows are of them still. */
    gint64 from_day;
    gint64 to_day;
    gint64 parts;
    gint64 seq;
    GByteArray *rows;
    GArray *facts;
} Explain;

static void
explain_free(gpointer data)
{
    Explain *explain = data;

    view_segments_free(explain->segments);
    view_gaps_free(explain->gaps);
    view_free(explain->view);
    g_byte_array_unref(explain->rows);
    g_array_unref(explain->facts);
    g_free(explain->from);
    g_free(explain->to);
    g_free(explain->hash);
    g_free(explain);
}

static ProtoFact
make_fact(FactKind kind, gint64 row, gint64 from_ms, gint64 to_ms, const char *cause)
{
    return (ProtoFact){
        .kind = kind,
        .row = row,
        .from = clock_format_time(from_ms),
        .to = clock_format_time(to_ms),
        .cause = g_strdup(cause),
    };
}

/* Segments */

static void
add_segment(Explain *explain, const ViewSegment *segment)
{
    ProtoFact fact = make_fact(FACT_KIND_SEGMENT, segment->seq, segment->start_ms,
                               segment->end_ms, segment->cause);

    fact.has_end_row = segment->end_seq != 0;
    fact.end_row = segment->end_seq;
    fact.end_cause = g_strdup(segment->end_cause);
    fact.name = g_strdup(segment->name);
    fact.state = g_strdup(billing_state_to_string(segment->state));
    fact.host = explain->shows_hosts ? g_strdup(segment->host) : NULL;
    fact.has_vcpus = fact.has_memory_bytes = segment->kind == RESOURCE_KIND_INSTANCE;
    fact.vcpus = segment->vcpus;
    fact.memory_bytes = segment->memory_bytes;
    fact.has_disk_bytes = segment->kind != RESOURCE_KIND_ADDRESS;
    fact.disk_bytes = segment->disk_bytes;
    fact.has_estimated = segment->estimated_ms > 0;
    fact.estimated = segment->estimated_ms;
    g_array_append_val(explain->facts, fact);
}

static bool
read_segments(Explain *explain, GError **error)
{
    ViewSegment segment;
    bool has = true;

    while (explain->facts->len < REPLY_FACTS) {
        if (!view_segments_next(explain->segments, &has, &segment, error))
            return false;
        if (!has) {
            explain->stage = STAGE_GAPS;
            return true;
        }
        add_segment(explain, &segment);
    }
    return true;
}

/* Gaps */

static void
add_gap(Explain *explain, const ViewGap *gap)
{
    ProtoFact fact =
        make_fact(FACT_KIND_GAP, gap->seq, gap->from_ms, gap->to_ms, gap->cause);

    fact.counter = gap->has_counter ? g_strdup(counter_to_string(gap->counter)) : NULL;
    fact.device = *gap->device != '\0' ? g_strdup(gap->device) : NULL;
    fact.has_filled = gap->filled_seq != 0;
    fact.filled = gap->filled_seq;
    g_array_append_val(explain->facts, fact);
}

static bool
read_gaps(Explain *explain, GError **error)
{
    ViewGap gap;
    bool has = true;

    while (explain->facts->len < REPLY_FACTS) {
        if (!view_gaps_next(explain->gaps, &has, &gap, error))
            return false;
        if (!has) {
            explain->stage = STAGE_USES;
            return true;
        }
        add_gap(explain, &gap);
    }
    return true;
}

/* Uses */

/* Where the rows of the days begin, and how many parts of rows there are. */
static bool
find_uses(Explain *explain, GError **error)
{
    const ViewDays days = { .resource = explain->resource,
                            .from_day = explain->from_day,
                            .to_day = explain->to_day };
    g_autoptr(ViewUses) uses = view_uses_new(explain->view, &days, VIEW_BY_DAY, error);
    ViewUsage use;
    bool has = true;
    gint64 first = G_MAXINT64;

    if (uses == NULL)
        return false;
    for (;;) {
        if (!view_uses_next(uses, &has, &use, error))
            return false;
        if (!has)
            break;
        explain->parts += use.rows;
        first = MIN(first, use.first_seq);
    }
    explain->seq = first - 1;
    return true;
}

/* The parts of row that are of the days. */
static gint64
count_parts(const Explain *explain, const ProtoLedgerRow *row)
{
    RollupSplit split = rollup_split(row);
    RollupPart part;
    gint64 count = 0;

    while (rollup_next(&split, &part)) {
        if (part.day >= explain->from_day && part.day < explain->to_day)
            count++;
    }
    return count;
}

static bool
add_use(Explain *explain, const ProtoLedgerRow *row, GError **error)
{
    ProtoFact fact = { 0 };
    gint64 resource = 0;
    gint64 parts = 0;

    if (row->kind != LEDGER_KIND_USED)
        return true;
    if (!view_find_segment_resource(explain->view, row->segment, &resource, error))
        return false;
    parts = resource == explain->resource ? count_parts(explain, row) : 0;
    if (parts == 0)
        return true;
    explain->parts -= parts;
    fact = make_fact(FACT_KIND_USED, row->seq, row->from_ms, row->to_ms, NULL);
    fact.counter = g_strdup(counter_to_string(row->counter));
    fact.device = g_strdup(row->device);
    fact.has_quantity = true;
    fact.quantity = row->quantity;
    fact.has_estimated = row->estimated > 0;
    fact.estimated = row->estimated;
    g_array_append_val(explain->facts, fact);
    return true;
}

static bool
read_uses(Explain *explain, GError **error)
{
    gint64 last = explain->seq;
    gsize used = 0;

    if (!view_read_rows(explain->view, explain->seq, explain->rows, &last, error))
        return false;
    for (gsize at = 0; at < explain->rows->len && explain->parts > 0; at += used) {
        g_auto(ProtoLedgerRow) row = { 0 };

        if (!wire_struct_unpack(&proto_ledger_row_type, explain->rows->data + at,
                                explain->rows->len - at, &used, &row, error) ||
            !add_use(explain, &row, error))
            return false;
    }
    if (last == explain->seq)
        explain->parts = 0;
    explain->seq = last;
    return true;
}

/* The answer */

static bool
read_on(Explain *explain, GError **error)
{
    switch (explain->stage) {
    case STAGE_SEGMENTS:
        return read_segments(explain, error);
    case STAGE_GAPS:
        return read_gaps(explain, error) &&
               (explain->stage != STAGE_USES || find_uses(explain, error));
    case STAGE_USES:
        return explain->parts == 0 || read_uses(explain, error);
    }
    return false;
}

static bool
step(WireCall *call, gpointer data)
{
    Explain *explain = data;
    ProtoBillingExplainReply reply = { 0 };
    GError *error = NULL;
    bool is_last = false;

    if (!read_on(explain, &error)) {
        wire_call_fail(call, error);
        return false;
    }
    is_last = explain->stage == STAGE_USES && explain->parts == 0;
    if (!is_last && explain->facts->len < REPLY_FACTS)
        return true;
    reply = (ProtoBillingExplainReply){
        .from = explain->from,
        .to = explain->to,
        .ledger_seq = view_get_head(explain->view)->seq,
        .ledger_hash = explain->hash,
        .facts = (ProtoFact *) (gpointer) explain->facts->data,
        .n_facts = explain->facts->len,
    };
    if (is_last || !wire_call_wants_more(call)) {
        wire_call_reply(call, &reply);
        return false;
    }
    wire_call_continue(call, &reply);
    g_array_set_size(explain->facts, 0);
    return true;
}

void
explain_start(
    WireCall *call, View *view, gint64 resource, const Window *window, bool shows_hosts)
{
    const ViewFilter filter = { .resource = resource, .window = *window };
    Explain *explain = g_new0(Explain, 1);

    explain->view = view;
    explain->resource = resource;
    explain->shows_hosts = shows_hosts;
    explain->from = clock_format_time(window->from_ms);
    explain->to = clock_format_time(window->to_ms);
    explain->hash = chain_to_text(&view_get_head(view)->hash);
    explain->segments = view_segments_new(view, &filter);
    explain->gaps = view_gaps_new(view, &filter);
    explain->from_day = calendar_day_of(window->from_ms);
    explain->to_day = calendar_day_of(window->to_ms - 1) + 1;
    explain->rows = g_byte_array_new();
    explain->facts = g_array_new(FALSE, FALSE, sizeof(ProtoFact));
    g_array_set_clear_func(explain->facts, (GDestroyNotify) proto_fact_clear);
    stream_start(call, step, explain, explain_free);
}
