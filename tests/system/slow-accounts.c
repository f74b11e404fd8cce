/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Preloaded: who looks for the account of the uid SLOW_UID waits until somebody has
 * opened the fifo SLOW_GATE for writing and closed it again, as if accounts were kept by
 * a server that does not answer. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

static void
wait_at_gate(uid_t uid)
{
    const char *slow = getenv("SLOW_UID");
    char byte = 0;
    int gate = -1;

    if (slow == NULL || uid != (uid_t) strtoul(slow, NULL, 10))
        return;
    gate = open(getenv("SLOW_GATE"), O_RDONLY | O_CLOEXEC);
    while (read(gate, &byte, 1) > 0)
        continue;
    close(gate);
}

struct passwd *
getpwuid(uid_t uid)
{
    struct passwd *(*real)(uid_t uid) = NULL;

    *(void **) &real = dlsym(RTLD_NEXT, "getpwuid");
    wait_at_gate(uid);
    return real(uid);
}

int
getpwuid_r(uid_t uid,
           struct passwd *account,
           char *buffer,
           size_t size,
           struct passwd **ret_account)
{
    int (*real)(uid_t uid, struct passwd * account, char *buffer, size_t size,
                struct passwd **ret_account) = NULL;

    *(void **) &real = dlsym(RTLD_NEXT, "getpwuid_r");
    wait_at_gate(uid);
    return real(uid, account, buffer, size, ret_account);
}
