/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/work.h"

/*
 * How it works
 *
 * A timer begins a copy when the newest one is old enough.  The thread copies a few pages
 * between two batches, so that transactions hardly wait, and the main loop asks for the
 * next ones until the copy is whole.  Then it gets its name, which is the time, and those
 * that are too many go, oldest first: names sort by time.
 */

enum {
    STEP_PAGES = 64
};

static const char prefix[] = "vmd-";
static const char partial[] = "partial";

struct Backup {
    Store *store;
    char *folder;
    guint keep;
    gint64 interval_ms;
    guint timer;
    /* The copy that is under way: the thread's, until it has told of the step. */
    DatabaseCopy *copy;
    bool is_done;
};

static char *
get_partial_path(const Backup *backup)
{
    return g_build_filename(backup->folder, partial, NULL);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The names of the copies, oldest first. */
static GPtrArray *
list_copies(const Backup *backup)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GDir *folder = g_dir_open(backup->folder, 0, NULL);
    const char *name = NULL;

    while (folder != NULL && (name = g_dir_read_name(folder)) != NULL) {
        if (g_str_has_prefix(name, prefix))
            g_ptr_array_add(names, g_strdup(name));
    }
    if (folder != NULL)
        g_dir_close(folder);
    g_ptr_array_sort(names, compare_names);
    return names;
}

/* Makes place for one more. */
static void
remove_oldest(const Backup *backup)
{
    g_autoptr(GPtrArray) names = list_copies(backup);

    for (guint i = 0; i + backup->keep <= names->len; i++) {
        g_autofree char *path = g_build_filename(backup->folder, names->pdata[i], NULL);

        unlink(path);
    }
}

static bool
sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return good;
}

static void
give_name(const Backup *backup)
{
    g_autofree char *from = get_partial_path(backup);
    g_autofree char *time = clock_format_time(clock_wall_ms());
    g_autofree char *name = g_strconcat(prefix, time, ".db", NULL);
    g_autofree char *to = g_build_filename(backup->folder, name, NULL);

    remove_oldest(backup);
    if (rename(from, to) != 0 || !sync_folder(backup->folder)) {
        g_warning("Naming the copy %s of the database: %s", to, g_strerror(errno));
        return;
    }
    g_message("The database was copied to %s", to);
}

static void
drop(Backup *backup)
{
    g_autofree char *path = get_partial_path(backup);

    g_clear_pointer(&backup->copy, database_copy_free);
    unlink(path);
}

static bool
begin(Backup *backup, Database *database, GError **error)
{
    g_autofree char *path = get_partial_path(backup);

    if (mkdir(backup->folder, 0700) != 0 && errno != EEXIST) {
        proto_error_set_internal(error, "backup", "Making %s: %s", backup->folder,
                                 g_strerror(errno));
        return false;
    }
    unlink(path);
    backup->copy = database_copy_new(database, path, error);
    return backup->copy != NULL;
}

static void
run_step(Store *store, Database *database, gpointer data)
{
    Backup *backup = data;
    g_autoptr(GError) error = NULL;
    bool whole = false;

    backup->is_done = true;
    if ((backup->copy == NULL && !begin(backup, database, &error)) ||
        !database_copy_step(backup->copy, STEP_PAGES, &whole, &error)) {
        g_warning("The database was not copied: %s", error->message);
        drop(backup);
        return;
    }
    backup->is_done = whole;
    if (whole) {
        g_clear_pointer(&backup->copy, database_copy_free);
        give_name(backup);
    }
}

static void plan(Backup *backup, gint64 wait_ms);

static void
on_step(gpointer data)
{
    Backup *backup = data;

    if (backup->is_done) {
        plan(backup, backup->interval_ms);
    } else {
        store_work(backup->store, run_step, on_step, backup);
    }
}

static gboolean
on_time(gpointer data)
{
    Backup *backup = data;

    backup->timer = 0;
    if (store_is_short(backup->store)) {
        plan(backup, backup->interval_ms);
    } else {
        store_work(backup->store, run_step, on_step, backup);
    }
    return G_SOURCE_REMOVE;
}

static void
plan(Backup *backup, gint64 wait_ms)
{
    backup->timer = g_timeout_add((guint) wait_ms, on_time, backup);
}

/* How long until the newest copy is old enough: a service that is often started again
 * makes its copies too. */
static gint64
get_first_wait_ms(const Backup *backup)
{
    g_autoptr(GPtrArray) names = list_copies(backup);
    g_autofree char *text = NULL;
    gint64 copied_ms = 0;

    if (names->len == 0)
        return backup->interval_ms;
    text = g_strdup((const char *) names->pdata[names->len - 1] + strlen(prefix));
    if (strlen(text) > strlen(".db"))
        text[strlen(text) - strlen(".db")] = '\0';
    if (!clock_parse_time(text, &copied_ms))
        return backup->interval_ms;
    return CLAMP(copied_ms + backup->interval_ms - clock_wall_ms(), 0,
                 backup->interval_ms);
}

Backup *
backup_new(Store *store, const char *directory, guint keep, guint seconds)
{
    Backup *backup = g_new0(Backup, 1);

    backup->store = store;
    backup->folder = g_build_filename(directory, "backups", NULL);
    backup->keep = keep;
    backup->interval_ms = (gint64) seconds * 1000;
    plan(backup, get_first_wait_ms(backup));
    return backup;
}

void
backup_free(Backup *backup)
{
    if (backup == NULL)
        return;
    g_clear_handle_id(&backup->timer, g_source_remove);
    if (backup->copy != NULL)
        drop(backup);
    g_free(backup->folder);
    g_free(backup);
}
