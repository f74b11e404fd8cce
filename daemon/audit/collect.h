/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "audit/audit.h"

/** ProtoCollected, borrowed during the call. */
typedef void (*CollectDone)(const ProtoCollected *collected,
                            gsize n_collected,
                            gpointer data);

/**
 * Audits, and removes from the host what nothing owns and an event of this database
 * proves to have been ours; with dry_run it only tells.  A database that is empty or was
 * restored knows of nothing, and removes nothing.
 */
void
collect_start(const AuditSources *sources, bool dry_run, CollectDone done, gpointer data);
