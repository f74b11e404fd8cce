/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/process.h"

#include <glib-unix.h>
#include <sys/socket.h>

#include "sim/disk.h"
#include "sim/groups.h"
#include "sim/machine.h"
#include "sim/world.h"
#include "wire/server-private.h"

static const gint64 gibibyte = 1073741824;

enum {
    KEPT_FEW = 10,
    KEPT_ALL = 100000,
    MANY = 20,
    GROUPS = 2,
    MEMBERS = 10
};

static Controller *running;
static gint64 kept;
static gint64 quota_instances;
static gint64 quota_vcpus;
static gint64 quota_groups;
static gint64 side_by_side;

void
process_begin(void)
{
    quota_instances = 2 + world_random(6);
    quota_vcpus = 4 + world_random(12);
    side_by_side = world_chance(500) ? 1 + world_random(3) : MANY;
    kept = world_chance(250) ? KEPT_FEW : KEPT_ALL;
    if (groups_are_on()) {
        quota_instances += world_random(MEMBERS);
        quota_vcpus += world_random(MEMBERS);
        quota_groups = world_chance(250) ? 1 : GROUPS;
    }
}

bool
process_forgets(void)
{
    return kept == KEPT_FEW;
}

static Config *
make_config(void)
{
    Config *config = config_new(false);

    g_free(config->state_dir);
    config->state_dir = g_strdup(disk_get_folder());
    config->operations_kept = kept;
    config->operations_side_by_side = side_by_side;
    config->backups_kept = 0;
    config->host.connections = 8;
    for (guint i = 0; machine_get_name(i) != NULL; i++) {
        const char *name = machine_get_name(i);
        g_autofree char *uri = g_strdup_printf("host %s.uri=sim:///%s", name, name);

        config_set(config, uri, NULL);
    }
    config->quota_instances = quota_instances;
    config->quota_vcpus = quota_vcpus;
    config->quota_memory = 16 * gibibyte;
    config->quota_disk = 100 * gibibyte;
    config->quota_groups = quota_groups;
    /* Less patient than by default: a life is short. */
    config->group_backoff_seconds = 5;
    config->group_backoff_max_seconds = 40;
    config->group_proof_seconds = 10;
    config->group_dead_seconds = 5;
    return config;
}

void
process_start(void)
{
    g_autoptr(GError) error = NULL;

    g_assert(running == NULL);
    running = g_new0(Controller, 1);
    if (!controller_load(running, make_config(), false, &error)) {
        world_blame("vmd does not start: %s", error->message);
        controller_done(running);
        g_clear_pointer(&running, g_free);
        return;
    }
    controller_start(running);
    world_trace("vmd is up with %u instances",
                g_hash_table_size(running->rpc.instances->by_id));
}

void
process_kill(void)
{
    if (running == NULL)
        return;
    world_trace("vmd is killed");
    controller_done(running);
    g_clear_pointer(&running, g_free);
    disk_restore();
}

Controller *
process_get(void)
{
    return running;
}

int
process_connect(uid_t uid)
{
    WirePeer peer = { .uid = uid, .gid = uid };
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        g_error("Making a socket");
    g_unix_set_fd_nonblocking(pair[1], TRUE, NULL);
    wire_connection_new(running->server, pair[1], &peer);
    return pair[0];
}

bool
process_is_idle(void)
{
    return running != NULL && operation_engine_count_active(running->rpc.engine) == 0;
}
