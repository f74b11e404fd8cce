/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** One host: where it is, what it belongs to, and how much of it is given away. */
typedef struct {
    char *name;
    char *uri;
    char *worker;
    char *worker_arguments;
    char *accel;
    char *pool;
    char *pool_path;
    char *network;
    char *network_address;
    char *import_dir;
    char *runs_dir;
    gint64 connections;
    char *placement_pool;
    /** See config_parse_labels(). */
    char *labels;
    gint64 cpu_percent;
    gint64 memory_percent;
    gint64 disk_percent;
    gint64 reserve_vcpus;
    gint64 reserve_memory;
    gint64 reserve_disk;
} HostConfig;

void host_config_free(HostConfig *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostConfig, host_config_free)

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

    /** The group [host]: the one host there is, or what the hosts have in common. */
    HostConfig host;
    /** The groups [host NAME]; see config_get_hosts(). */
    GPtrArray *named_hosts;

    char *placement_strategy;

    char *template_default;
    gint64 headroom_vcpus;
    gint64 headroom_memory;

    gint64 group_failures;
    gint64 group_backoff_seconds;
    gint64 group_backoff_max_seconds;
    gint64 group_proof_seconds;
    gint64 group_dead_seconds;

    gint64 quota_instances;
    gint64 quota_vcpus;
    gint64 quota_memory;
    gint64 quota_disk;
    gint64 quota_addresses;
    gint64 quota_groups;
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

/**
 * The hosts, as HostConfig, by name: one for each group [host NAME], which has what
 * [host] says where it says nothing itself; without such groups the one of [host].  Fails
 * where two hosts are one: the same libvirt, or the same socket of a worker.
 */
GPtrArray *config_get_hosts(const Config *config, GError **error);

/** The host called name, as in config_get_hosts(); without groups [host NAME] that of
 * [host], whatever it is called.  Fails when there is none. */
HostConfig *config_get_host(const Config *config, const char *name, GError **error);

/** Labels as they are written, "KEY=VALUE KEY=VALUE", as KEY, VALUE, ..., NULL.  NULL if
 * they are not written so. */
char **config_parse_labels(const char *text);

/** The defaults with path read over them; NULL: the standard vmd.conf, if there is one
 * and this is not a session. */
Config *config_load(const char *path, bool session, GError **error);

/** Sets one value: "GROUP.KEY=VALUE", where GROUP may be "host NAME".  Fails as
 * config_read() does. */
bool config_set(Config *config, const char *text, GError **error);

void config_free(Config *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_free)

/** Prints the table as lines "group<TAB>key<TAB>default<TAB>meaning", for the manual
 * page. */
char *config_describe(void);
