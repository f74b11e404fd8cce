/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/metering/vmd.h"

#include <malloc.h>

#include "sim/metering/image.h"
#include "sim/metering/oracle.h"
#include "sim/world.h"

static Controller *running;
static gint64 tick_seconds;

/* Nothing is to be given back between two seeds. */
int
malloc_trim(size_t pad)
{
    return 0;
}

void
vmd_begin(void)
{
    static const gint64 seconds[] = { 10, 60, 60, 60, 60, 120, 300 };

    tick_seconds = seconds[world_random(G_N_ELEMENTS(seconds))];
}

gint64
vmd_get_tick_ms(void)
{
    return tick_seconds * 1000;
}

static Config *
make_config(void)
{
    Config *config = config_new(false);

    g_free(config->state_dir);
    config->state_dir = g_strdup(image_get_folder());
    g_free(config->anchor);
    config->anchor = g_strdup(image_get_anchor());
    config->backups_kept = 0;
    config->tick_seconds = tick_seconds;
    config->quota_instances = config->quota_vcpus = G_MAXINT32;
    config->quota_memory = config->quota_disk = G_MAXINT64 / 4;
    return config;
}

void
vmd_start(void)
{
    g_autoptr(GError) error = NULL;

    g_assert(running == NULL);
    running = g_new0(Controller, 1);
    if (!controller_load(running, make_config(), false, &error)) {
        if (!image_is_dead())
            world_blame("vmd does not start: %s", error->message);
        vmd_kill();
        return;
    }
    /* Nobody calls, and the loop is not to look for callers at each turn. */
    g_clear_pointer(&running->server, wire_server_free);
    controller_start(running);
    world_trace("vmd is up with %u instances",
                g_hash_table_size(running->rpc.instances->by_id));
}

void
vmd_kill(void)
{
    if (running == NULL)
        return;
    world_trace("vmd is killed");
    image_kill();
    controller_done(running);
    g_clear_pointer(&running, g_free);
    image_revive();
    oracle_forget_readings();
}

Controller *
vmd_get(void)
{
    return running;
}

bool
vmd_is_idle(void)
{
    return running != NULL && operation_engine_count_active(running->rpc.engine) == 0;
}
