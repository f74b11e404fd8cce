/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/service.h"
#include "build-config.h"
#include "meter/budgets.h"
#include "meter/export.h"
#include "meter/http.h"
#include "meter/metrics.h"
#include "meter/rpc.h"
#include "wire/listen.h"

enum {
    EXIT_CONFIG = 78,
    GRACE_HOURS = 48,
    GRACE_HOURS_MAX = 24 * 31
};

typedef struct {
    char *controller;
    char *socket;
    char *state;
    char *metrics_socket;
    int metrics_port;
    int grace_hours;
    char *operator_name;
    gboolean version;
} Options;

static void
options_clear(Options *options)
{
    g_free(options->controller);
    g_free(options->socket);
    g_free(options->state);
    g_free(options->metrics_socket);
    g_free(options->operator_name);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* The ways to reach us. */
typedef struct {
    WireServer *calls;
    /* HttpServer, one a socket. */
    GPtrArray *http;
    HttpPage page;
} MeterServers;

static void
meter_servers_clear(MeterServers *servers)
{
    g_clear_pointer(&servers->http, g_ptr_array_unref);
    g_clear_pointer(&servers->calls, wire_server_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MeterServers, meter_servers_clear)

static bool
check_options(const Options *options, GError **error)
{
    if (options->version)
        return true;
    if (options->controller == NULL || options->state == NULL) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "--controller and --state are needed");
        return false;
    }
    if (options->grace_hours < 0 || options->grace_hours > GRACE_HOURS_MAX) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--grace-hours is not between 0 and %d: %d", GRACE_HOURS_MAX,
                    options->grace_hours);
        return false;
    }
    if (options->metrics_port < 0 || options->metrics_port > G_MAXUINT16) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--metrics-port is not a port: %d", options->metrics_port);
        return false;
    }
    return true;
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
        { "metrics-socket", 0, 0, G_OPTION_ARG_FILENAME, &options->metrics_socket,
          "Serve /metrics here, to our own user", "PATH" },
        { "metrics-port", 0, 0, G_OPTION_ARG_INT, &options->metrics_port,
          "Serve /metrics at this port of the loopback too", "N" },
        { "grace-hours", 0, 0, G_OPTION_ARG_INT, &options->grace_hours,
          "How long after its end a month may be closed (48)", "N" },
        { "operator", 0, 0, G_OPTION_ARG_STRING, &options->operator_name,
          "Who sends the bills, as FOCUS names it (vmctl)", "NAME" },
        { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version",
          NULL },
        { 0 },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- the metering of vmctl");

    g_option_context_add_main_entries(context, entries, NULL);
    return g_option_context_parse(context, argc, argv, error) &&
           check_options(options, error);
}

/* Sockets */

/* Who may talk to vmd may ask us; who that is, and what of, is told by the connection. */
static bool
listen_for_calls(WireServer *server, const Options *options, GError **error)
{
    struct stat rights = { .st_mode = 0600, .st_gid = (gid_t) -1 };

    if (options->socket == NULL) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "--socket is needed, or a socket of the service manager");
        return false;
    }
    if (stat(options->controller, &rights) != 0)
        g_warning("%s is not there yet: only our own user may ask us",
                  options->controller);
    return wire_server_listen(server, options->socket, rights.st_mode & 0666,
                              rights.st_gid, error);
}

/* Takes fd, which is -1 if error is set. */
static bool
serve_metrics(MeterServers *servers, int fd, GError **error)
{
    HttpServer *server = NULL;

    if (fd < 0)
        return false;
    server = http_server_new(fd, &servers->page, error);
    if (server == NULL)
        return false;
    g_ptr_array_add(servers->http, server);
    return true;
}

/* What the service manager opened: one that it calls "metrics" is for those, any other
 * one for calls. */
static bool
take_sockets(MeterServers *servers, bool *ret_has_calls, GError **error)
{
    g_auto(GStrv) names = NULL;
    guint count = 0;
    int first = service_take_sockets(&count, &names);
    guint n_names = g_strv_length(names);

    *ret_has_calls = false;
    for (guint i = 0; i < count; i++) {
        int fd = first + (int) i;

        if (i < n_names && strcmp(names[i], "metrics") == 0) {
            if (!serve_metrics(servers, fd, error))
                return false;
        } else {
            wire_server_listen_fd(servers->calls, fd);
            *ret_has_calls = true;
        }
    }
    return true;
}

static bool
listen_on(MeterServers *servers, const Options *options, GError **error)
{
    bool has_calls = false;

    if (!take_sockets(servers, &has_calls, error) ||
        (!has_calls && !listen_for_calls(servers->calls, options, error)))
        return false;
    if (options->metrics_socket != NULL &&
        !serve_metrics(servers,
                       wire_listen(options->metrics_socket, 0600, (gid_t) -1, error),
                       error))
        return false;
    return options->metrics_port == 0 ||
           serve_metrics(servers,
                         http_listen_loopback((guint16) options->metrics_port, error),
                         error);
}

/* The end */

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
    Meter meter = { .started_boot_ms = clock_boot_ms() };
    g_autoptr(Watch) watch = NULL;
    g_autoptr(Budgets) budgets = NULL;
    g_autoptr(Metrics) metrics = NULL;
    g_auto(MeterServers) servers = {
        .http = g_ptr_array_new_with_free_func((GDestroyNotify) http_server_free),
    };
    g_autoptr(Bookkeeper) bookkeeper = NULL;
    g_autoptr(Controller) controller = NULL;

    store = meter_store_open(options->state, &error);
    if (store != NULL) {
        meter.store = store;
        metrics = metrics_new(store);
        servers.page = metrics_get_page(metrics);
        servers.calls = meter_server_new(&meter);
    }
    if (store == NULL || !listen_on(&servers, options, &error)) {
        g_critical("%s", error->message);
        return EXIT_FAILURE;
    }
    controller = controller_new(options->controller, store);
    meter.controller = controller;
    watch = watch_new(options->controller);
    metrics_set_sources(metrics, controller, watch);
    meter.identities = identities = identity_book_new(controller);
    meter.bookkeeper = bookkeeper = bookkeeper_new(store, controller);
    meter.grace_hours = options->grace_hours;
    meter.operator_name =
        options->operator_name != NULL ? options->operator_name : "vmctl";
    budgets = budgets_new(options->controller, &meter);
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
    g_auto(Options) options = { .grace_hours = GRACE_HOURS };
    g_autoptr(GError) error = NULL;

    if (argc > 1 && strcmp(argv[1], "export") == 0)
        return export_main(argc - 1, argv + 1);
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
