/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/fake/script.h"
#include "proto.h"

/**
 * The counters of domains that are not there.  The processors are busy for a
 * quarter of the time of one, and the disk and the network go at an even pace, from the
 * start of the process on: what was used follows from how long it runs, unless the script
 * has it otherwise.
 */
enum {
    FAKE_CPU_NS_PER_MS = 250000,
    FAKE_DISK_READ_BYTES_PER_MS = 4,
    FAKE_DISK_WRITE_BYTES_PER_MS = 8,
    FAKE_NET_RX_BYTES_PER_MS = 3,
    FAKE_NET_TX_BYTES_PER_MS = 2
    /* And an operation each on the disk. */
};

/** What the domain counts now; false if it is not active. */
bool fake_counters_read(const ScriptFigures *figures,
                        const ProtoDomain *domain,
                        ProtoDomainStats *ret_stats);

/** The counters of count domains from the first on, as the host's Stats tells them. */
char *fake_counters_pack(const ScriptFigures *figures,
                         const GPtrArray *domains,
                         guint first,
                         guint count);
