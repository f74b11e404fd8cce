/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/runs.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

/*
 * How it works
 *
 * The hook appends to "runs".  Once all of that is read and may be forgotten, the file is
 * renamed to "runs.old": a hook that has it open writes there, and the next one begins
 * anew.  "runs.old" is read on until the next time, when it is removed.
 */

enum {
    /* The hook stops at half of that. */
    BYTES_MAX = 2 * 1024 * 1024,
    WORDS = 6,
    CENTISECONDS = 2,
    MS_PER_SECOND = 1000,
    MS_PER_CENTISECOND = 10
};

/** A file, up to where it was read; always at the end of a line. */
typedef struct {
    char *path;
    goffset offset;
} Part;

typedef struct {
    guint64 number;
    char *id;
    ProtoRun run;
} Line;

struct Runs {
    Part old;
    Part current;
    /** In the order in which they were read. */
    GArray *lines;
    guint64 known;
};

static void
line_clear(gpointer data)
{
    Line *line = data;

    g_free(line->id);
    proto_run_clear(&line->run);
}

Runs *
runs_new(const char *folder)
{
    Runs *runs = g_new0(Runs, 1);

    runs->lines = g_array_new(FALSE, TRUE, sizeof(Line));
    g_array_set_clear_func(runs->lines, line_clear);
    if (*folder == '\0')
        return runs;
    runs->old.path = g_build_filename(folder, "runs.old", NULL);
    runs->current.path = g_build_filename(folder, "runs", NULL);
    return runs;
}

void
runs_free(Runs *runs)
{
    if (runs == NULL)
        return;
    g_free(runs->old.path);
    g_free(runs->current.path);
    g_array_unref(runs->lines);
    g_free(runs);
}

/* Lines */

/* "12345.67" in milliseconds. */
static bool
parse_uptime(const char *text, gint64 *ret_ms)
{
    g_auto(GStrv) parts = g_strsplit(text, ".", 0);
    gint64 seconds = 0;
    gint64 rest = 0;

    if (g_strv_length(parts) != 2 || strlen(parts[1]) != CENTISECONDS ||
        !g_ascii_string_to_signed(parts[0], 10, 0, G_MAXINT32, &seconds, NULL) ||
        !g_ascii_string_to_signed(parts[1], 10, 0, 99, &rest, NULL))
        return false;
    *ret_ms = seconds * MS_PER_SECOND + rest * MS_PER_CENTISECOND;
    return true;
}

static bool
parse_line(const char *text, Line *ret_line)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 0);
    ProtoRun run = { 0 };

    if (g_strv_length(words) != WORDS || !g_uuid_string_is_valid(words[0]) ||
        !parse_uptime(words[1], &run.boot_ms) ||
        !g_ascii_string_to_signed(words[2], 10, 0, G_MAXINT64, &run.wall_ms, NULL) ||
        !g_uuid_string_is_valid(words[3]))
        return false;
    run.begins = strcmp(words[4], "started") == 0;
    if (!run.begins && strcmp(words[4], "stopped") != 0)
        return false;
    run.boot_id = g_strdup(words[0]);
    *ret_line = (Line){ .id = g_strdup(words[3]), .run = run };
    return true;
}

/* Takes the whole lines of text; returns their length. */
static goffset
take_lines(Runs *runs, const char *text)
{
    const char *at = text;

    for (const char *end = strchr(at, '\n'); end != NULL; end = strchr(at, '\n')) {
        g_autofree char *one = g_strndup(at, (gsize) (end - at));
        Line line = { 0 };

        /* One that was cut where the disk was full is no use. */
        if (parse_line(one, &line)) {
            line.number = ++runs->known;
            g_array_append_val(runs->lines, line);
        }
        at = end + 1;
    }
    return at - text;
}

/* Files */

static void
read_part(Runs *runs, Part *part)
{
    g_autofree char *text = g_malloc(BYTES_MAX + 1);
    FILE *file = part->path != NULL ? fopen(part->path, "re") : NULL;
    gsize length = 0;

    if (file == NULL)
        return;
    if (fseeko(file, part->offset, SEEK_SET) == 0)
        length = fread(text, 1, BYTES_MAX, file);
    fclose(file);
    text[length] = '\0';
    part->offset += take_lines(runs, text);
}

guint64
runs_read(Runs *runs)
{
    read_part(runs, &runs->old);
    read_part(runs, &runs->current);
    return runs->known;
}

/* Nothing is kept in memory: nothing need be kept in the files.  In what was put aside
 * the time before nobody can write any more. */
static void
shorten(Runs *runs)
{
    if (runs->current.offset == 0 && runs->old.offset == 0)
        return;
    if (runs->old.offset > 0 && g_unlink(runs->old.path) != 0) {
        g_message("Removing %s: %s", runs->old.path, g_strerror(errno));
        return;
    }
    runs->old.offset = 0;
    if (runs->current.offset == 0)
        return;
    if (g_rename(runs->current.path, runs->old.path) != 0) {
        g_message("Renaming %s: %s", runs->current.path, g_strerror(errno));
        return;
    }
    runs->old.offset = runs->current.offset;
    runs->current.offset = 0;
}

void
runs_forget(Runs *runs, gint64 until_wall_ms)
{
    guint n_kept = 0;

    for (guint i = 0; i < runs->lines->len; i++) {
        Line *line = &g_array_index(runs->lines, Line, i);

        if (line->run.wall_ms <= until_wall_ms) {
            line_clear(line);
        } else {
            g_array_index(runs->lines, Line, n_kept++) = *line;
        }
    }
    /* Without the clear function: what was moved is still in use. */
    g_array_set_clear_func(runs->lines, NULL);
    g_array_set_size(runs->lines, n_kept);
    g_array_set_clear_func(runs->lines, line_clear);
    if (n_kept == 0 && runs->current.path != NULL)
        shorten(runs);
}

void
runs_fill(const Runs *runs, guint64 known, ProtoDomain *domain)
{
    for (guint i = 0; i < runs->lines->len; i++) {
        const Line *line = &g_array_index(runs->lines, Line, i);

        if (line->number > known || strcmp(line->id, domain->id) != 0)
            continue;
        domain->runs = g_renew(ProtoRun, domain->runs, domain->n_runs + 1);
        proto_run_copy(&line->run, &domain->runs[domain->n_runs++]);
    }
}
