/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/config.h"
#include "proto.h"
#include "wire/link.h"

/**
 * One host as the controller sees it: its worker process, the calls to it, and how it is.
 * The worker is killed when it misses a deadline and started again; meanwhile the host is
 * unreachable and every call fails with PROTO_ERROR_HOST_UNREACHABLE.
 */
typedef struct Host Host;

/** What the layer above is told.  Domains are borrowed during the call. */
typedef struct {
    /** All domains of ours, at each connection and from time to time. */
    void (*listed)(Host *host,
                   const ProtoDomain *domains,
                   gsize n_domains,
                   gpointer data);
    /** A domain changed, or its guest did. */
    void (*changed)(Host *host,
                    HostEventKind kind,
                    const ProtoDomain *domain,
                    gpointer data);
    /** Its state changed. */
    void (*state_changed)(Host *host, gpointer data);
    gpointer data;
} HostListener;

/** Kinds of calls that do not wait for one another. */
typedef enum {
    HOST_LANE_GENERAL,
    /** What sets something free: power off, remove. */
    HOST_LANE_URGENT,
    /** What only looks. */
    HOST_LANE_QUERY,
    /** What asks guests how they are, which may take as long as they like. */
    HOST_LANE_HEALTH,
    HOST_LANES,
} HostLane;

/** Describes the host of config, which it takes.  Nothing runs before host_start(). */
Host *host_new(HostConfig *config, const HostListener *listener);
void host_free(Host *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Host, host_free)

void host_start(Host *host);

const char *host_get_name(const Host *host);
const HostConfig *host_get_config(const Host *host);

/** Connected: its state is known and calls go through. */
bool host_is_connected(const Host *host);

/** What was decided of it: for host_get_view().  Takes labels (KEY, VALUE, ..., NULL). */
void host_set_marks(Host *host, bool is_drained, char **labels);

/** What is shown of it; the used_… members and instances are not filled in. */
const ProtoHost *host_get_view(const Host *host);

/**
 * Calls method with in, its call struct, which is copied if the call has to wait for a
 * free connection.  reply is told as wire_link_call() does, possibly before this returns.
 * Past timeout_ms the worker is killed.
 */
void host_call(Host *host,
               HostLane lane,
               const WireMethod *method,
               const void *in,
               gint64 timeout_ms,
               WireLinkReply reply,
               gpointer data);
