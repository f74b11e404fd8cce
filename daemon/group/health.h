/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "group/group.h"

/**
 * Whether the members of a group are well: asks their host, which asks the guests, from
 * time to time.  What was heard is kept in memory only; a process that begins anew asks
 * anew, and takes nobody for sick before it has heard so.
 */

/** "agent", "tcp:PORT" or "http:PORT/PATH", taken apart. */
typedef struct {
    HealthProbe probe;
    gint64 port;
    /** Points into the text; "/" for the others. */
    const char *path;
} GroupProbe;

/** Fails with PROTO_ERROR_INVALID_PARAMETER of that path. */
bool group_probe_parse(const char *text,
                       const char *path,
                       GroupProbe *ret_probe,
                       GError **error);

/** What was heard of a member. */
typedef struct {
    /** In a row. */
    gint64 n_bad;
    gint64 n_good;
    bool is_well;
    /** It has been well since it was started. */
    bool was_well;
    /** When it became well or ceased to be. */
    gint64 since_ms;
    /** What was wrong the last time; NULL: nothing. */
    char *reason;
    /** An answer is waited for. */
    bool is_asked;
} GroupHealth;

void group_health_free(GroupHealth *health);

/** Takes an answer.  Three bad ones in a row make a member sick, two good ones make it
 * well again; the first good one of all is enough. */
void
group_health_take(GroupHealth *health, bool is_good, const char *reason, gint64 now_ms);

/** What a running member of the group is for it. */
GroupPhase group_health_get_phase(const Group *group, const Instance *instance);

/** What was heard of the member, or NULL. */
GroupHealth *group_health_of(const Group *group, const Instance *instance);

/** Begins to ask, if the group has a probe; and asks at once. */
void group_health_start(Group *group);
void group_health_stop(Group *group);

/** Forgets what was heard of a member that does not run any more. */
void group_health_forget(Group *group, const Instance *instance);

/** Asks nothing more. */
void group_health_done(GroupBook *book);
