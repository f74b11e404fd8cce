/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "proto.h"

/**
 * Which states an instance goes through, as tables.  Pure.
 */
typedef enum {
    /** A workflow begins to boot it. */
    LIFECYCLE_START,
    /** Its domain runs. */
    LIFECYCLE_RUNS,
    /** Its domain stands still. */
    LIFECYCLE_PAUSES,
    /** A workflow begins to stop it. */
    LIFECYCLE_STOP,
    /** Its domain is off. */
    LIFECYCLE_STOPS,
    /** A workflow begins to remove it. */
    LIFECYCLE_DESTROY,
    /** Nothing of it is left. */
    LIFECYCLE_GONE,
    /** It is not as it should be, and nobody works on it. */
    LIFECYCLE_FAIL,
    LIFECYCLE_EVENTS,
} LifecycleEvent;

/**
 * The state that event leads to from state.  False if the table has no such edge; an edge
 * may lead back to the same state.
 */
bool lifecycle_next(InstanceState state, LifecycleEvent event, InstanceState *ret_state);

/** Whether an operation of this kind may be asked for in state. */
bool lifecycle_permits(InstanceState state, OperationKind kind);

/** What is charged from when an instance comes to a state. */
typedef enum {
    LIFECYCLE_BILL_NOTHING,
    LIFECYCLE_BILL_AS_BEFORE,
    LIFECYCLE_BILL_RUNNING,
    LIFECYCLE_BILL_PAUSED,
    LIFECYCLE_BILL_STOPPED,
    /** The disk alone, if anything was charged before. */
    LIFECYCLE_BILL_DISK_IF_ANY,
} LifecycleBilling;

LifecycleBilling lifecycle_get_billing(InstanceState state);
