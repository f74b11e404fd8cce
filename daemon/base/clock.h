/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * The clocks, in milliseconds, and how a time is written.  The one place that asks the
 * machine for the time; a test puts a source of its own in its stead.
 */
typedef struct {
    gint64 (*wall_ms)(void);
    gint64 (*boot_ms)(void);
    const char *(*boot_id)(void);
} ClockSource;

enum {
    /** What the kernel counts the start of a process in: its USER_HZ, which is the same
     * on every machine that we run on. */
    CLOCK_TICK_MS = 10
};

/** NULL puts the machine's clocks back. */
void clock_set_source(const ClockSource *source);

/** Since 1970-01-01 UTC.  May jump. */
gint64 clock_wall_ms(void);

/** Since the machine was booted, time asleep included.  Never goes back. */
gint64 clock_boot_ms(void);

/** Which boot clock_boot_ms() counts from: the kernel's random boot id.  Owned by the
 * module. */
const char *clock_boot_id(void);

/** RFC 3339 in UTC with milliseconds: 2026-10-01T12:00:00.000Z. */
char *clock_format_time(gint64 wall_ms);

/** Reads RFC 3339 in UTC, with or without a fraction.  False if text is no such time. */
bool clock_parse_time(const char *text, gint64 *ret_wall_ms);
