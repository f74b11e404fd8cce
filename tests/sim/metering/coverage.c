/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/metering/coverage.h"

#include <string.h>

#include "sim/world.h"

enum {
    /* A reading so shortly before the end of a segment is one at its end. */
    SLACK_MS = 2000
};

typedef struct {
    const Guest *guest;
    const Life *life;
    gint64 at_ms;
    gint64 age_ms;
} Sample;

/** A stretch of time, which may be that of a segment. */
typedef struct {
    gint64 from_ms;
    gint64 to_ms;
    gint64 segment;
    const char *resource;
} Stretch;

static GArray *samples;

void
coverage_begin(void)
{
    samples = g_array_new(FALSE, FALSE, sizeof(Sample));
}

void
coverage_end(void)
{
    g_clear_pointer(&samples, g_array_unref);
}

void
coverage_add_reading(const Guest *guest, const Life *life, gint64 at_ms, gint64 age_ms)
{
    const Sample sample = { guest, life, at_ms, age_ms };

    g_array_append_val(samples, sample);
}

static bool
is_on(const ProtoLedgerRow *row)
{
    return row->resource_kind == RESOURCE_KIND_INSTANCE &&
           (row->state == BILLING_STATE_RUNNING || row->state == BILLING_STATE_PAUSED);
}

static Stretch *
find_segment(const GArray *segments, gint64 segment)
{
    for (guint i = 0; i < segments->len; i++) {
        Stretch *stretch = &g_array_index(segments, Stretch, i);

        if (stretch->segment == segment)
            return stretch;
    }
    return NULL;
}

/* The segments that have ended and in which something could be used, and the gaps. */
static void
read_rows(const GArray *rows, GArray *segments, GArray *gaps)
{
    for (guint i = 0; i < rows->len; i++) {
        const ProtoLedgerRow *row = &g_array_index(rows, ProtoLedgerRow, i);
        Stretch stretch = { row->from_ms, row->to_ms, row->segment, row->resource };
        Stretch *opened = NULL;

        if (row->kind == LEDGER_KIND_OPENED && is_on(row)) {
            stretch.to_ms = G_MAXINT64;
            g_array_append_val(segments, stretch);
        } else if (row->kind == LEDGER_KIND_CLOSED) {
            opened = find_segment(segments, row->segment);
            if (opened != NULL)
                opened->to_ms = row->to_ms;
        } else if (row->kind == LEDGER_KIND_GAP && !row->has_counter) {
            g_array_append_val(gaps, stretch);
        }
    }
}

/* How much of a stretch of a segment no gap covers: gaps of one do not overlap. */
static gint64
count_uncovered(const GArray *gaps, const Stretch *segment, gint64 from_ms, gint64 to_ms)
{
    gint64 left_ms = to_ms - from_ms;

    for (guint i = 0; i < gaps->len; i++) {
        const Stretch *gap = &g_array_index(gaps, Stretch, i);

        if (gap->segment == segment->segment)
            left_ms -=
                MAX(MIN(gap->to_ms, to_ms) - MAX(gap->from_ms, from_ms), (gint64) 0);
    }
    return left_ms;
}

static void
expect_gap(const GArray *gaps,
           const Stretch *segment,
           const Guest *guest,
           gint64 from_ms,
           gint64 to_ms)
{
    gint64 begin_ms = MAX(from_ms, segment->from_ms);
    gint64 end_ms = MIN(to_ms, segment->to_ms);

    if (begin_ms >= end_ms)
        return;
    if (count_uncovered(gaps, segment, begin_ms, end_ms) > SLACK_MS)
        world_blame("guest %s: from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT
                    " nothing was measured, and no gap tells of it",
                    guest->name, begin_ms, end_ms);
}

/* When the process that was read had begun, by the ledger's time, at the latest: the wall
 * clock may have been wrong for a moment. */
static gint64
get_start(const Sample *sample)
{
    return MIN(sample->life->started_wall_ms, sample->at_ms - sample->age_ms);
}

/* The processes of one guest, as they were read one after another; the last of each ends
 * in the dark. */
static void
check_segment(const GArray *gaps, const Stretch *segment)
{
    const Sample *before = NULL;

    for (guint i = 0; i < samples->len; i++) {
        const Sample *sample = &g_array_index(samples, Sample, i);

        if (strcmp(sample->guest->id, segment->resource) != 0)
            continue;
        if (before != NULL && before->life != sample->life)
            expect_gap(gaps, segment, before->guest, before->at_ms, get_start(sample));
        before = sample;
    }
    if (before != NULL && segment->to_ms != G_MAXINT64)
        expect_gap(gaps, segment, before->guest, before->at_ms, segment->to_ms);
}

void
coverage_check(const GArray *rows)
{
    g_autoptr(GArray) segments = g_array_new(FALSE, FALSE, sizeof(Stretch));
    g_autoptr(GArray) gaps = g_array_new(FALSE, FALSE, sizeof(Stretch));

    read_rows(rows, segments, gaps);
    for (guint i = 0; i < segments->len; i++) {
        check_segment(gaps, &g_array_index(segments, Stretch, i));
    }
}
