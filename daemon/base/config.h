/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * vmd.conf: a GKeyFile.  Every key, its default and its meaning stand in one table, which
 * also makes the manual page. Plain values; owns its strings.
 */
typedef struct {
    char *state_dir;
    char *run_dir;
    char *socket_group;
    char *admin_group;
    char *reader_group;
    char *accountant_group;
    char *meter;
    gint64 operations_kept;
    gint64 operations_side_by_side;
    gint64 backup_seconds;
    gint64 backups_kept;

    gint64 tick_seconds;
    char *anchor;
    gint64 grace_hours;
    char *operator_name;
    gint64 metrics_port;

    char *host_name;
    char *host_uri;
    char *host_worker;
    char *host_worker_arguments;
    char *host_accel;
    char *host_pool;
    char *host_pool_path;
    char *host_network;
    char *host_network_address;
    char *host_import_dir;
    char *host_runs_dir;
    gint64 host_connections;
    gint64 host_cpu_percent;
    gint64 host_memory_percent;
    gint64 host_disk_percent;

    char *template_default;
    gint64 headroom_vcpus;
    gint64 headroom_memory;

    gint64 quota_instances;
    gint64 quota_vcpus;
    gint64 quota_memory;
    gint64 quota_disk;
    gint64 quota_addresses;
    gint64 quota_operations;
    gint64 quota_requests;
} Config;

/** The defaults.  session: those of a user's own service, under $XDG_RUNTIME_DIR and
 * qemu:///session. */
Config *config_new(bool session);

/**
 * Reads path over the values in config.  An unknown group or key, and a value that does
 * not parse or is out of range, is an error that names it; config is then of no use.
 */
bool config_read(Config *config, const char *path, GError **error);

/** The defaults with path read over them; NULL: the standard vmd.conf, if there is one
 * and this is not a session. */
Config *config_load(const char *path, bool session, GError **error);

/** Sets one value: "GROUP.KEY=VALUE".  Fails as config_read() does. */
bool config_set(Config *config, const char *text, GError **error);

void config_free(Config *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_free)

/** Prints the table as lines "group<TAB>key<TAB>default<TAB>meaning", for the manual
 * page. */
char *config_describe(void);
