/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    MESSAGE_BYTES = 1024
};

static const char *
field_text(const GLogField *fields, gsize n_fields, const char *key)
{
    for (gsize i = 0; i < n_fields; i++) {
        if (strcmp(fields[i].key, key) == 0 && fields[i].length == -1)
            return fields[i].value;
    }
    return "";
}

static const char *
level_name(GLogLevelFlags level)
{
    switch (level & G_LOG_LEVEL_MASK) {
    case G_LOG_LEVEL_ERROR:
        return "fatal: ";
    case G_LOG_LEVEL_CRITICAL:
        return "critical: ";
    case G_LOG_LEVEL_WARNING:
        return "warning: ";
    default:
        return "";
    }
}

static char *
escape(const char *text)
{
    GString *out = g_string_new(NULL);

    for (const char *p = text; *p != '\0' && out->len < MESSAGE_BYTES; p++) {
        if (g_ascii_isprint(*p)) {
            g_string_append_c(out, *p);
        } else {
            g_string_append_printf(out, "\\x%02x", (guchar) *p);
        }
    }
    return g_string_free(out, FALSE);
}

static GLogWriterOutput
write_message(GLogLevelFlags level,
              const GLogField *fields,
              gsize n_fields,
              gpointer program)
{
    g_autofree char *message = NULL;
    g_autofree char *time = NULL;

    if (g_log_writer_default_would_drop(level,
                                        field_text(fields, n_fields, "GLIB_DOMAIN")))
        return G_LOG_WRITER_HANDLED;
    if (g_log_writer_is_journald(STDERR_FILENO))
        return g_log_writer_journald(level, fields, n_fields, NULL);
    message = escape(field_text(fields, n_fields, "MESSAGE"));
    time = clock_format_time(clock_wall_ms());
    fprintf(stderr, "%s %s: %s%s\n", time, (const char *) program, level_name(level),
            message);
    return G_LOG_WRITER_HANDLED;
}

void
log_open(const char *program)
{
    g_set_prgname(program);
    g_log_set_writer_func(write_message, (gpointer) (gsize) program, NULL);
}
