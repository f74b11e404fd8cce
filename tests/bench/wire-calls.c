/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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
    GSocket *socket;
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
send_calls(Run *run, GError **error)
{
    guint64 room = MIN(run->depth - (run->sent - run->answered), run->count - run->sent);
    gsize length = room * run->call_length;
    gsize done = 0;
    gint64 now_us = g_get_monotonic_time();

    for (guint64 i = 0; i < room; i++)
        run->sent_at_us[(run->sent + i) % run->depth] = now_us;
    while (done < length) {
        gssize got = g_socket_send(run->socket, run->calls->str + done, length - done,
                                   NULL, error);

        if (got < 0)
            return false;
        done += (gsize) got;
    }
    run->sent += room;
    return true;
}

static bool
receive_answers(Run *run, GError **error)
{
    gssize got = g_socket_receive(run->socket, run->buffer, BUFFER_BYTES, NULL, error);
    gint64 now_us = g_get_monotonic_time();

    if (got == 0)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The service hung up");
    if (got <= 0)
        return false;
    for (gssize i = 0; i < got; i++) {
        gint64 took_us = now_us - run->sent_at_us[run->answered % run->depth];

        if (run->buffer[i] != '\0')
            continue;
        g_array_append_val(run->took_us, took_us);
        run->answered++;
    }
    return true;
}

static bool
run_calls(Run *run, GError **error)
{
    while (run->answered < run->count) {
        /* In batches: a write for each answer would measure the client. */
        if (run->sent - run->answered <= run->depth / 2 && run->sent < run->count &&
            !send_calls(run, error))
            return false;
        if (!receive_answers(run, error))
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

static GSocket *
connect_to(const char *path, GError **error)
{
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GSocket) socket =
        g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, 0, error);

    if (socket == NULL || !g_socket_connect(socket, address, NULL, error))
        return NULL;
    return g_steal_pointer(&socket);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocket) socket = NULL;
    g_autoptr(GArray) took_us = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_autofree char *buffer = g_malloc(BUFFER_BYTES);
    Run run = { .took_us = took_us, .buffer = buffer };
    gint64 begin_us = 0;

    if (argc != 5 ||
        !g_ascii_string_to_unsigned(argv[3], 10, 1, 10000000, &run.count, &error) ||
        !g_ascii_string_to_unsigned(argv[4], 10, 1, DEPTH_MAX, &run.depth, &error)) {
        g_printerr("usage: wire-calls SOCKET CALL COUNT DEPTH\n");
        return 2;
    }
    run.call_length = strlen(argv[2]) + 1;
    run.calls = g_string_new(NULL);
    for (guint64 i = 0; i < run.depth; i++)
        g_string_append_len(run.calls, argv[2], (gssize) run.call_length);
    run.socket = socket = connect_to(argv[1], &error);
    begin_us = g_get_monotonic_time();
    if (socket == NULL || !run_calls(&run, &error)) {
        g_printerr("wire-calls: %s\n", error->message);
        return EXIT_FAILURE;
    }
    print_result(&run, g_get_monotonic_time() - begin_us);
    g_string_free(run.calls, TRUE);
    return EXIT_SUCCESS;
}
