/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/** What must hold, whatever happened.  Each blames what does not. */

/** At any moment: nobody holds more than its quota. */
void oracle_look(void);

/** At rest, with the machine answering: what is kept, what is recorded and what the
 * machine holds agree. Runs the main loop. */
void oracle_check(void);

/** All that vmd holds, as text, in order: to compare one process with the next. Free with
 * g_free(). */
char *oracle_dump(void);
