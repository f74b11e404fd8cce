/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * What goes wrong on a fake host: a JSON file with the host's figures and rules for
 * calls.
 *
 *     { "vcpus": 4, "memory_bytes": 8589934592, "disk_bytes": 1099511627776, "foreign":
 * 0, "agent_ms": 20, "live_resize": true, "rules": [ { "method": "Start", "after": 1,
 * "times": 2, "error": "HostFailed", "message": "no", "delay_ms": 500, "hang": false,
 * "exit": false, "exit_after": false, "deaf": false, "twice": false, "late": false } ] }
 *
 * The first rule of a call's method ("*" is every method) that has passed over "after"
 * calls and has "times" left
 * (-1 is always) applies: the call waits delay_ms, then hangs, or ends the process
 * (exit_after: once it is done, without an answer), or fails, or is answered and not done
 * (deaf), or goes on; an Inspect tells what was so before it waited (late).  An event is
 * of the method "Event": it waits, or is lost (hang), or comes at once and then again
 * (twice).  One of the method "Sick" makes a guest that is asked for its health not well,
 * with its message; one of the method "Resized" fails a resize once all of it is done.
 *
 * What is told of the counters of the instance of a name, until the script is read again:
 *
 *     "counters": [ { "name": "web", "raw": { "cpu_time": 5000000 }, "untold":
 * ["net_rx_bytes"], "without": ["disk", "nic"], "incarnation": "2", "inactive": false } ]
 *
 * raw is in place of what they would be; what is untold is not told this time; without a
 * device the domain is one from which it was unplugged; inactive: counters are told also
 * of a domain that is off.
 */
typedef struct {
    char *method;
    gint64 after;
    gint64 times;
    char *error;
    char *message;
    gint64 delay_ms;
    bool hang;
    bool exit;
    bool exit_after;
    bool deaf;
    bool twice;
    bool late;
} ScriptRule;

#define SCRIPT_EVENT "Event"
#define SCRIPT_SICK "Sick"
#define SCRIPT_RESIZED "Resized"

typedef struct {
    char *name;
    /** -1: it is not scripted. */
    gint64 raw[COUNTER_N];
    bool untold[COUNTER_N];
    char **without;
    char *incarnation;
    bool inactive;
} ScriptCounters;

typedef struct {
    gint64 vcpus;
    gint64 memory_bytes;
    gint64 disk_bytes;
    gint64 foreign;
    gint64 agent_ms;
    bool live_resize;
    /** Of ScriptCounters; NULL for none.  Lives as long as the process. */
    const GArray *counters;
} ScriptFigures;

typedef struct {
    ScriptFigures figures;
    GArray *rules;
} Script;

/** Reads path, or gives a host without faults if path is NULL. */
Script *script_read(const char *path, GError **error);
void script_free(Script *script);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Script, script_free)

/** The rule for a call that comes now, or NULL. */
const ScriptRule *script_match(Script *script, const char *method);

/** What is scripted of the counters of an instance, or NULL. */
const ScriptCounters *script_find_counters(const ScriptFigures *figures,
                                           const char *name);
