/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/inside.h"

#include <glib-unix.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit/audit.h"
#include "host/fake/fake.h"
#include "sim/world.h"
#include "wire/guard.h"
#include "wire/server-private.h"

enum {
    CONNECTIONS = 8,
    SETTLE_MS = 7200000,
    AUDIT_MS = 120000,
    HANGS_MS = 180000,
    READ_BYTES = 65536,
    FAULT_ONE_IN = 16,
    /** Seeds: one id is not to come twice. */
    PREPARING = 1,
    RUNNING = 2,
};

static const gint64 gibibyte = 1073741824;

/** The files that one is made of: its database, and what its host holds. */
static const char *const names[] = { "vmd.db", "fleet" };

static struct {
    char *folder;
    GBytes *files[G_N_ELEMENTS(names)];
    Controller controller;
    const InsideWorker *worker;
    FakeFleet *fleet;
    FakeHost *fake;
    bool is_faulty;
    bool is_thrown_away;
} inside;

static const char *const preamble[] = {
    "{\"method\":\"io.vmctl.Template.Import\",\"parameters\":{\"source\":\"tiny\"}}",
    "{\"method\":\"io.vmctl.Instance.Create\",\"parameters\":{\"name\":\"web\","
    "\"template\":\"tiny\"}}",
};

/* The fake host */

static const ScriptRule *
match(const char *method, const void *in, gpointer data)
{
    static char failed[] = "HostFailed";
    static char unreachable[] = "HostUnreachable";
    static char message[] = "made to fail";
    static const ScriptRule rules[] = {
        { .error = failed, .message = message },
        { .error = unreachable, .message = message },
        { .delay_ms = 3000, .message = message },
        { .hang = true, .message = message },
    };

    if (!inside.is_faulty || world_random(FAULT_ONE_IN) != 0)
        return NULL;
    return &rules[world_random(G_N_ELEMENTS(rules))];
}

static void
on_ended(FakeHost *fake, gpointer data)
{
    g_assert_not_reached();
}

static void
start_fake(const int *fds, guint n_fds, gpointer data)
{
    static const ScriptFigures figures = {
        .vcpus = 8,
        .memory_bytes = 8 * gibibyte,
        .disk_bytes = 64 * gibibyte,
        .agent_ms = 20,
        .live_resize = true,
    };
    const FakeHostOptions options = {
        inside.fleet, &figures, match, on_ended, NULL, NULL
    };

    inside.fake = fake_host_new(&options, fds, n_fds);
}

static void
kill_fake(gpointer data)
{
    fake_host_free(g_steal_pointer(&inside.fake), false);
}

static const InsideWorker fake_worker = { start_fake, kill_fake, NULL };

const InsideWorker *
inside_get_worker(void)
{
    return inside.worker;
}

bool
inside_is_thrown_away(void)
{
    return inside.is_thrown_away;
}

/* The folder */

static char *
get_path(const char *name)
{
    return g_build_filename(inside.folder, name, NULL);
}

static void
remove_files(void)
{
    static const char *const all[] = { "vmd.db", "vmd.db-wal", "vmd.db-journal",
                                       "fleet" };

    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        g_autofree char *path = get_path(all[i]);

        g_unlink(path);
    }
}

static void
remove_folder(void)
{
    g_autofree char *ballast = get_path("ballast");

    remove_files();
    g_unlink(ballast);
    g_rmdir(inside.folder);
}

static void
make_folder(void)
{
    inside.folder = world_make_folder("vmctl-fuzz");
    atexit(remove_folder);
}

static void
keep_files(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = get_path(names[i]);
        char *text = NULL;
        gsize length = 0;

        g_assert_true(g_file_get_contents(path, &text, &length, NULL));
        inside.files[i] = g_bytes_new_take(text, length);
    }
}

static void
put_files(void)
{
    remove_files();
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = get_path(names[i]);
        gsize length = 0;
        const char *text =
            inside.files[i] != NULL ? g_bytes_get_data(inside.files[i], &length) : NULL;

        if (text != NULL)
            g_assert_true(g_file_set_contents_full(path, text, (gssize) length,
                                                   G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    }
}

/* Life */

static Config *
make_config(void)
{
    Config *config = config_new(false);

    g_free(config->state_dir);
    config->state_dir = g_strdup(inside.folder);
    config->backups_kept = 0;
    config->host.connections = CONNECTIONS;
    config->quota_instances = 6;
    config->quota_vcpus = 16;
    config->quota_memory = 16 * gibibyte;
    config->quota_disk = 100 * gibibyte;
    return config;
}

static bool
is_verbose(void)
{
    return g_getenv("VMCTL_FUZZ_VERBOSE") != NULL;
}

static void
begin(const InsideWorker *worker, bool is_faulty, guint32 seed)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *journal = NULL;

    world_begin(seed, is_verbose());
    put_files();
    journal = get_path("fleet");
    inside.fleet = fake_fleet_open(journal, NULL);
    inside.worker = worker != NULL ? worker : &fake_worker;
    inside.is_faulty = is_faulty;
    inside.is_thrown_away = false;
    g_assert_true(controller_load(&inside.controller, make_config(), false, &error));
    controller_start(&inside.controller);
}

static void
check_log(void)
{
    g_assert_cmpuint(world_count_faults(), ==, 0);
}

/* What was written can be read. */
static void
check_disk(void)
{
    g_autoptr(GError) error = NULL;
    bool good = controller_load(&inside.controller, make_config(), false, &error);

    g_assert_no_error(error);
    g_assert_true(good);
    controller_done(&inside.controller);
}

static void
end(void)
{
    controller_done(&inside.controller);
    check_disk();
    check_log();
    fake_fleet_free(inside.fleet);
    world_end();
}

static void
prepare(void)
{
    InsideClient client;

    make_folder();
    begin(NULL, false, PREPARING);
    inside_client_init(&client, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(preamble); i++) {
        world_run(NULL, NULL, 1000);
        inside_client_send(&client, preamble[i], strlen(preamble[i]));
        world_run(NULL, NULL, 1000);
        inside_settle();
    }
    inside_client_receive(&client);
    g_assert_cmpuint(client.n_replies, ==, G_N_ELEMENTS(preamble));
    g_assert_cmpuint(g_hash_table_size(inside.controller.rpc.instances->by_id), ==, 1);
    inside_client_done(&client);
    end();
    keep_files();
}

void
inside_begin(const InsideWorker *worker, bool is_faulty)
{
    if (inside.folder == NULL)
        prepare();
    begin(worker, is_faulty, RUNNING);
}

void
inside_heal(void)
{
    const InsideWorker *before = inside.worker;

    inside.is_faulty = false;
    inside.worker = &fake_worker;
    before->killed(before->data);
}

void
inside_end(void)
{
    end();
}

Controller *
inside_get(void)
{
    return &inside.controller;
}

GBytes *
inside_get_database(void)
{
    if (inside.folder == NULL)
        prepare();
    return inside.files[0];
}

char *
inside_put_database(const void *data, gsize length)
{
    char *path = get_path(names[0]);

    remove_files();
    g_assert_true(g_file_set_contents_full(path, data, (gssize) length,
                                           G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    return path;
}

bool
inside_load(void (*look)(const Controller *controller), GError **error)
{
    bool good = false;

    world_begin(RUNNING, is_verbose());
    inside.worker = &fake_worker;
    inside.is_thrown_away = true;
    good = controller_load(&inside.controller, make_config(), false, error);
    if (good)
        look(&inside.controller);
    controller_done(&inside.controller);
    check_log();
    world_end();
    return good;
}

/* Looking at it */

static bool
is_idle(gpointer data)
{
    return operation_engine_count_active(inside.controller.rpc.engine) == 0 &&
           !inside.controller.rpc.is_auditing;
}

void
inside_settle(void)
{
    g_assert_true(world_run(is_idle, NULL, SETTLE_MS));
}

static void
check_quota(const char *tenant)
{
    const Rpc *rpc = &inside.controller.rpc;
    Quota used = instance_book_sum(rpc->instances, tenant);
    Quota limit = tenant_get_limit(rpc->tenants, tenant);

    for (int i = 0; i < QUOTA_RESOURCES; i++) {
        g_assert_cmpint(used.amount[i], >=, 0);
        g_assert_cmpint(used.amount[i], <=, limit.amount[i]);
    }
}

static void
on_audited(const AuditReport *report, gpointer data)
{
    for (guint i = 0; i < report->findings->len; i++) {
        const ProtoFinding *finding = report->findings->pdata[i];

        world_blame("audit: %s: %s", finding_kind_to_string(finding->kind),
                    finding->detail);
    }
    *(bool *) data = true;
}

static bool
is_set(gpointer data)
{
    return *(const bool *) data;
}

/* Calls that hang are given up within this time, and their worker is started again. */
static void
recover(void)
{
    inside.is_faulty = false;
    world_run(NULL, NULL, HANGS_MS);
}

void
inside_audit(void)
{
    const Rpc *rpc = &inside.controller.rpc;
    const AuditSources sources = { rpc->store, rpc->templates, rpc->instances,
                                   rpc->fleet };
    GHashTableIter iter;
    gpointer tenant = NULL;
    bool done = false;

    g_hash_table_iter_init(&iter, rpc->instances->by_tenant);
    while (g_hash_table_iter_next(&iter, &tenant, NULL))
        check_quota(tenant);
    if (inside.is_faulty)
        recover();
    audit_start(&sources, on_audited, &done);
    g_assert_true(world_run(is_set, &done, AUDIT_MS));
    check_log();
}

/* Clients */

void
inside_client_init(InsideClient *client, uid_t uid)
{
    WirePeer peer = { .uid = uid, .gid = uid };
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    g_unix_set_fd_nonblocking(pair[1], TRUE, NULL);
    wire_connection_new(inside.controller.server, pair[1], &peer);
    *client = (InsideClient){ .fd = pair[0], .received = g_byte_array_new() };
}

void
inside_client_done(InsideClient *client)
{
    close(client->fd);
    g_byte_array_unref(client->received);
}

void
inside_client_send(InsideClient *client, const void *data, gsize length)
{
    /* What the other side does not take is cut off there: also a message. */
    if (length > 0)
        (void) !send(client->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void) !send(client->fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool
is_error(const char *name)
{
    for (gsize i = 0; i < proto_n_error_types; i++) {
        if (strcmp(proto_error_types[i].full_name, name) == 0)
            return true;
    }
    return false;
}

static void
check_reply(const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    JsonObject *reply = NULL;
    JsonNode *name = NULL;

    guard_check(text, length, &WIRE_LIMITS_PEER, &error);
    g_assert_no_error(error);
    g_assert_true(json_parser_load_from_data(parser, text, (gssize) length, NULL));
    reply = json_node_get_object(json_parser_get_root(parser));
    name = json_object_get_member(reply, "error");
    g_assert_true(name != NULL || json_object_has_member(reply, "parameters"));
    g_assert_true(name == NULL || is_error(json_node_get_string(name)));
}

void
inside_client_receive(InsideClient *client)
{
    char buffer[READ_BYTES];
    ssize_t length = 0;
    const guint8 *end = NULL;

    while ((length = recv(client->fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
        g_byte_array_append(client->received, (const guint8 *) buffer, (guint) length);
    client->is_closed = length == 0;
    while (client->received->len > 0 &&
           (end = memchr(client->received->data, '\0', client->received->len)) != NULL) {
        gsize size = (gsize) (end - client->received->data);

        check_reply((const char *) client->received->data, size);
        g_byte_array_remove_range(client->received, 0, (guint) size + 1);
        client->n_replies++;
    }
}
