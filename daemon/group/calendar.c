/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group/calendar.h"

#include <string.h>

enum {
    DAYS = 7,
    ALL_DAYS = 0x7f,
    MINUTE_MS = 60000,
    DAY_MS = 86400000,
    HOUR_MINUTES = 60,
    DAY_HOURS = 24,
    /** 1970-01-01 was a Thursday. */
    FIRST_DAY = 3
};

static const char *const names[DAYS] = {
    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"
};

static int
find_day(const char *text)
{
    for (int i = 0; i < DAYS; i++) {
        if (g_ascii_strcasecmp(text, names[i]) == 0)
            return i;
    }
    return -1;
}

/* "Fri" or "Mon..Fri"; a range may go over the end of the week. */
static bool
add_days(const char *text, guint *days)
{
    const char *dots = strstr(text, "..");
    g_autofree char *first =
        dots != NULL ? g_strndup(text, (gsize) (dots - text)) : g_strdup(text);
    int from = find_day(first);
    int to = dots != NULL ? find_day(dots + 2) : from;

    if (from < 0 || to < 0)
        return false;
    for (int day = from;; day = (day + 1) % DAYS) {
        *days |= 1u << day;
        if (day == to)
            return true;
    }
}

static bool
parse_days(const char *text, guint *ret_days)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    guint days = 0;

    for (gsize i = 0; parts[i] != NULL; i++) {
        if (!add_days(parts[i], &days))
            return false;
    }
    *ret_days = days;
    return days != 0;
}

static bool
read_pair(const char *text, gint64 below, gint64 *ret_number)
{
    if (!g_ascii_isdigit(text[0]) || !g_ascii_isdigit(text[1]))
        return false;
    *ret_number = (text[0] - '0') * 10 + (text[1] - '0');
    return *ret_number < below;
}

static bool
parse_clock(const char *text, gint64 *ret_minute)
{
    gint64 hour = 0;
    gint64 minute = 0;

    if (!read_pair(text, DAY_HOURS, &hour) || text[2] != ':' ||
        !read_pair(text + 3, HOUR_MINUTES, &minute) ||
        (text[5] != '\0' && strcmp(text + 5, ":00") != 0))
        return false;
    *ret_minute = hour * HOUR_MINUTES + minute;
    return true;
}

bool
calendar_parse(const char *text, Calendar *ret_calendar)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    gsize n_words = g_strv_length(words);
    Calendar calendar = { ALL_DAYS, 0 };
    gsize at = 0;

    if (strcmp(text, "daily") == 0 || strcmp(text, "weekly") == 0) {
        *ret_calendar = (Calendar){ *text == 'd' ? ALL_DAYS : 1, 0 };
        return true;
    }
    if (n_words > 1 && g_ascii_isalpha(words[0][0]) &&
        !parse_days(words[at++], &calendar.days))
        return false;
    if (n_words > at + 1 && strcmp(words[at], "*-*-*") == 0)
        at++;
    if (n_words != at + 1 || !parse_clock(words[at], &calendar.minute))
        return false;
    *ret_calendar = calendar;
    return true;
}

static gint64
get_day(gint64 ms)
{
    return ms >= 0 ? ms / DAY_MS : -((DAY_MS - 1 - ms) / DAY_MS);
}

static bool
is_on(const Calendar *calendar, gint64 day)
{
    gint64 weekday = ((day + FIRST_DAY) % DAYS + DAYS) % DAYS;

    return (calendar->days & (1u << weekday)) != 0;
}

gint64
calendar_last(const Calendar *calendar, gint64 now_ms)
{
    for (gint64 day = get_day(now_ms);; day--) {
        gint64 at_ms = day * DAY_MS + calendar->minute * MINUTE_MS;

        if (at_ms <= now_ms && is_on(calendar, day))
            return at_ms;
    }
}

gint64
calendar_next(const Calendar *calendar, gint64 now_ms)
{
    for (gint64 day = get_day(now_ms);; day++) {
        gint64 at_ms = day * DAY_MS + calendar->minute * MINUTE_MS;

        if (at_ms > now_ms && is_on(calendar, day))
            return at_ms;
    }
}
