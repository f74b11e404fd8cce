/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "model/quota.h"
#include "proto.h"
#include "store/store.h"

/**
 * The engine that carries out changes.  An operation is admitted in a transaction, runs
 * the steps of its workflow one after another, and ends in a transaction.  What it has
 * done is journalled as it goes; after a crash each unfinished operation goes on, forward
 * or back, by the journal alone.
 *
 * A workflow is a table of steps.  apply may run twice and must come to the same; undo
 * must bear a step that never ran.  A step ends by operation_step_done(), at once or
 * later.  When a step fails, the undo of every step runs in reverse order, if the
 * workflow has any, and the operation ends as failed.  A host that cannot be reached is
 * not a failure: the step is tried again until the operation's deadline, an undo for as
 * long as it takes.
 *
 * One operation of a target runs at a time, and so many of all; tenants take turns.  All
 * calls from the main loop.
 */
typedef struct Operation Operation;
typedef struct OperationEngine OperationEngine;
typedef struct OperationRequest OperationRequest;
/** Leave to admit operations: see op/admission.h. */
typedef struct Admission Admission;

typedef struct {
    const char *name;
    void (*apply)(Operation *operation);
    /** NULL: there is nothing to take back. */
    void (*undo)(Operation *operation);
} WorkflowStep;

typedef struct {
    OperationKind kind;
    /** Ends with a step without a name. */
    const WorkflowStep *steps;
    /** How long it may take, unless the request says more. */
    gint64 deadline_ms;
    /**
     * What it takes of its tenant's quota beyond what its target holds already; asked,
     * all 0, is filled in.  Looks at request and changes nothing.  Never NULL:
     * workflow_takes_nothing() says so.
     */
    void (*takes)(gpointer owner, const OperationRequest *request, Quota *asked);
    /** It sets something free: no quota holds it up, nor that its tenant is disabled when
     * an admin asks for it. */
    bool gives_back;
    /** It does nothing but wait for other operations: it takes no turn from them, and is
     * not suspected when vmd crashes. */
    bool only_waits;
    /** Whether it can be taken back while it is under way. */
    bool can_cancel;
    /** When its turn has come, before its first step; may be NULL. */
    void (*begin)(Operation *operation, StoreTx *tx);
    /** The last transaction: brings the target to what became of it.  The operation's
     * state is set. */
    void (*finish)(Operation *operation, StoreTx *tx);
    /** After that is on disk; may be NULL. */
    void (*ended)(Operation *operation);
} Workflow;

void
workflow_takes_nothing(gpointer owner, const OperationRequest *request, Quota *asked);

struct Operation {
    OperationEngine *engine;
    const Workflow *workflow;
    ProtoOperationRecord record;
    /** Its place among all. */
    GList *link;
    /** It may act: its admission is on disk, and after a crash that it is tried again. */
    bool is_durable;
    /** It is on disk that it ended. */
    bool has_ended;
    /** Something could not be taken back, or was not tried: the target is not as if
     * nothing had been. */
    bool undo_failed;
    /** A step is at work. */
    bool is_in_step;
    /** Its turn has come. */
    bool has_begun;
    /** It waits for its turn among the tenants; or it has it: what takes long, or waits
     * for a host, loses it and goes on beside the others. */
    bool is_waiting;
    bool has_turn;
    /** It was under way or queued when another process ended, which may have begun it:
     * that it began is not waited for. */
    bool may_have_begun;
    gint64 step_started_ms;
    guint retry_source;
    guint retries;
    /** Why the step is tried again: the host that cannot be reached; or NULL. */
    GError *held_up;
    GSList *waiters;
};

/** keep: how many that ended are kept; width: how many are at work side by side, see
 * op/turns.h. */
OperationEngine *operation_engine_new(Store *store, guint keep, guint width);
void operation_engine_free(OperationEngine *engine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OperationEngine, operation_engine_free)

/** Adds a kind of operation; owner is what its functions get from operation_get_owner().
 */
void
operation_engine_add(OperationEngine *engine, const Workflow *workflow, gpointer owner);

/** Reads the operations from the store.  Call after the workflows were added. */
bool operation_engine_load(OperationEngine *engine, GError **error);

/** Goes on with what was under way when the last process ended.  What was under way at
 * three crashes in a row fails with PROTO_ERROR_QUARANTINED instead. */
void operation_engine_resume(OperationEngine *engine);

/** Tries again now what waits for a host. */
void operation_engine_kick(OperationEngine *engine);

/** What an operation is made from; strings are copied. */
struct OperationRequest {
    OperationKind kind;
    const char *tenant;
    gint64 uid;
    /** The id of the token that it is asked with, or NULL. */
    const char *token;
    /** An admin asks, or the service for itself. */
    bool by_admin;
    const char *target;
    const char *target_name;
    const char *request_id;
    const char *request_hash;
    const char *batch;
    bool force;
    /** 0: the workflow's. */
    gint64 timeout_ms;
    const ProtoSize *old_size;
    const ProtoSize *new_size;
    /** Of a group: how many members of new_size it makes at once. */
    gint64 n_members;
};

/**
 * Adds an operation to tx, for which leave was asked in this turn of the main loop.  It
 * starts when tx is on disk and the target is free.  The caller has seen to it that the
 * target may have it.
 */
Operation *
operation_admit(Admission *admission, StoreTx *tx, const OperationRequest *request);

gpointer operation_get_owner(Operation *operation);

/** What operation_engine_add() was told of the kind. */
const Workflow *operation_engine_get_workflow(OperationEngine *engine,
                                              OperationKind kind);
gpointer operation_engine_get_owner(OperationEngine *engine, OperationKind kind);

/** Ends the step that is at work.  Takes error. */
void operation_step_done(Operation *operation, GError *error);

/** Milliseconds that are left, at least 0. */
gint64 operation_get_time_left_ms(Operation *operation);

/**
 * Asks for it to be taken back: queued, it ends at once; running, at the end of its step.
 * Fails with PROTO_ERROR_ILLEGAL_STATE when it has ended or is past taking back.
 */
bool operation_cancel(Operation *operation, GError **error);

/** Whether it has come to its end, which need not be on disk yet. */
bool operation_is_over(const Operation *operation);

Operation *operation_find(OperationEngine *engine, const char *id);

/** The operation that works on the target, or is the next to, or NULL.  One stays it
 * until it is on disk that it ended. */
Operation *operation_find_active(OperationEngine *engine, const char *target);

/** The newest operation on the target that has not ended on disk, or NULL. */
Operation *operation_find_newest(OperationEngine *engine, const char *target);

/** What an earlier request with this id made: the operations of its batch in order, or an
 * empty array. */
GPtrArray *operation_find_request(OperationEngine *engine,
                                  gint64 uid,
                                  const char *token,
                                  const char *request_id);

/** All operations that are kept, oldest first; owned by the engine. */
const GQueue *operation_engine_get_all(OperationEngine *engine);

guint operation_engine_count_active(OperationEngine *engine);

/** The same of one tenant. */
guint operation_engine_count_active_of(OperationEngine *engine, const char *tenant);

/** Whether that agrees for every tenant with the operations themselves: for audits. */
bool operation_engine_is_counted(OperationEngine *engine);

/** Tells func once when the operation has ended, or never if it is taken off first. */
void operation_add_waiter(Operation *operation,
                          void (*func)(Operation *operation, gpointer data),
                          gpointer data);
void operation_remove_waiter(Operation *operation, gpointer data);

/** Takes no new step from here on: the process is about to end, in good order. */
void operation_engine_stop(OperationEngine *engine);
