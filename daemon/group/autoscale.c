/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group/autoscale.h"

#include <string.h>

#include "group/weekly.h"

enum {
    DECIMALS = 3,
    PERCENT = 100,
    COUNT_MAX = 500
};

static const gint64 number_max = G_GINT64_CONSTANT(1000000000000);

/* Numbers */

bool
autoscale_read_number(const char *text, gint64 *ret_number)
{
    gint64 number = 0;
    int decimals = -1;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '.' && decimals < 0 && p > text && p[1] != '\0') {
            decimals = 0;
            continue;
        }
        if (!g_ascii_isdigit(*p) || number > number_max)
            return false;
        if (decimals == DECIMALS)
            continue;
        number = number * 10 + (*p - '0');
        decimals += decimals >= 0 ? 1 : 0;
    }
    for (int i = MAX(decimals, 0); i < DECIMALS; i++) {
        number *= 10;
    }
    if (*text == '\0' || number > number_max)
        return false;
    *ret_number = number;
    return true;
}

/* "37.5" */
static char *
show(gint64 number)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "%" G_GINT64_FORMAT ".%03" G_GINT64_FORMAT,
                           number / AUTOSCALE_UNIT, number % AUTOSCALE_UNIT);
    while (text->str[text->len - 1] == '0') {
        g_string_truncate(text, text->len - 1);
    }
    if (text->str[text->len - 1] == '.')
        g_string_truncate(text, text->len - 1);
    return g_string_free(text, FALSE);
}

static bool
read_count(const char *text, gint64 *ret_count)
{
    return g_ascii_isdigit(*text) &&
           g_ascii_string_to_signed(text, 10, 0, COUNT_MAX, ret_count, NULL);
}

/* Checks */

static bool
refuse(GError **error, const char *path, const char *text, const char *reason)
{
    proto_error_set_invalid_parameter(error, path, reason, "\"%s\" %s", text, reason);
    return false;
}

static bool
check_schedule(char *const *schedule, GError **error)
{
    for (gsize i = 0; schedule != NULL && schedule[i] != NULL; i += 2) {
        Weekly weekly = { 0 };
        gint64 count = 0;

        if (!weekly_parse(schedule[i], &weekly))
            return refuse(error, "parameters.schedule", schedule[i],
                          "is not a time as [DAYS] HH:MM, in UTC");
        if (!read_count(schedule[i + 1], &count))
            return refuse(error, "parameters.schedule", schedule[i + 1],
                          "is not a number of members from 0 to 500");
    }
    return true;
}

bool
autoscale_check(const ProtoGroupScaling *scaling, GError **error)
{
    gint64 target = 0;

    if (scaling->target != NULL &&
        (!autoscale_read_number(scaling->target, &target) || target == 0))
        return refuse(error, "parameters.target", scaling->target,
                      "is no target: a number above 0");
    if (scaling->track == GROUP_TRACK_CPU && target > PERCENT * AUTOSCALE_UNIT)
        return refuse(error, "parameters.target", scaling->target,
                      "is above 100 percent");
    return check_schedule(scaling->schedule, error);
}

/* The schedule */

/** What it said last, and when it says something next. */
typedef struct {
    gint64 last_ms;
    gint64 count;
    gint64 next_ms;
} Said;

static Said
read_schedule(char *const *schedule, gint64 now_ms)
{
    Said said = { 0 };

    for (gsize i = 0; schedule != NULL && schedule[i] != NULL; i += 2) {
        Weekly weekly = { 0 };
        gint64 last_ms = 0;
        gint64 next_ms = 0;
        gint64 count = 0;

        if (!weekly_parse(schedule[i], &weekly) || !read_count(schedule[i + 1], &count))
            continue;
        last_ms = weekly_last(&weekly, now_ms);
        next_ms = weekly_next(&weekly, now_ms);
        /* Of two at one time the larger counts. */
        if (said.last_ms == 0 || last_ms > said.last_ms ||
            (last_ms == said.last_ms && count > said.count)) {
            said.last_ms = last_ms;
            said.count = count;
        }
        if (said.next_ms == 0 || next_ms < said.next_ms)
            said.next_ms = next_ms;
    }
    return said;
}

/* A time that was followed before the clock was put back by more than a step of the
 * schedule is none that was. */
static bool
is_news(const Said *said, gint64 followed_ms)
{
    return said->last_ms != 0 &&
           (said->last_ms > followed_ms || followed_ms > said->next_ms);
}

/* The target */

static void
stay(AutoscaleResult *result, const AutoscaleView *view, char *why)
{
    result->wanted = view->wanted;
    result->why = why;
}

static gint64
divide_up(__int128 number, gint64 by)
{
    return (gint64) MIN((number + by - 1) / by, COUNT_MAX);
}

static gint64
count_needed(const AutoscaleView *view, gint64 target)
{
    /* From none at all, the first one begins. */
    if (view->wanted == 0)
        return view->value > 0 ? 1 : 0;
    return view->n_aside + divide_up((__int128) view->n_up * view->value, target);
}

static bool
is_within(gint64 value, gint64 target, gint64 percent)
{
    __int128 off = (__int128) (value > target ? value - target : target - value);

    return off * PERCENT <= (__int128) target * percent;
}

/* Whether it is known when it was last changed: not by a clock that was put back. */
static bool
knows_change(const AutoscaleView *view)
{
    return view->changed_ms != 0 && view->changed_ms <= view->now_ms;
}

static bool
is_cooling(const AutoscaleView *view, gint64 cooldown_ms)
{
    return knows_change(view) && view->now_ms - view->changed_ms < cooldown_ms;
}

static bool
are_some_missing(const AutoscaleView *view)
{
    return view->n_up + view->n_aside < view->wanted;
}

/* Why nothing can be said of the members now; NULL if it can. */
static char *
find_doubt(const AutoscaleView *view)
{
    if (view->n_moving > 0)
        return g_strdup_printf("%" G_GINT64_FORMAT " members are on their way",
                               view->n_moving);
    if (are_some_missing(view) && (!view->lacks_room || view->n_up == 0))
        return g_strdup_printf("%" G_GINT64_FORMAT " up, %" G_GINT64_FORMAT
                               " set aside: not all that are wanted are up",
                               view->n_up, view->n_aside);
    if (view->n_up == 0 && view->wanted > 0)
        return g_strdup("all are set aside");
    if (view->n_told == 0)
        return g_strdup("no value is known");
    if (knows_change(view) && view->told_ms <= view->changed_ms)
        return g_strdup("the values are from before the last change");
    return NULL;
}

static void
track(const ProtoGroupScaling *scaling,
      const AutoscaleView *view,
      gint64 least,
      AutoscaleResult *result)
{
    gint64 target = 0;
    gint64 needed = 0;
    bool is_short = are_some_missing(view);
    char *doubt = find_doubt(view);
    g_autofree char *figures = NULL;
    g_autofree char *value = show(view->value);

    if (doubt != NULL) {
        stay(result, view, doubt);
        return;
    }
    autoscale_read_number(scaling->target, &target);
    needed = count_needed(view, target);
    figures = g_strdup_printf("%s %s, target %s, %" G_GINT64_FORMAT
                              " up, %" G_GINT64_FORMAT " needed",
                              group_track_to_string(scaling->track), value,
                              scaling->target, view->n_up, needed);
    /* The tolerance is round those that are up; more than are wanted have no room. */
    needed = CLAMP(needed, least, is_short ? view->wanted : view->max);
    if (!is_short && view->n_up > 0 &&
        is_within(view->value, target, scaling->tolerance_percent)) {
        stay(result, view, g_strdup_printf("%s: within the tolerance", figures));
    } else if (needed == view->wanted) {
        stay(result, view, g_strdup_printf("%s: as it is", figures));
    } else if (is_cooling(view, needed > view->wanted ? scaling->cooldown_out_ms
                                                      : scaling->cooldown_in_ms)) {
        stay(result, view, g_strdup_printf("%s: it cools down", figures));
    } else {
        result->wanted = CLAMP(needed, view->wanted - scaling->step_in,
                               view->wanted + scaling->step_out);
        result->why = g_steal_pointer(&figures);
    }
}

/* Both */

AutoscaleResult
autoscale_decide(const ProtoGroupScaling *scaling, const AutoscaleView *view)
{
    const Said said = read_schedule(scaling->schedule, view->now_ms);
    AutoscaleResult result = { .scheduled_ms = view->scheduled_ms,
                               .wake_ms = said.next_ms };
    gint64 count = CLAMP(said.count, view->min, view->max);
    gint64 least = scaling->target != NULL ? MAX(view->min, count) : view->min;

    if (is_news(&said, view->scheduled_ms)) {
        result.scheduled_ms = said.last_ms;
        if (scaling->target == NULL || view->wanted < count) {
            result.wanted = count;
            result.why = g_strdup_printf("the schedule says %" G_GINT64_FORMAT, count);
            return result;
        }
    }
    if (scaling->target == NULL) {
        stay(&result, view, g_strdup("the schedule says nothing new"));
    } else if (view->wanted < least) {
        result.wanted = least;
        result.why =
            g_strdup_printf("the schedule says at least %" G_GINT64_FORMAT, least);
    } else {
        track(scaling, view, least, &result);
    }
    return result;
}
