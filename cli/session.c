/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "report.h"
#include "text.h"

enum {
    RETRY_MS = 30000,
    RETRY_PAUSE_MS = 200,
    TOKEN_MS = 30000
};

static const char *const socket_names[] = {
    [SERVICE_VMD] = "vmd.sock",
    [SERVICE_METER] = "meter.sock",
};
G_STATIC_ASSERT(G_N_ELEMENTS(socket_names) == SERVICE_N);

static char *
find_run_dir(void)
{
    if (geteuid() == 0 || access("/run/vmd/vmd.sock", F_OK) == 0)
        return g_strdup("/run/vmd");
    return g_build_filename(g_get_user_runtime_dir(), "vmd", NULL);
}

char *
session_find_socket(const char *path, Service service)
{
    g_autofree char *dir = NULL;

    if (path == NULL)
        path = g_getenv("VMCTL_SOCKET");
    if (path != NULL && *path != '\0') {
        if (service == SERVICE_VMD)
            return g_strdup(path);
        dir = g_path_get_dirname(path);
    } else {
        dir = find_run_dir();
    }
    return g_build_filename(dir, socket_names[service], NULL);
}

static Format
find_format(const Arguments *arguments)
{
    static const struct {
        const char *name;
        Format format;
    } formats[] = {
        { "table", FORMAT_TABLE }, { "wide", FORMAT_WIDE }, { "json", FORMAT_JSON },
        { "csv", FORMAT_CSV },     { "name", FORMAT_NAME },
    };

    const char *name = arguments_get_text(arguments, "output");

    if (arguments_has(arguments, "quiet") && name == NULL)
        return FORMAT_ID;
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (g_strcmp0(name, formats[i].name) == 0)
            return formats[i].format;
    }
    return FORMAT_TABLE;
}

void
session_init(Session *session, const Arguments *arguments)
{
    const char *path = arguments_get_text(arguments, "socket");

    *session = (Session){
        .signal_fd = -1,
        .format = find_format(arguments),
        .is_out_terminal = isatty(STDOUT_FILENO) == 1,
        .is_err_terminal = isatty(STDERR_FILENO) == 1,
        .command = arguments->command,
        .exit = EXIT_DONE,
    };
    for (int i = 0; i < SERVICE_N; i++)
        session->sockets[i] = session_find_socket(path, (Service) i);
}

void
session_done(Session *session)
{
    for (int i = 0; i < SERVICE_N; i++) {
        g_clear_pointer(&session->clients[i], wire_client_free);
        g_clear_pointer(&session->sockets[i], g_free);
    }
    if (session->signal_fd >= 0)
        close(session->signal_fd);
    session->signal_fd = -1;
    g_clear_pointer(&session->note, g_free);
}

void
session_drop(Session *session, Service service)
{
    g_clear_pointer(&session->clients[service], wire_client_free);
}

/* With a token in the environment nothing is asked as anybody else. */
static bool
present_token(Session *session, Service service, GError **error)
{
    const char *secret = g_getenv("VMCTL_TOKEN");
    const ProtoSessionAuthenticateCall in = { .secret = (char *) (guintptr) secret };
    const WireMethod *method = &proto_session_authenticate;
    g_autoptr(GString) parameters = g_string_new(NULL);
    g_auto(WireReply) reply = { 0 };

    if (secret == NULL || *secret == '\0')
        return true;
    wire_struct_print(method->call, &in, parameters);
    return wire_client_send(session->clients[service], method->full_name, parameters->str,
                            WIRE_CLIENT_ONCE, error) &&
           wire_client_receive(session->clients[service], TOKEN_MS, &reply, error);
}

static bool
connect_to(Session *session, Service service, GError **error)
{
    if (session->clients[service] != NULL)
        return true;
    session->clients[service] = wire_client_connect(session->sockets[service], error);
    if (session->clients[service] == NULL)
        return false;
    if (!present_token(session, service, error)) {
        session_drop(session, service);
        return false;
    }
    session->was_connected[service] = true;
    return true;
}

bool
session_is_lost(const GError *error)
{
    const ProtoErrorHostUnreachable *parameters = NULL;

    if (!g_error_matches(error, PROTO_ERROR, PROTO_ERROR_HOST_UNREACHABLE))
        return false;
    /* A host has a name; here it is nothing, or the path of a socket. */
    parameters = wire_error_get_parameters(error);
    return parameters->host == NULL || *parameters->host == '\0' ||
           strchr(parameters->host, '/') != NULL;
}

static bool
is_empty(const GError *error)
{
    const ProtoErrorDeadline *parameters = NULL;

    if (!g_error_matches(error, PROTO_ERROR, PROTO_ERROR_DEADLINE))
        return false;
    parameters = wire_error_get_parameters(error);
    return g_strcmp0(parameters->what, "reply") == 0;
}

static bool
is_signalled(Session *session)
{
    struct signalfd_siginfo info;

    if (session->signal_fd < 0 ||
        read(session->signal_fd, &info, sizeof info) != (ssize_t) sizeof info)
        return false;
    session->is_interrupted = true;
    return true;
}

bool
session_wait_for_input(Session *session, int fd, gint64 deadline)
{
    struct pollfd fds[] = { { fd, POLLIN, 0 }, { session->signal_fd, POLLIN, 0 } };
    gint64 left_ms = -1;

    if (deadline >= 0)
        left_ms = MAX((deadline - g_get_monotonic_time() + 999) / 1000, 0);
    return poll(fds, G_N_ELEMENTS(fds), (int) MIN(left_ms, G_MAXINT)) != 0;
}

bool
session_receive(Session *session,
                Service service,
                gint64 timeout_ms,
                WireReply *ret_reply,
                GError **error)
{
    WireClient *client = session->clients[service];
    gint64 deadline = timeout_ms >= 0 ? g_get_monotonic_time() + timeout_ms * 1000 : -1;

    for (;;) {
        g_autoptr(GError) inner = NULL;

        if (wire_client_receive(client, 0, ret_reply, &inner))
            return true;
        if (!is_empty(inner) || (deadline >= 0 && g_get_monotonic_time() >= deadline)) {
            g_propagate_error(error, g_steal_pointer(&inner));
            return false;
        }
        if (is_signalled(session)) {
            proto_error_set_cancelled(error, "Interrupted");
            return false;
        }
        session_wait_for_input(session, wire_client_get_fd(client), deadline);
    }
}

bool
session_send(Session *session,
             Service service,
             const WireMethod *method,
             const void *in,
             WireClientFlags flags,
             GError **error)
{
    g_autoptr(GString) parameters = g_string_new(NULL);

    if (!connect_to(session, service, error))
        return false;
    wire_struct_print(method->call, in, parameters);
    return wire_client_send(session->clients[service], method->full_name, parameters->str,
                            flags, error);
}

bool
session_call(Session *session,
             Service service,
             const WireMethod *method,
             const void *in,
             gint64 timeout_ms,
             WireReply *ret_reply,
             GError **error)
{
    gint64 give_up = g_get_monotonic_time() + (gint64) RETRY_MS * 1000;

    for (;;) {
        g_autoptr(GError) inner = NULL;

        if (session_send(session, service, method, in, WIRE_CLIENT_ONCE, &inner) &&
            session_receive(session, service, timeout_ms, ret_reply, &inner))
            return true;
        /* A reply that comes after all would be taken for the next call's. */
        if (session_is_lost(inner) || is_empty(inner) || session->is_interrupted)
            session_drop(session, service);
        if (!session_is_lost(inner) || !session->was_connected[service] ||
            session->is_interrupted || g_get_monotonic_time() >= give_up) {
            g_propagate_error(error, g_steal_pointer(&inner));
            return false;
        }
        session_pause(session, RETRY_PAUSE_MS);
    }
}

void
session_catch_signals(Session *session)
{
    sigset_t signals;

    if (session->signal_fd >= 0)
        return;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    session->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

void
session_pause(Session *session, gint64 ms)
{
    session_wait_for_input(session, -1, g_get_monotonic_time() + ms * 1000);
    is_signalled(session);
}

bool
session_shows_progress(const Session *session)
{
    return session->is_err_terminal && session->format <= FORMAT_WIDE;
}

void
session_fail_with(Session *session, ExitCode code)
{
    if (session->exit == EXIT_DONE) {
        session->exit = code;
    } else if (session->exit != code) {
        session->exit = EXIT_FAILED;
    }
}

void
session_fail(Session *session, const char *what, const GError *error)
{
    g_autoptr(GString) out = g_string_new(NULL);

    report_append(out, session->command, what, error);
    fputs(out->str, stderr);
    session_fail_with(session, exits_get_code(error));
}

void
session_warn(const Session *session, const char *format, ...)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    text_append_escaped(out, message);
    fprintf(stderr, "vmctl %s: %s\n", session->command->words, out->str);
}

void
session_write(const char *data, gsize length)
{
    fwrite(data, 1, length, stdout);
}

void
session_print(const Session *session, const View *view, JsonNode *reply)
{
    Render render;
    g_autoptr(GString) out = g_string_new(NULL);

    render_init(&render, view, session->format, g_get_real_time());
    render.is_pretty = session->is_out_terminal;
    render_append(&render, reply, out);
    render_done(&render);
    session_write(out->str, out->len);
}
