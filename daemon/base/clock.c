/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"

#include <string.h>
#include <time.h>

static gint64
read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (gint64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static gint64
machine_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

static gint64
machine_boot_ms(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

static const char *
machine_boot_id(void)
{
    static char *boot_id = NULL;

    if (g_once_init_enter(&boot_id)) {
        char *text = NULL;

        if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL)) {
            text = g_strdup("unknown");
        }
        g_once_init_leave(&boot_id, g_strchomp(text));
    }
    return boot_id;
}

static const ClockSource machine = { machine_wall_ms, machine_boot_ms, machine_boot_id };
static const ClockSource *current = &machine;

void
clock_set_source(const ClockSource *source)
{
    current = source != NULL ? source : &machine;
}

gint64
clock_wall_ms(void)
{
    return current->wall_ms();
}

gint64
clock_boot_ms(void)
{
    return current->boot_ms();
}

const char *
clock_boot_id(void)
{
    return current->boot_id();
}

char *
clock_format_time(gint64 wall_ms)
{
    gint64 milliseconds = wall_ms % 1000;
    time_t seconds = (time_t) (wall_ms / 1000);
    struct tm parts;

    if (milliseconds < 0) {
        milliseconds += 1000;
        seconds--;
    }
    gmtime_r(&seconds, &parts);
    return g_strdup_printf("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                           parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                           parts.tm_sec, (int) milliseconds);
}

/* Reads exactly count digits; -1 if there are others. */
static int
read_digits(const char *text, int count)
{
    int value = 0;

    for (int i = 0; i < count; i++) {
        if (!g_ascii_isdigit(text[i]))
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* Reads ".5" or nothing, then "Z"; the digits past the third do not count. */
static bool
read_fraction(const char *text, int *ret_milliseconds)
{
    int milliseconds = 0;
    int scale = 100;

    if (*text == '.') {
        if (!g_ascii_isdigit(text[1]))
            return false;
        for (text++; g_ascii_isdigit(*text); text++, scale /= 10) {
            milliseconds += (*text - '0') * scale;
        }
    }
    *ret_milliseconds = milliseconds;
    return strcmp(text, "Z") == 0;
}

bool
clock_parse_time(const char *text, gint64 *ret_wall_ms)
{
    struct tm parts = { 0 };
    int milliseconds = 0;
    time_t seconds = 0;

    if (strnlen(text, 40) < 20 || strnlen(text, 40) == 40 || text[4] != '-' ||
        text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':')
        return false;
    parts.tm_year = read_digits(text, 4);
    parts.tm_mon = read_digits(text + 5, 2);
    parts.tm_mday = read_digits(text + 8, 2);
    parts.tm_hour = read_digits(text + 11, 2);
    parts.tm_min = read_digits(text + 14, 2);
    parts.tm_sec = read_digits(text + 17, 2);
    if (parts.tm_year < 1970 || parts.tm_mon < 1 || parts.tm_mon > 12 ||
        parts.tm_mday < 1 ||
        parts.tm_mday > g_date_get_days_in_month((GDateMonth) parts.tm_mon,
                                                 (GDateYear) parts.tm_year) ||
        parts.tm_hour < 0 || parts.tm_hour > 23 || parts.tm_min < 0 ||
        parts.tm_min > 59 || parts.tm_sec < 0 || parts.tm_sec > 59 ||
        !read_fraction(text + 19, &milliseconds))
        return false;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    seconds = timegm(&parts);
    *ret_wall_ms = (gint64) seconds * 1000 + milliseconds;
    return true;
}
