/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/handover.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/service.h"

enum {
    RECEIVE_SECONDS = 5
};

typedef union {
    char bytes[CMSG_SPACE(sizeof(int) * HANDOVER_FDS_MAX)];
    struct cmsghdr header;
} Control;

static void
set_error(GError **error, const char *what, const char *path)
{
    int number = errno;

    g_set_error(error, G_FILE_ERROR, (gint) g_file_error_from_errno(number), "%s %s: %s",
                what, path, g_strerror(number));
}

static bool
connect_to(int fd, const char *path, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >=
        sizeof address.sun_path) {
        errno = ENAMETOOLONG;
    } else if (connect(fd, (struct sockaddr *) &address, sizeof address) == 0) {
        return true;
    }
    set_error(error, "Connecting to", path);
    return false;
}

int
handover_send(const char *path, const int *fds, guint n_fds, GError **error)
{
    /* Where too many wait already, a connection is refused rather than waited for. */
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    char byte = 0;
    struct iovec data = { &byte, 1 };
    Control control = { 0 };
    struct msghdr message = { .msg_iov = &data,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = CMSG_SPACE(sizeof(int) * n_fds) };

    g_assert(n_fds <= HANDOVER_FDS_MAX);
    control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                       .cmsg_type = SCM_RIGHTS,
                                       .cmsg_len = CMSG_LEN(sizeof(int) * n_fds) };
    memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
    if (connection < 0) {
        set_error(error, "Making a socket for", path);
        return -1;
    }
    if (!connect_to(connection, path, error)) {
        close(connection);
        return -1;
    }
    if (sendmsg(connection, &message, MSG_NOSIGNAL) != 1) {
        set_error(error, "Sending sockets to", path);
        close(connection);
        return -1;
    }
    return connection;
}

static guint
take_fds(struct msghdr *message, int *ret_fds)
{
    const struct cmsghdr *header = CMSG_FIRSTHDR(message);
    gsize size = 0;

    if (header == NULL || header->cmsg_level != SOL_SOCKET ||
        header->cmsg_type != SCM_RIGHTS)
        return 0;
    size = MIN(header->cmsg_len - CMSG_LEN(0), sizeof(int) * HANDOVER_FDS_MAX);
    memcpy(ret_fds, CMSG_DATA(header), size);
    return (guint) (size / sizeof(int));
}

/* Takes one connection from listener and what is sent on it, and returns it, or -1. */
static int
receive(int listener, int *ret_fds, guint *ret_n_fds, GError **error)
{
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    const struct timeval patience = { .tv_sec = RECEIVE_SECONDS };
    char byte = 0;
    struct iovec data = { &byte, 1 };
    Control control = { 0 };
    struct msghdr message = { .msg_iov = &data,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof control };
    guint n_fds = 0;

    if (connection < 0) {
        set_error(error, "Taking", "a connection");
        return -1;
    }
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) == 1)
        n_fds = take_fds(&message, ret_fds);
    if (n_fds == 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "No sockets came with the connection");
        close(connection);
        return -1;
    }
    *ret_n_fds = n_fds;
    return connection;
}

bool
handover_take(
    guint n_fds, int *ret_fds, guint *ret_n_fds, int *ret_connection, GError **error)
{
    guint n_listeners = 0;
    int first = service_take_sockets(&n_listeners, NULL);
    int connection = -1;

    if (n_listeners > 0) {
        connection = receive(first, ret_fds, ret_n_fds, error);
        *ret_connection = connection;
        return connection >= 0;
    }
    if (n_fds < 1 || n_fds > HANDOVER_FDS_MAX) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "There are no sockets: vmd or the service manager gives them");
        return false;
    }
    for (guint i = 0; i < n_fds; i++) {
        ret_fds[i] = first + (int) i;
    }
    *ret_n_fds = n_fds;
    *ret_connection = -1;
    return true;
}
