/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "instance/create.h"
#include "instance/resize.h"
#include "rpc/rpc.h"

enum {
    LOG_BYTES = 16384,
    LOG_TIMEOUT_MS = 20000,
    WAIT_MS = 300000
};

/* Create */

typedef struct {
    WireCall *call;
    GPtrArray *operations;
} PendingCreate;

static void
on_created(gpointer data)
{
    PendingCreate *pending = data;
    g_autofree ProtoAccepted *rows = g_new0(ProtoAccepted, pending->operations->len);
    ProtoInstanceCreateReply reply = { .instances = rows,
                                       .n_instances = pending->operations->len };

    for (guint i = 0; i < pending->operations->len; i++) {
        const ProtoOperation *view =
            &((Operation *) pending->operations->pdata[i])->record.view;

        rows[i] = (ProtoAccepted){ view->target, view->target_name, view->id };
    }
    wire_call_reply(pending->call, &reply);
    g_ptr_array_unref(pending->operations);
    g_free(pending);
}

static void
reply_created(WireCall *call, StoreTx *tx, GPtrArray *operations)
{
    PendingCreate *pending = g_new0(PendingCreate, 1);

    *pending = (PendingCreate){ call, operations };
    store_on_commit(tx, on_created, pending);
    store_commit(tx);
}

static void
reply_plan(WireCall *call, const CreatePlan *plan, const Template *template)
{
    g_autofree char *title = template_get_title(template);
    ProtoQuotaUse uses[QUOTA_REQUESTS];
    ProtoPlan shown = {
        .host = plan->error == NULL ? plan->hosts[0] : NULL,
        .size = plan->size,
        .template = title,
        .quota = uses,
        .n_quota = QUOTA_REQUESTS,
        .hosts = plan->error == NULL ? plan->hosts : NULL,
        .host_refusals = (ProtoHostRefusal *) (gpointer) plan->host_refusals->data,
        .n_host_refusals = plan->host_refusals->len,
    };
    ProtoInstanceCreateReply reply = { .plan = &shown };

    /* The end of the list may move it. */
    g_ptr_array_add(plan->refusals, NULL);
    shown.refusals = (char **) plan->refusals->pdata;
    for (int i = 0; i < QUOTA_REQUESTS; i++) {
        uses[i] = (ProtoQuotaUse){
            .resource = (char *) (gsize) quota_resource_to_string((QuotaResource) i),
            .used = plan->used.amount[i],
            .after = plan->after.amount[i],
            .limit = plan->limit.amount[i],
        };
    }
    wire_call_reply(call, &reply);
}

static bool
try_create(WireCall *call, const void *parameters, GError **error)
{
    const ProtoInstanceCreateCall *in = parameters;
    Rpc *rpc = rpc_of(call);
    const char *tenant = NULL;
    GPtrArray *repeated = NULL;
    g_auto(Change) change = { 0 };
    g_auto(CreatePlan) plan = { 0 };
    StoreTx *tx = NULL;

    if (!rpc_get_tenant(call, in->tenant, &tenant, error) ||
        !rpc_change_init(call, in, in->request_id, tenant, &change, &repeated, error))
        return false;
    if (repeated != NULL) {
        reply_created(call, store_begin(rpc->store), repeated);
        return true;
    }
    if (!create_plan(rpc->instances, in, NULL, &change.request, &plan, error))
        return false;
    if (in->dry_run && !rpc_may_find_room(rpc, plan.error)) {
        reply_plan(call, &plan, template_get(rpc->templates, plan.template_id));
        return true;
    }
    if (plan.error != NULL) {
        g_propagate_error(error, g_steal_pointer(&plan.error));
        return false;
    }
    tx = store_begin(rpc->store);
    reply_created(call, tx,
                  create_admit(rpc->instances, tx, &plan, in, NULL, &change.request));
    return true;
}

static void
create(WireCall *call, const ProtoInstanceCreateCall *in)
{
    rpc_try(call, in, try_create);
}

/* Looking */

static void
get(WireCall *call, const ProtoInstanceGetCall *in)
{
    GError *error = NULL;
    Instance *instance = rpc_find_instance(call, in->instance, in->tenant, &error);
    ProtoInstanceGetReply reply = { 0 };

    if (instance == NULL) {
        wire_call_fail(call, error);
        return;
    }
    reply.instance = rpc_show_instance(instance);
    wire_call_reply(call, &reply);
}

static bool
has_labels(char *const *has, char *const *wanted)
{
    for (gsize i = 0; wanted != NULL && wanted[i] != NULL; i += 2) {
        bool found = false;

        for (gsize j = 0; has != NULL && has[j] != NULL && !found; j += 2) {
            found =
                strcmp(has[j], wanted[i]) == 0 && strcmp(has[j + 1], wanted[i + 1]) == 0;
        }
        if (!found)
            return false;
    }
    return true;
}

static bool
matches(const Instance *instance, const ProtoInstanceListCall *in, const char *tenant)
{
    const ProtoInstance *view = &instance->record.view;

    return (tenant == NULL || strcmp(view->tenant, tenant) == 0) &&
           (!in->has_state || view->state == in->state) &&
           (in->prefix == NULL || g_str_has_prefix(view->name, in->prefix)) &&
           has_labels(view->labels, in->labels);
}

static void
list(WireCall *call, const ProtoInstanceListCall *in)
{
    Rpc *rpc = rpc_of(call);
    guint limit = rpc_get_limit(in->has_limit, in->limit);
    g_autofree ProtoInstance *rows = g_new0(ProtoInstance, limit);
    ProtoInstanceListReply reply = { .instances = rows };
    const char *tenant = NULL;
    const char *last = NULL;
    GTreeNode *node = NULL;
    GError *error = NULL;

    if ((in->tenant != NULL || !rpc_is_admin(call)) &&
        !rpc_get_tenant(call, in->tenant, &tenant, &error)) {
        wire_call_fail(call, error);
        return;
    }
    for (node = rpc_find_start(rpc->instances->by_name, in->after, tenant); node != NULL;
         node = g_tree_node_next(node)) {
        const Instance *instance = g_tree_node_value(node);

        if (reply.n_instances == limit)
            break;
        if (tenant != NULL && strcmp(instance->record.view.tenant, tenant) != 0)
            break;
        last = g_tree_node_key(node);
        if (matches(instance, in, tenant))
            rows[reply.n_instances++] = rpc_show_instance(instance);
    }
    if (node != NULL && reply.n_instances == limit)
        reply.next = (char *) (gsize) last;
    wire_call_reply(call, &reply);
}

static void
wait_for(WireCall *call, const ProtoInstanceWaitCall *in)
{
    GError *error = NULL;
    Instance *instance = rpc_find_instance(call, in->instance, in->tenant, &error);

    if (instance == NULL) {
        wire_call_fail(call, error);
        return;
    }
    instance_wait(instance, call, in->until,
                  in->has_timeout_ms ? in->timeout_ms : WAIT_MS);
}

static void
on_log(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoWorkerReadLogReply *log = out;
    WireCall *call = data;
    ProtoInstanceLogReply reply = { 0 };

    if (error != NULL) {
        wire_call_fail(call, g_error_copy(error));
        return;
    }
    reply = (ProtoInstanceLogReply){ log->data, log->offset, log->next };
    wire_call_reply(call, &reply);
}

static void
read_log(WireCall *call, const ProtoInstanceLogCall *in)
{
    GError *error = NULL;
    Instance *instance = rpc_find_instance(call, in->instance, in->tenant, &error);
    ProtoWorkerReadLogCall ask = {
        .offset = in->has_offset ? in->offset : -LOG_BYTES,
        .max_bytes = in->has_max_bytes ? in->max_bytes : LOG_BYTES,
    };

    if (instance == NULL) {
        wire_call_fail(call, error);
        return;
    }
    ask.id = instance->record.view.id;
    instance_call(instance, HOST_LANE_QUERY, &proto_worker_read_log, &ask, LOG_TIMEOUT_MS,
                  on_log, call);
}

/* Changing one that exists */

/** What the methods that change an instance have in common. */
typedef struct {
    OperationKind kind;
    const char *instance;
    const char *tenant;
    const char *request_id;
    bool force;
    gint64 timeout_ms;
    const ProtoInstanceResizeCall *resize;
} Wanted;

/*
 * A destroy, and a stop by force, do not wait for what is under way to come to its
 * natural end: they ask for it to be taken back and queue behind it.  Behind a destroy
 * there is nothing left to stop.
 */
static bool
pushes(const Wanted *wanted, const Operation *active)
{
    if (wanted->kind == OPERATION_KIND_INSTANCE_DESTROY)
        return true;
    return wanted->force && wanted->kind == OPERATION_KIND_INSTANCE_STOP &&
           active->record.view.kind != OPERATION_KIND_INSTANCE_DESTROY;
}

static bool
permit(Instance *instance, const Wanted *wanted, GError **error)
{
    Operation *active =
        operation_find_active(instance->book->engine, instance->record.view.id);
    bool is_same = active != NULL && active->record.view.kind == wanted->kind &&
                   active->record.force == wanted->force;

    if (active == NULL || is_same || !pushes(wanted, active))
        return instance_permit(instance, wanted->kind, error);
    operation_cancel(active, NULL);
    return true;
}

static bool
plan_resize(Instance *instance,
            const Wanted *wanted,
            OperationRequest *request,
            ProtoSize sizes[2],
            GError **error)
{
    const ProtoInstance *view = &instance->record.view;

    if (wanted->resize == NULL)
        return true;
    if (!resize_plan(instance, wanted->resize, &sizes[1], error))
        return false;
    sizes[0] = (ProtoSize){ view->vcpus, view->memory_bytes, view->disk_bytes };
    request->old_size = &sizes[0];
    request->new_size = &sizes[1];
    return true;
}

static bool
try_change(WireCall *call, const void *in, const Wanted *wanted, GError **error)
{
    Rpc *rpc = rpc_of(call);
    Instance *instance = NULL;
    GPtrArray *repeated = NULL;
    g_auto(Change) change = { 0 };
    ProtoSize sizes[2];
    g_autoptr(Admission) admission = NULL;
    Operation *operation = NULL;
    StoreTx *tx = NULL;

    if (!rpc_change_init(call, in, wanted->request_id, NULL, &change, &repeated, error))
        return false;
    if (rpc_reply_repeat(call, repeated))
        return true;
    instance = rpc_find_instance(call, wanted->instance, wanted->tenant, error);
    if (instance == NULL)
        return false;
    change.request.kind = wanted->kind;
    change.request.tenant = instance->record.view.tenant;
    change.request.target = instance->record.view.id;
    change.request.target_name = instance->record.view.name;
    change.request.force = wanted->force;
    change.request.timeout_ms = wanted->timeout_ms;
    if (!plan_resize(instance, wanted, &change.request, sizes, error))
        return false;
    admission = admission_ask(rpc->engine, &change.request, 1, error);
    if (admission == NULL || !permit(instance, wanted, error))
        return false;
    tx = store_begin(rpc->store);
    operation = operation_admit(admission, tx, &change.request);
    /* The row of one that was not begun yet goes with the create that is cancelled. */
    if (instance_get(rpc->instances, change.request.target) == instance) {
        if (instance->record.view.operation == NULL)
            instance->record.view.operation = g_strdup(operation->record.view.id);
        instance_put(instance, tx);
    }
    rpc_reply_operation(call, tx, operation);
    return true;
}

static void
change_instance(WireCall *call, const void *in, const Wanted *wanted)
{
    GError *error = NULL;

    if (!try_change(call, in, wanted, &error))
        wire_call_fail(call, error);
}

static void
start(WireCall *call, const ProtoInstanceStartCall *in)
{
    change_instance(call, in,
                    &(Wanted){ .kind = OPERATION_KIND_INSTANCE_START,
                               .instance = in->instance,
                               .tenant = in->tenant,
                               .request_id = in->request_id });
}

static void
stop(WireCall *call, const ProtoInstanceStopCall *in)
{
    change_instance(call, in,
                    &(Wanted){ .kind = OPERATION_KIND_INSTANCE_STOP,
                               .instance = in->instance,
                               .tenant = in->tenant,
                               .request_id = in->request_id,
                               .force = in->has_force && in->force,
                               .timeout_ms = in->timeout_ms });
}

static void
restart(WireCall *call, const ProtoInstanceRestartCall *in)
{
    change_instance(call, in,
                    &(Wanted){ .kind = OPERATION_KIND_INSTANCE_RESTART,
                               .instance = in->instance,
                               .tenant = in->tenant,
                               .request_id = in->request_id,
                               .force = in->has_force && in->force,
                               .timeout_ms = in->timeout_ms });
}

static void
pause_instance(WireCall *call, const ProtoInstancePauseCall *in)
{
    change_instance(call, in,
                    &(Wanted){ .kind = OPERATION_KIND_INSTANCE_PAUSE,
                               .instance = in->instance,
                               .tenant = in->tenant,
                               .request_id = in->request_id });
}

static void
resume(WireCall *call, const ProtoInstanceResumeCall *in)
{
    change_instance(call, in,
                    &(Wanted){ .kind = OPERATION_KIND_INSTANCE_RESUME,
                               .instance = in->instance,
                               .tenant = in->tenant,
                               .request_id = in->request_id });
}

static bool
try_resize(WireCall *call, const void *in, GError **error)
{
    const ProtoInstanceResizeCall *resize = in;

    return try_change(call, in,
                      &(Wanted){ .kind = OPERATION_KIND_INSTANCE_RESIZE,
                                 .instance = resize->instance,
                                 .tenant = resize->tenant,
                                 .request_id = resize->request_id,
                                 .resize = resize },
                      error);
}

static void
resize(WireCall *call, const ProtoInstanceResizeCall *in)
{
    rpc_try(call, in, try_resize);
}

static void
destroy(WireCall *call, const ProtoInstanceDestroyCall *in)
{
    change_instance(call, in,
                    &(Wanted){ .kind = OPERATION_KIND_INSTANCE_DESTROY,
                               .instance = in->instance,
                               .tenant = in->tenant,
                               .request_id = in->request_id });
}

const ProtoInstanceHandlers rpc_instance_handlers = {
    .create = create,
    .get = get,
    .list = list,
    .start = start,
    .stop = stop,
    .restart = restart,
    .pause = pause_instance,
    .resume = resume,
    .resize = resize,
    .destroy = destroy,
    .log = read_log,
    .wait = wait_for,
};
