/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/service.h"
#include "build-config.h"
#include "meter/rpc.h"

enum {
    EXIT_CONFIG = 78
};

typedef struct {
    char *controller;
    char *socket;
    char *state;
    int socket_fd;
    gboolean version;
} Options;

static void
options_clear(Options *options)
{
    g_free(options->controller);
    g_free(options->socket);
    g_free(options->state);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static bool
check_options(const Options *options, GError **error)
{
    if (options->version)
        return true;
    if (options->controller != NULL && options->state != NULL &&
        (options->socket != NULL || options->socket_fd >= 0))
        return true;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                "--controller, --socket and --state are needed");
    return false;
}

static bool
read_options(Options *options, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        { "controller", 0, 0, G_OPTION_ARG_FILENAME, &options->controller,
          "The socket of vmd", "SOCKET" },
        { "socket", 0, 0, G_OPTION_ARG_FILENAME, &options->socket,
          "Listen here, open to whom vmd's socket is open", "PATH" },
        { "state", 0, 0, G_OPTION_ARG_FILENAME, &options->state,
          "The directory of meter.db", "DIR" },
        { "socket-fd", 0, 0, G_OPTION_ARG_INT, &options->socket_fd,
          "Listen on this descriptor instead", "N" },
        { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version",
          NULL },
        { 0 },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- the metering of vmctl");

    g_option_context_add_main_entries(context, entries, NULL);
    return g_option_context_parse(context, argc, argv, error) &&
           check_options(options, error);
}

/* Who may talk to vmd may ask us; who that is, and what of, is told by the connection. */
static bool
listen_on(WireServer *server, const Options *options, GError **error)
{
    struct stat rights = { .st_mode = 0600, .st_gid = (gid_t) -1 };

    if (options->socket_fd >= 0) {
        wire_server_listen_fd(server, options->socket_fd);
        return true;
    }
    if (stat(options->controller, &rights) != 0)
        g_warning("%s is not there yet: only our own user may ask us",
                  options->controller);
    return wire_server_listen(server, options->socket, rights.st_mode & 0666,
                              rights.st_gid, error);
}

static gboolean
on_signal(gpointer data)
{
    g_message("Ending");
    g_main_loop_quit(data);
    return G_SOURCE_CONTINUE;
}

static void
run_until_signal(void)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    guint terminate = g_unix_signal_add(SIGTERM, on_signal, loop);
    guint interrupt = g_unix_signal_add(SIGINT, on_signal, loop);

    g_main_loop_run(loop);
    g_source_remove(terminate);
    g_source_remove(interrupt);
}

/* Calls end before what they ask: the controller goes first. */
static int
run(const Options *options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MeterStore) store = NULL;
    g_autoptr(IdentityBook) identities = NULL;
    g_autoptr(WireServer) server = NULL;
    g_autoptr(Controller) controller = NULL;
    Meter meter = { .started_boot_ms = clock_boot_ms() };

    store = meter_store_open(options->state, &error);
    if (store != NULL) {
        meter.store = store;
        server = meter_server_new(&meter);
    }
    if (store == NULL || !listen_on(server, options, &error)) {
        g_critical("%s", error->message);
        return EXIT_FAILURE;
    }
    meter.controller = controller = controller_new(options->controller, store);
    meter.identities = identities = identity_book_new(controller);
    g_message("Ready: version %s, ledger read up to row %" G_GINT64_FORMAT, VMCTL_VERSION,
              meter_store_get_cursor(store));
    service_notify("READY=1");
    service_keep_alive();
    run_until_signal();
    service_notify("STOPPING=1");
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    g_auto(Options) options = { .socket_fd = -1 };
    g_autoptr(GError) error = NULL;

    log_open("vmd-meter");
    umask(0077);
    signal(SIGPIPE, SIG_IGN);
    if (!read_options(&options, &argc, &argv, &error)) {
        g_printerr("vmd-meter: %s\n", error->message);
        return EXIT_CONFIG;
    }
    if (options.version) {
        g_print("vmd-meter %s\n", VMCTL_VERSION);
        return EXIT_SUCCESS;
    }
    if (!folder_check(options.state, &error)) {
        g_critical("%s", error->message);
        return EXIT_CONFIG;
    }
    return run(&options);
}
