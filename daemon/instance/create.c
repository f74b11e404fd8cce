/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/create.h"

#include <string.h>

#include "base/clock.h"
#include "instance/hosts.h"
#include "instance/names.h"
#include "instance/workflows.h"
#include "ledger/ledger.h"
#include "tenant/gate.h"

enum {
    CREATE_DEADLINE_MS = 600000
};

static const gint64 mebibyte = 1048576;

/* The plan */

static bool
refuse(GError **error, const char *path, const char *reason)
{
    proto_error_set_invalid_parameter(error, path, reason, "%s %s",
                                      path + strlen("parameters."), reason);
    return false;
}

static bool
check_at_least(const char *path, gint64 value, gint64 minimum, GError **error)
{
    g_autofree char *reason = NULL;

    if (value >= minimum)
        return true;
    reason = g_strdup_printf("%" G_GINT64_FORMAT
                             " is below the template's smallest, %" G_GINT64_FORMAT,
                             value, minimum);
    return refuse(error, path, reason);
}

static bool
plan_size(const ProtoTemplate *template,
          const ProtoInstanceCreateCall *in,
          ProtoSize *ret_size,
          GError **error)
{
    const ProtoTemplateSize *most = &template->default_;
    const ProtoTemplateSize *least = &template->minimum;
    ProtoSize size = {
        .vcpus = in->has_vcpus ? in->vcpus : most->vcpus,
        .memory_bytes = in->has_memory_bytes ? in->memory_bytes : most->memory_bytes,
        .disk_bytes = in->has_disk_bytes ? in->disk_bytes : most->disk_bytes,
    };

    if (size.memory_bytes % mebibyte != 0)
        return refuse(error, "parameters.memory_bytes", "is not a multiple of 1 MiB");
    if (size.disk_bytes % mebibyte != 0)
        return refuse(error, "parameters.disk_bytes", "is not a multiple of 1 MiB");
    if (!check_at_least("parameters.vcpus", size.vcpus, least->vcpus, error) ||
        !check_at_least("parameters.memory_bytes", size.memory_bytes, least->memory_bytes,
                        error) ||
        !check_at_least("parameters.disk_bytes", size.disk_bytes, least->disk_bytes,
                        error))
        return false;
    *ret_size = size;
    return true;
}

/** Whose names they are. */
typedef struct {
    InstanceBook *book;
    const char *tenant;
} Namer;

static bool
is_taken(const char *name, gpointer data)
{
    const Namer *namer = data;

    return instance_get_by_name(namer->book, namer->tenant, name) != NULL;
}

/* number is 0 for one that has none. */
static char *
plan_name(Namer *namer, const char *asked, gsize number, GError **error)
{
    g_autofree char *name =
        number > 0 ? g_strdup_printf("%s-%zu", asked, number) : g_strdup(asked);

    if (!wire_format_check(WIRE_FORMAT_NAME, name, NULL)) {
        refuse(error, "parameters.name", "is too long for this count");
        return NULL;
    }
    if (is_taken(name, namer)) {
        proto_error_set_already_exists(error, "instance", name,
                                       "There is an instance \"%s\" already", name);
        return NULL;
    }
    return g_steal_pointer(&name);
}

/* Those that are given are as many as the count; NULL: they are made from what was asked.
 */
static bool
plan_names(
    Namer *namer, const char *asked, char *const *given, CreatePlan *plan, GError **error)
{
    plan->names = g_new0(char *, plan->count + 1);
    for (gsize i = 0; i < plan->count; i++) {
        plan->names[i] =
            given != NULL ? plan_name(namer, given[i], 0, error)
                          : plan_name(namer, asked, plan->count > 1 ? i + 1 : 0, error);
        if (plan->names[i] == NULL)
            return false;
    }
    return true;
}

static bool
choose_names(InstanceBook *book,
             const char *tenant,
             const ProtoInstanceCreateCall *in,
             const CreateGroup *group,
             const char *stem,
             CreatePlan *plan,
             GError **error)
{
    Namer namer = { book, tenant };
    g_auto(GStrv) generated = NULL;

    if (group != NULL)
        return plan_names(&namer, NULL, group->names, plan, error);
    if (in->name != NULL)
        return plan_names(&namer, in->name, NULL, plan, error);
    generated = names_generate(stem, plan->count, is_taken, &namer);
    if (generated == NULL)
        return refuse(error, "parameters.name",
                      "is missing, and of those that would be given none is free");
    return plan_names(&namer, NULL, generated, plan, error);
}

static void
take_refusals(CreatePlan *plan, const GError *error)
{
    const ProtoErrorNoCapacity *said = wire_error_get_parameters(error);

    for (gsize i = 0; i < said->n_refusals; i++) {
        const ProtoRefusal *refusal = &said->refusals[i];
        ProtoHostRefusal copy = { g_strdup(refusal->host), g_strdup(refusal->reason) };

        g_array_append_val(plan->host_refusals, copy);
    }
}

/* Keeps the first hindrance as the error of a real run. */
static void
hinder(CreatePlan *plan, GError *error)
{
    if (g_error_matches(error, PROTO_ERROR, PROTO_ERROR_NO_CAPACITY))
        take_refusals(plan, error);
    g_ptr_array_add(plan->refusals, g_strdup(error->message));
    if (plan->error == NULL) {
        plan->error = error;
    } else {
        g_error_free(error);
    }
}

static void
plan_quota(InstanceBook *book,
           const ProtoInstanceCreateCall *in,
           const OperationRequest *request,
           CreatePlan *plan)
{
    OperationRequest one = *request;
    Quota asked = { 0 };
    GError *error = NULL;

    one.kind = OPERATION_KIND_INSTANCE_CREATE;
    one.new_size = &plan->size;
    if (in->has_dry_run && in->dry_run) {
        asked = admission_sum(book->engine, &one, (gint64) plan->count);
        plan->limit = tenant_get_limit(book->tenants, request->tenant);
        plan->used = tenant_get_use(book->tenants, request->tenant);
        plan->after = plan->used;
        quota_add_times(&plan->after, &asked, 1);
    }
    plan->admission = admission_ask(book->engine, &one, (gint64) plan->count, &error);
    if (plan->admission == NULL)
        hinder(plan, error);
}

/* Borrowed from what was asked. */
static ProtoPlacement
get_placement(const ProtoInstanceCreateCall *in)
{
    return (ProtoPlacement){
        .pool = in->pool,
        .host_labels = in->host_labels,
        .anti_affinity = in->anti_affinity,
        .anti_affinity_by = in->anti_affinity_by,
        .has_anti_affinity_soft = in->has_anti_affinity_soft,
        .anti_affinity_soft = in->anti_affinity_soft,
    };
}

/* What is to be kept with the instance; NULL if nothing was asked. */
static ProtoPlacement *
copy_placement(const ProtoInstanceCreateCall *in)
{
    const ProtoPlacement asked = get_placement(in);
    ProtoPlacement *copy = NULL;

    if (asked.pool == NULL && asked.host_labels == NULL && asked.anti_affinity == NULL)
        return NULL;
    copy = g_new0(ProtoPlacement, 1);
    proto_placement_copy(&asked, copy);
    return copy;
}

static bool
check_placement(const ProtoInstanceCreateCall *in, GError **error)
{
    if (in->anti_affinity != NULL && *in->anti_affinity == NULL)
        return refuse(error, "parameters.anti_affinity", "names no label");
    if (in->anti_affinity_by != NULL && in->anti_affinity == NULL)
        return refuse(error, "parameters.anti_affinity_by",
                      "is of no use without anti_affinity");
    if (in->has_anti_affinity_soft && in->anti_affinity == NULL)
        return refuse(error, "parameters.anti_affinity_soft",
                      "is of no use without anti_affinity");
    return true;
}

static void
plan_hosts(InstanceBook *book,
           const char *tenant,
           const ProtoInstanceCreateCall *in,
           const Template *template,
           CreatePlan *plan)
{
    const ProtoPlacement placement = get_placement(in);
    g_autoptr(GArray) hosts = hosts_describe(book);
    PlaceHost *rows = (PlaceHost *) (gpointer) hosts->data;
    const PlaceRequest request = {
        .size = plan->size,
        .pool = in->pool,
        .labels = in->host_labels,
        .arch = template->record.view.arch,
        .strategy = strcmp(book->config->placement_strategy, "pack") == 0 ? PLACE_PACK
                                                                          : PLACE_SPREAD,
        .apart_by = in->anti_affinity_by,
        .is_strictly_apart = in->anti_affinity != NULL && !in->anti_affinity_soft,
    };
    bool is_like_itself =
        in->anti_affinity != NULL && place_has_labels(in->labels, in->anti_affinity);

    hosts_count_near(book, tenant, in->labels, &placement, hosts);

    plan->hosts = g_new0(char *, plan->count + 1);
    for (gsize i = 0; i < plan->count; i++) {
        GError *error = NULL;
        gsize index = 0;

        if (!place_choose(rows, hosts->len, &request, &index, &error)) {
            hinder(plan, error);
            return;
        }
        plan->hosts[i] = g_strdup(rows[index].name);
        quota_add(&rows[index].used, &plan->size, 1);
        rows[index].n_near += is_like_itself;
    }
}

static bool
check_keys(char *const *keys, GError **error)
{
    for (gsize i = 0; keys != NULL && keys[i] != NULL; i++) {
        for (const char *p = keys[i]; *p != '\0'; p++) {
            if (g_ascii_iscntrl(*p))
                return refuse(error, "parameters.ssh_keys",
                              "has a key with control characters");
        }
        if (!g_str_has_prefix(keys[i], "ssh-") && !g_str_has_prefix(keys[i], "ecdsa-") &&
            !g_str_has_prefix(keys[i], "sk-"))
            return refuse(error, "parameters.ssh_keys",
                          "has a key that is no OpenSSH public key");
    }
    return true;
}

bool
create_plan(InstanceBook *book,
            const ProtoInstanceCreateCall *in,
            const CreateGroup *group,
            const OperationRequest *request,
            CreatePlan *ret_plan,
            GError **error)
{
    const char *asked =
        in->template != NULL ? in->template : book->config->template_default;
    Template *template = template_find_ready(book->templates, asked, error);
    g_auto(CreatePlan) plan = { 0 };

    if (template == NULL || !check_keys(in->ssh_keys, error) ||
        !check_placement(in, error))
        return false;
    plan.refusals = g_ptr_array_new_with_free_func(g_free);
    plan.host_refusals = g_array_new(FALSE, FALSE, sizeof(ProtoHostRefusal));
    g_array_set_clear_func(plan.host_refusals, (GDestroyNotify) proto_host_refusal_clear);
    plan.template_id = g_strdup(template->record.view.id);
    plan.count = in->has_count ? (gsize) in->count : 1;
    if (!plan_size(&template->record.view, in, &plan.size, error) ||
        !choose_names(book, request->tenant, in, group, template->record.view.name, &plan,
                      error))
        return false;
    plan_quota(book, in, request, &plan);
    plan_hosts(book, request->tenant, in, template, &plan);
    *ret_plan = plan;
    plan = (CreatePlan){ 0 };
    return true;
}

void
create_plan_clear(CreatePlan *plan)
{
    g_free(plan->template_id);
    g_strfreev(plan->names);
    /* Hosts are filled up to the first that was refused. */
    g_strfreev(plan->hosts);
    g_clear_pointer(&plan->refusals, g_ptr_array_unref);
    g_clear_pointer(&plan->host_refusals, g_array_unref);
    g_clear_error(&plan->error);
    admission_free(plan->admission);
    *plan = (CreatePlan){ 0 };
}

/* Admission */

/* An address that QEMU's own prefix marks as local, made from the id. */
static char *
make_mac(const char *id)
{
    return g_strdup_printf("02:%.2s:%.2s:%.2s:%.2s:%.2s", id, id + 2, id + 4, id + 6,
                           id + 9);
}

static Instance *
make_instance(InstanceBook *book,
              const CreatePlan *plan,
              gsize index,
              const ProtoInstanceCreateCall *in,
              const CreateGroup *group,
              const char *tenant)
{
    Instance *instance = g_new0(Instance, 1);
    Template *template = template_get(book->templates, plan->template_id);
    g_autofree char *now = clock_format_time(clock_wall_ms());
    char *id = g_uuid_string_random();

    instance->record = (ProtoInstanceRecord){
        .view = { .id = id,
                  .name = g_strdup(plan->names[index]),
                  .tenant = g_strdup(tenant),
                  .template = template_get_title(template),
                  .host = g_strdup(plan->hosts[index]),
                  .group = g_strdup(group != NULL ? group->name : NULL),
                  .state = INSTANCE_STATE_PENDING,
                  .desired = INSTANCE_WISH_RUNNING,
                  .vcpus = plan->size.vcpus,
                  .memory_bytes = plan->size.memory_bytes,
                  .disk_bytes = plan->size.disk_bytes,
                  .placement = copy_placement(in),
                  .mac = make_mac(id),
                  .labels = g_strdupv(in->labels),
                  .created_at = g_strdup(now),
                  .changed_at = g_strdup(now) },
        .template_id = g_strdup(plan->template_id),
        .group = g_strdup(group != NULL ? group->id : NULL),
        .ssh_keys = g_strdupv(in->ssh_keys),
        .user_data = g_strdup(in->user_data),
        .max_vcpus = MAX(plan->size.vcpus, book->config->headroom_vcpus),
        .max_memory_bytes = MAX(plan->size.memory_bytes, book->config->headroom_memory),
    };
    return instance;
}

GPtrArray *
create_admit(InstanceBook *book,
             StoreTx *tx,
             CreatePlan *plan,
             const ProtoInstanceCreateCall *in,
             const CreateGroup *group,
             const OperationRequest *request)
{
    GPtrArray *operations = g_ptr_array_new();

    tenant_ensure(book->tenants, tx, request->tenant);
    for (gsize i = 0; i < plan->count; i++) {
        Instance *instance = make_instance(book, plan, i, in, group, request->tenant);
        OperationRequest one = *request;
        Operation *operation = NULL;

        one.kind = OPERATION_KIND_INSTANCE_CREATE;
        one.target = instance->record.view.id;
        one.target_name = instance->record.view.name;
        one.new_size = &plan->size;
        instance_add(book, instance);
        operation = operation_admit(plan->admission, tx, &one);
        instance_set_operation(instance, operation->record.view.id);
        instance_put(instance, tx);
        g_ptr_array_add(operations, operation);
    }
    return operations;
}

/* The workflow */

static void
begin_create(Operation *operation, StoreTx *tx)
{
    instance_transition(instance_of_operation(operation), tx, LIFECYCLE_START, NULL,
                        "create");
}

static void
apply_template(Operation *operation)
{
    const Instance *instance = instance_of_operation(operation);
    Template *template =
        template_get(instance->book->templates, instance->record.template_id);
    GError *error = NULL;

    if (template != NULL) {
        template_bring(template, instance->record.view.host, operation);
        return;
    }
    proto_error_set_not_found(&error, "template", instance->record.view.template,
                              "The template \"%s\" is gone",
                              instance->record.view.template);
    operation_step_done(operation, error);
}

static void
apply_disk(Operation *operation)
{
    Instance *instance = instance_of_operation(operation);
    ProtoWorkerCreateDiskCall in = {
        .id = instance->record.view.id,
        .template_id = instance->record.template_id,
        .capacity_bytes = instance->record.view.disk_bytes,
    };

    instance_call_host(operation, HOST_LANE_GENERAL, &proto_worker_create_disk, &in,
                       INSTANCE_SLOW_MS, instance_step_replied);
}

static void
apply_seed(Operation *operation)
{
    Instance *instance = instance_of_operation(operation);
    ProtoWorkerCreateSeedCall in = {
        .id = instance->record.view.id,
        .hostname = instance->record.view.name,
        .mac = instance->record.view.mac,
        .ssh_keys = instance->record.ssh_keys,
        .user_data = instance->record.user_data,
    };

    instance_call_host(operation, HOST_LANE_GENERAL, &proto_worker_create_seed, &in,
                       INSTANCE_SLOW_MS, instance_step_replied);
}

static void
finish_create(Operation *operation, StoreTx *tx)
{
    Instance *instance = instance_of_operation(operation);

    instance_end_operation(instance, operation);
    if (operation->record.view.state == OPERATION_STATE_SUCCEEDED) {
        /* The guest has what user-data may hold of secrets; a new seed is not made. */
        g_clear_pointer(&instance->record.user_data, g_free);
        instance_has_started(instance, tx, "created");
    } else if (operation->undo_failed) {
        instance_transition(instance, tx, LIFECYCLE_FAIL,
                            operation->record.view.failure->message, "failed");
    } else {
        instance_transition(instance, tx, LIFECYCLE_GONE,
                            operation->record.view.failure->message, "failed");
        instance_remove(instance, tx);
    }
}

static void
take(gpointer owner, const OperationRequest *request, Quota *asked)
{
    quota_add(asked, request->new_size, 1);
    asked->amount[QUOTA_ADDRESSES] = 1;
}

static const WorkflowStep create_steps[] = {
    { "template", apply_template, NULL },
    { "disk", apply_disk, instance_apply_remove },
    { "seed", apply_seed, NULL },
    { "define", instance_apply_define, NULL },
    { "start", instance_apply_start, NULL },
    { 0 },
};

const Workflow instance_create_workflow = {
    .kind = OPERATION_KIND_INSTANCE_CREATE,
    .steps = create_steps,
    .deadline_ms = CREATE_DEADLINE_MS,
    .takes = take,
    .can_cancel = true,
    .begin = begin_create,
    .finish = finish_create,
    .ended = instance_look,
};
