/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/disk.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/world.h"
#include "store/ballast.h"

static const char *const names[] = { "vmd.db", "vmd.db-wal" };
static const char log_name[] = "vmd.db-wal";

static char *folder;
static GBytes *kept[G_N_ELEMENTS(names)];
static gsize marked;
static gsize synced;
static bool is_dark;

/* No seed waits for a disk.  What was asked to be on it is noted, since that is all that
 * a loss of power leaves. */
int
fdatasync(int fd)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *path = g_file_read_link(link, NULL);
    GStatBuf status;

    if (path != NULL && g_str_has_suffix(path, log_name) && fstat(fd, &status) == 0)
        synced = (gsize) status.st_size;
    return 0;
}

int
fsync(int fd)
{
    return fdatasync(fd);
}

static GBytes *
read_file(const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    char *text = NULL;
    gsize length = 0;

    if (!g_file_get_contents(path, &text, &length, NULL))
        return NULL;
    return g_bytes_new_take(text, length);
}

static gsize
measure(const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    GStatBuf status;

    return g_stat(path, &status) == 0 ? (gsize) status.st_size : 0;
}

static void
forget_kept(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_clear_pointer(&kept[i], g_bytes_unref);
    }
}

static void
remove_files(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);

        g_unlink(path);
    }
    /* Made anew at each start. */
    ballast_drop(folder);
}

void
disk_begin(void)
{
    folder = world_make_folder("vmctl-sim");
}

static void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name = NULL;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *inner = g_build_filename(path, name, NULL);

        remove_tree(inner);
    }
    g_remove(path);
}

void
disk_end(void)
{
    forget_kept();
    remove_tree(folder);
    g_clear_pointer(&folder, g_free);
}

const char *
disk_get_folder(void)
{
    return folder;
}

void
disk_lose_power(void)
{
    is_dark = true;
}

void
disk_mark(void)
{
    marked = measure(log_name);
}

void
disk_keep(void)
{
    gsize length = measure(log_name);
    gsize safe = is_dark ? MIN(synced, marked) : marked;

    forget_kept();
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        kept[i] = read_file(names[i]);
    }
    is_dark = false;
    if (length > safe && kept[1] != NULL && world_chance(500)) {
        gsize cut = safe + world_random((guint) (length - safe));
        GBytes *whole = kept[1];

        kept[1] = g_bytes_new_from_bytes(whole, 0, cut);
        g_bytes_unref(whole);
        world_trace("the log is cut at %zu of %zu", cut, length);
    }
}

void
disk_restore(void)
{
    remove_files();
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        gsize length = 0;
        const char *text = kept[i] != NULL ? g_bytes_get_data(kept[i], &length) : NULL;

        if (text == NULL)
            continue;
        if (!g_file_set_contents_full(path, text, (gssize) length,
                                      G_FILE_SET_CONTENTS_NONE, 0600, NULL))
            g_error("Putting back %s", path);
    }
    forget_kept();
}
