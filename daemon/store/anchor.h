/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "store/ledger-table.h"

/**
 * A file outside of the database's folder that keeps where the ledger stood: a line of
 * the installation's identity, a row's number, its hash and its time, again and again.
 * A database that was restored from a copy does not come up to it, and is found out.
 * Lines of other installations stay as they are.
 */

/**
 * Reads the last line of service_id into ret_head; ret_found is false if there is none,
 * also without a file.  A line that was cut off is passed over.
 */
bool anchor_read(const char *path,
                 const char *service_id,
                 bool *ret_found,
                 LedgerHead *ret_head,
                 GError **error);

/** Adds a line, on disk when it returns.  Makes the file (0600) and its folder (0700). */
bool anchor_write(const char *path,
                  const char *service_id,
                  const LedgerHead *head,
                  GError **error);
