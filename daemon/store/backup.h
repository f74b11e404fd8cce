/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "store/store.h"

/** Copies of the database that is in use: store_keep_backups(). */
typedef struct Backup Backup;

Backup *backup_new(Store *store, const char *directory, guint keep, guint seconds);

/** Drops a copy that is not whole.  The store's thread has to have ended. */
void backup_free(Backup *backup);
