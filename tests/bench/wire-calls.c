/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Sends one varlink call over and over on one connection, DEPTH of them under way at a
 * time, and prints how many were answered a second and how long an answer took.  Shares
 * nothing with our own client: what is measured is the service.
 *
 * wire-calls SOCKET CALL COUNT DEPTH
 */

enum {
    DEPTH_MAX = 1000,
    BUFFER_BYTES = 1048576,
};

typedef struct {
    int fd;
    /** The call, DEPTH_MAX times, each with its NUL byte. */
    GString *calls;
    gsize call_length;
    guint64 count;
    guint64 depth;
    guint64 sent;
    guint64 answered;
    gint64 sent_at_us[DEPTH_MAX];
    GArray *took_us;
    char *buffer;
} Run;

static bool
send_calls(Run *run)
{
    guint64 room = MIN(run->depth - (run->sent - run->answered), run->count - run->sent);
    gsize length = room * run->call_length;
    gsize done = 0;
    gint64 now_us = g_get_monotonic_time();

    for (guint64 i = 0; i < room; i++)
        run->sent_at_us[(run->sent + i) % run->depth] = now_us;
    while (done < length) {
        ssize_t got = send(run->fd, run->calls->str + done, length - done, MSG_NOSIGNAL);

        if (got < 0)
            return false;
        done += (gsize) got;
    }
    run->sent += room;
    return true;
}

static bool
receive_answers(Run *run)
{
    ssize_t got = recv(run->fd, run->buffer, BUFFER_BYTES, 0);
    gint64 now_us = g_get_monotonic_time();

    for (const char *at = run->buffer; got > 0; at++, run->answered++) {
        gint64 took_us = now_us - run->sent_at_us[run->answered % run->depth];
        const char *end = run->buffer + got;

        at = memchr(at, '\0', (gsize) (end - at));
        if (at == NULL)
            return true;
        g_array_append_val(run->took_us, took_us);
        if (at + 1 == end) {
            run->answered++;
            return true;
        }
    }
    if (got == 0)
        errno = ECONNRESET;
    return false;
}

static bool
run_calls(Run *run)
{
    while (run->answered < run->count) {
        /* In batches: a write for each answer would measure the client. */
        if (run->sent - run->answered <= run->depth / 2 && run->sent < run->count &&
            !send_calls(run))
            return false;
        if (!receive_answers(run))
            return false;
    }
    return true;
}

static int
compare(gconstpointer a, gconstpointer b)
{
    const gint64 *left = a;
    const gint64 *right = b;

    return (*left > *right) - (*left < *right);
}

static void
print_result(Run *run, gint64 took_us)
{
    const gint64 *sorted = NULL;

    g_array_sort(run->took_us, compare);
    sorted = (const gint64 *) (gpointer) run->took_us->data;
    g_print("{\"per_second\": %.0f, \"p50_us\": %" G_GINT64_FORMAT
            ", \"p99_us\": %" G_GINT64_FORMAT ", \"max_us\": %" G_GINT64_FORMAT "}\n",
            (double) run->count * G_USEC_PER_SEC / (double) MAX(took_us, 1),
            sorted[run->count / 2], sorted[run->count * 99 / 100],
            sorted[run->count - 1]);
}

static int
connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    if (fd >= 0 && connect(fd, (struct sockaddr *) &address, sizeof address) == 0)
        return fd;
    return -1;
}

int
main(int argc, char **argv)
{
    g_autoptr(GArray) took_us = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_autofree char *buffer = g_malloc(BUFFER_BYTES);
    Run run = { .took_us = took_us, .buffer = buffer };
    gint64 begin_us = 0;

    if (argc != 5 ||
        !g_ascii_string_to_unsigned(argv[3], 10, 1, 10000000, &run.count, NULL) ||
        !g_ascii_string_to_unsigned(argv[4], 10, 1, DEPTH_MAX, &run.depth, NULL)) {
        g_printerr("usage: wire-calls SOCKET CALL COUNT DEPTH\n");
        return 2;
    }
    run.call_length = strlen(argv[2]) + 1;
    run.calls = g_string_new(NULL);
    for (guint64 i = 0; i < run.depth; i++)
        g_string_append_len(run.calls, argv[2], (gssize) run.call_length);
    run.fd = connect_to(argv[1]);
    begin_us = g_get_monotonic_time();
    if (run.fd < 0 || !run_calls(&run)) {
        g_printerr("wire-calls: %s\n", g_strerror(errno));
        return EXIT_FAILURE;
    }
    print_result(&run, g_get_monotonic_time() - begin_us);
    close(run.fd);
    g_string_free(run.calls, TRUE);
    return EXIT_SUCCESS;
}
