/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto.h"

enum {
    BACKLOG = 1024
};

static bool
make_address(const char *path, struct sockaddr_un *ret_address, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof address.sun_path) {
        proto_error_set_invalid_parameter(error, "socket", "is too long",
                                          "The socket's path is too long: %s", path);
        return false;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    *ret_address = address;
    return true;
}

static bool
is_answered(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answered =
        connect(fd, (const struct sockaddr *) address, sizeof *address) == 0 ||
        errno == EAGAIN;

    close(fd);
    return answered;
}

static int
bind_socket(const struct sockaddr_un *address, mode_t mode, gid_t group)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0777);
    int bound = bind(fd, (const struct sockaddr *) address, sizeof *address);

    umask(mask);
    /* It was made without any right, so nobody connects before its group and mode are
     * set. */
    if (bound != 0 ||
        (group != (gid_t) -1 && chown(address->sun_path, (uid_t) -1, group) != 0) ||
        chmod(address->sun_path, mode) != 0 || listen(fd, BACKLOG) != 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* Removes a socket that nobody answers, and nothing else. */
static bool
remove_socket(const char *path, GError **error)
{
    struct stat status;

    if (lstat(path, &status) != 0)
        return true;
    if (!S_ISSOCK(status.st_mode)) {
        proto_error_set_already_exists(error, "socket", path,
                                       "%s is there, and is not a socket", path);
        return false;
    }
    unlink(path);
    return true;
}

int
wire_listen(const char *path, mode_t mode, gid_t group, GError **error)
{
    struct sockaddr_un address;
    int fd = -1;

    if (!make_address(path, &address, error))
        return -1;
    if (is_answered(&address)) {
        proto_error_set_already_exists(error, "socket", path,
                                       "Another process answers on %s already", path);
        return -1;
    }
    if (!remove_socket(path, error))
        return -1;
    fd = bind_socket(&address, mode, group);
    if (fd < 0)
        proto_error_set_internal(error, "socket", "Listening on %s: %s", path,
                                 g_strerror(errno));
    return fd;
}
