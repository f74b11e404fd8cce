/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "proto.h"

enum {
    FIELDS = 4
};

static bool
fail(const char *what, const char *path, GError **error)
{
    proto_error_set_internal(error, "anchor", "%s the anchor %s: %s", what, path,
                             g_strerror(errno));
    return false;
}

static bool
parse_line(const char *line, const char *service_id, LedgerHead *ret_head)
{
    g_auto(GStrv) fields = g_strsplit(line, " ", FIELDS + 1);
    LedgerHead head = { 0 };

    if (g_strv_length(fields) != FIELDS || strcmp(fields[0], service_id) != 0 ||
        !g_ascii_string_to_signed(fields[1], 10, 0, G_MAXINT64, &head.seq, NULL) ||
        !chain_from_text(fields[2], &head.hash) ||
        !g_ascii_string_to_signed(fields[3], 10, 0, G_MAXINT64, &head.at_ms, NULL))
        return false;
    *ret_head = head;
    return true;
}

bool
anchor_read(const char *path,
            const char *service_id,
            bool *ret_found,
            LedgerHead *ret_head,
            GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) failure = NULL;
    g_auto(GStrv) lines = NULL;

    *ret_found = false;
    if (!g_file_get_contents(path, &text, NULL, &failure)) {
        if (g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return true;
        proto_error_set_internal(error, "anchor", "Reading the anchor: %s",
                                 failure->message);
        return false;
    }
    lines = g_strsplit(text, "\n", 0);
    for (gsize i = 0; lines[i] != NULL; i++) {
        *ret_found |= parse_line(lines[i], service_id, ret_head);
    }
    return true;
}

static bool
append(int fd, const char *line)
{
    gsize length = strlen(line);

    return write(fd, line, length) == (gssize) length && fdatasync(fd) == 0;
}

bool
anchor_write(const char *path,
             const char *service_id,
             const LedgerHead *head,
             GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *hash = chain_to_text(&head->hash);
    /* Begins a line: the one before may have been cut off. */
    g_autofree char *line =
        g_strdup_printf("\n%s %" G_GINT64_FORMAT " %s %" G_GINT64_FORMAT "\n", service_id,
                        head->seq, hash, head->at_ms);
    int fd = -1;
    bool good = false;

    if (g_mkdir_with_parents(folder, 0700) != 0)
        return fail("Making the folder of", path, error);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail("Opening", path, error);
    good = append(fd, line) || fail("Writing", path, error);
    close(fd);
    return good;
}
