/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib-unix.h>
#include <grp.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/service.h"
#include "build-config.h"
#include "controller/controller.h"
#include "fleet/worker.h"
#include "store/watchdog.h"

enum {
    EXIT_DATA = 65,
    EXIT_CONFIG = 78,
    DRAIN_MS = 5000,
    DRAIN_LOOK_MS = 20,
    REBUILD_SECONDS = 120,
};

/** Everything that main() puts together, in the order in which it is made. */
typedef struct {
    Controller controller;
    Worker *meter;
    Watchdog *watchdog;
    GMainLoop *loop;
    gint64 drain_until_ms;
    /** Only to make lost rows again. */
    bool rebuilds;
    int status;
} Vmd;

static gid_t
find_group(const char *name)
{
    const struct group *group = *name != '\0' ? getgrnam(name) : NULL;

    return group != NULL ? group->gr_gid : (gid_t) -1;
}

/* Whoever may connect has to get through to the socket; the socket's own mode says who
 * that is. */
static bool
make_run_dir(const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return true;
    if (g_mkdir_with_parents(path, 0755) == 0 && chmod(path, 0755) == 0)
        return true;
    proto_error_set_internal(error, "run_dir", "Making %s: %s", path, g_strerror(errno));
    return false;
}

static bool
listen_own(Vmd *vmd, GError **error)
{
    const Config *config = vmd->controller.config;
    g_autofree char *path = g_build_filename(config->run_dir, "vmd.sock", NULL);
    bool restricted = *config->socket_group != '\0';
    gid_t group = find_group(config->socket_group);

    if (restricted && group == (gid_t) -1) {
        proto_error_set_not_found(error, "group", config->socket_group,
                                  "There is no group %s", config->socket_group);
        return false;
    }
    if (!make_run_dir(config->run_dir, error))
        return false;
    return wire_server_listen(vmd->controller.server, path, restricted ? 0660 : 0666,
                              group, error);
}

static bool
start_server(Vmd *vmd, GError **error)
{
    guint count = 0;
    int first = service_take_sockets(&count, NULL);

    vmd->controller.rpc.admin_group = find_group(vmd->controller.config->admin_group);
    vmd->controller.rpc.reader_group = find_group(vmd->controller.config->reader_group);
    vmd->controller.rpc.accountant_group =
        find_group(vmd->controller.config->accountant_group);
    for (guint i = 0; i < count; i++) {
        wire_server_listen_fd(vmd->controller.server, first + (int) i);
    }
    return count > 0 || listen_own(vmd, error);
}

static void
start_meter(Vmd *vmd)
{
    const Config *config = vmd->controller.config;
    g_autofree char *controller = g_build_filename(config->run_dir, "vmd.sock", NULL);
    g_autofree char *socket = g_build_filename(config->run_dir, "meter.sock", NULL);
    g_autofree char *state = g_build_filename(config->state_dir, "meter", NULL);
    g_autofree char *metrics = g_build_filename(config->run_dir, "metrics.sock", NULL);
    g_autofree char *port = g_strdup_printf("%" G_GINT64_FORMAT, config->metrics_port);
    g_autofree char *grace = g_strdup_printf("%" G_GINT64_FORMAT, config->grace_hours);
    const char *const argv[] = { config->meter,
                                 "--controller",
                                 controller,
                                 "--socket",
                                 socket,
                                 "--state",
                                 state,
                                 "--metrics-socket",
                                 metrics,
                                 "--metrics-port",
                                 port,
                                 "--grace-hours",
                                 grace,
                                 "--operator",
                                 config->operator_name,
                                 NULL };
    const WorkerEvents events = { 0 };

    if (*config->meter == '\0')
        return;
    vmd->meter = worker_new(argv, 0, &events);
    worker_start(vmd->meter);
}

/* The end */

static gboolean
try_to_end(gpointer data)
{
    Vmd *vmd = data;

    if (wire_server_drain(vmd->controller.server) &&
        clock_boot_ms() < vmd->drain_until_ms)
        return G_SOURCE_CONTINUE;
    g_main_loop_quit(vmd->loop);
    return G_SOURCE_REMOVE;
}

static gboolean
on_signal(gpointer data)
{
    Vmd *vmd = data;

    if (vmd->drain_until_ms != 0)
        return G_SOURCE_CONTINUE;
    g_message("Ending");
    service_notify("STOPPING=1");
    operation_engine_stop(vmd->controller.rpc.engine);
    vmd->drain_until_ms = clock_boot_ms() + DRAIN_MS;
    g_timeout_add(DRAIN_LOOK_MS, try_to_end, vmd);
    return G_SOURCE_CONTINUE;
}

static void
serve(Vmd *vmd)
{
    controller_start(&vmd->controller);
    start_meter(vmd);
    vmd->watchdog = watchdog_new(vmd->controller.rpc.store);
    service_notify("READY=1");
    g_message("Ready: version %s, %u instances, %u operations under way", VMCTL_VERSION,
              g_hash_table_size(vmd->controller.rpc.instances->by_id),
              operation_engine_count_active(vmd->controller.rpc.engine));
}

static void
on_rebuilt(guint made, GPtrArray *left, gpointer data)
{
    Vmd *vmd = data;

    for (guint i = 0; i < left->len; i++) {
        g_print("left: %s\n", (const char *) left->pdata[i]);
    }
    g_print("%u instances were taken up, %u were left\n", made, left->len);
    vmd->status = left->len == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    g_main_loop_quit(vmd->loop);
}

static gboolean
on_late_hosts(gpointer data)
{
    Vmd *vmd = data;
    const GPtrArray *hosts = fleet_get_hosts(vmd->controller.rpc.fleet);

    for (guint i = 0; i < hosts->len; i++) {
        const ProtoHost *view = host_get_view(hosts->pdata[i]);

        if (view->state != HOST_STATE_CONNECTED)
            g_printerr("vmd: host %s did not tell of its domains: %s\n", view->name,
                       view->reason != NULL ? view->reason : "it has not answered");
    }
    vmd->status = EXIT_FAILURE;
    g_main_loop_quit(vmd->loop);
    return G_SOURCE_REMOVE;
}

static int
run(Vmd *vmd, Config *config)
{
    g_autoptr(GError) error = NULL;
    guint signals[2];

    if (!controller_load(&vmd->controller, config, vmd->rebuilds, &error)) {
        g_critical("%s. Nothing was changed. \"If the database is damaged\" in vmd(8) "
                   "says what to do",
                   error->message);
        return EXIT_DATA;
    }
    if (!vmd->rebuilds && !start_server(vmd, &error)) {
        g_critical("%s", error->message);
        return EXIT_FAILURE;
    }
    vmd->loop = g_main_loop_new(NULL, FALSE);
    signals[0] = g_unix_signal_add(SIGTERM, on_signal, vmd);
    signals[1] = g_unix_signal_add(SIGINT, on_signal, vmd);
    if (vmd->rebuilds) {
        controller_rebuild(&vmd->controller, on_rebuilt, vmd);
        g_timeout_add_seconds(REBUILD_SECONDS, on_late_hosts, vmd);
    } else {
        serve(vmd);
    }
    g_main_loop_run(vmd->loop);
    g_source_remove(signals[0]);
    g_source_remove(signals[1]);
    g_main_loop_unref(vmd->loop);
    return vmd->status;
}

/* The command line */

typedef struct {
    char *config;
    char **settings;
    gboolean session;
    gboolean version;
    gboolean describe;
    gboolean rebuild;
} Options;

static bool
read_options(Options *options, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config,
          "Read this instead of " VMCTL_SYSCONFDIR "/vmd/vmd.conf", "FILE" },
        { "option", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &options->settings,
          "Set a key over what the file says; may be given again", "GROUP.KEY=VALUE" },
        { "session", 0, 0, G_OPTION_ARG_NONE, &options->session,
          "A user's own service, on qemu:///session", NULL },
        { "rebuild", 0, 0, G_OPTION_ARG_NONE, &options->rebuild,
          "Take up the instances that the host has and the database has not, and end",
          NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version",
          NULL },
        { "print-config-keys", 0, 0, G_OPTION_ARG_NONE, &options->describe,
          "Print every key of the configuration with its default and meaning", NULL },
        { 0 },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- the controller of vmctl");

    g_option_context_add_main_entries(context, entries, NULL);
    return g_option_context_parse(context, argc, argv, error);
}

static Config *
read_config(const Options *options, GError **error)
{
    g_autoptr(Config) config = config_load(options->config, options->session, error);

    for (gsize i = 0;
         config != NULL && options->settings != NULL && options->settings[i] != NULL;
         i++) {
        if (!config_set(config, options->settings[i], error))
            return NULL;
    }
    return g_steal_pointer(&config);
}

/* The pool of a host elsewhere is not ours to look at. */
static bool
check_folders(const Config *config, GError **error)
{
    g_autoptr(GPtrArray) hosts = config_get_hosts(config, error);

    for (guint i = 0; hosts != NULL && i < hosts->len; i++) {
        const HostConfig *host = hosts->pdata[i];

        if (strstr(host->uri, ":///") != NULL && !folder_check(host->pool_path, error))
            return false;
    }
    return hosts != NULL && folder_check(config->state_dir, error);
}

static void
options_clear(Options *options)
{
    g_free(options->config);
    g_strfreev(options->settings);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_auto(Options) options = { 0 };
    Config *config = NULL;
    Vmd vmd = { 0 };
    int status = EXIT_SUCCESS;

    log_open("vmd");
    umask(0077);
    signal(SIGPIPE, SIG_IGN);
    if (!read_options(&options, &argc, &argv, &error)) {
        g_printerr("vmd: %s\n", error->message);
        return EXIT_CONFIG;
    }
    if (options.version || options.describe) {
        g_autofree char *text =
            options.describe ? config_describe() : g_strdup("vmd " VMCTL_VERSION "\n");

        g_print("%s", text);
        return EXIT_SUCCESS;
    }
    config = read_config(&options, &error);
    if (config == NULL) {
        g_printerr("vmd: %s\n", error->message);
        return EXIT_CONFIG;
    }
    if (!check_folders(config, &error)) {
        g_critical("%s", error->message);
        config_free(config);
        return EXIT_CONFIG;
    }
    vmd.rebuilds = options.rebuild;
    status = run(&vmd, config);
    worker_free(vmd.meter);
    watchdog_free(vmd.watchdog);
    controller_done(&vmd.controller);
    return status;
}
