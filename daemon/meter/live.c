/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/live.h"

#include <string.h>

enum {
    TURN_STEPS = 1000,
    CHUNK_BYTES = 16384
};

struct LiveReading {
    View *view;
    char *tenant;
    GStringChunk *texts;
    /** ViewHeld; NULL until they are found. */
    GArray *held;
    guint at;
    /** Of the one at which it stands. */
    ViewSegments *segments;
    /** LiveResource; the last one may still grow. */
    GArray *resources;
    /** ViewUsage. */
    GArray *uses;
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
live_reading_new(View *view, const char *tenant)
{
    LiveReading *reading = g_new0(LiveReading, 1);

    reading->view = view;
    reading->tenant = g_strdup(tenant);
    reading->texts = g_string_chunk_new(CHUNK_BYTES);
    reading->resources = g_array_new(FALSE, TRUE, sizeof(LiveResource));
    reading->uses = g_array_new(FALSE, FALSE, sizeof(ViewUsage));
    return reading;
}

void
live_reading_free(LiveReading *reading)
{
    if (reading == NULL)
        return;
    g_clear_pointer(&reading->held, g_array_unref);
    g_array_unref(reading->uses);
    g_array_unref(reading->resources);
    g_string_chunk_free(reading->texts);
    view_segments_free(reading->segments);
    g_free(reading->tenant);
    g_free(reading);
}

static LiveResource *
get_last(LiveReading *reading)
{
    guint length = reading->resources->len;

    return length > 0 ? &g_array_index(reading->resources, LiveResource, length - 1)
                      : NULL;
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
    get_rates(segment, rates);
    for (int i = 0; i < LIVE_AMOUNT_N; i++) {
        if (!quantity_add(&last->amounts[i], rates[i],
                          MAX(segment->end_ms - segment->start_ms, 0), error))
            return false;
    }
    return true;
}

static bool
find_held(LiveReading *reading, GError **error)
{
    gint64 since_ms = view_get_head(reading->view)->known_ms - LIVE_KEPT_MS;

    reading->held = g_array_new(FALSE, FALSE, sizeof(ViewHeld));
    return view_find_held(reading->view, reading->tenant, since_ms, reading->texts,
                          reading->held, error);
}

static bool
add_uses(LiveReading *reading, const ViewHeld *held, GError **error)
{
    const ViewDays days = { held->tenant, held->resource, 0, G_MAXINT32 };
    g_autoptr(ViewUses) uses = view_uses_new(reading->view, &days, VIEW_EVER, error);
    bool has = uses != NULL;

    while (has) {
        ViewUsage use = { 0 };

        if (!view_uses_next(uses, &has, &use, error))
            return false;
        if (!has)
            return true;
        use.tenant = keep_text(reading, use.tenant);
        use.id = keep_text(reading, use.id);
        use.device = keep_text(reading, use.device);
        g_array_append_val(reading->uses, use);
    }
    return false;
}

/* A segment more of what is held, or once there is none what it used. */
static bool
step(LiveReading *reading, GError **error)
{
    const ViewHeld *held = &g_array_index(reading->held, ViewHeld, reading->at);
    ViewSegment segment = { 0 };
    bool has = false;

    if (reading->segments == NULL) {
        const ViewFilter filter = { held->tenant, held->resource, { 0, G_MAXINT64 } };

        reading->segments = view_segments_new(reading->view, &filter);
    }
    if (!view_segments_next(reading->segments, &has, &segment, error))
        return false;
    if (has)
        return add_segment(reading, &segment, error);
    g_clear_pointer(&reading->segments, view_segments_free);
    reading->at++;
    return add_uses(reading, held, error);
}

bool
live_reading_turn(LiveReading *reading, bool *ret_done, GError **error)
{
    if (reading->held == NULL && !find_held(reading, error))
        return false;
    for (int i = 0; i < TURN_STEPS && reading->at < reading->held->len; i++) {
        if (!step(reading, error))
            return false;
    }
    *ret_done = reading->at == reading->held->len;
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
        raise_to_mark(&g_array_index(reading->resources, LiveResource, i), before,
                      marks->told);
    }
    return reading->resources;
}

const GArray *
live_reading_get_uses(const LiveReading *reading)
{
    return reading->uses;
}
