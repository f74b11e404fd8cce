/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/connection.h"

/**
 * The counters of all active domains of ours, as ProtoDomainStats that the array clears.
 * A domain is left out whose process began only while they were read.  Never asks for all
 * groups: each is a round trip to every QEMU.
 */
GArray *stats_read(virConnectPtr libvirt, GError **error);

/** The same of one domain, which is waited for up to a second while it is busy; NULL if
 * it is not active or libvirt does not tell. */
ProtoDomainStats *stats_read_one(virConnectPtr libvirt, const char *id);
