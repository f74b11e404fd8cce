/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/book.h"

/**
 * Makes rows again for domains of ours that have none, from the keepsakes they carry: for
 * a database that was lost, or is an older copy.
 */

/** Is told once: how many rows were made, and a line for each domain that was left
 * (borrowed). */
typedef void (*RebuildDone)(guint made, GPtrArray *left, gpointer data);

/**
 * Asks the host for the keepsake of each of these domains that the book does not know,
 * adds the instances, their templates and tenants, and tells when that is on disk.  What
 * is damaged, or whose name another instance of its tenant has, is left.
 */
void rebuild_start(InstanceBook *book,
                   Host *host,
                   const ProtoDomain *domains,
                   gsize n_domains,
                   RebuildDone done,
                   gpointer data);
