/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/folder.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is wrong with it, or NULL. */
static const char *
find_fault(const struct stat *folder)
{
    if (S_ISLNK(folder->st_mode))
        return "is a symbolic link: name the folder itself";
    if (!S_ISDIR(folder->st_mode))
        return "is no folder";
    if (folder->st_uid != 0 && folder->st_uid != geteuid())
        return "belongs to another user: chown it";
    if ((folder->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "can be written by others: chmod go-w it";
    return NULL;
}

bool
folder_check(const char *path, GError **error)
{
    /* A slash at its end would lead through a link. */
    g_autofree char *plain = g_canonicalize_filename(path, NULL);
    struct stat folder;
    const char *fault = NULL;

    if (lstat(plain, &folder) == 0) {
        fault = find_fault(&folder);
    } else if (errno != ENOENT && errno != EACCES) {
        fault = g_strerror(errno);
    }
    if (fault == NULL)
        return true;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_PERM, "%s %s", plain, fault);
    return false;
}
