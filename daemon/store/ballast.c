/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/ballast.h"

#include <fcntl.h>
#include <glib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const off_t ballast_bytes = 8 * 1024 * 1024;

static char *
get_path(const char *directory)
{
    return g_build_filename(directory, "ballast", NULL);
}

static bool
is_whole(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           status.st_size == ballast_bytes;
}

/* Room that is given back is not taken at once: the disk would be full again. */
static bool
has_room(const char *directory)
{
    struct statvfs disk;

    return statvfs(directory, &disk) == 0 &&
           (gint64) disk.f_bavail * (gint64) disk.f_frsize >=
               (gint64) ballast_bytes + (gint64) ballast_bytes / 2;
}

bool
ballast_ensure(const char *directory)
{
    g_autofree char *path = get_path(directory);
    int fd = -1;
    bool good = false;

    if (is_whole(path))
        return true;
    if (!has_room(directory))
        return false;
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    good = posix_fallocate(fd, 0, ballast_bytes) == 0;
    close(fd);
    if (!good)
        unlink(path);
    return good;
}

bool
ballast_is_there(const char *directory)
{
    g_autofree char *path = get_path(directory);

    return is_whole(path);
}

bool
ballast_drop(const char *directory)
{
    g_autofree char *path = get_path(directory);

    return unlink(path) == 0;
}
