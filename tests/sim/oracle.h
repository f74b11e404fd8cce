/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/** What must hold, whatever happened.  Each blames what does not. */

/** At any moment: nobody holds more than its quota, and what is past its deadline goes
 * back. */
void oracle_look(void);

/** At rest, with the machine answering: what is kept, what is recorded and what the
 * machine holds agree. Runs the main loop. */
void oracle_check(void);

/** All that vmd holds, a text each, in order. */
GPtrArray *oracle_dump(void);

/** Blames the first difference between one process and the next. */
void oracle_compare(const GPtrArray *before, const GPtrArray *after);
