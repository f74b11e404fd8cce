/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/usage.h"

#include <string.h>

#include "base/clock.h"
#include "meter/quantity.h"

typedef struct {
    Quantity running;
    Quantity vcpu;
    Quantity memory;
    Quantity disk;
} Sums;

typedef struct {
    char *tenant;
    char *instance;
    char *name;
    gint64 vcpus;
    gint64 memory_bytes;
    gint64 disk_bytes;
    gint64 first_ms;
    gint64 last_ms;
    Sums sums;
} Line;

typedef struct {
    char *tenant;
    /* The newest of the instances that were counted. */
    char *instance;
    gint64 instances;
    Sums sums;
} Total;

struct UsageFold {
    Window window;
    /* Not complete yet; no tenant: there is none. */
    Line line;
    Total total;
    GArray *lines;
    GArray *totals;
};

/* What is charged in which state.  A disk is charged as long as it exists. */
static const struct {
    bool is_running;
    bool holds_memory;
} charges[] = {
    [BILLING_STATE_RUNNING] = { true, true },
    [BILLING_STATE_PAUSED] = { false, true },
    [BILLING_STATE_STOPPED] = { false, false },
    [BILLING_STATE_HELD] = { false, false },
};

G_STATIC_ASSERT(G_N_ELEMENTS(charges) == BILLING_STATE_N);

static void
line_clear(Line *line)
{
    g_free(line->tenant);
    g_free(line->instance);
    g_free(line->name);
    *line = (Line){ 0 };
}

static void
total_clear(Total *total)
{
    g_free(total->tenant);
    g_free(total->instance);
    *total = (Total){ 0 };
}

UsageFold *
usage_fold_new(const Window *window)
{
    UsageFold *fold = g_new0(UsageFold, 1);

    fold->window = *window;
    fold->lines = g_array_new(FALSE, FALSE, sizeof(ProtoUsageLine));
    g_array_set_clear_func(fold->lines, (GDestroyNotify) proto_usage_line_clear);
    fold->totals = g_array_new(FALSE, FALSE, sizeof(ProtoUsageTotal));
    g_array_set_clear_func(fold->totals, (GDestroyNotify) proto_usage_total_clear);
    return fold;
}

void
usage_fold_free(UsageFold *fold)
{
    if (fold == NULL)
        return;
    line_clear(&fold->line);
    total_clear(&fold->total);
    g_array_unref(fold->lines);
    g_array_unref(fold->totals);
    g_free(fold);
}

/* Counting */

static bool
sums_add(Sums *sums, const UsageSegment *segment, gint64 ticks, GError **error)
{
    gint64 running = charges[segment->state].is_running ? ticks : 0;
    gint64 holding = charges[segment->state].holds_memory ? ticks : 0;

    return quantity_add(&sums->running, 1, running, error) &&
           quantity_add(&sums->vcpu, segment->vcpus, holding, error) &&
           quantity_add(&sums->memory, quantity_mib(segment->memory_bytes), holding,
                        error) &&
           quantity_add(&sums->disk, quantity_mib(segment->disk_bytes), ticks, error);
}

static bool
sums_merge(Sums *sums, const Sums *more, GError **error)
{
    return quantity_merge(&sums->running, more->running, error) &&
           quantity_merge(&sums->vcpu, more->vcpu, error) &&
           quantity_merge(&sums->memory, more->memory, error) &&
           quantity_merge(&sums->disk, more->disk, error);
}

/* Completing */

static bool
end_line(UsageFold *fold, GError **error)
{
    Line *line = &fold->line;
    g_auto(ProtoUsageLine) shown = { 0 };

    if (line->tenant == NULL)
        return true;
    if (!quantity_format_gib_hours(line->sums.memory, &shown.memory_gib_hours, error) ||
        !quantity_format_gib_hours(line->sums.disk, &shown.disk_gib_hours, error) ||
        !sums_merge(&fold->total.sums, &line->sums, error))
        return false;
    if (g_strcmp0(fold->total.instance, line->instance) != 0) {
        fold->total.instances++;
        g_free(fold->total.instance);
        fold->total.instance = g_strdup(line->instance);
    }
    shown.tenant = g_steal_pointer(&line->tenant);
    shown.instance = g_steal_pointer(&line->instance);
    shown.name = g_steal_pointer(&line->name);
    shown.from = clock_format_time(line->first_ms);
    shown.to = clock_format_time(line->last_ms);
    shown.vcpus = line->vcpus;
    shown.memory_bytes = line->memory_bytes;
    shown.disk_bytes = line->disk_bytes;
    shown.running_hours = quantity_format_hours(line->sums.running);
    shown.vcpu_hours = quantity_format_hours(line->sums.vcpu);
    line_clear(line);
    g_array_append_val(fold->lines, shown);
    shown = (ProtoUsageLine){ 0 };
    return true;
}

static bool
end_total(UsageFold *fold, GError **error)
{
    Total *total = &fold->total;
    g_auto(ProtoUsageTotal) shown = { 0 };

    if (total->tenant == NULL)
        return true;
    if (!quantity_format_gib_hours(total->sums.memory, &shown.memory_gib_hours, error) ||
        !quantity_format_gib_hours(total->sums.disk, &shown.disk_gib_hours, error))
        return false;
    shown.tenant = g_steal_pointer(&total->tenant);
    shown.instances = total->instances;
    shown.running_hours = quantity_format_hours(total->sums.running);
    shown.vcpu_hours = quantity_format_hours(total->sums.vcpu);
    total_clear(total);
    g_array_append_val(fold->totals, shown);
    shown = (ProtoUsageTotal){ 0 };
    return true;
}

/* Adding */

static bool
is_same_instance(const Line *line, const UsageSegment *segment)
{
    return g_strcmp0(line->tenant, segment->tenant) == 0 &&
           g_strcmp0(line->instance, segment->instance) == 0;
}

/* A name that was changed shows from the change on and not before. */
static bool
is_continued(const Line *line, const UsageSegment *segment, gint64 start_ms)
{
    return is_same_instance(line, segment) && line->last_ms == start_ms &&
           line->vcpus == segment->vcpus && line->memory_bytes == segment->memory_bytes &&
           line->disk_bytes == segment->disk_bytes &&
           strcmp(line->name, segment->name) == 0;
}

static bool
begin_line(UsageFold *fold, const UsageSegment *segment, gint64 start_ms, GError **error)
{
    if (!end_line(fold, error))
        return false;
    if (g_strcmp0(fold->total.tenant, segment->tenant) != 0) {
        if (!end_total(fold, error))
            return false;
        fold->total.tenant = g_strdup(segment->tenant);
    }
    fold->line = (Line){
        .tenant = g_strdup(segment->tenant),
        .instance = g_strdup(segment->instance),
        .name = g_strdup(segment->name),
        .vcpus = segment->vcpus,
        .memory_bytes = segment->memory_bytes,
        .disk_bytes = segment->disk_bytes,
        .first_ms = start_ms,
    };
    return true;
}

bool
usage_fold_add(UsageFold *fold, const UsageSegment *segment, GError **error)
{
    gint64 start_ms = MAX(segment->start_ms, fold->window.from_ms);
    gint64 end_ms = MIN(segment->end_ms, fold->window.to_ms);

    if (start_ms >= end_ms)
        return true;
    if (is_same_instance(&fold->line, segment) && start_ms < fold->line.last_ms) {
        proto_error_set_internal(error, "usage", "Segments of instance %s overlap",
                                 segment->instance);
        return false;
    }
    if (!is_continued(&fold->line, segment, start_ms) &&
        !begin_line(fold, segment, start_ms, error))
        return false;
    fold->line.last_ms = end_ms;
    return sums_add(&fold->line.sums, segment,
                    quantity_tick(end_ms) - quantity_tick(start_ms), error);
}

bool
usage_fold_finish(UsageFold *fold, GError **error)
{
    return end_line(fold, error) && end_total(fold, error);
}

GArray *
usage_fold_get_lines(UsageFold *fold)
{
    return fold->lines;
}

void
usage_fold_drop_lines(UsageFold *fold)
{
    g_array_set_size(fold->lines, 0);
}

GArray *
usage_fold_get_totals(UsageFold *fold)
{
    return fold->totals;
}
