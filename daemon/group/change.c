/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group/change.h"

#include <string.h>

#include "base/clock.h"
#include "group/health.h"
#include "group/keep.h"
#include "instance/create.h"
#include "op/admission.h"
#include "place/place.h"

enum {
    SETTLE_DEADLINE_MS = 3600000,
    DAY_MS = 86400000,
    YEAR_DAYS = 365,
    NAME_BYTES = 27,
    HEALTH_GRACE_MS = 60000,
    HEALTH_INTERVAL_MS = 10000
};

static bool refuse(GError **error, const char *path, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static bool
refuse(GError **error, const char *path, const char *format, ...)
{
    va_list arguments;
    g_autofree char *reason = NULL;

    va_start(arguments, format);
    reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    proto_error_set_invalid_parameter(error, path, reason, "%s %s",
                                      path + strlen("parameters."), reason);
    return false;
}

/* Ends what is under way on the group: what comes now takes its place. */
static void
supersede(Group *group)
{
    Operation *operation =
        operation_find_newest(group->book->engine, group->record.view.id);
    GError *error = NULL;

    if (group->settling != NULL) {
        proto_error_set_cancelled(&error, "Another change of the group took its place");
        operation_step_done(g_steal_pointer(&group->settling), error);
    } else if (operation != NULL) {
        operation_cancel(operation, NULL);
    }
}

/* Leave for a change that makes so many members at once; request gets all that it wants.
 */
static Admission *
ask(GroupBook *book,
    const Group *group,
    OperationKind kind,
    const ProtoSize *size,
    gint64 n_members,
    OperationRequest *request,
    GError **error)
{
    const ProtoGroup *view = &group->record.view;

    request->kind = kind;
    request->tenant = view->tenant;
    request->target = view->id;
    request->target_name = view->name;
    request->new_size = size;
    request->n_members = n_members;
    return admission_ask(book->engine, request, 1, error);
}

static Operation *
admit(Group *group, Admission *admission, StoreTx *tx, const OperationRequest *request)
{
    ProtoGroup *view = &group->record.view;
    Operation *operation = operation_admit(admission, tx, request);

    g_free(view->operation);
    view->operation = g_strdup(operation->record.view.id);
    g_free(view->changed_at);
    view->changed_at = clock_format_time(clock_wall_ms());
    group_put(group, tx);
    group_keep(group, tx);
    return operation;
}

/* Create */

static bool
check_numbers(const ProtoGroupCreateCall *in, GError **error)
{
    gint64 min = in->has_min ? in->min : 0;
    gint64 count = in->has_count ? in->count : min;

    if (strlen(in->group) > NAME_BYTES)
        return refuse(error, "parameters.group",
                      "is longer than %d bytes, which leaves no room for the numbers of "
                      "its members",
                      NAME_BYTES);
    if (min > in->max)
        return refuse(error, "parameters.min",
                      "is %" G_GINT64_FORMAT ", above max, %" G_GINT64_FORMAT, min,
                      in->max);
    if (count < min || count > in->max)
        return refuse(error, "parameters.count",
                      "is %" G_GINT64_FORMAT ", not from min, %" G_GINT64_FORMAT
                      ", to max, %" G_GINT64_FORMAT,
                      count, min, in->max);
    return true;
}

static bool
check_name(GroupBook *book,
           const char *tenant,
           const ProtoGroupCreateCall *in,
           GError **error)
{
    if (group_find(book, tenant, in->group, NULL) == NULL)
        return true;
    proto_error_set_already_exists(error, "group", in->group,
                                   "There is a group \"%s\" already", in->group);
    return false;
}

/* What a member would be made with, checked as for one of them; size and template are
 * taken from that. */
static bool
plan_member(GroupBook *book,
            const ProtoGroupCreateCall *in,
            const OperationRequest *request,
            CreatePlan *ret_plan,
            GError **error)
{
    const ProtoInstanceCreateCall one = {
        .template = in->template,
        .has_vcpus = in->has_vcpus,
        .vcpus = in->vcpus,
        .has_memory_bytes = in->has_memory_bytes,
        .memory_bytes = in->memory_bytes,
        .has_disk_bytes = in->has_disk_bytes,
        .disk_bytes = in->disk_bytes,
        .ssh_keys = in->ssh_keys,
        .user_data = in->user_data,
        .labels = in->labels,
    };

    return create_plan(book->instances, &one, NULL, request, ret_plan, error);
}

/* With one more that members are kept apart by, if they are. */
static char **
make_labels(const ProtoGroupCreateCall *in)
{
    g_autoptr(GStrvBuilder) labels = g_strv_builder_new();

    if (in->labels == NULL && in->spread == NULL)
        return NULL;
    for (gsize i = 0; in->labels != NULL && in->labels[i] != NULL; i++) {
        g_strv_builder_add(labels, in->labels[i]);
    }
    if (in->spread != NULL && place_get_label(in->labels, GROUP_LABEL) == NULL)
        g_strv_builder_add_many(labels, GROUP_LABEL, in->group, NULL);
    return g_strv_builder_end(labels);
}

static Group *
make_group(GroupBook *book,
           const ProtoGroupCreateCall *in,
           const CreatePlan *plan,
           const OperationRequest *request)
{
    Group *group = g_new0(Group, 1);
    char *now = clock_format_time(clock_wall_ms());
    gint64 min = in->has_min ? in->min : 0;

    group->record = (ProtoGroupRecord){
        .view = { .id = g_uuid_string_random(),
                  .name = g_strdup(in->group),
                  .tenant = g_strdup(request->tenant),
                  .template = template_get_title(
                      template_get(book->instances->templates, plan->template_id)),
                  .vcpus = plan->size.vcpus,
                  .memory_bytes = plan->size.memory_bytes,
                  .disk_bytes = plan->size.disk_bytes,
                  .labels = make_labels(in),
                  .pool = g_strdup(in->pool),
                  .host_labels = g_strdupv(in->host_labels),
                  .spread = g_strdup(in->spread),
                  .min = min,
                  .max = in->max,
                  .wanted = in->has_count ? in->count : min,
                  .victims = in->has_victims ? in->victims : GROUP_VICTIMS_NEWEST,
                  .health = g_strdup(in->health),
                  .health_grace_ms =
                      in->has_health_grace_ms ? in->health_grace_ms : HEALTH_GRACE_MS,
                  .health_interval_ms = in->has_health_interval_ms
                                            ? in->health_interval_ms
                                            : HEALTH_INTERVAL_MS,
                  .batch = 1,
                  .max_unavailable = 1,
                  .created_at = now,
                  .changed_at = g_strdup(now) },
        .template_id = g_strdup(plan->template_id),
        .ssh_keys = g_strdupv(in->ssh_keys),
        .user_data = g_strdup(in->user_data),
        .uid = request->uid,
        .token = g_strdup(request->token),
    };
    return group;
}

/* The first members have room, or it is off the book again. */
static bool
add_with_room(GroupBook *book, Group *group, StoreTx *tx, GError **error)
{
    group_add(book, group);
    if (group_has_room(group, group->record.view.wanted, error))
        return true;
    group_remove(group, tx);
    return false;
}

Operation *
group_change_create(GroupBook *book,
                    const ProtoGroupCreateCall *in,
                    StoreTx *tx,
                    OperationRequest *request,
                    GError **error)
{
    g_auto(CreatePlan) plan = { 0 };
    g_autoptr(Admission) admission = NULL;
    GroupProbe probe = { 0 };
    Group *group = NULL;

    if (!check_numbers(in, error) ||
        (in->health != NULL &&
         !group_probe_parse(in->health, "parameters.health", &probe, error)) ||
        !check_name(book, request->tenant, in, error) ||
        !plan_member(book, in, request, &plan, error))
        return NULL;
    group = make_group(book, in, &plan, request);
    admission = ask(book, group, OPERATION_KIND_GROUP_CREATE, &plan.size,
                    group->record.view.wanted, request, error);
    if (admission == NULL) {
        group_free(group);
        return NULL;
    }
    if (!add_with_room(book, group, tx, error))
        return NULL;
    tenant_ensure(book->instances->tenants, tx, request->tenant);
    group_health_start(group);
    return admit(group, admission, tx, request);
}

/* Scale and remove */

static bool
check_stays(const Group *group, GError **error)
{
    if (!group->record.removing)
        return true;
    proto_error_set_illegal_state(error, group_state_to_string(GROUP_STATE_REMOVING),
                                  "Group \"%s\" is being removed",
                                  group->record.view.name);
    return false;
}

static bool
check_count(const Group *group, gint64 wanted, GError **error)
{
    const ProtoGroup *view = &group->record.view;

    if (!check_stays(group, error))
        return false;
    if (wanted >= view->min && wanted <= view->max)
        return true;
    return refuse(error, "parameters.count",
                  "is %" G_GINT64_FORMAT ", not from min, %" G_GINT64_FORMAT
                  ", to max, %" G_GINT64_FORMAT,
                  wanted, view->min, view->max);
}

Operation *
group_change_scale(
    Group *group, gint64 wanted, StoreTx *tx, OperationRequest *request, GError **error)
{
    const ProtoGroup *view = &group->record.view;
    const ProtoSize size = { view->vcpus, view->memory_bytes, view->disk_bytes };
    g_autoptr(Admission) admission = NULL;
    g_auto(GroupPlan) plan = { 0 };
    gint64 n_more = 0;

    if (!check_count(group, wanted, error))
        return NULL;
    group_look_ahead_to(group, wanted, &plan);
    /* Fewer than are wanted now need no leave, also if there is no room for all of them:
     * the group would stay at the larger number. */
    n_more = wanted < view->wanted ? 0 : plan.n_create;
    admission = ask(group->book, group, OPERATION_KIND_GROUP_SCALE, &size, n_more,
                    request, error);
    if (admission == NULL || !group_has_room(group, n_more, error))
        return NULL;
    supersede(group);
    group->record.view.wanted = wanted;
    group->record.view.halted = false;
    group->record.scaled_ms = clock_wall_ms();
    return admit(group, admission, tx, request);
}

/* Update */

/* The template that an update goes to, which is what it is at if it only goes on. */
static Template *
find_next(const Group *group, const ProtoGroupUpdateCall *in, GError **error)
{
    const ProtoGroup *view = &group->record.view;
    bool is_back = in->has_rollback && in->rollback;
    const char *text = is_back                ? group->record.previous_template_id
                       : in->template != NULL ? in->template
                                              : group->record.template_id;

    if (is_back && in->template != NULL) {
        refuse(error, "parameters.rollback", "goes to no template but the one before");
    } else if (is_back && text == NULL) {
        proto_error_set_illegal_state(error, group_state_to_string(view->state),
                                      "Group \"%s\" was never updated: there is nothing "
                                      "to go back to",
                                      view->name);
    } else if (!is_back && in->template == NULL && !view->rolling) {
        refuse(error, "parameters.template",
               "is missing: there is no update to go on with");
    } else {
        return template_find_ready(group->book->instances->templates, text, error);
    }
    return NULL;
}

/* Its members have room in what the template is at least. */
static bool
check_fits(const Group *group, const Template *template, GError **error)
{
    const ProtoGroup *view = &group->record.view;
    const ProtoTemplateSize *least = &template->record.view.minimum;

    if (view->vcpus >= least->vcpus && view->memory_bytes >= least->memory_bytes &&
        view->disk_bytes >= least->disk_bytes)
        return true;
    return refuse(error, "parameters.template", "needs more than members of \"%s\" have",
                  view->name);
}

static void
set_template(Group *group, Template *template)
{
    ProtoGroup *view = &group->record.view;
    Template *old =
        template_get(group->book->instances->templates, group->record.template_id);

    if (template == old)
        return;
    if (old != NULL)
        old->n_groups--;
    template->n_groups++;
    g_free(view->previous_template);
    g_free(group->record.previous_template_id);
    view->previous_template = view->template;
    group->record.previous_template_id = group->record.template_id;
    view->template = template_get_title(template);
    group->record.template_id = g_strdup(template->record.view.id);
}

Operation *
group_change_update(Group *group,
                    const ProtoGroupUpdateCall *in,
                    StoreTx *tx,
                    OperationRequest *request,
                    GError **error)
{
    ProtoGroup *view = &group->record.view;
    Template *template = check_stays(group, error) ? find_next(group, in, error) : NULL;
    g_autoptr(Admission) admission = NULL;

    if (template == NULL || !check_fits(group, template, error))
        return NULL;
    admission =
        ask(group->book, group, OPERATION_KIND_GROUP_UPDATE, NULL, 0, request, error);
    if (admission == NULL)
        return NULL;
    supersede(group);
    set_template(group, template);
    view->rolling = true;
    view->halted = false;
    if (in->has_batch)
        view->batch = in->batch;
    if (in->has_max_unavailable)
        view->max_unavailable = in->max_unavailable;
    /* What failed was another version: it is not held against this one. */
    view->failures = 0;
    group->record.open_until_ms = 0;
    return admit(group, admission, tx, request);
}

Operation *
group_change_remove(Group *group, StoreTx *tx, OperationRequest *request, GError **error)
{
    const ProtoGroup *view = &group->record.view;
    const Operation *active = operation_find_newest(group->book->engine, view->id);
    g_autoptr(Admission) admission = NULL;

    if (group->record.removing && active != NULL) {
        proto_error_set_conflict(error, "group", view->name, active->record.view.id,
                                 "Group \"%s\": its removal is under way (operation %s)",
                                 view->name, active->record.view.id);
        return NULL;
    }
    admission =
        ask(group->book, group, OPERATION_KIND_GROUP_REMOVE, NULL, 0, request, error);
    if (admission == NULL)
        return NULL;
    supersede(group);
    group->record.removing = true;
    group->record.view.rolling = false;
    group->record.view.wanted = 0;
    return admit(group, admission, tx, request);
}

/* The workflows */

static void
apply_settle(Operation *operation)
{
    Group *group = group_of_operation(operation);
    GError *error = NULL;

    if (group == NULL) {
        proto_error_set_not_found(&error, "group", operation->record.view.target_name,
                                  "The group is gone");
        operation_step_done(operation, error);
        return;
    }
    group->settling = operation;
    group_keep_soon(group);
}

static void
forget_operation(Group *group, const Operation *operation)
{
    ProtoGroup *view = &group->record.view;

    if (group->settling == operation)
        group->settling = NULL;
    if (g_strcmp0(view->operation, operation->record.view.id) == 0)
        g_clear_pointer(&view->operation, g_free);
}

static void
finish_change(Operation *operation, StoreTx *tx)
{
    Group *group = group_of_operation(operation);

    if (group == NULL)
        return;
    forget_operation(group, operation);
    group_put(group, tx);
}

static void
finish_remove(Operation *operation, StoreTx *tx)
{
    Group *group = group_of_operation(operation);

    if (group == NULL)
        return;
    forget_operation(group, operation);
    if (operation->record.view.state == OPERATION_STATE_SUCCEEDED) {
        group_remove(group, tx);
    } else {
        group_put(group, tx);
        group_keep_soon(group);
    }
}

/* Members that are made later pass the gate when they are. */
static void
take_members(gpointer owner, const OperationRequest *request, Quota *asked)
{
    const GroupBook *book = owner;
    OperationRequest member = *request;
    Quota members = { 0 };

    if (request->n_members == 0)
        return;
    member.kind = OPERATION_KIND_INSTANCE_CREATE;
    members = admission_sum(book->engine, &member, request->n_members);
    quota_add_times(asked, &members, 1);
}

static void
take_group(gpointer owner, const OperationRequest *request, Quota *asked)
{
    take_members(owner, request, asked);
    asked->amount[QUOTA_GROUPS] = 1;
}

static const WorkflowStep settle_steps[] = {
    { "settle", apply_settle, NULL },
    { 0 },
};

static const Workflow create_workflow = {
    .kind = OPERATION_KIND_GROUP_CREATE,
    .steps = settle_steps,
    .only_waits = true,
    .deadline_ms = SETTLE_DEADLINE_MS,
    .takes = take_group,
    .finish = finish_change,
};

static const Workflow scale_workflow = {
    .kind = OPERATION_KIND_GROUP_SCALE,
    .steps = settle_steps,
    .only_waits = true,
    .deadline_ms = SETTLE_DEADLINE_MS,
    .takes = take_members,
    .finish = finish_change,
};

static const Workflow update_workflow = {
    .kind = OPERATION_KIND_GROUP_UPDATE,
    .steps = settle_steps,
    .only_waits = true,
    .deadline_ms = SETTLE_DEADLINE_MS,
    .takes = workflow_takes_nothing,
    .finish = finish_change,
};

/* As the removal of an instance: it goes on until nothing is left. */
static const Workflow remove_workflow = {
    .kind = OPERATION_KIND_GROUP_REMOVE,
    .steps = settle_steps,
    .only_waits = true,
    .deadline_ms = (gint64) DAY_MS * YEAR_DAYS,
    .takes = workflow_takes_nothing,
    .gives_back = true,
    .finish = finish_remove,
};

const Workflow *const group_workflows[] = {
    &create_workflow,
    &scale_workflow,
    &update_workflow,
    &remove_workflow,
};
const gsize group_n_workflows = G_N_ELEMENTS(group_workflows);
