/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/tick.h"
#include "instance/workflows.h"

/*
 * Start, stop, restart, pause and resume.
 *
 * A graceful stop asks the guest and then looks again and again until the guest is off or
 * the time is up: a host's event only makes the next look come at once.  The asking is
 * repeated, since a guest that is still booting hears nothing.
 */

enum {
    START_DEADLINE_MS = 180000,
    STOP_DEADLINE_MS = 60000,
    PAUSE_DEADLINE_MS = 60000,
    LOOK_EVERY_MS = 500,
    ASK_EVERY_MS = 5000,
};

/* Start */

static void
begin_start(Operation *operation, StoreTx *tx)
{
    Instance *instance = instance_of_operation(operation);

    instance_set_operation(instance, operation->record.view.id);
    instance_transition(instance, tx, LIFECYCLE_START, NULL, "start");
}

static void
finish_start(Operation *operation, StoreTx *tx)
{
    Instance *instance = instance_of_operation(operation);

    instance_end_operation(instance, operation);
    if (operation->record.view.state == OPERATION_STATE_SUCCEEDED) {
        instance_has_started(instance, tx, "started");
        return;
    }
    instance->needs_look = true;
    if (operation->has_begun) {
        instance_transition(instance, tx,
                            operation->undo_failed ? LIFECYCLE_FAIL : LIFECYCLE_STOPS,
                            operation->record.view.failure->message, "failed");
    } else {
        instance_put(instance, tx);
    }
}

static const WorkflowStep start_steps[] = {
    { "define", instance_apply_define, NULL },
    { "start", instance_apply_start, NULL },
    { 0 },
};

const Workflow instance_start_workflow = {
    .kind = OPERATION_KIND_INSTANCE_START,
    .steps = start_steps,
    .deadline_ms = START_DEADLINE_MS,
    .takes = workflow_takes_nothing,
    .begin = begin_start,
    .finish = finish_start,
    .ended = instance_look,
};

/* Stop */

static void
end_stop_wait(Instance *instance, GError *error)
{
    Operation *operation = g_steal_pointer(&instance->stopping);

    g_clear_handle_id(&instance->stop_source, g_source_remove);
    operation_step_done(operation, error);
}

static gboolean
look_again(gpointer data)
{
    Instance *instance = data;

    instance->stop_source = 0;
    instance_stop_look(instance);
    return G_SOURCE_REMOVE;
}

static void
on_stop_seen(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoWorkerInspectReply *reply = out;
    Operation *operation = data;
    Instance *instance = instance_of_operation(operation);
    GError *failure = NULL;

    instance->is_looking = false;
    if (reply != NULL && reply->stats != NULL)
        tick_take(instance, reply->stats);
    if (reply != NULL && reply->domain.state != DOMAIN_STATE_RUNNING &&
        reply->domain.state != DOMAIN_STATE_PAUSED) {
        end_stop_wait(instance, NULL);
        return;
    }
    if (operation_get_time_left_ms(operation) == 0) {
        proto_error_set_deadline(
            &failure, "shutdown",
            "The guest did not power off in time; --force cuts its power");
        end_stop_wait(instance, failure);
        return;
    }
    if (operation->record.cancelling) {
        proto_error_set_cancelled(&failure, "It was cancelled");
        end_stop_wait(instance, failure);
        return;
    }
    g_clear_handle_id(&instance->stop_source, g_source_remove);
    instance->stop_source = g_timeout_add(LOOK_EVERY_MS, look_again, instance);
}

static void
ask_guest(Operation *operation, WireLinkReply reply)
{
    ProtoWorkerShutdownCall in = { .id = operation->record.view.target };

    instance_call_host(operation, HOST_LANE_GENERAL, &proto_worker_shutdown, &in,
                       INSTANCE_QUICK_MS, reply);
}

static void
on_asked_again(const void *out, bool continues, const GError *error, gpointer data)
{
}

void
instance_stop_look(Instance *instance)
{
    Operation *operation = instance->stopping;
    ProtoWorkerInspectCall in = { .id = instance->record.view.id,
                                  .has_stats = true,
                                  .stats = true };

    if (operation == NULL || instance->is_looking)
        return;
    instance->is_looking = true;
    operation->retries++;
    if (operation->retries % (ASK_EVERY_MS / LOOK_EVERY_MS) == 0)
        ask_guest(operation, on_asked_again);
    instance_call_host(operation, HOST_LANE_QUERY, &proto_worker_inspect, &in,
                       INSTANCE_QUICK_MS, on_stop_seen);
}

static void
on_asked(const void *out, bool continues, const GError *error, gpointer data)
{
    Operation *operation = data;
    Instance *instance = instance_of_operation(operation);

    if (error != NULL) {
        operation_step_done(operation, g_error_copy(error));
        return;
    }
    instance->stopping = operation;
    instance_stop_look(instance);
}

/* A stop by force takes back a creation that is under way, and then finds nothing. */
static GError *
make_gone(const Operation *operation)
{
    const ProtoOperation *view = &operation->record.view;
    GError *error = NULL;

    proto_error_set_not_found(&error, "instance", view->target_name,
                              "Instance \"%s\" is gone", view->target_name);
    return error;
}

void
instance_apply_shutdown(Operation *operation)
{
    if (instance_of_operation(operation) == NULL) {
        operation_step_done(operation, make_gone(operation));
    } else if (operation->record.force) {
        operation_step_done(operation, NULL);
    } else {
        ask_guest(operation, on_asked);
    }
}

void
instance_apply_power_off(Operation *operation)
{
    ProtoWorkerPowerOffCall in = { .id = operation->record.view.target };

    instance_call_host(operation, HOST_LANE_URGENT, &proto_worker_power_off, &in,
                       INSTANCE_SLOW_MS, instance_step_replied);
}

static void
begin_stop(Operation *operation, StoreTx *tx)
{
    Instance *instance = instance_of_operation(operation);

    if (instance == NULL)
        return;
    instance_set_operation(instance, operation->record.view.id);
    if (instance->record.view.state == INSTANCE_STATE_STOPPED) {
        instance_put(instance, tx);
    } else {
        instance_transition(instance, tx, LIFECYCLE_STOP, NULL, "stop");
    }
}

/* The edge back: a guest that was to stop goes on as it was billed, one whose power was
 * cut already is off. */
static bool
get_edge_back(const Instance *instance, LifecycleEvent *ret_event)
{
    const ProtoOpenSegment *open =
        ledger_find_open(&instance->record, RESOURCE_KIND_INSTANCE);

    if (instance->record.view.state == INSTANCE_STATE_STARTING) {
        *ret_event = LIFECYCLE_STOPS;
        return true;
    }
    *ret_event = open != NULL && open->state == BILLING_STATE_PAUSED ? LIFECYCLE_PAUSES
                                                                     : LIFECYCLE_RUNS;
    return instance->record.view.state == INSTANCE_STATE_STOPPING;
}

/* The look that follows says in which state it is. */
static void
fail_stop(Operation *operation, Instance *instance, StoreTx *tx)
{
    LifecycleEvent event = LIFECYCLE_FAIL;

    instance->needs_look = true;
    if (operation->has_begun &&
        (operation->undo_failed || get_edge_back(instance, &event))) {
        instance_transition(instance, tx, event, operation->record.view.failure->message,
                            "failed");
    } else {
        instance_put(instance, tx);
    }
}

static void
finish_stop(Operation *operation, StoreTx *tx)
{
    Instance *instance = instance_of_operation(operation);

    if (instance == NULL)
        return;
    instance_end_operation(instance, operation);
    if (operation->record.view.state != OPERATION_STATE_SUCCEEDED) {
        fail_stop(operation, instance, tx);
        return;
    }
    instance->record.view.desired = INSTANCE_WISH_STOPPED;
    instance_transition(instance, tx, LIFECYCLE_STOPS, NULL, "stopped");
}

static const WorkflowStep stop_steps[] = {
    { "shutdown", instance_apply_shutdown, NULL },
    { "sample", instance_apply_sample, NULL },
    { "power-off", instance_apply_power_off, NULL },
    { 0 },
};

const Workflow instance_stop_workflow = {
    .kind = OPERATION_KIND_INSTANCE_STOP,
    .steps = stop_steps,
    .deadline_ms = STOP_DEADLINE_MS,
    .takes = workflow_takes_nothing,
    .gives_back = true,
    .can_cancel = true,
    .begin = begin_stop,
    .finish = finish_stop,
    .ended = instance_look,
};

/* Restart */

static void
finish_restart(Operation *operation, StoreTx *tx)
{
    Instance *instance = instance_of_operation(operation);

    instance_end_operation(instance, operation);
    if (operation->record.view.state == OPERATION_STATE_SUCCEEDED) {
        instance_has_started(instance, tx, "restarted");
    } else {
        fail_stop(operation, instance, tx);
    }
}

/* Between the power that went and the power that comes the instance is off, and is not
 * charged for more. */
static void
apply_off(Operation *operation)
{
    Instance *instance = instance_of_operation(operation);
    StoreTx *tx = store_begin(instance->book->store);

    instance_transition(instance, tx, LIFECYCLE_STOPS, NULL, "restart");
    instance_transition(instance, tx, LIFECYCLE_START, NULL, "restart");
    store_commit(tx);
    operation_step_done(operation, NULL);
}

static const WorkflowStep restart_steps[] = {
    { "shutdown", instance_apply_shutdown, NULL },
    { "sample", instance_apply_sample, NULL },
    { "power-off", instance_apply_power_off, NULL },
    { "off", apply_off, NULL },
    { "define", instance_apply_define, NULL },
    { "start", instance_apply_start, NULL },
    { 0 },
};

const Workflow instance_restart_workflow = {
    .kind = OPERATION_KIND_INSTANCE_RESTART,
    .steps = restart_steps,
    .deadline_ms = START_DEADLINE_MS,
    .takes = workflow_takes_nothing,
    .begin = begin_stop,
    .finish = finish_restart,
    .ended = instance_look,
};

/* Pause and resume */

static void
begin_in_place(Operation *operation, StoreTx *tx)
{
    Instance *instance = instance_of_operation(operation);

    instance_set_operation(instance, operation->record.view.id);
    instance_put(instance, tx);
}

static void
finish_in_place(Operation *operation,
                StoreTx *tx,
                LifecycleEvent event,
                InstanceWish wish,
                const char *cause)
{
    Instance *instance = instance_of_operation(operation);

    instance_end_operation(instance, operation);
    if (operation->record.view.state == OPERATION_STATE_SUCCEEDED) {
        instance->record.view.desired = wish;
        instance_transition(instance, tx, event, NULL, cause);
    } else {
        instance->needs_look = true;
        instance_put(instance, tx);
    }
}

static void
apply_pause(Operation *operation)
{
    ProtoWorkerPauseCall in = { .id = operation->record.view.target };

    instance_call_host(operation, HOST_LANE_GENERAL, &proto_worker_pause, &in,
                       INSTANCE_QUICK_MS, instance_step_replied);
}

static void
apply_resume(Operation *operation)
{
    ProtoWorkerResumeCall in = { .id = operation->record.view.target };

    instance_call_host(operation, HOST_LANE_GENERAL, &proto_worker_resume, &in,
                       INSTANCE_QUICK_MS, instance_step_replied);
}

static void
finish_pause(Operation *operation, StoreTx *tx)
{
    finish_in_place(operation, tx, LIFECYCLE_PAUSES, INSTANCE_WISH_PAUSED, "paused");
}

static void
finish_resume(Operation *operation, StoreTx *tx)
{
    finish_in_place(operation, tx, LIFECYCLE_RUNS, INSTANCE_WISH_RUNNING, "resumed");
}

static const WorkflowStep pause_steps[] = {
    { "pause", apply_pause, NULL },
    { 0 },
};

static const WorkflowStep resume_steps[] = {
    { "resume", apply_resume, NULL },
    { 0 },
};

const Workflow instance_pause_workflow = {
    .kind = OPERATION_KIND_INSTANCE_PAUSE,
    .steps = pause_steps,
    .deadline_ms = PAUSE_DEADLINE_MS,
    .takes = workflow_takes_nothing,
    .gives_back = true,
    .begin = begin_in_place,
    .finish = finish_pause,
    .ended = instance_look,
};

const Workflow instance_resume_workflow = {
    .kind = OPERATION_KIND_INSTANCE_RESUME,
    .steps = resume_steps,
    .deadline_ms = PAUSE_DEADLINE_MS,
    .takes = workflow_takes_nothing,
    .begin = begin_in_place,
    .finish = finish_resume,
    .ended = instance_look,
};
