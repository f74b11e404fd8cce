/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fleet/host.h"
#include "store/store.h"

/**
 * All hosts.  Each has a worker of its own, that is watched, killed and started again by
 * itself: what goes wrong on one holds up none of the others.
 */
typedef struct Fleet Fleet;

/** Describes the hosts of config.  Nothing runs before fleet_start().  Fails where config
 * makes two hosts of one. */
Fleet *fleet_new(const Config *config, const HostListener *listener, GError **error);
void fleet_free(Fleet *fleet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fleet, fleet_free)

void fleet_start(Fleet *fleet);

/** Reads what was decided of the hosts.  What was of one that is not there is kept. */
bool fleet_load(Fleet *fleet, Store *store, GError **error);

/** Whether the host takes no new instances; uid is who asked for it. */
void
fleet_set_drained(Fleet *fleet, StoreTx *tx, Host *host, bool is_drained, gint64 uid);

/** Gives the host labels (KEY, VALUE, ..., NULL) over those it has; an empty value takes
 * one off. */
void
fleet_set_labels(Fleet *fleet, StoreTx *tx, Host *host, char *const *labels, gint64 uid);

/** All of them (Host *), by name; owned by fleet. */
const GPtrArray *fleet_get_hosts(const Fleet *fleet);

/** By name; NULL if there is none, and for NULL. */
Host *fleet_find(const Fleet *fleet, const char *name);

/** See host_call().  A host that is not there cannot be reached. */
void fleet_call(Fleet *fleet,
                const char *host,
                HostLane lane,
                const WireMethod *method,
                const void *in,
                gint64 timeout_ms,
                WireLinkReply reply,
                gpointer data);
