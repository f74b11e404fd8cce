/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group/scaling.h"

#include <string.h>

#include "base/clock.h"
#include "group/keep.h"

enum {
    SECOND_MS = 1000,
    /** A value is of no use any more after so many ticks, or so long. */
    FRESH_TICKS = 3,
    FRESH_MS = 300000,
    TOLERANCE_PERCENT = 10,
    STEP = 4,
    COOLDOWN_OUT_MS = 60000,
    COOLDOWN_IN_MS = 300000
};

/* What is seen */

static void
see_cpu(Group *group, AutoscaleView *view)
{
    gint64 fresh_ms =
        FRESH_TICKS * SECOND_MS * group->book->instances->config->tick_seconds;
    gint64 sum = 0;
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, group->members);
    while (g_hash_table_iter_next(&iter, &value, NULL)) {
        Instance *instance = value;
        const InstanceLoad *load = &instance->load;

        if (load->at_ms == 0 || view->now_ms - load->at_ms > fresh_ms ||
            group_get_phase(group, instance) != GROUP_PHASE_UP)
            continue;
        sum += load->milli_percent;
        view->told_ms =
            view->n_told == 0 ? load->from_ms : MIN(view->told_ms, load->from_ms);
        view->n_told++;
    }
    view->value = view->n_told > 0 ? sum / view->n_told : 0;
}

/* What was pushed before the clock was put back is of nobody knows when. */
static void
see_metric(const Group *group, AutoscaleView *view)
{
    if (group->metric_ms == 0 || group->metric_ms > view->now_ms ||
        view->now_ms - group->metric_ms > FRESH_MS)
        return;
    view->value = group->metric;
    view->told_ms = group->metric_ms;
    view->n_told = 1;
}

static AutoscaleView
see(Group *group, const GroupPlan *plan)
{
    const ProtoGroup *shown = &group->record.view;
    AutoscaleView view = {
        .min = shown->min,
        .max = shown->max,
        .wanted = shown->wanted,
        .n_up = plan->count[GROUP_PHASE_UP],
        .n_aside = plan->count[GROUP_PHASE_ASIDE],
        .n_moving = plan->count[GROUP_PHASE_COMING] + plan->count[GROUP_PHASE_LEAVING],
        .lacks_room = group->hindrance != NULL,
        .changed_ms = group->record.scaled_ms,
        .scheduled_ms = group->record.scheduled_ms,
        .now_ms = clock_wall_ms(),
    };

    if (shown->scaling->target != NULL && shown->scaling->track == GROUP_TRACK_CPU) {
        see_cpu(group, &view);
    } else if (shown->scaling->target != NULL) {
        see_metric(group, &view);
    }
    return view;
}

/* The decision */

AutoscaleResult
group_scaling_decide(Group *group, const GroupPlan *plan)
{
    const ProtoGroup *shown = &group->record.view;
    const char *why = shown->scaling == NULL   ? "it does not scale by itself"
                      : group->record.removing ? "it is being removed"
                      : shown->rolling         ? "an update is under way"
                                               : NULL;
    AutoscaleView view = { 0 };

    if (why != NULL)
        return (AutoscaleResult){ .wanted = shown->wanted,
                                  .scheduled_ms = group->record.scheduled_ms,
                                  .why = g_strdup(why) };
    view = see(group, plan);
    return autoscale_decide(shown->scaling, &view);
}

static void
add_event(const Group *group, StoreTx *tx, const AutoscaleResult *result)
{
    const ProtoGroup *view = &group->record.view;
    ProtoEvent event = {
        .kind = EVENT_KIND_GROUP_DECISION,
        .tenant = g_strdup(view->tenant),
        .subject = g_strdup(view->id),
        .name = g_strdup(view->name),
        .detail = g_strdup_printf("from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT ": %s",
                                  view->wanted, result->wanted, result->why),
    };

    store_add_event(tx, &event);
}

void
group_scaling_follow(Group *group, StoreTx *tx)
{
    ProtoGroup *view = &group->record.view;
    g_auto(GroupPlan) plan = { 0 };
    AutoscaleResult result = { 0 };

    group->schedule_ms = 0;
    if (view->scaling == NULL)
        return;
    group_look_ahead(group, NULL, &plan);
    result = group_scaling_decide(group, &plan);
    group->schedule_ms = result.wake_ms;
    if (result.wanted != view->wanted) {
        add_event(group, tx, &result);
        view->wanted = result.wanted;
        group->record.scaled_ms = clock_wall_ms();
        group->record.scheduled_ms = result.scheduled_ms;
        group_put(group, tx);
    } else if (result.scheduled_ms != group->record.scheduled_ms) {
        group->record.scheduled_ms = result.scheduled_ms;
        group_put(group, tx);
    }
    g_free(view->decision);
    view->decision = result.why;
}

void
group_scaling_push(Group *group, gint64 value)
{
    group->metric = value;
    group->metric_ms = clock_wall_ms();
    group_keep_soon(group);
}

void
group_scaling_ticked(GroupBook *book)
{
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (((Group *) value)->record.view.scaling != NULL)
            group_keep_soon(value);
    }
}

/* Setting it */

static gint64
choose(bool has_value, gint64 value, gint64 fallback)
{
    return has_value ? value : fallback;
}

static bool
read_scaling(const ProtoGroupAutoscaleCall *in,
             ProtoGroupScaling *ret_scaling,
             GError **error)
{
    ProtoGroupScaling scaling = {
        .track = in->cpu != NULL ? GROUP_TRACK_CPU : GROUP_TRACK_METRIC,
        .target = in->cpu != NULL ? in->cpu : in->metric,
        .tolerance_percent =
            choose(in->has_tolerance_percent, in->tolerance_percent, TOLERANCE_PERCENT),
        .step_out = choose(in->has_step_out, in->step_out, STEP),
        .step_in = choose(in->has_step_in, in->step_in, STEP),
        .cooldown_out_ms =
            choose(in->has_cooldown_out_ms, in->cooldown_out_ms, COOLDOWN_OUT_MS),
        .cooldown_in_ms =
            choose(in->has_cooldown_in_ms, in->cooldown_in_ms, COOLDOWN_IN_MS),
        .schedule = in->schedule,
    };

    if (in->cpu != NULL && in->metric != NULL) {
        proto_error_set_invalid_parameter(
            error, "parameters.metric", "stands beside cpu: one value is tracked",
            "metric stands beside cpu: one value is tracked");
        return false;
    }
    if (scaling.target == NULL && scaling.schedule == NULL) {
        proto_error_set_invalid_parameter(error, "parameters.cpu",
                                          "is missing, and so are metric and schedule",
                                          "Nothing is said to scale by: cpu, metric or "
                                          "schedule");
        return false;
    }
    if (!autoscale_check(&scaling, error))
        return false;
    *ret_scaling = scaling;
    return true;
}

bool
group_scaling_set(Group *group,
                  const ProtoGroupAutoscaleCall *in,
                  StoreTx *tx,
                  GError **error)
{
    ProtoGroup *view = &group->record.view;
    ProtoGroupScaling scaling = { 0 };
    bool is_off = in->has_off && in->off;

    if (!is_off && !read_scaling(in, &scaling, error))
        return false;
    if (view->scaling != NULL)
        proto_group_scaling_clear(view->scaling);
    g_clear_pointer(&view->scaling, g_free);
    g_clear_pointer(&view->decision, g_free);
    if (!is_off) {
        view->scaling = g_new0(ProtoGroupScaling, 1);
        wire_struct_copy(&proto_group_scaling_type, &scaling, view->scaling);
    }
    group->record.scheduled_ms = 0;
    group_put(group, tx);
    group_keep_soon(group);
    return true;
}
