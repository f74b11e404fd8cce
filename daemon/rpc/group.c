/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group/group.h"

#include <string.h>

#include "group/change.h"
#include "group/health.h"
#include "group/keep.h"
#include "group/scaling.h"
#include "rpc/identity.h"
#include "rpc/rpc.h"

static Group *
find_group(WireCall *call, const char *text, const char *tenant, GError **error)
{
    GroupBook *groups = rpc_of(call)->groups;
    const char *owner = NULL;
    Group *group = tenant == NULL ? group_get(groups, text) : NULL;

    /* An id says whose it is by itself. */
    if (group != NULL && !identity_may_see(call, group->record.view.tenant))
        group = NULL;
    if (group != NULL && !identity_check(call, group->record.view.tenant, error))
        return NULL;
    if (group == NULL) {
        if (!identity_find_tenant(call, tenant, &owner, error))
            return NULL;
        group = group_find(groups, owner, text, error);
    }
    if (group == NULL || !rpc_may_change(call, group->record.view.tenant, error))
        return NULL;
    return group;
}

/* Looking */

static ProtoGroupMember
show_member(const Group *group, Instance *instance)
{
    const ProtoInstance *view = &instance->record.view;
    const GroupHealth *health = group_health_of(group, instance);

    return (ProtoGroupMember){
        .instance = view->id,
        .name = view->name,
        .phase = group_get_phase(group, instance),
        .state = (char *) (gsize) instance_state_to_string(view->state),
        .ready = view->ready,
        .addresses = view->addresses,
        .host = view->host,
        .template = view->template,
        .reason =
            health != NULL && health->reason != NULL ? health->reason : view->reason,
        .created_at = view->created_at,
        .since = view->changed_at,
    };
}

/* By name: a shorter one has the smaller number. */
static int
compare_members(gconstpointer a, gconstpointer b)
{
    const char *one = ((const ProtoGroupMember *) a)->name;
    const char *other = ((const ProtoGroupMember *) b)->name;
    gsize length = strlen(one);
    gsize other_length = strlen(other);

    if (length != other_length)
        return length < other_length ? -1 : 1;
    return strcmp(one, other);
}

static void
get(WireCall *call, const ProtoGroupGetCall *in)
{
    GError *error = NULL;
    Group *group = find_group(call, in->group, in->tenant, &error);
    g_autofree ProtoGroupMember *members = NULL;
    ProtoGroupGetReply reply = { 0 };
    GHashTableIter iter;
    gpointer instance = NULL;

    if (group == NULL) {
        wire_call_fail(call, error);
        return;
    }
    group_count(group);
    /* qsort() takes no NULL, which an array of nothing is. */
    members = g_new0(ProtoGroupMember, (gsize) g_hash_table_size(group->members) + 1);
    g_hash_table_iter_init(&iter, group->members);
    while (g_hash_table_iter_next(&iter, &instance, NULL)) {
        members[reply.n_members++] = show_member(group, instance);
    }
    qsort(members, reply.n_members, sizeof *members, compare_members);
    reply.group = group->record.view;
    reply.members = members;
    wire_call_reply(call, &reply);
}

static void
list(WireCall *call, const ProtoGroupListCall *in)
{
    Rpc *rpc = rpc_of(call);
    guint limit = rpc_get_limit(in->has_limit, in->limit);
    g_autofree ProtoGroup *rows = g_new0(ProtoGroup, limit);
    ProtoGroupListReply reply = { .groups = rows };
    const char *tenant = NULL;
    const char *last = NULL;
    GTreeNode *node = NULL;
    GError *error = NULL;

    if ((in->tenant != NULL || !rpc_is_admin(call)) &&
        !rpc_get_tenant(call, in->tenant, &tenant, &error)) {
        wire_call_fail(call, error);
        return;
    }
    for (node = rpc_find_start(rpc->groups->by_name, in->after, tenant); node != NULL;
         node = g_tree_node_next(node)) {
        Group *group = g_tree_node_value(node);

        if (reply.n_groups == limit ||
            (tenant != NULL && strcmp(group->record.view.tenant, tenant) != 0))
            break;
        last = g_tree_node_key(node);
        group_count(group);
        rows[reply.n_groups++] = group->record.view;
    }
    if (node != NULL && reply.n_groups == limit)
        reply.next = (char *) (gsize) last;
    wire_call_reply(call, &reply);
}

/* Changing */

/** What the methods that change a group have in common. */
typedef struct {
    const char *group;
    const char *tenant;
    const char *request_id;
    Operation *(*change)(Group *group,
                         const void *in,
                         StoreTx *tx,
                         OperationRequest *request,
                         GError **error);
} Wanted;

/* A change that was refused has changed nothing that is not to be written. */
static bool
answer(WireCall *call, StoreTx *tx, const Operation *operation)
{
    if (operation == NULL) {
        store_commit(tx);
        return false;
    }
    rpc_reply_operation(call, tx, operation);
    return true;
}

static bool
try_create(WireCall *call, const void *parameters, GError **error)
{
    const ProtoGroupCreateCall *in = parameters;
    Rpc *rpc = rpc_of(call);
    const char *tenant = NULL;
    GPtrArray *repeated = NULL;
    g_auto(Change) change = { 0 };
    StoreTx *tx = NULL;

    if (!rpc_get_tenant(call, in->tenant, &tenant, error) ||
        !rpc_change_init(call, in, in->request_id, tenant, &change, &repeated, error))
        return false;
    if (rpc_reply_repeat(call, repeated))
        return true;
    tx = store_begin(rpc->store);
    return answer(call, tx,
                  group_change_create(rpc->groups, in, tx, &change.request, error));
}

static void
create(WireCall *call, const ProtoGroupCreateCall *in)
{
    rpc_try(call, in, try_create);
}

static bool
try_change(WireCall *call, const void *in, const Wanted *wanted, GError **error)
{
    Group *group = NULL;
    GPtrArray *repeated = NULL;
    g_auto(Change) change = { 0 };
    StoreTx *tx = NULL;

    if (!rpc_change_init(call, in, wanted->request_id, NULL, &change, &repeated, error))
        return false;
    if (rpc_reply_repeat(call, repeated))
        return true;
    group = find_group(call, wanted->group, wanted->tenant, error);
    if (group == NULL)
        return false;
    tx = store_begin(rpc_of(call)->store);
    return answer(call, tx, wanted->change(group, in, tx, &change.request, error));
}

static void
change_group(WireCall *call, const void *in, const Wanted *wanted)
{
    GError *error = NULL;

    if (!try_change(call, in, wanted, &error))
        wire_call_fail(call, error);
}

static Operation *
change_scale(
    Group *group, const void *in, StoreTx *tx, OperationRequest *request, GError **error)
{
    const ProtoGroupScaleCall *scale = in;

    return group_change_scale(group, scale->count, tx, request, error);
}

static bool
try_scale(WireCall *call, const void *in, GError **error)
{
    const ProtoGroupScaleCall *scale = in;

    return try_change(
        call, in,
        &(Wanted){ scale->group, scale->tenant, scale->request_id, change_scale }, error);
}

static void
scale(WireCall *call, const ProtoGroupScaleCall *in)
{
    rpc_try(call, in, try_scale);
}

static Operation *
change_update(
    Group *group, const void *in, StoreTx *tx, OperationRequest *request, GError **error)
{
    return group_change_update(group, in, tx, request, error);
}

static void
update(WireCall *call, const ProtoGroupUpdateCall *in)
{
    change_group(call, in,
                 &(Wanted){ in->group, in->tenant, in->request_id, change_update });
}

static Operation *
change_remove(
    Group *group, const void *in, StoreTx *tx, OperationRequest *request, GError **error)
{
    return group_change_remove(group, tx, request, error);
}

static void
remove_group(WireCall *call, const ProtoGroupRemoveCall *in)
{
    change_group(call, in,
                 &(Wanted){ in->group, in->tenant, in->request_id, change_remove });
}

/* By itself */

static void
on_written(gpointer data)
{
    wire_call_reply(data, NULL);
}

static bool
try_autoscale(WireCall *call, const ProtoGroupAutoscaleCall *in, GError **error)
{
    Group *group = find_group(call, in->group, in->tenant, error);
    StoreTx *tx = NULL;
    bool done = false;

    if (group == NULL)
        return false;
    tx = store_begin(rpc_of(call)->store);
    done = group_scaling_set(group, in, tx, error);
    if (done)
        store_on_commit(tx, on_written, call);
    store_commit(tx);
    return done;
}

static void
autoscale(WireCall *call, const ProtoGroupAutoscaleCall *in)
{
    GError *error = NULL;

    if (!try_autoscale(call, in, &error))
        wire_call_fail(call, error);
}

static void
push_metric(WireCall *call, const ProtoGroupMetricCall *in)
{
    GError *error = NULL;
    Group *group = find_group(call, in->group, in->tenant, &error);
    gint64 value = 0;

    if (group != NULL && !autoscale_read_number(in->value, &value))
        proto_error_set_invalid_parameter(
            &error, "parameters.value", "is not a number from 0 on",
            "value \"%s\" is not a number from 0 on", in->value);
    if (error != NULL) {
        wire_call_fail(call, error);
        return;
    }
    group_scaling_push(group, value);
    wire_call_reply(call, NULL);
}

static void
plan(WireCall *call, const ProtoGroupPlanCall *in)
{
    static const char *const causes[GROUP_CAUSES] = {
        [GROUP_CAUSE_REMOVED] = "removed",   [GROUP_CAUSE_EXCESS] = "too_many",
        [GROUP_CAUSE_DEAD] = "dead",         [GROUP_CAUSE_SICK] = "sick",
        [GROUP_CAUSE_OUTDATED] = "outdated",
    };
    GError *error = NULL;
    Group *group = find_group(call, in->group, in->tenant, &error);
    g_autoptr(GPtrArray) members = NULL;
    g_auto(GroupPlan) now = { 0 };
    g_auto(GroupPlan) then = { 0 };
    g_autofree ProtoGroupRemoval *removals = NULL;
    AutoscaleResult decided = { 0 };
    ProtoGroupPlanReply reply = { 0 };

    if (group == NULL) {
        wire_call_fail(call, error);
        return;
    }
    group_count(group);
    group_look_ahead(group, &members, &now);
    decided = group_scaling_decide(group, &now);
    group_look_ahead_to(group, decided.wanted, &then);
    removals = g_new0(ProtoGroupRemoval, then.n_victims);
    for (gsize i = 0; i < then.n_victims; i++) {
        const Instance *instance = members->pdata[then.victims[i].member];

        removals[i] =
            (ProtoGroupRemoval){ instance->record.view.name,
                                 (char *) (gsize) causes[then.victims[i].cause] };
    }
    reply = (ProtoGroupPlanReply){
        .wanted = group->record.view.wanted,
        .decided = decided.wanted,
        .why = decided.why,
        .makes = then.n_create,
        .removes = removals,
        .n_removes = then.n_victims,
        .held_back = then.n_held_back + then.n_no_room,
        .reason = group->record.view.reason,
    };
    wire_call_reply(call, &reply);
    g_free(decided.why);
}

const ProtoGroupHandlers rpc_group_handlers = {
    .create = create,
    .get = get,
    .list = list,
    .scale = scale,
    .update = update,
    .autoscale = autoscale,
    .metric = push_metric,
    .plan = plan,
    .remove = remove_group,
};
