/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/window.h"

/**
 * Days and months of UTC as numbers and as instants, by the Gregorian calendar.  A day is
 * counted from 1970-01-01 (0), a month from January of the year 0 (24321 is October
 * 2026).  Neither the zone nor the locale of the process plays a part.  Pure.
 */
enum {
    CALENDAR_DAY_MS = 86400000
};

/** The day in which an instant lies, and the instant at which a day begins. */
gint64 calendar_day_of(gint64 at_ms);
gint64 calendar_day_start(gint64 day);

/** The month in which a day lies, and the first day of a month. */
gint64 calendar_month_of(gint64 day);
gint64 calendar_month_first_day(gint64 month);

/** The instants of a month: its first, and that of the next. */
Window calendar_month_window(gint64 month);

/** 2026-10-05, and 2026-10. */
char *calendar_format_day(gint64 day);
char *calendar_format_month(gint64 month);

/** Reads 2026-10, of a year from 1970 to 9999.  False if text is no such month. */
bool calendar_parse_month(const char *text, gint64 *ret_month);
