/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "group/group.h"

/** What must hold of groups, whatever happened; in seeds without groups, nothing. */
void groups_oracle_begin(void);
void groups_oracle_end(void);

/** Another vmd is up: what the last one held in memory alone is not held against it. */
void groups_oracle_start(void);

/** In each turn of the main loop: members stay below the most, belong to a group that
 * knows them, and are called by names of their own; nothing is made while the breaker is
 * open, nor without end; what is wanted and well is not taken away. */
void groups_watch(void);

/** From time to time: who is being removed goes on being, and who is removed stays gone.
 */
void groups_look(void);

/** Each group is as wanted, or is held up by what does not pass by itself. */
bool groups_are_at_rest(void);

/** At rest: that is so, it is what was asked for last, and nobody comes or goes any more.
 */
void groups_check(void);

/** What a group was told and keeps, without what is only counted.  The caller clears and
 * frees it. */
ProtoGroupRecord *groups_copy_told(const Group *group);

/** How many members were seen. */
guint groups_count_members(void);
