/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * What vmd says of hosts and of quotas, asked four times a minute: for metrics, and for
 * nothing that is billed.  There is none before the first answer, nor while vmd does not
 * answer.  Main loop only.
 */
typedef struct Watch Watch;

typedef struct {
    char *name;
    bool is_connected;
} WatchHost;

enum {
    WATCH_INSTANCES,
    WATCH_VCPUS,
    WATCH_MEMORY_BYTES,
    WATCH_DISK_BYTES,
    WATCH_RESOURCE_N
};

/** "instances", "vcpus", "memory_bytes", "disk_bytes". */
const char *watch_get_resource_name(guint resource);

typedef struct {
    char *name;
    gint64 used[WATCH_RESOURCE_N];
    gint64 limit[WATCH_RESOURCE_N];
} WatchTenant;

/** Asks at once; path is the socket of vmd. */
Watch *watch_new(const char *path);
void watch_free(Watch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Watch, watch_free)

/** WatchHost and WatchTenant, as of the last answer.  They never change: whoever wants
 * them for longer takes a reference. */
GPtrArray *watch_get_hosts(const Watch *watch);
GPtrArray *watch_get_tenants(const Watch *watch);
