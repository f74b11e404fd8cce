/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib-unix.h>
#include <libvirt-glib/libvirt-glib-event.h>
#include <libvirt/virterror.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/config.h"
#include "base/handover.h"
#include "base/log.h"
#include "base/service.h"
#include "build-config.h"
#include "host/service.h"

enum {
    EXIT_CONFIG = 78
};

typedef struct {
    HostOptions host;
    char *config;
    char *name;
    gint fds;
    gboolean version;
} Options;

static void
options_clear(Options *options)
{
    HostOptions *host = &options->host;
    char **texts[] = { &options->config,  &options->name,
                       &host->uri,        &host->accel,
                       &host->pool,       &host->pool_path,
                       &host->network,    &host->network_address,
                       &host->import_dir, &host->runs_dir };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_clear_pointer(texts[i], g_free);
    }
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static bool
read_options(Options *options, int *argc, char ***argv, GError **error)
{
    HostOptions *host = &options->host;
    const GOptionEntry entries[] = {
        { "fds", 0, 0, G_OPTION_ARG_INT, &options->fds, "Connected sockets, from 3 on",
          "N" },
        { "uri", 0, 0, G_OPTION_ARG_STRING, &host->uri, "The libvirt to use", "URI" },
        { "accel", 0, 0, G_OPTION_ARG_STRING, &host->accel, "auto, kvm or tcg", "WORD" },
        { "pool", 0, 0, G_OPTION_ARG_STRING, &host->pool, "The storage pool", "NAME" },
        { "pool-path", 0, 0, G_OPTION_ARG_FILENAME, &host->pool_path, "Its folder",
          "DIR" },
        { "network", 0, 0, G_OPTION_ARG_STRING, &host->network, "The network", "NAME" },
        { "network-address", 0, 0, G_OPTION_ARG_STRING, &host->network_address,
          "Its address and prefix", "ADDRESS" },
        { "import-dir", 0, 0, G_OPTION_ARG_FILENAME, &host->import_dir,
          "Where templates are imported from", "DIR" },
        { "runs-dir", 0, 0, G_OPTION_ARG_FILENAME, &host->runs_dir,
          "Where libvirt's hook writes down which guests ran", "DIR" },
        { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config,
          "Where all that is not given stands, as for vmd", "FILE" },
        { "name", 0, 0, G_OPTION_ARG_STRING, &options->name,
          "Which of the hosts there it is for", "NAME" },
        { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version",
          NULL },
        { 0 },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(
        "- vmd's worker for one libvirt host; vmd or the service manager starts it");

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return false;
    if (options->version || options->fds == 0 ||
        (host->uri != NULL && host->accel != NULL && host->pool != NULL &&
         host->pool_path != NULL && host->network != NULL &&
         host->network_address != NULL && host->import_dir != NULL &&
         host->runs_dir != NULL))
        return true;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "an option is missing: vmd gives them all");
    return false;
}

static void
set_default(char **option, const char *value)
{
    if (*option == NULL)
        *option = g_strdup(value);
}

/* vmd gives every option; one that the service manager started reads what vmd reads, so
 * that vmd, which takes words from everybody, has no say in what is done where. */
static bool
read_config(Options *options, GError **error)
{
    g_autoptr(Config) config = config_load(options->config, false, error);
    g_autoptr(HostConfig) found =
        config != NULL ? config_get_host(config, options->name, error) : NULL;
    HostOptions *host = &options->host;

    if (found == NULL)
        return false;
    set_default(&host->uri, found->uri);
    set_default(&host->accel, found->accel);
    set_default(&host->pool, found->pool);
    set_default(&host->pool_path, found->pool_path);
    set_default(&host->network, found->network);
    set_default(&host->network_address, found->network_address);
    set_default(&host->import_dir, found->import_dir);
    set_default(&host->runs_dir, found->runs_dir);
    return true;
}

static gboolean
on_signal(gpointer data)
{
    g_main_loop_quit(data);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_lost(int fd, GIOCondition condition, gpointer data)
{
    g_main_loop_quit(data);
    return G_SOURCE_REMOVE;
}

/* libvirt's errors are raised where they are met. */
static void
ignore_error(void *data, virErrorPtr error)
{
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GMainLoop) loop = NULL;
    g_auto(Options) options = { 0 };
    int fds[HANDOVER_FDS_MAX];
    guint n_fds = 0;
    int connection = -1;

    log_open("vmd-host");
    umask(0077);
    signal(SIGPIPE, SIG_IGN);
    if (!read_options(&options, &argc, &argv, &error)) {
        g_printerr("vmd-host: %s\n", error->message);
        return EXIT_FAILURE;
    }
    if (options.version) {
        g_print("vmd-host %s\n", VMCTL_VERSION);
        return EXIT_SUCCESS;
    }
    if (options.fds == 0 && !read_config(&options, &error)) {
        g_printerr("vmd-host: %s\n", error->message);
        return EXIT_CONFIG;
    }
    if (!handover_take((guint) MAX(options.fds, 0), fds, &n_fds, &connection, &error)) {
        g_critical("%s", error->message);
        return EXIT_FAILURE;
    }
    virSetErrorFunc(NULL, ignore_error);
    gvir_event_register();
    loop = g_main_loop_new(NULL, FALSE);
    g_unix_signal_add(SIGTERM, on_signal, loop);
    if (connection >= 0)
        g_unix_fd_add(connection, G_IO_IN | G_IO_HUP, on_lost, loop);
    service_start(&options.host, fds, n_fds, loop);
    service_notify("READY=1");
    service_keep_alive();
    g_main_loop_run(loop);
    /* A thread may hang in libvirt for ever: it is not waited for. */
    _Exit(EXIT_SUCCESS);
}
