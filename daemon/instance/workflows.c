/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/workflows.h"

#include "base/clock.h"
#include "instance/keepsake.h"
#include "instance/tick.h"

const Workflow *const instance_workflows[] = {
    &instance_create_workflow,  &instance_start_workflow,   &instance_stop_workflow,
    &instance_restart_workflow, &instance_pause_workflow,   &instance_resume_workflow,
    &instance_resize_workflow,  &instance_destroy_workflow,
};
const gsize instance_n_workflows = G_N_ELEMENTS(instance_workflows);

static const char *const participles[OPERATION_KIND_N] = {
    [OPERATION_KIND_INSTANCE_CREATE] = "created",
    [OPERATION_KIND_INSTANCE_START] = "started",
    [OPERATION_KIND_INSTANCE_STOP] = "stopped",
    [OPERATION_KIND_INSTANCE_RESTART] = "restarted",
    [OPERATION_KIND_INSTANCE_PAUSE] = "paused",
    [OPERATION_KIND_INSTANCE_RESUME] = "resumed",
    [OPERATION_KIND_INSTANCE_RESIZE] = "resized",
    [OPERATION_KIND_INSTANCE_DESTROY] = "destroyed",
};

const char *
instance_get_participle(OperationKind kind)
{
    return participles[kind];
}

void
instance_step_replied(const void *out, bool continues, const GError *error, gpointer data)
{
    operation_step_done(data, error != NULL ? g_error_copy(error) : NULL);
}

void
instance_call_host(Operation *operation,
                   HostLane lane,
                   const WireMethod *method,
                   const void *in,
                   gint64 timeout_ms,
                   WireLinkReply reply)
{
    const Instance *instance = instance_of_operation(operation);

    /* One whose creation was taken back left nothing behind. */
    if (instance == NULL) {
        operation_step_done(operation, NULL);
        return;
    }
    instance_call(instance, lane, method, in, timeout_ms, reply, operation);
}

void
instance_define(Operation *operation, const ProtoSize *size)
{
    Instance *instance = instance_of_operation(operation);
    const ProtoInstance *view = &instance->record.view;
    const Template *template =
        template_get(instance->book->templates, instance->record.template_id);
    g_autofree char *keepsake = keepsake_make(instance, template, size);
    ProtoWorkerDefineCall in = {
        .spec = { .id = view->id,
                  .name = view->name,
                  .tenant = view->tenant,
                  .template_id = instance->record.template_id,
                  .cmdline = template != NULL ? template->record.cmdline : NULL,
                  .initrd = template != NULL && template->record.initrd,
                  .generation = view->generation + 1,
                  .vcpus = size->vcpus,
                  .max_vcpus = MAX(size->vcpus, instance->record.max_vcpus),
                  .memory_bytes = size->memory_bytes,
                  .max_memory_bytes =
                      MAX(size->memory_bytes, instance->record.max_memory_bytes),
                  .mac = view->mac,
                  .keepsake = keepsake },
    };

    instance_call_host(operation, HOST_LANE_GENERAL, &proto_worker_define, &in,
                       INSTANCE_QUICK_MS, instance_step_replied);
}

void
instance_apply_define(Operation *operation)
{
    ProtoSize size = instance_get_next_size(instance_of_operation(operation));

    instance_define(operation, &size);
}

static void
on_sampled(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoWorkerInspectReply *reply = out;
    Operation *operation = data;
    Instance *instance = instance_of_operation(operation);

    if (reply != NULL && reply->stats != NULL && instance != NULL)
        tick_take(instance, reply->stats);
    operation_step_done(operation, NULL);
}

void
instance_apply_sample(Operation *operation)
{
    Instance *instance = instance_of_operation(operation);
    ProtoWorkerInspectCall in = { .id = operation->record.view.target,
                                  .has_stats = true,
                                  .stats = true };

    if (instance == NULL || instance->readings.segment == 0) {
        operation_step_done(operation, NULL);
    } else {
        instance_call_host(operation, HOST_LANE_QUERY, &proto_worker_inspect, &in,
                           INSTANCE_QUICK_MS, on_sampled);
    }
}

void
instance_apply_start(Operation *operation)
{
    ProtoWorkerStartCall in = { .id = operation->record.view.target };

    instance_call_host(operation, HOST_LANE_GENERAL, &proto_worker_start, &in,
                       INSTANCE_SLOW_MS, instance_step_replied);
}

void
instance_apply_remove(Operation *operation)
{
    ProtoWorkerRemoveCall in = { .id = operation->record.view.target };

    instance_call_host(operation, HOST_LANE_URGENT, &proto_worker_remove, &in,
                       INSTANCE_SLOW_MS, instance_step_replied);
}

void
instance_has_started(Instance *instance, StoreTx *tx, const char *cause)
{
    ProtoInstance *view = &instance->record.view;
    ProtoSize size = instance_get_next_size(instance);

    view->vcpus = size.vcpus;
    view->memory_bytes = size.memory_bytes;
    view->disk_bytes = size.disk_bytes;
    g_clear_pointer(&view->next, g_free);
    view->generation++;
    g_free(view->started_at);
    view->started_at = clock_format_time(clock_wall_ms());
    view->desired = INSTANCE_WISH_RUNNING;
    instance_transition(instance, tx, LIFECYCLE_RUNS, NULL, cause);
}

void
instance_set_operation(Instance *instance, const char *operation)
{
    char *copy = g_strdup(operation);

    g_free(instance->record.view.operation);
    instance->record.view.operation = copy;
}

void
instance_end_operation(Instance *instance, const Operation *operation)
{
    ProtoInstance *view = &instance->record.view;

    if (g_strcmp0(view->operation, operation->record.view.id) == 0)
        g_clear_pointer(&view->operation, g_free);
}
