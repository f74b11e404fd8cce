/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * What a group does next.  A pure function of what is wanted, of the members as they are,
 * of the breaker and of the time: it holds nothing, so it cannot run away from what is
 * there, and after a crash it comes to the same.
 *
 * The rules it keeps:
 *
 * - Members in any state count against max, those that fail or leave among them.
 * - It takes no member that is wanted: what is alive does not fall below what is wanted
 *   (which is not below min) by its choice.
 * - A member that is dead or sick is replaced, of the sick at most one in five at once: a
 *   check that is wrong about all of them does not take all of them.
 * - Outdated ones are replaced in batches, while all others are well.
 * - One that could not be removed is taken for one that leaves, and is tried again after
 *   as long as one has to be dead.
 * - Failures in a row open the breaker: nothing is made or replaced until it closes, but
 *   what is too much still goes.
 */

typedef struct {
    GroupPhase phase;
    /** 7 of "web-7". */
    gint64 number;
    gint64 created_ms;
    /** When it came to its phase. */
    gint64 since_ms;
    /** It is made from what the group was made from before. */
    bool is_outdated;
    /** It was to be removed, and could not be. */
    bool has_stayed;
} GroupMember;

typedef struct {
    gint64 min;
    gint64 max;
    gint64 wanted;
    /** All of it goes. */
    bool is_removing;
    GroupVictims victims;
    /** Those that are outdated are replaced, so many at a time; of what is wanted so many
     * may be missing meanwhile, at least one. */
    bool is_rolling;
    gint64 batch;
    gint64 max_unavailable;
    /** Nothing is made or replaced until somebody says so. */
    bool is_halted;
} GroupGoal;

/** How patient it is. */
typedef struct {
    /** Failures in a row that open the breaker. */
    gint64 failures;
    /** How long it stays open the first time; twice as long each time after, up to the
     * last. */
    gint64 backoff_first_ms;
    gint64 backoff_last_ms;
    /** How long a member has to be up to show that members can be. */
    gint64 proof_ms;
    /** How long one has to be dead before it is taken for that. */
    gint64 dead_ms;
} GroupPatience;

/** What went wrong lately.  All zero: nothing. */
typedef struct {
    /** In a row. */
    gint64 failures;
    gint64 failed_ms;
    /** Past this one member is tried; 0 while the breaker is closed. */
    gint64 open_until_ms;
} GroupBreaker;

typedef enum {
    GROUP_CAUSE_REMOVED,
    GROUP_CAUSE_EXCESS,
    GROUP_CAUSE_DEAD,
    GROUP_CAUSE_SICK,
    GROUP_CAUSE_OUTDATED,
    GROUP_CAUSES,
} GroupCause;

typedef struct {
    /** Which of the members that were given. */
    gsize member;
    GroupCause cause;
} GroupVictim;

typedef struct {
    /** How many to make. */
    gint64 n_create;
    /** Which to remove. */
    GroupVictim *victims;
    gsize n_victims;
    /** Members by phase. */
    gint64 count[GROUP_PHASE_N];
    /** What is wanted, within its bounds. */
    gint64 wanted;
    /** How many are missing for which there is no room below max, and how many the
     * breaker holds back. */
    gint64 n_no_room;
    gint64 n_held_back;
    gint64 n_outdated;
    /** A member that is not outdated is dead or sick while others are to be replaced. */
    bool is_batch_bad;
    /** A member has shown that members can be: the failures are forgotten. */
    bool is_proved;
    /** All that is wanted is up, and nothing else is there. */
    bool is_settled;
    /** It is not, and the breaker holds it where it is. */
    bool is_held;
    /** When to look again even if nothing happens; 0: no need. */
    gint64 wake_ms;
} GroupPlan;

/** What to do now.  Release with group_plan_clear(). */
void group_plan(const GroupGoal *goal,
                const GroupPatience *patience,
                const GroupBreaker *breaker,
                const GroupMember *members,
                gsize n_members,
                gint64 now_ms,
                GroupPlan *ret_plan);
void group_plan_clear(GroupPlan *plan);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GroupPlan, group_plan_clear)

/** One more failure: opens the breaker when there were too many in a row. */
void
group_breaker_fail(GroupBreaker *breaker, const GroupPatience *patience, gint64 now_ms);

/** Whether the breaker holds back all but the one member that is tried. */
bool group_breaker_is_open(const GroupBreaker *breaker);
