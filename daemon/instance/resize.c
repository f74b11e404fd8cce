/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/resize.h"

#include <string.h>

#include "instance/hosts.h"
#include "instance/workflows.h"

/*
 * The operation's record carries the old and the new size; the quota counts the larger of
 * the two until it ends.  A domain that is on is brought to the new size as far as the
 * guest will go, and what could not be done is set for the next start.  A domain that is
 * off has its disk grown and is defined anew: whoever starts it gets what was granted.
 */

enum {
    RESIZE_DEADLINE_MS = 120000
};

static const gint64 mebibyte = 1048576;

static bool
refuse(GError **error, const char *path, const char *reason)
{
    proto_error_set_invalid_parameter(error, path, reason, "%s %s",
                                      path + strlen("parameters."), reason);
    return false;
}

static bool
check_size(Instance *instance, const ProtoSize *size, GError **error)
{
    const Template *template =
        template_get(instance->book->templates, instance->record.template_id);

    if (size->memory_bytes % mebibyte != 0)
        return refuse(error, "parameters.memory_bytes", "is not a multiple of 1 MiB");
    if (size->disk_bytes % mebibyte != 0)
        return refuse(error, "parameters.disk_bytes", "is not a multiple of 1 MiB");
    if (size->disk_bytes < instance->record.view.disk_bytes)
        return refuse(error, "parameters.disk_bytes",
                      "is less than it has: a disk only grows");
    if (template == NULL)
        return true;
    if (size->vcpus < template->record.view.minimum.vcpus)
        return refuse(error, "parameters.vcpus", "is below the template's smallest");
    if (size->memory_bytes < template->record.view.minimum.memory_bytes)
        return refuse(error, "parameters.memory_bytes",
                      "is below the template's smallest");
    return true;
}

/* What is added to what the instance holds already must fit its host. */
static bool
check_room(Instance *instance, const ProtoSize *size, GError **error)
{
    ProtoSize held = instance_get_held_size(instance);
    Quota more = {
        { [QUOTA_VCPUS] = MAX(size->vcpus - held.vcpus, 0),
          [QUOTA_MEMORY_BYTES] = MAX(size->memory_bytes - held.memory_bytes, 0),
          [QUOTA_DISK_BYTES] = MAX(size->disk_bytes - held.disk_bytes, 0) },
    };

    return hosts_check_growth(instance, &more, error);
}

bool
resize_plan(Instance *instance,
            const ProtoInstanceResizeCall *in,
            ProtoSize *ret_size,
            GError **error)
{
    ProtoSize size = instance_get_next_size(instance);

    if (!in->has_vcpus && !in->has_memory_bytes && !in->has_disk_bytes)
        return refuse(error, "parameters.vcpus",
                      "is missing, and so are the other sizes");
    if (in->has_vcpus)
        size.vcpus = in->vcpus;
    if (in->has_memory_bytes)
        size.memory_bytes = in->memory_bytes;
    if (in->has_disk_bytes)
        size.disk_bytes = in->disk_bytes;
    if (!check_size(instance, &size, error) || !check_room(instance, &size, error))
        return false;
    *ret_size = size;
    return true;
}

static Applied
judge(gint64 old, gint64 now, gint64 asked, bool on)
{
    if (now != asked)
        return APPLIED_NEXT_START;
    if (old == asked)
        return APPLIED_UNCHANGED;
    return on ? APPLIED_LIVE : APPLIED_NEXT_START;
}

static void
on_resized(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoWorkerResizeReply *reply = out;
    Operation *operation = data;
    Instance *instance = instance_of_operation(operation);
    const ProtoSize *old = operation->record.old_size;
    const ProtoSize *asked = operation->record.new_size;
    bool on = instance_is_on(instance);
    ProtoResized *resized = NULL;

    if (error != NULL) {
        operation_step_done(operation, g_error_copy(error));
        return;
    }
    resized = g_new0(ProtoResized, 1);
    *resized = (ProtoResized){
        .vcpus = judge(old->vcpus, on ? reply->vcpus : asked->vcpus, asked->vcpus, on),
        .memory = judge(old->memory_bytes, on ? reply->memory_bytes : asked->memory_bytes,
                        asked->memory_bytes, on),
        .disk = old->disk_bytes == asked->disk_bytes ? APPLIED_UNCHANGED : APPLIED_LIVE,
        .has_guest_vcpus = reply->guest.has_vcpus,
        .guest_vcpus = reply->guest.vcpus,
        .has_guest_memory_bytes = reply->guest.has_memory_bytes,
        .guest_memory_bytes = reply->guest.memory_bytes,
        .note = g_strdup(reply->note),
    };
    if (operation->record.view.resize != NULL)
        proto_resized_clear(operation->record.view.resize);
    g_free(operation->record.view.resize);
    operation->record.view.resize = resized;
    operation_step_done(operation, NULL);
}

static void
apply_resize(Operation *operation)
{
    const ProtoSize *asked = operation->record.new_size;
    ProtoWorkerResizeCall in = {
        .id = operation->record.view.target,
        .vcpus = asked->vcpus,
        .memory_bytes = asked->memory_bytes,
        .disk_bytes = asked->disk_bytes,
    };

    instance_call_host(operation, HOST_LANE_GENERAL, &proto_worker_resize, &in,
                       INSTANCE_SLOW_MS, on_resized);
}

static void
apply_define(Operation *operation)
{
    if (instance_is_on(instance_of_operation(operation))) {
        operation_step_done(operation, NULL);
    } else {
        instance_define(operation, operation->record.new_size);
    }
}

static void
begin_resize(Operation *operation, StoreTx *tx)
{
    Instance *instance = instance_of_operation(operation);

    instance_set_operation(instance, operation->record.view.id);
    instance_put(instance, tx);
}

static void
add_event(Instance *instance, StoreTx *tx)
{
    const ProtoInstance *view = &instance->record.view;
    ProtoEvent event = {
        .kind = EVENT_KIND_INSTANCE_RESIZED,
        .tenant = g_strdup(view->tenant),
        .subject = g_strdup(view->id),
        .name = g_strdup(view->name),
        .detail = g_strdup_printf("%" G_GINT64_FORMAT " vCPUs, %" G_GINT64_FORMAT
                                  " MiB memory, %" G_GINT64_FORMAT " MiB disk",
                                  view->vcpus, view->memory_bytes / mebibyte,
                                  view->disk_bytes / mebibyte),
    };

    store_add_event(tx, &event);
}

static void
take_size(Instance *instance, const Operation *operation)
{
    ProtoInstance *view = &instance->record.view;
    const ProtoSize *asked = operation->record.new_size;
    const ProtoResized *resized = operation->record.view.resize;
    bool wait_vcpus = instance_is_on(instance) && resized->vcpus == APPLIED_NEXT_START;
    bool wait_memory = instance_is_on(instance) && resized->memory == APPLIED_NEXT_START;

    view->disk_bytes = asked->disk_bytes;
    if (!wait_vcpus)
        view->vcpus = asked->vcpus;
    if (!wait_memory)
        view->memory_bytes = asked->memory_bytes;
    g_clear_pointer(&view->next, g_free);
    if (wait_vcpus || wait_memory)
        view->next = g_memdup2(asked, sizeof *asked);
}

/* A disk that has grown is not made smaller when something else fails: how large it is
 * only its host knows, perhaps not before it is back. */
static void
doubt_disk(Instance *instance, const Operation *operation)
{
    ProtoInstanceRecord *record = &instance->record;
    gint64 asked = operation->record.new_size->disk_bytes;

    if ((!operation->has_begun && !operation->may_have_begun) ||
        asked <= record->view.disk_bytes)
        return;
    record->doubtful_disk_bytes =
        record->has_doubtful_disk_bytes ? MAX(record->doubtful_disk_bytes, asked) : asked;
    record->has_doubtful_disk_bytes = true;
}

static void
finish_resize(Operation *operation, StoreTx *tx)
{
    Instance *instance = instance_of_operation(operation);

    instance_end_operation(instance, operation);
    if (operation->record.view.state != OPERATION_STATE_SUCCEEDED) {
        doubt_disk(instance, operation);
        instance->needs_look = true;
        instance_put(instance, tx);
        return;
    }
    instance->needs_look |= instance->record.has_doubtful_disk_bytes;
    take_size(instance, operation);
    instance_cut(instance, tx, LIFECYCLE_BILL_AS_BEFORE, NULL, "resized");
    add_event(instance, tx);
    instance_put(instance, tx);
}

/* What is added to what the instance holds already. */
static void
take(gpointer owner, const OperationRequest *request, Quota *asked)
{
    Instance *instance = instance_get(owner, request->target);
    const ProtoSize *size = request->new_size;
    ProtoSize held = instance_get_held_size(instance);

    asked->amount[QUOTA_VCPUS] = MAX(size->vcpus - held.vcpus, 0);
    asked->amount[QUOTA_MEMORY_BYTES] = MAX(size->memory_bytes - held.memory_bytes, 0);
    asked->amount[QUOTA_DISK_BYTES] = MAX(size->disk_bytes - held.disk_bytes, 0);
}

static const WorkflowStep resize_steps[] = {
    { "sample", instance_apply_sample, NULL },
    { "resize", apply_resize, NULL },
    { "define", apply_define, NULL },
    { 0 },
};

const Workflow instance_resize_workflow = {
    .kind = OPERATION_KIND_INSTANCE_RESIZE,
    .steps = resize_steps,
    .deadline_ms = RESIZE_DEADLINE_MS,
    .takes = take,
    .begin = begin_resize,
    .finish = finish_resize,
    .ended = instance_look,
};
