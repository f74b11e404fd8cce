/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "build-config.h"

/**
 * Places where a test makes this process die, stand still or fail.  Their names are
 * WHAT.STEP.SIDE: "instance_create.define.after".  Built with -Dfailpoints=true alone;
 * otherwise failpoint_pass() is nothing.
 *
 * The environment's VMCTL_FAILPOINTS holds rules, joined by commas: NAME=ACTION, where
 * ACTION is kill (SIGKILL), error (the step fails) or delay:MILLISECONDS, and may end in
 * @N: at the Nth time, the first if left out.  VMCTL_FAILPOINTS_TRACE names a file that
 * gets a line for every place that is passed.
 */

#ifdef VMCTL_FAILPOINTS

/** Any thread.  True if the step is to fail. */
bool failpoint_pass(const char *what, const char *step, const char *side);

#else

static inline bool
failpoint_pass(const char *what, const char *step, const char *side)
{
    return false;
}

#endif
