/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/service.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    FIRST_FD = 3
};

void
service_notify(const char *state)
{
    const char *path = g_getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    gsize length = path != NULL ? strlen(path) : 0;
    int fd = -1;

    if (length < 2 || length >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, length);
    /* An abstract socket's name is written with an @. */
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *) &address,
               (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        g_debug("Telling the service manager: %m");
    close(fd);
}

int
service_take_sockets(guint *ret_count)
{
    const char *pid = g_getenv("LISTEN_PID");
    const char *count = g_getenv("LISTEN_FDS");

    *ret_count = 0;
    if (pid == NULL || count == NULL || g_ascii_strtoll(pid, NULL, 10) != getpid())
        return FIRST_FD;
    *ret_count = (guint) g_ascii_strtoull(count, NULL, 10);
    for (guint i = 0; i < *ret_count; i++) {
        fcntl(FIRST_FD + (int) i, F_SETFD, FD_CLOEXEC);
    }
    g_unsetenv("LISTEN_PID");
    g_unsetenv("LISTEN_FDS");
    return FIRST_FD;
}
