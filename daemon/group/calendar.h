/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * A time of the week, in UTC: the part of systemd's calendar expressions that a schedule
 * needs.  Pure.
 *
 *     [DAYS] [*-*-*] HH:MM[:00]
 *
 * DAYS is Mon, Tue, ... with commas and ranges ("Mon..Fri", "Sat,Sun"); without them it
 * is every day.  "daily" is 00:00, "weekly" is Mon 00:00.
 */
typedef struct {
    /** A bit a day, Monday the lowest. */
    guint days;
    /** Since midnight. */
    gint64 minute;
} Calendar;

/** False if text is no such time. */
bool calendar_parse(const char *text, Calendar *ret_calendar);

/** The last time at or before now_ms, and the first one after it. */
gint64 calendar_last(const Calendar *calendar, gint64 now_ms);
gint64 calendar_next(const Calendar *calendar, gint64 now_ms);
