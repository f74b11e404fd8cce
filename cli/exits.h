/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * What a program that calls vmctl sees: the one table of exit codes, and for each error
 * of the schema its exit code and what to do about it.  Pure.
 */
typedef enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_DENIED = 4,
    EXIT_UNREACHABLE = 5,
    EXIT_TIMED_OUT = 6,
    /** A signal ended the waiting: 128 and SIGINT, as a shell does. */
    EXIT_INTERRUPTED = 130,
} ExitCode;

/** The exit code of an error; EXIT_FAILED for one that is not of our domain. */
ExitCode exits_get_code(const GError *error);

/** The same by an error's full name ("io.vmctl.NotFound"), as an operation's failure has
 * it. */
ExitCode exits_get_code_of(const char *full_name);

/** What to do about it, or NULL. */
const char *exits_get_hint(const GError *error);

/** Whether the table knows this code; for the tests. */
gboolean exits_has_row(int code);

/** "0 done", "1 failed", ...: NULL after the last; for the help. */
const char *exits_describe(guint index);
