/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib-unix.h>
#include <grp.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/service.h"
#include "build-config.h"
#include "fleet/worker.h"
#include "instance/reconcile.h"
#include "rpc/rpc.h"
#include "store/watchdog.h"

enum {
    EXIT_CONFIG = 78,
    DRAIN_MS = 5000,
    DRAIN_LOOK_MS = 20,
};

/** Everything that main() puts together, in the order in which it is made. */
typedef struct {
    Config *config;
    Rpc rpc;
    WireServer *server;
    Worker *meter;
    Watchdog *watchdog;
    GMainLoop *loop;
    gint64 drain_until_ms;
    bool is_resumed;
} Vmd;

/* What the host tells */

static void
on_listed(Host *host, const ProtoDomain *domains, gsize n_domains, gpointer data)
{
    Vmd *vmd = data;

    reconcile_host(vmd->rpc.instances, domains, n_domains);
}

static void
on_changed(Host *host, HostEventKind kind, const ProtoDomain *domain, gpointer data)
{
    Vmd *vmd = data;

    reconcile_domain(vmd->rpc.instances, domain);
}

static void
on_host_state(Host *host, gpointer data)
{
    Vmd *vmd = data;
    const ProtoHost *view = host_get_view(host);
    StoreTx *tx = store_begin(vmd->rpc.store);
    ProtoEvent event = {
        .kind = EVENT_KIND_HOST_STATE,
        .subject = g_strdup(view->name),
        .state = g_strdup(host_state_to_string(view->state)),
        .detail = g_strdup(view->reason),
    };

    store_add_event(tx, &event);
    store_commit(tx);
    if (host_is_connected(host))
        operation_engine_kick(vmd->rpc.engine);
}

static void
on_event(const ProtoEvent *event, gpointer data)
{
    Vmd *vmd = data;

    reader_wake_all(&vmd->rpc);
}

/* Putting it together */

static void
make_books(Vmd *vmd)
{
    Rpc *rpc = &vmd->rpc;
    const HostListener listener = { on_listed, on_changed, on_host_state, vmd };
    const Quota limit = { { [QUOTA_INSTANCES] = vmd->config->quota_instances,
                            [QUOTA_VCPUS] = vmd->config->quota_vcpus,
                            [QUOTA_MEMORY_BYTES] = vmd->config->quota_memory,
                            [QUOTA_DISK_BYTES] = vmd->config->quota_disk } };

    rpc->config = vmd->config;
    rpc->followers = g_ptr_array_new();
    rpc->started_boot_ms = clock_boot_ms();
    rpc->host = host_new(vmd->config, &listener);
    rpc->engine = operation_engine_new(rpc->store, (guint) vmd->config->operations_kept);
    rpc->tenants = tenant_book_new(rpc->store, &limit);
    rpc->templates = template_book_new(rpc->store, rpc->engine, rpc->host);
    rpc->instances = instance_book_new(rpc->store, rpc->engine, rpc->tenants,
                                       rpc->templates, vmd->config);
    rpc->instances->host = rpc->host;
}

static bool
load(Vmd *vmd, GError **error)
{
    Rpc *rpc = &vmd->rpc;

    rpc->store = store_open(vmd->config->state_dir, error);
    if (rpc->store == NULL)
        return false;
    make_books(vmd);
    if (!tenant_book_load(rpc->tenants, error) ||
        !template_book_load(rpc->templates, error) ||
        !operation_engine_load(rpc->engine, error) ||
        !instance_book_load(rpc->instances, error))
        return false;
    /* What reading took and does not need any more. */
    malloc_trim(0);
    store_on_event(rpc->store, on_event, vmd);
    store_start(rpc->store);
    return true;
}

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
    const Config *config = vmd->config;
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
    return wire_server_listen(vmd->server, path, restricted ? 0660 : 0666, group, error);
}

static bool
start_server(Vmd *vmd, GError **error)
{
    guint count = 0;
    int first = service_take_sockets(&count);

    vmd->rpc.admin_group = find_group(vmd->config->admin_group);
    vmd->rpc.reader_group = find_group(vmd->config->reader_group);
    vmd->server = rpc_server_new(&vmd->rpc);
    for (guint i = 0; i < count; i++) {
        wire_server_listen_fd(vmd->server, first + (int) i);
    }
    return count > 0 || listen_own(vmd, error);
}

static void
start_meter(Vmd *vmd)
{
    const Config *config = vmd->config;
    g_autofree char *controller = g_build_filename(config->run_dir, "vmd.sock", NULL);
    g_autofree char *socket = g_build_filename(config->run_dir, "meter.sock", NULL);
    g_autofree char *state = g_build_filename(config->state_dir, "meter", NULL);
    const char *const argv[] = { config->meter, "--controller", controller, "--socket",
                                 socket,        "--state",      state,      NULL };
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

    if (wire_server_drain(vmd->server) && clock_boot_ms() < vmd->drain_until_ms)
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
    operation_engine_stop(vmd->rpc.engine);
    vmd->drain_until_ms = clock_boot_ms() + DRAIN_MS;
    g_timeout_add(DRAIN_LOOK_MS, try_to_end, vmd);
    return G_SOURCE_CONTINUE;
}

static void
put_away(Vmd *vmd)
{
    worker_free(vmd->meter);
    wire_server_free(vmd->server);
    host_free(vmd->rpc.host);
    store_close(vmd->rpc.store);
    watchdog_free(vmd->watchdog);
    instance_book_free(vmd->rpc.instances);
    operation_engine_free(vmd->rpc.engine);
    template_book_free(vmd->rpc.templates);
    tenant_book_free(vmd->rpc.tenants);
    g_clear_pointer(&vmd->rpc.followers, g_ptr_array_unref);
    config_free(vmd->config);
}

static int
run(Vmd *vmd)
{
    g_autoptr(GError) error = NULL;
    guint signals[2];

    if (!load(vmd, &error) || !start_server(vmd, &error)) {
        g_critical("%s", error->message);
        return EXIT_FAILURE;
    }
    vmd->loop = g_main_loop_new(NULL, FALSE);
    signals[0] = g_unix_signal_add(SIGTERM, on_signal, vmd);
    signals[1] = g_unix_signal_add(SIGINT, on_signal, vmd);
    host_start(vmd->rpc.host);
    start_meter(vmd);
    operation_engine_resume(vmd->rpc.engine);
    vmd->watchdog = watchdog_new(vmd->rpc.store);
    service_notify("READY=1");
    g_message("Ready: version %s, %u instances, %u operations under way", VMCTL_VERSION,
              g_hash_table_size(vmd->rpc.instances->by_id),
              operation_engine_count_active(vmd->rpc.engine));
    g_main_loop_run(vmd->loop);
    g_source_remove(signals[0]);
    g_source_remove(signals[1]);
    g_main_loop_unref(vmd->loop);
    return EXIT_SUCCESS;
}

/* The command line */

typedef struct {
    char *config;
    char **settings;
    gboolean session;
    gboolean version;
    gboolean describe;
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
    return folder_check(config->state_dir, error) &&
           (strstr(config->host_uri, ":///") == NULL ||
            folder_check(config->host_pool_path, error));
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
    vmd.config = read_config(&options, &error);
    if (vmd.config == NULL) {
        g_printerr("vmd: %s\n", error->message);
        return EXIT_CONFIG;
    }
    if (!check_folders(vmd.config, &error)) {
        g_critical("%s", error->message);
        config_free(vmd.config);
        return EXIT_CONFIG;
    }
    status = run(&vmd);
    put_away(&vmd);
    return status;
}
