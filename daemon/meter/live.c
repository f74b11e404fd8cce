/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/live.h"

#include <string.h>

enum {
    TURN_SEGMENTS = 2000,
    CHUNK_BYTES = 16384
};

struct LiveReading {
    gint64 kept_from_ms;
    ViewSegments *segments;
    GStringChunk *texts;
    /** LiveResource; the last one may still grow, or go. */
    GArray *resources;
    gint64 last_end_ms;
    /** Resource to its place in resources. */
    GHashTable *places;
};

struct LiveMarks {
    /** Resource to its amounts. */
    GHashTable *told;
};

static const ResourceKind kinds[] = {
    [LIVE_RUNNING] = RESOURCE_KIND_INSTANCE, [LIVE_VCPUS] = RESOURCE_KIND_INSTANCE,
    [LIVE_MEMORY] = RESOURCE_KIND_INSTANCE,  [LIVE_DISK] = RESOURCE_KIND_VOLUME,
    [LIVE_ADDRESS] = RESOURCE_KIND_ADDRESS,
};

G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == LIVE_AMOUNT_N);

ResourceKind
live_get_kind(LiveAmount amount)
{
    return kinds[amount];
}

/* Reading */

LiveReading *
live_reading_new(View *view)
{
    LiveReading *reading = g_new0(LiveReading, 1);
    const ViewFilter filter = { .window = { 0, G_MAXINT64 } };

    reading->kept_from_ms = view_get_head(view)->known_ms - LIVE_KEPT_MS;
    reading->segments = view_segments_new(view, &filter);
    reading->texts = g_string_chunk_new(CHUNK_BYTES);
    reading->resources = g_array_new(FALSE, TRUE, sizeof(LiveResource));
    reading->places = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, NULL);
    return reading;
}

void
live_reading_free(LiveReading *reading)
{
    if (reading == NULL)
        return;
    g_hash_table_unref(reading->places);
    g_array_unref(reading->resources);
    g_string_chunk_free(reading->texts);
    view_segments_free(reading->segments);
    g_free(reading);
}

static LiveResource *
get_last(LiveReading *reading)
{
    guint length = reading->resources->len;

    return length > 0 ? &g_array_index(reading->resources, LiveResource, length - 1)
                      : NULL;
}

/* Of what ended long ago nothing is told. */
static void
settle_last(LiveReading *reading)
{
    const LiveResource *last = get_last(reading);

    if (last != NULL && !last->is_open && reading->last_end_ms < reading->kept_from_ms)
        g_array_set_size(reading->resources, reading->resources->len - 1);
}

static const char *
keep_text(LiveReading *reading, const char *text)
{
    return text != NULL ? g_string_chunk_insert_const(reading->texts, text) : "";
}

static void
add_resource(LiveReading *reading, const ViewSegment *segment)
{
    const LiveResource resource = {
        .resource = segment->resource,
        .kind = segment->kind,
        .tenant = keep_text(reading, segment->tenant),
        .id = keep_text(reading, segment->id),
    };

    settle_last(reading);
    g_array_append_val(reading->resources, resource);
}

/* What a segment is held for, by the millisecond. */
static void
get_rates(const ViewSegment *segment, gint64 rates[LIVE_AMOUNT_N])
{
    bool runs = segment->state == BILLING_STATE_RUNNING;
    bool is_on = runs || segment->state == BILLING_STATE_PAUSED;

    memset(rates, 0, sizeof rates[0] * LIVE_AMOUNT_N);
    switch (segment->kind) {
    case RESOURCE_KIND_INSTANCE:
        rates[LIVE_RUNNING] = runs ? 1 : 0;
        rates[LIVE_VCPUS] = is_on ? segment->vcpus : 0;
        rates[LIVE_MEMORY] = is_on ? segment->memory_bytes : 0;
        return;
    case RESOURCE_KIND_VOLUME:
        rates[LIVE_DISK] = segment->disk_bytes;
        return;
    case RESOURCE_KIND_ADDRESS:
        rates[LIVE_ADDRESS] = 1;
        return;
    case RESOURCE_KIND_N:
        return;
    }
}

static bool
add_segment(LiveReading *reading, const ViewSegment *segment, GError **error)
{
    LiveResource *last = get_last(reading);
    gint64 rates[LIVE_AMOUNT_N];

    if (last == NULL || last->resource != segment->resource ||
        strcmp(last->tenant, segment->tenant) != 0) {
        add_resource(reading, segment);
        last = get_last(reading);
    }
    last->name = keep_text(reading, segment->name);
    last->host = keep_text(reading, segment->host);
    last->template = keep_text(reading, segment->template);
    last->state = segment->state;
    last->is_open = segment->end_seq == 0;
    reading->last_end_ms = segment->end_ms;
    get_rates(segment, rates);
    for (int i = 0; i < LIVE_AMOUNT_N; i++) {
        if (!quantity_add(&last->amounts[i], rates[i],
                          MAX(segment->end_ms - segment->start_ms, 0), error))
            return false;
    }
    return true;
}

bool
live_reading_turn(LiveReading *reading, bool *ret_done, GError **error)
{
    bool has = true;

    for (int i = 0; has && i < TURN_SEGMENTS; i++) {
        ViewSegment segment = { 0 };

        if (!view_segments_next(reading->segments, &has, &segment, error) ||
            (has && !add_segment(reading, &segment, error)))
            return false;
    }
    if (!has)
        settle_last(reading);
    *ret_done = !has;
    return true;
}

/* Marks */

LiveMarks *
live_marks_new(void)
{
    LiveMarks *marks = g_new0(LiveMarks, 1);

    marks->told = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    return marks;
}

void
live_marks_free(LiveMarks *marks)
{
    if (marks == NULL)
        return;
    g_hash_table_unref(marks->told);
    g_free(marks);
}

static void
raise_to_mark(LiveResource *resource, GHashTable *before, GHashTable *told)
{
    const Quantity *mark = g_hash_table_lookup(before, &resource->resource);
    gpointer key = g_memdup2(&resource->resource, sizeof resource->resource);

    for (int i = 0; mark != NULL && i < LIVE_AMOUNT_N; i++) {
        resource->amounts[i] = MAX(resource->amounts[i], mark[i]);
    }
    g_hash_table_insert(told, key,
                        g_memdup2(resource->amounts, sizeof resource->amounts));
}

const GArray *
live_reading_finish(LiveReading *reading, LiveMarks *marks)
{
    g_autoptr(GHashTable) before = marks->told;

    marks->told = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    for (guint i = 0; i < reading->resources->len; i++) {
        LiveResource *resource = &g_array_index(reading->resources, LiveResource, i);

        raise_to_mark(resource, before, marks->told);
        g_hash_table_insert(reading->places, &resource->resource, resource);
    }
    return reading->resources;
}

const LiveResource *
live_reading_find(const LiveReading *reading, const char *tenant, gint64 resource)
{
    const LiveResource *found = g_hash_table_lookup(reading->places, &resource);

    return found != NULL && strcmp(found->tenant, tenant) == 0 ? found : NULL;
}
