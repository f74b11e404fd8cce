/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "command.h"

/**
 * Appends what a person should read about an error: what was tried, why it failed, and
 * what to do.  command and what ("web") may be NULL.  Pure.
 */
void report_append(GString *out,
                   const Command *command,
                   const char *what,
                   const GError *error);
