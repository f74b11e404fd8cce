/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/connection.h"

/**
 * The counters of all active domains of ours, as ProtoDomainStats that the array clears.
 * What libvirt does not tell is left out: a missing counter is not 0.  Never asks for all
 * groups: each is a round trip to every QEMU.
 */
GArray *stats_read(virConnectPtr libvirt, GError **error);

/** The same of one domain, as it was inspected; NULL if it is not active or libvirt does
 * not tell. */
ProtoDomainStats *stats_read_one(virConnectPtr libvirt, const ProtoDomain *domain);
