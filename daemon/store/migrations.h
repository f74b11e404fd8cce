/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/database.h"

/**
 * Brings a database to the newest schema, each step in one transaction.  A database that
 * is newer than this program is refused and left as it is.
 */
bool migrations_run(Database *database, GError **error);
