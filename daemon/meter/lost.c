/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/lost.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "meter/report/ledger-rows.h"
#include "meter/store-private.h"

enum {
    /* Of a hash, in the name of a file. */
    NAME_LETTERS = 16,
    /* So much waits to be on disk: no step takes long. */
    SYNC_BYTES = 8 * 1024 * 1024
};

struct Lost {
    MeterStore *store;
    /* What is held, when it was begun. */
    Cursor cursor;
    TextSource text;
    GString *piece;
    char *path;
    /* Beside it, and not seen by who looks for files; while fd is one. */
    char *new_path;
    int fd;
    gsize unsynced;
};

static char *
make_path(const MeterStore *store, const char *before, gint64 seq, const ChainHash *hash)
{
    g_autofree char *text = chain_to_text(hash);
    g_autofree char *name = g_strdup_printf("%slost-%" G_GINT64_FORMAT "-%.*s.jsonl",
                                            before, seq, (int) NAME_LETTERS, text);

    return g_build_filename(store->directory, name, NULL);
}

static bool
fail(const Lost *lost, const char *what, GError **error)
{
    int code = errno;
    g_autofree char *text =
        g_strdup_printf("%s %s, which is to keep the rows that are lost: %s", what,
                        lost->path, g_strerror(code));

    if (code == ENOSPC || code == EDQUOT)
        proto_error_set_disk_full(error, "lost", "%s", text);
    else
        proto_error_set_internal(error, "lost", "%s", text);
    return false;
}

Lost *
lost_new(MeterStore *store, GError **error)
{
    g_autoptr(Lost) lost = NULL;

    /* A view has what was written. */
    if (!meter_store_flush(store, error))
        return NULL;
    lost = g_new0(Lost, 1);
    lost->store = store;
    lost->cursor = store->cursor;
    lost->text = ledger_text_new(view_open_held(store), NULL);
    lost->piece = g_string_new(NULL);
    lost->path = make_path(store, "", lost->cursor.seq, &lost->cursor.hash);
    lost->new_path = make_path(store, ".new-", lost->cursor.seq, &lost->cursor.hash);
    /* Of a process that was killed. */
    g_unlink(lost->new_path);
    lost->fd = open(lost->new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (lost->fd < 0) {
        fail(lost, "Making", error);
        return NULL;
    }
    return g_steal_pointer(&lost);
}

void
lost_free(Lost *lost)
{
    if (lost == NULL)
        return;
    if (lost->fd >= 0) {
        close(lost->fd);
        g_unlink(lost->new_path);
    }
    lost->text.free(lost->text.stream);
    g_string_free(lost->piece, TRUE);
    g_free(lost->path);
    g_free(lost->new_path);
    g_free(lost);
}

/* Writing */

static bool
write_piece(Lost *lost, GError **error)
{
    for (gsize at = 0; at < lost->piece->len;) {
        gssize written = write(lost->fd, lost->piece->str + at, lost->piece->len - at);

        if (written < 0 && errno != EINTR)
            return fail(lost, "Writing", error);
        at += (gsize) MAX(written, 0);
    }
    lost->unsynced += lost->piece->len;
    g_string_truncate(lost->piece, 0);
    if (lost->unsynced < SYNC_BYTES)
        return true;
    lost->unsynced = 0;
    return fdatasync(lost->fd) == 0 || fail(lost, "Writing", error);
}

static bool
sync_folder(const Lost *lost, GError **error)
{
    int fd = open(lost->store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;

    if (!good)
        fail(lost, "Putting in place", error);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool
put_in_place(Lost *lost, GError **error)
{
    if (fsync(lost->fd) != 0)
        return fail(lost, "Writing", error);
    if (g_rename(lost->new_path, lost->path) != 0)
        return fail(lost, "Putting in place", error);
    close(lost->fd);
    lost->fd = -1;
    return sync_folder(lost, error);
}

/* What nobody could check would be no proof. */
static bool
check_whole(const Lost *lost, GError **error)
{
    if (ledger_text_is_whole(&lost->text))
        return true;
    proto_error_set_internal(error, "database",
                             "meter.db has not all rows that it should, so that those "
                             "which are lost cannot be kept: move it to a safe place, "
                             "and start vmd-meter again");
    return false;
}

bool
lost_step(Lost *lost, bool *ret_done, GError **error)
{
    bool is_last = false;

    if (!lost->text.next(lost->text.stream, lost->piece, &is_last, error) ||
        !write_piece(lost, error))
        return false;
    if (is_last && (!check_whole(lost, error) || !put_in_place(lost, error)))
        return false;
    if (is_last) {
        lost->store->kept = lost->cursor;
        g_message("The rows up to %" G_GINT64_FORMAT
                  ", of which the ledger has lost the last ones, are kept in %s",
                  lost->cursor.seq, lost->path);
    }
    *ret_done = is_last;
    return true;
}

char *
lost_find(const MeterStore *store, gint64 seq, const char *hash)
{
    g_autofree char *path = NULL;
    ChainHash last;

    if (hash == NULL || !chain_from_text(hash, &last))
        return NULL;
    path = make_path(store, "", seq, &last);
    return g_file_test(path, G_FILE_TEST_IS_REGULAR) ? g_steal_pointer(&path) : NULL;
}
