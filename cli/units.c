/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "units.h"

#include <string.h>
#include <time.h>

#include "proto.h"

enum {
    DIGITS_MAX = 7
};

static const struct {
    const char *suffix;
    int shift;
} sizes[] = {
    { "M", 20 }, { "MiB", 20 }, { "G", 30 }, { "GiB", 30 }, { "T", 40 }, { "TiB", 40 },
};

static const struct {
    const char *suffix;
    gint64 ms;
} spans[] = {
    { "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 }, { "h", 3600000 },
};

static bool
refuse(GError **error, const char *text, const char *reason)
{
    proto_error_set_invalid_parameter(error, "", reason, "\"%s\" %s", text, reason);
    return false;
}

/* Splits "12GiB"; false unless it begins with 1 to 7 digits. */
static bool
split(const char *text, gint64 *ret_number, const char **ret_suffix)
{
    gsize digits = strspn(text, "0123456789");

    if (digits == 0 || digits > DIGITS_MAX)
        return false;
    *ret_number = g_ascii_strtoll(text, NULL, 10);
    *ret_suffix = text + digits;
    return true;
}

/* What somebody meant who wrote 1GB, 1g, 1Gi or 1024. */
static bool
refuse_size(GError **error, const char *text, const char *suffix)
{
    g_autofree char *reason = NULL;
    char unit = g_ascii_toupper(suffix[0]);
    int digits = (int) (suffix - text);

    if (suffix[0] == '\0') {
        reason = g_strdup_printf("has no unit: write %sM or %sG", text, text);
    } else if (unit == 'K') {
        reason = g_strdup("is too fine: sizes are whole M (MiB), G (GiB) or T (TiB)");
    } else if (strchr("MGT", unit) != NULL) {
        reason = g_strdup_printf("is no size: write %.*s%c, which is %.*s %ciB", digits,
                                 text, unit, digits, text, unit);
    } else {
        reason = g_strdup("is no size: write a whole number and M, G or T, such as 2G");
    }
    return refuse(error, text, reason);
}

bool
units_parse_size(const char *text, gint64 *ret_bytes, GError **error)
{
    gint64 number = 0;
    const char *suffix = NULL;

    if (!split(text, &number, &suffix) || text[0] == '0')
        return refuse(error, text,
                      "is no size: write a whole number and M, G or T, such as 2G");
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        gint64 bytes = 0;

        if (strcmp(suffix, sizes[i].suffix) != 0)
            continue;
        if (__builtin_mul_overflow(number, G_GINT64_CONSTANT(1) << sizes[i].shift,
                                   &bytes))
            return refuse(error, text, "is larger than any size");
        *ret_bytes = bytes;
        return true;
    }
    return refuse_size(error, text, suffix);
}

bool
units_parse_duration(const char *text, gint64 *ret_ms, GError **error)
{
    gint64 number = 0;
    const char *suffix = NULL;

    if (split(text, &number, &suffix)) {
        for (gsize i = 0; i < G_N_ELEMENTS(spans); i++) {
            if (strcmp(suffix, spans[i].suffix) != 0)
                continue;
            *ret_ms = number * spans[i].ms;
            return true;
        }
    }
    return refuse(error, text, "is no span of time: write 30s, 5m or 2h");
}

char *
units_parse_time(const char *text, GError **error)
{
    static const char *const rests[] = { "", "T00:00:00Z", "-01T00:00:00Z" };

    for (gsize i = 0; i < G_N_ELEMENTS(rests); i++) {
        g_autofree char *whole = g_strconcat(text, rests[i], NULL);
        g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(whole, NULL);

        if (time != NULL && wire_format_check(WIRE_FORMAT_TIME, whole, NULL))
            return g_steal_pointer(&whole);
    }
    refuse(error, text,
           "is no time: write 2026-10, 2026-10-01 or 2026-10-01T12:00:00Z (UTC)");
    return NULL;
}

void
units_append_size(GString *out, gint64 bytes)
{
    static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    gsize index = 0;
    gint64 unit = 1;

    while (index + 1 < G_N_ELEMENTS(names) && bytes / 1024 >= unit) {
        unit *= 1024;
        index++;
    }
    if (bytes <= 0) {
        g_string_append_c(out, '0');
    } else if (bytes % unit == 0) {
        g_string_append_printf(out, "%" G_GINT64_FORMAT " %s", bytes / unit,
                               names[index]);
    } else {
        g_string_append_printf(out, "%.1f %s", (double) bytes / (double) unit,
                               names[index]);
    }
}

void
units_append_duration(GString *out, gint64 ms)
{
    if (ms < 1000) {
        g_string_append_printf(out, "%.2f s", (double) ms / 1000.0);
    } else if (ms < 60000) {
        g_string_append_printf(out, "%.1f s", (double) ms / 1000.0);
    } else if (ms < 3600000) {
        g_string_append_printf(out, "%dm %ds", (int) (ms / 60000),
                               (int) (ms % 60000 / 1000));
    } else {
        g_string_append_printf(out, "%" G_GINT64_FORMAT "h %dm", ms / 3600000,
                               (int) (ms % 3600000 / 60000));
    }
}

gint64
units_get_age(const char *text, gint64 now_us)
{
    struct tm time = { 0 };
    const char *rest = NULL;

    /* Once for each row of a list: GDateTime would take a third of the whole. */
    rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &time);
    if (rest == NULL || (*rest != 'Z' && *rest != '.'))
        return -1;
    return MAX(now_us / G_USEC_PER_SEC - timegm(&time), 0);
}

void
units_append_age(GString *out, gint64 seconds)
{
    static const struct {
        gint64 below;
        gint64 unit;
        char letter;
    } ages[] = {
        { 120, 1, 's' },
        { 7200, 60, 'm' },
        { 172800, 3600, 'h' },
        { G_MAXINT64, 86400, 'd' },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(ages); i++) {
        if (seconds >= ages[i].below)
            continue;
        g_string_append_printf(out, "%" G_GINT64_FORMAT "%c", seconds / ages[i].unit,
                               ages[i].letter);
        return;
    }
}
