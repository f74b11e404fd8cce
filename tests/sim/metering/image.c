/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/metering/image.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "sim/world.h"
#include "store/ballast.h"

/*
 * How it works
 *
 * A file is an array of bytes.  At the death of the process all of them are copied, and
 * the copies are put in their places once SQLite, which knows of nothing, has closed its
 * files in good order.
 *
 * A transaction is committed when the frame of the log that says so is whole.
 */

enum {
    LOG_HEADER_BYTES = 32,
    FRAME_HEADER_BYTES = 24,
    SIZE_AT = 4,
    PATH_BYTES = 512
};

typedef struct {
    sqlite3_file base;
    GByteArray *bytes;
    bool is_log;
    /** Where the page of a frame that commits is to be; 0: none is. */
    gint64 commit_at;
} File;

typedef struct {
    char *folder;
    /** Path to GByteArray, and the same as they were at the death. */
    GHashTable *files;
    GHashTable *kept;
    /** And the anchor, of a process that died at a write; NULL if there was none. */
    char *anchor_path;
    char *anchor;
    bool died;
    guint64 n_writes;
    guint64 n_commits;
    guint64 die_at;
} Image;

static Image *image;

static void
unref_bytes(gpointer bytes)
{
    g_byte_array_unref(bytes);
}

static GHashTable *
new_files(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_bytes);
}

GHashTable *
image_copy(void)
{
    GHashTable *copy = new_files();
    GHashTableIter iter;
    gpointer path = NULL;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, image->files);
    while (g_hash_table_iter_next(&iter, &path, &value)) {
        const GByteArray *bytes = value;

        g_hash_table_insert(
            copy, g_strdup(path),
            g_byte_array_new_take(g_memdup2(bytes->data, bytes->len), bytes->len));
    }
    return copy;
}

/* Files */

static void
put(GByteArray *bytes, const void *data, guint length, guint at)
{
    if (bytes->len < at + length) {
        guint old = bytes->len;

        g_byte_array_set_size(bytes, at + length);
        memset(bytes->data + old, 0, at + length - old);
    }
    memcpy(bytes->data + at, data, length);
}

static void
watch_commit(File *file, const guint8 *data, int length, gint64 at)
{
    guint32 size = 0;

    if (!file->is_log)
        return;
    if (at == file->commit_at && length > FRAME_HEADER_BYTES) {
        image->n_commits++;
        file->commit_at = 0;
    } else if (length == FRAME_HEADER_BYTES && at >= LOG_HEADER_BYTES) {
        memcpy(&size, data + SIZE_AT, sizeof size);
        file->commit_at = size != 0 ? at + length : 0;
    }
}

static int
file_write(sqlite3_file *base, const void *data, int length, sqlite3_int64 at)
{
    File *file = (File *) (gpointer) base;

    if (image->kept == NULL && ++image->n_writes == image->die_at) {
        put(file->bytes, data, world_random((guint) length), (guint) at);
        world_trace("the process dies at write %" G_GUINT64_FORMAT, image->n_writes);
        image->kept = image_copy();
        image->died = true;
        g_file_get_contents(image->anchor_path, &image->anchor, NULL, NULL);
    }
    put(file->bytes, data, (guint) length, (guint) at);
    if (image->kept == NULL)
        watch_commit(file, data, length, at);
    return SQLITE_OK;
}

static int
file_read(sqlite3_file *base, void *data, int length, sqlite3_int64 at)
{
    const File *file = (File *) (gpointer) base;
    gint64 there = CLAMP((gint64) file->bytes->len - at, 0, length);

    if (there > 0)
        memcpy(data, file->bytes->data + at, (gsize) there);
    memset((guint8 *) data + there, 0, (gsize) (length - there));
    return there == length ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int
file_truncate(sqlite3_file *base, sqlite3_int64 length)
{
    g_byte_array_set_size(((File *) (gpointer) base)->bytes, (guint) length);
    return SQLITE_OK;
}

static int
file_get_size(sqlite3_file *base, sqlite3_int64 *ret_size)
{
    *ret_size = ((File *) (gpointer) base)->bytes->len;
    return SQLITE_OK;
}

static int
file_close(sqlite3_file *base)
{
    g_byte_array_unref(((File *) (gpointer) base)->bytes);
    return SQLITE_OK;
}

static int
file_sync(sqlite3_file *base, int flags)
{
    return SQLITE_OK;
}

static int
file_lock(sqlite3_file *base, int level)
{
    return SQLITE_OK;
}

static int
file_check_lock(sqlite3_file *base, int *ret_locked)
{
    *ret_locked = 0;
    return SQLITE_OK;
}

static int
file_control(sqlite3_file *base, int code, void *argument)
{
    return SQLITE_NOTFOUND;
}

static int
file_get_sector(sqlite3_file *base)
{
    return 512;
}

static int
file_get_character(sqlite3_file *base)
{
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_get_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_get_sector,
    .xDeviceCharacteristics = file_get_character,
};

/* The file system */

static int
vfs_open(
    sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *ret_flags)
{
    File *file = (File *) (gpointer) base;
    GByteArray *bytes = path != NULL ? g_hash_table_lookup(image->files, path) : NULL;

    if (bytes != NULL) {
        g_byte_array_ref(bytes);
    } else {
        bytes = g_byte_array_new();
        if (path != NULL)
            g_hash_table_insert(image->files, g_strdup(path), g_byte_array_ref(bytes));
    }
    *file = (File){
        { &file_methods }, bytes, path != NULL && g_str_has_suffix(path, "-wal"), 0
    };
    if (ret_flags != NULL)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    return g_hash_table_remove(image->files, path) ? SQLITE_OK
                                                   : SQLITE_IOERR_DELETE_NOENT;
}

static int
vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret_good)
{
    *ret_good = g_hash_table_contains(image->files, path);
    return SQLITE_OK;
}

static int
vfs_get_path(sqlite3_vfs *vfs, const char *path, int size, char *ret_path)
{
    g_strlcpy(ret_path, path, (gsize) size);
    return SQLITE_OK;
}

/* SQLite seeds its own generator with it: the same for every seed of ours. */
static int
vfs_get_chance(sqlite3_vfs *vfs, int length, char *ret_bytes)
{
    memset(ret_bytes, 1, (gsize) length);
    return length;
}

static int
vfs_sleep(sqlite3_vfs *vfs, int us)
{
    return us;
}

static int
vfs_get_time(sqlite3_vfs *vfs, sqlite3_int64 *ret_ms)
{
    *ret_ms = 0;
    return SQLITE_OK;
}

static int
vfs_get_error(sqlite3_vfs *vfs, int size, char *ret_text)
{
    return 0;
}

static void
register_vfs(void)
{
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(File),
        .mxPathname = PATH_BYTES,
        .zName = "image",
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_get_path,
        .xRandomness = vfs_get_chance,
        .xSleep = vfs_sleep,
        .xGetLastError = vfs_get_error,
        .xCurrentTimeInt64 = vfs_get_time,
    };

    sqlite3_vfs_register(&vfs, 1);
}

/* Room is not what these seeds are about. */
bool
ballast_ensure(const char *directory)
{
    return true;
}

bool
ballast_is_there(const char *directory)
{
    return false;
}

bool
ballast_drop(const char *directory)
{
    return false;
}

/* No seed waits for a disk. */
int
fdatasync(int fd)
{
    return 0;
}

int
fsync(int fd)
{
    return fdatasync(fd);
}

/* Life */

void
image_begin(void)
{
    register_vfs();
    sqlite3_randomness(0, NULL);
    image = g_new0(Image, 1);
    image->folder = world_make_folder("vmctl-metering");
    image->anchor_path = g_build_filename(image->folder, "anchor", NULL);
    image->files = new_files();
}

/* Of the files only names are on the disk, and folders. */
static void
remove_folder(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name = NULL;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            remove_folder(path);
        else
            g_unlink(path);
    }
    g_rmdir(folder);
}

void
image_end(void)
{
    remove_folder(image->folder);
    g_hash_table_unref(image->files);
    g_clear_pointer(&image->kept, g_hash_table_unref);
    g_free(image->anchor);
    g_free(image->anchor_path);
    g_free(image->folder);
    g_clear_pointer(&image, g_free);
}

const char *
image_get_folder(void)
{
    return image->folder;
}

const char *
image_get_anchor(void)
{
    return image->anchor_path;
}

void
image_die_at(guint64 n)
{
    image->die_at = n > 0 ? image->n_writes + n : 0;
}

bool
image_is_dead(void)
{
    return image->kept != NULL;
}

void
image_kill(void)
{
    if (image->kept == NULL)
        image->kept = image_copy();
}

void
image_put_back(GHashTable *copy)
{
    g_hash_table_unref(image->files);
    image->files = copy;
}

/* The batch in which it died went on to the end. */
static void
put_anchor_back(void)
{
    g_autofree char *anchor = g_steal_pointer(&image->anchor);

    if (image->died)
        g_unlink(image->anchor_path);
    if (image->died && anchor != NULL)
        g_file_set_contents_full(image->anchor_path, anchor, -1, G_FILE_SET_CONTENTS_NONE,
                                 0600, NULL);
    image->died = false;
}

void
image_revive(void)
{
    g_hash_table_unref(image->files);
    image->files = g_steal_pointer(&image->kept);
    image->die_at = 0;
    put_anchor_back();
}

guint64
image_count_writes(void)
{
    return image->n_writes;
}

guint64
image_count_commits(void)
{
    return image->n_commits;
}
