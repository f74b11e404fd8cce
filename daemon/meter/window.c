/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/window.h"

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/refuse.h"

/* A month that has not ended may be asked for whole; a mistyped year is a mistake. */
static const gint64 ahead_ms = G_GINT64_CONSTANT(366) * 24 * 3600 * 1000;

static gint64
get_month_start(gint64 now_ms)
{
    return calendar_month_window(calendar_month_of(calendar_day_of(now_ms))).from_ms;
}

static bool
read_time(const char *text,
          const char *path,
          gint64 otherwise_ms,
          gint64 *ret_ms,
          GError **error)
{
    gint64 at_ms = otherwise_ms;

    if (text != NULL && !clock_parse_time(text, &at_ms))
        return refuse_parameter(error, path, "%s is not a time like 2026-10-01T00:00:00Z",
                                text);
    *ret_ms = at_ms;
    return true;
}

static bool
refuse_order(const char *from, const char *to, const Window *window, GError **error)
{
    g_autofree char *from_text = clock_format_time(window->from_ms);
    g_autofree char *to_text = clock_format_time(window->to_ms);

    if (from != NULL && to == NULL)
        return refuse_parameter(error, "parameters.from", "%s is not in the past",
                                from_text);
    if (from == NULL)
        return refuse_parameter(error, "parameters.to",
                                "%s is not after the start of this month: give from too",
                                to_text);
    return refuse_parameter(error, "parameters.to", "%s is not after from", to_text);
}

bool
window_resolve(
    const char *from, const char *to, gint64 now_ms, Window *ret_window, GError **error)
{
    Window window = { 0 };

    if (!read_time(from, "parameters.from", get_month_start(now_ms), &window.from_ms,
                   error) ||
        !read_time(to, "parameters.to", now_ms, &window.to_ms, error))
        return false;
    if (from == NULL && to == NULL && window.from_ms == window.to_ms) {
        /* The very first millisecond of a month: nothing was used in it yet. */
        *ret_window = window;
        return true;
    }
    if (window.from_ms >= window.to_ms)
        return refuse_order(from, to, &window, error);
    if (window.from_ms > now_ms)
        return refuse_parameter(error, "parameters.from", "%s is not in the past", from);
    if (window.to_ms - now_ms > ahead_ms)
        return refuse_parameter(error, "parameters.to", "%s is more than a year ahead",
                                to);
    *ret_window = window;
    return true;
}
