/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/workflows.h"
#include "op/admission.h"
#include "tenant/unbilled.h"

/*
 * A destroy is never taken back: it goes on until nothing is left, however long its host
 * is away.  An instance whose creation was taken back meanwhile is gone already when the
 * turn of its destroy comes; then there is nothing to do.
 */

enum {
    DAY_MS = 86400000,
    YEAR_DAYS = 365
};

static void
begin_destroy(Operation *operation, StoreTx *tx)
{
    Instance *instance = instance_of_operation(operation);

    if (instance == NULL)
        return;
    instance_set_operation(instance, operation->record.view.id);
    instance->record.view.desired = INSTANCE_WISH_DESTROYED;
    instance_transition(instance, tx, LIFECYCLE_DESTROY, NULL, "destroyed");
}

static void
finish_destroy(Operation *operation, StoreTx *tx)
{
    Instance *instance = instance_of_operation(operation);

    if (instance == NULL)
        return;
    instance_end_operation(instance, operation);
    if (operation->record.view.state == OPERATION_STATE_SUCCEEDED) {
        instance_transition(instance, tx, LIFECYCLE_GONE, NULL, "destroyed");
        unbilled_add(instance->book->tenants, tx, instance->record.view.tenant);
        instance_remove(instance, tx);
    } else if (operation->has_begun) {
        instance_transition(instance, tx, LIFECYCLE_FAIL,
                            operation->record.view.failure->message, "failed");
    } else {
        instance_put(instance, tx);
    }
}

bool
instance_admit_destroy(Instance *instance,
                       StoreTx *tx,
                       const OperationRequest *request,
                       GError **error)
{
    OperationEngine *engine = instance->book->engine;
    Operation *active = operation_find_active(engine, instance->record.view.id);
    OperationRequest one = *request;
    g_autoptr(Admission) admission = NULL;
    Operation *operation = NULL;

    one.kind = OPERATION_KIND_INSTANCE_DESTROY;
    one.target = instance->record.view.id;
    one.target_name = instance->record.view.name;
    admission = admission_ask(engine, &one, 1, error);
    if (admission == NULL)
        return false;
    if (active != NULL)
        operation_cancel(active, NULL);
    /* Its creation had not begun, and is taken back by now: nothing is left to write. */
    if (instance_get(instance->book, one.target) == NULL)
        return true;
    operation = operation_admit(admission, tx, &one);
    if (instance->record.view.operation == NULL)
        instance_set_operation(instance, operation->record.view.id);
    instance_put(instance, tx);
    return true;
}

static const WorkflowStep destroy_steps[] = {
    { "sample", instance_apply_sample, NULL },
    { "remove", instance_apply_remove, NULL },
    { 0 },
};

const Workflow instance_destroy_workflow = {
    .kind = OPERATION_KIND_INSTANCE_DESTROY,
    .steps = destroy_steps,
    .deadline_ms = (gint64) DAY_MS * YEAR_DAYS,
    .takes = workflow_takes_nothing,
    .gives_back = true,
    .begin = begin_destroy,
    .finish = finish_destroy,
    .ended = instance_look,
};
