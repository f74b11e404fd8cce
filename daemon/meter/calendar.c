/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/calendar.h"

/*
 * Years are reckoned from March, so that the day that leap years add is the last of one.
 * 400 years always have the same number of days.
 */
enum {
    YEAR_DAYS = 365,
    ERA_YEARS = 400,
    ERA_DAYS = ERA_YEARS * YEAR_DAYS + 97,
    /* From 0000-03-01 to 1970-01-01. */
    EPOCH_DAYS = 719468,
    YEAR_MONTHS = 12,
    /* March and the four months after it have 153 days, and so have the next five. */
    FIVE_MONTHS_DAYS = 153
};

typedef struct {
    gint64 year;
    int month;
    int day;
} Date;

static gint64
divide_down(gint64 value, gint64 by)
{
    gint64 result = value / by;

    return value % by < 0 ? result - 1 : result;
}

gint64
calendar_day_of(gint64 at_ms)
{
    return divide_down(at_ms, CALENDAR_DAY_MS);
}

gint64
calendar_day_start(gint64 day)
{
    return day * CALENDAR_DAY_MS;
}

/* How many days from the beginning of an era to 1 March of its year. */
static gint64
count_year_days(gint64 year_of_era)
{
    return year_of_era * YEAR_DAYS + year_of_era / 4 - year_of_era / 100;
}

static Date
date_of(gint64 day)
{
    gint64 era = divide_down(day + EPOCH_DAYS, ERA_DAYS);
    gint64 day_of_era = day + EPOCH_DAYS - era * ERA_DAYS;
    gint64 year = MIN(day_of_era / YEAR_DAYS, ERA_YEARS - 1);
    gint64 from_march = 0;
    gint64 rest = 0;

    while (count_year_days(year) > day_of_era) {
        year--;
    }
    rest = day_of_era - count_year_days(year);
    from_march = (5 * rest + 2) / FIVE_MONTHS_DAYS;
    return (Date){
        .year = era * ERA_YEARS + year + (from_march >= 10 ? 1 : 0),
        .month = (int) (from_march < 10 ? from_march + 3 : from_march - 9),
        .day = (int) (rest - (FIVE_MONTHS_DAYS * from_march + 2) / 5) + 1,
    };
}

gint64
calendar_month_of(gint64 day)
{
    Date date = date_of(day);

    return date.year * YEAR_MONTHS + date.month - 1;
}

gint64
calendar_month_first_day(gint64 month)
{
    gint64 from_march = month - 2;
    gint64 year = divide_down(from_march, YEAR_MONTHS);
    gint64 era = divide_down(year, ERA_YEARS);
    gint64 month_of_year = from_march - year * YEAR_MONTHS;

    return era * ERA_DAYS + count_year_days(year - era * ERA_YEARS) +
           (FIVE_MONTHS_DAYS * month_of_year + 2) / 5 - EPOCH_DAYS;
}

Window
calendar_month_window(gint64 month)
{
    return (Window){
        .from_ms = calendar_day_start(calendar_month_first_day(month)),
        .to_ms = calendar_day_start(calendar_month_first_day(month + 1)),
    };
}

char *
calendar_format_day(gint64 day)
{
    Date date = date_of(day);

    return g_strdup_printf("%04d-%02d-%02d", (int) date.year, date.month, date.day);
}

char *
calendar_format_month(gint64 month)
{
    Date date = date_of(calendar_month_first_day(month));

    return g_strdup_printf("%04d-%02d", (int) date.year, date.month);
}

bool
calendar_parse_month(const char *text, gint64 *ret_month)
{
    enum {
        LENGTH = 7,
        DASH = 4
    };

    gint64 year = 0;
    gint64 month = 0;

    for (int i = 0; i < LENGTH; i++) {
        if (i == DASH ? text[i] != '-' : !g_ascii_isdigit(text[i]))
            return false;
        if (i < DASH)
            year = year * 10 + (text[i] - '0');
        else if (i > DASH)
            month = month * 10 + (text[i] - '0');
    }
    if (text[LENGTH] != '\0' || year < 1970 || month < 1 || month > YEAR_MONTHS)
        return false;
    *ret_month = year * YEAR_MONTHS + month - 1;
    return true;
}
