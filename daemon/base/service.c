/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/service.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    FIRST_FD = 3,
    /* Of the time after which silence counts as death. */
    WORDS = 3
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

static bool
is_for_us(const char *pid)
{
    return pid == NULL || g_ascii_strtoll(pid, NULL, 10) == getpid();
}

guint
service_take_watchdog_ms(void)
{
    const char *text = g_getenv("WATCHDOG_USEC");
    guint64 interval_us = 0;

    if (text == NULL || !is_for_us(g_getenv("WATCHDOG_PID")) ||
        !g_ascii_string_to_unsigned(text, 10, 1000, (guint64) G_MAXINT * 1000,
                                    &interval_us, NULL))
        return 0;
    g_unsetenv("WATCHDOG_USEC");
    g_unsetenv("WATCHDOG_PID");
    return (guint) (interval_us / 1000);
}

static gboolean
say_alive(gpointer data)
{
    service_notify("WATCHDOG=1");
    return G_SOURCE_CONTINUE;
}

void
service_keep_alive(void)
{
    guint interval_ms = service_take_watchdog_ms();

    if (interval_ms > 0)
        g_timeout_add(MAX(interval_ms / WORDS, 1), say_alive, NULL);
}

int
service_take_sockets(guint *ret_count, GStrv *ret_names)
{
    const char *pid = g_getenv("LISTEN_PID");
    const char *count = g_getenv("LISTEN_FDS");
    const char *names = g_getenv("LISTEN_FDNAMES");

    *ret_count = 0;
    if (ret_names != NULL)
        *ret_names = g_strsplit(names != NULL ? names : "", ":", -1);
    if (pid == NULL || count == NULL || !is_for_us(pid))
        return FIRST_FD;
    *ret_count = (guint) g_ascii_strtoull(count, NULL, 10);
    for (guint i = 0; i < *ret_count; i++) {
        fcntl(FIRST_FD + (int) i, F_SETFD, FD_CLOEXEC);
    }
    g_unsetenv("LISTEN_PID");
    g_unsetenv("LISTEN_FDS");
    g_unsetenv("LISTEN_FDNAMES");
    return FIRST_FD;
}
