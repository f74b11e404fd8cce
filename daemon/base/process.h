/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * What this process is to the kernel.
 */

/** Bytes of memory that are resident, as proc_pid_statm(5) has them; 0 if it cannot be
 * read. */
gint64 process_get_resident_bytes(void);
