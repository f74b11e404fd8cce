/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "command.h"

/** The help of vmctl as a whole, and of one command.  Pure. */
void help_append_overview(GString *out);
void help_append_command(GString *out, const Command *command);
