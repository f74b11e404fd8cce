/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "proto.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virConnect, virConnectClose)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomain, virDomainFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStoragePool, virStoragePoolFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStorageVol, virStorageVolFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virNetwork, virNetworkFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStream, virStreamFree)

/** How the worker was started: what it works on. */
typedef struct {
    char *uri;
    char *accel;
    char *pool;
    char *pool_path;
    char *network;
    char *network_address;
    char *import_dir;
    char *runs_dir;
} HostOptions;

/**
 * The connection to libvirt: opened by a thread of its own, because opening one to a
 * libvirtd that hangs never returns; kept alive, so that one that hangs later ends after
 * 8 s, and watched, because libvirt does not always tell.
 */
typedef struct Connection Connection;

/**
 * Describes the connection.  lost is told on the main loop when an open connection ends;
 * opened once the first registration of events can be made.
 */
Connection *connection_new(const HostOptions *options,
                           void (*opened)(virConnectPtr libvirt, gpointer data),
                           void (*lost)(gpointer data),
                           gpointer data);

const HostOptions *connection_get_options(Connection *connection);

/** Any thread.  The open connection with a reference, or NULL with
 * PROTO_ERROR_HOST_UNREACHABLE. */
virConnectPtr connection_get(Connection *connection, GError **error);

/** Any thread.  The same, and opens it if need be, waiting at most 10 s. */
virConnectPtr connection_open(Connection *connection, GError **error);

/** Any thread.  Gives up this connection, if it is the open one: the next call of
 * connection_open() makes another. */
void connection_drop(Connection *connection, virConnectPtr libvirt);

/** Any thread.  Raises libvirt's last error: the connection is gone, or it refused. */
void connection_set_error(GError **error, const char *what);
