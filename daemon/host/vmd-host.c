/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib-unix.h>
#include <libvirt-glib/libvirt-glib-event.h>
#include <libvirt/virterror.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "build-config.h"
#include "host/service.h"

enum {
    FIRST_FD = 3,
    FDS_MAX = 64
};

typedef struct {
    HostOptions host;
    gint fds;
    gboolean version;
} Options;

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
        { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version",
          NULL },
        { 0 },
    };
    g_autoptr(GOptionContext) context =
        g_option_context_new("- vmd's worker for one libvirt host; vmd starts it");

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return false;
    if (options->version ||
        (options->fds >= 1 && options->fds <= FDS_MAX && host->uri != NULL &&
         host->accel != NULL && host->pool != NULL && host->pool_path != NULL &&
         host->network != NULL && host->network_address != NULL &&
         host->import_dir != NULL))
        return true;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "an option is missing: vmd gives them all");
    return false;
}

static gboolean
on_signal(gpointer data)
{
    g_main_loop_quit(data);
    return G_SOURCE_CONTINUE;
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
    Options options = { 0 };

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
    virSetErrorFunc(NULL, ignore_error);
    gvir_event_register();
    loop = g_main_loop_new(NULL, FALSE);
    g_unix_signal_add(SIGTERM, on_signal, loop);
    service_start(&options.host, FIRST_FD, (guint) options.fds, loop);
    g_main_loop_run(loop);
    /* A thread may hang in libvirt for ever: it is not waited for. */
    _Exit(EXIT_SUCCESS);
}
