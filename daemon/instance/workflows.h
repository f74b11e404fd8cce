/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/book.h"

/**
 * The workflows of instances, one file each or one for a few of a kind, and what they
 * share.
 */
extern const Workflow *const instance_workflows[];
extern const gsize instance_n_workflows;

extern const Workflow instance_create_workflow;
extern const Workflow instance_start_workflow;
extern const Workflow instance_stop_workflow;
extern const Workflow instance_restart_workflow;
extern const Workflow instance_pause_workflow;
extern const Workflow instance_resume_workflow;
extern const Workflow instance_resize_workflow;
extern const Workflow instance_destroy_workflow;

/** How long the host may take for a thing. */
enum {
    INSTANCE_QUICK_MS = 30000,
    INSTANCE_SLOW_MS = 120000,
};

/**
 * Admits the removal of an instance that is not being removed yet, and has what is under
 * way on it taken back; that may be all that it takes.  Fails as admission_ask() does.
 */
bool instance_admit_destroy(Instance *instance,
                            StoreTx *tx,
                            const OperationRequest *request,
                            GError **error);

/** "started", "stopped", ...: for sentences. */
const char *instance_get_participle(OperationKind kind);

/** Ends the operation's step with what the host answered: the WireLinkReply of steps that
 * want nothing of it. */
void instance_step_replied(const void *out,
                           bool continues,
                           const GError *error,
                           gpointer data);

/** Calls the host of the operation's instance; if that is gone, the step is done. */
void instance_call_host(Operation *operation,
                        HostLane lane,
                        const WireMethod *method,
                        const void *in,
                        gint64 timeout_ms,
                        WireLinkReply reply);

/** Ends the operation's step with the domain defined at that size. */
void instance_define(Operation *operation, const ProtoSize *size);

/** Steps that several workflows have. */
void instance_apply_define(Operation *operation);
void instance_apply_start(Operation *operation);
void instance_apply_remove(Operation *operation);
void instance_apply_shutdown(Operation *operation);
/** Reads the counters once more, before they end or what they are billed as changes. What
 * cannot be read holds up nothing. */
void instance_apply_sample(Operation *operation);
void instance_apply_power_off(Operation *operation);

/** The domain was started: takes the size that was set for it, counts the start, and goes
 * to running. */
void instance_has_started(Instance *instance, StoreTx *tx, const char *cause);

/** Marks the operation on the instance. */
void instance_set_operation(Instance *instance, const char *operation);

/** Takes the mark off, if it is that of this operation: one that was queued behind
 * another may end before it. */
void instance_end_operation(Instance *instance, const Operation *operation);

/** After an operation that failed, or when the host told of something meanwhile: asks the
 * host how it is. */
void instance_look(Operation *operation);

/** The guest that a stop waits for may be off: looks now. */
void instance_stop_look(Instance *instance);
