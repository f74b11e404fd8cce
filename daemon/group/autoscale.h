/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * How many members a group is to have, by what they are busy with and by the time.  A
 * pure function: what it is given, it decides on, and says why.
 *
 * Target tracking: with n members up that have on average the value v, and the target t,
 * ceil(n * v / t) members are needed, and those that are set aside besides.  Nothing is
 * done while v is within the tolerance of t, while members come or go, while some that
 * are wanted are missing or not well (what is said of the others may be from before
 * that), within a cool-down of the last change, or without a value that is newer than
 * that; a step is at most so many members.  Where those that are missing have no room,
 * which may stay so, fewer can still be wanted.
 *
 * A schedule sets the number at its times.  Where a target is tracked as well, it is the
 * least number from its time on until its next.
 */

/** Numbers with three decimals, as integers. */
enum {
    AUTOSCALE_UNIT = 1000
};

/** What is seen. */
typedef struct {
    gint64 min;
    gint64 max;
    gint64 wanted;
    gint64 n_up;
    /** Those that somebody stopped: wanted, but not at work. */
    gint64 n_aside;
    gint64 n_moving;
    /** Quota or hosts have no room for those that are missing. */
    bool lacks_room;
    /** The members' average, in thousandths, and how many told it; 0: nobody did. */
    gint64 value;
    gint64 n_told;
    /** From when on the oldest of it is. */
    gint64 told_ms;
    /** The last change, and the schedule's time that was last followed. */
    gint64 changed_ms;
    gint64 scheduled_ms;
    gint64 now_ms;
} AutoscaleView;

typedef struct {
    gint64 wanted;
    /** Of the schedule, if it says something now; else as it was. */
    gint64 scheduled_ms;
    /** A sentence with its figures. */
    char *why;
    /** When the schedule says something next; 0: never. */
    gint64 wake_ms;
} AutoscaleResult;

/** Checks the texts of scaling.  Fails with PROTO_ERROR_INVALID_PARAMETER. */
bool autoscale_check(const ProtoGroupScaling *scaling, GError **error);

/** Reads a decimal into thousandths: false if it is none, negative or too large. */
bool autoscale_read_number(const char *text, gint64 *ret_number);

/** Free why. */
AutoscaleResult autoscale_decide(const ProtoGroupScaling *scaling,
                                 const AutoscaleView *view);
