/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Preloaded into vmd, makes one allocation of memory fail: FAIL_MALLOC=N is the Nth, N+
 * also all after it.  FAIL_MALLOC_COUNT names a file that gets how many there were when
 * the process ends by itself.  Only the program named by FAIL_MALLOC_PROGRAM is touched:
 * its children run as ever.
 */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static atomic_long passed;
static long nth;
static bool from_then_on;
static bool active;

static bool
must_fail(void)
{
    long number = 0;

    if (!active)
        return false;
    number = atomic_fetch_add(&passed, 1) + 1;
    return nth > 0 && (number == nth || (from_then_on && number > nth));
}

void *
malloc(size_t size)
{
    if (must_fail()) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
    if (must_fail()) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
    if (must_fail()) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(old, size);
}

__attribute__((constructor)) static void
begin(void)
{
    const char *program = getenv("FAIL_MALLOC_PROGRAM");
    const char *text = getenv("FAIL_MALLOC");
    char *end = NULL;

    if (program == NULL || strcmp(program, program_invocation_short_name) != 0)
        return;
    if (text != NULL) {
        nth = strtol(text, &end, 10);
        from_then_on = *end == '+';
    }
    active = true;
}

static void
write_number(int fd, long number)
{
    char digits[24];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char) ('0' + number % 10);
        number /= 10;
    } while (number > 0);
    if (write(fd, digits + at, sizeof digits - at) < 0)
        _exit(EXIT_FAILURE);
}

__attribute__((destructor)) static void
end(void)
{
    const char *path = getenv("FAIL_MALLOC_COUNT");
    int fd = -1;

    if (!active || path == NULL)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        write_number(fd, atomic_load(&passed));
        close(fd);
    }
}
