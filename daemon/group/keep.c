/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group/keep.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "group/health.h"
#include "group/scaling.h"
#include "instance/create.h"
#include "instance/workflows.h"
#include "place/place.h"
#include "tenant/budget.h"

enum {
    HINDERED_FIRST_MS = 5000,
    HINDERED_LAST_MS = 60000,
    HINDERED_DOUBLINGS = 4,
    /** So often in a row it is told to who waits: the first may only be a host that is
     * not connected yet. */
    HINDERED_TRIES = 2
};

/* Members, as the plan sees them */

/* The newest operation on it that still does something; one whose end is only not yet on
 * disk does not, and nobody is told of that. */
static const Operation *
find_change(Instance *instance)
{
    const Operation *newest =
        operation_find_newest(instance->book->engine, instance->record.view.id);

    return newest != NULL && !operation_is_over(newest) ? newest : NULL;
}

static bool
is_leaving(Instance *instance)
{
    const Operation *change = find_change(instance);

    return instance->record.view.state == INSTANCE_STATE_DESTROYING ||
           (change != NULL &&
            change->record.view.kind == OPERATION_KIND_INSTANCE_DESTROY);
}

/* Of one that is off or stands still. */
static GroupPhase
get_idle_phase(Instance *instance, InstanceWish wish)
{
    if (instance->record.view.desired == wish)
        return GROUP_PHASE_ASIDE;
    return find_change(instance) != NULL ? GROUP_PHASE_COMING : GROUP_PHASE_DEAD;
}

GroupPhase
group_get_phase(const Group *group, Instance *instance)
{
    if (is_leaving(instance))
        return GROUP_PHASE_LEAVING;
    switch (instance->record.view.state) {
    case INSTANCE_STATE_PENDING:
    case INSTANCE_STATE_STARTING:
        return GROUP_PHASE_COMING;
    case INSTANCE_STATE_RUNNING:
        return group_health_get_phase(group, instance);
    case INSTANCE_STATE_PAUSED:
        return get_idle_phase(instance, INSTANCE_WISH_PAUSED);
    case INSTANCE_STATE_STOPPING:
    case INSTANCE_STATE_STOPPED:
        return get_idle_phase(instance, INSTANCE_WISH_STOPPED);
    case INSTANCE_STATE_DESTROYING:
    case INSTANCE_STATE_DESTROYED:
        return GROUP_PHASE_LEAVING;
    case INSTANCE_STATE_ERROR:
    case INSTANCE_STATE_N:
        return GROUP_PHASE_DEAD;
    }
    return GROUP_PHASE_DEAD;
}

static gint64
read_time(const char *text)
{
    gint64 time_ms = 0;

    return clock_parse_time(text, &time_ms) ? time_ms : 0;
}

static GroupMember
describe(const Group *group, Instance *instance)
{
    const ProtoInstance *view = &instance->record.view;
    const GroupHealth *health = group_health_of(group, instance);
    const char *dash = strrchr(view->name, '-');

    return (GroupMember){
        .phase = group_get_phase(group, instance),
        .number = dash != NULL ? g_ascii_strtoll(dash + 1, NULL, 10) : 0,
        .created_ms = read_time(view->created_at),
        .since_ms =
            MAX(read_time(view->changed_at), health != NULL ? health->since_ms : 0),
        .is_outdated =
            strcmp(instance->record.template_id, group->record.template_id) != 0,
        .has_stayed = view->desired == INSTANCE_WISH_DESTROYED,
    };
}

static GroupBreaker
get_breaker(const Group *group)
{
    return (GroupBreaker){ group->record.view.failures, group->record.failed_ms,
                           group->record.open_until_ms };
}

static void
look_ahead(Group *group, gint64 wanted, GPtrArray *members, GroupPlan *ret_plan)
{
    const ProtoGroup *view = &group->record.view;
    const GroupGoal goal = {
        .min = view->min,
        .max = view->max,
        .wanted = wanted,
        .is_removing = group->record.removing,
        .victims = view->victims,
        .is_rolling = view->rolling,
        .batch = view->batch,
        .max_unavailable = view->max_unavailable,
        .is_halted = view->halted,
    };
    const GroupBreaker breaker = get_breaker(group);
    g_autofree GroupMember *described = g_new0(GroupMember, members->len);

    for (guint i = 0; i < members->len; i++) {
        described[i] = describe(group, members->pdata[i]);
    }
    group_plan(&goal, &group->book->patience, &breaker, described, members->len,
               clock_wall_ms(), ret_plan);
}

/* In an order of its own: who is chosen must not hang on where a set is in memory. */
static int
compare_members(gconstpointer a, gconstpointer b)
{
    const Instance *one = *(Instance *const *) a;
    const Instance *other = *(Instance *const *) b;

    return strcmp(one->record.view.id, other->record.view.id);
}

GPtrArray *
group_list_members(const Group *group)
{
    GPtrArray *members = g_ptr_array_new();
    GHashTableIter iter;
    gpointer instance = NULL;

    g_hash_table_iter_init(&iter, group->members);
    while (g_hash_table_iter_next(&iter, &instance, NULL)) {
        g_ptr_array_add(members, instance);
    }
    g_ptr_array_sort(members, compare_members);
    return members;
}

void
group_look_ahead(Group *group, GPtrArray **ret_members, GroupPlan *ret_plan)
{
    g_autoptr(GPtrArray) members = group_list_members(group);

    look_ahead(group, group->record.view.wanted, members, ret_plan);
    if (ret_members != NULL)
        *ret_members = g_steal_pointer(&members);
}

void
group_look_ahead_to(Group *group, gint64 wanted, GroupPlan *ret_plan)
{
    g_autoptr(GPtrArray) members = group_list_members(group);

    look_ahead(group, wanted, members, ret_plan);
}

/* The breaker */

static void
set_breaker(Group *group, StoreTx *tx, const GroupBreaker *breaker, const char *failure)
{
    ProtoGroup *view = &group->record.view;

    view->failures = breaker->failures;
    group->record.failed_ms = breaker->failed_ms;
    group->record.open_until_ms = breaker->open_until_ms;
    text_replace(&view->failure, failure);
    group_put(group, tx);
}

static void
fail(Group *group, StoreTx *tx, const char *failure)
{
    GroupBreaker breaker = get_breaker(group);

    group_breaker_fail(&breaker, &group->book->patience, clock_wall_ms());
    /* A new version that fails is not tried on all of them. */
    group->record.view.halted |= group->record.view.rolling;
    set_breaker(group, tx, &breaker, failure);
}

/* Carrying it out */

static const char *
get_complaint(const Group *group, const Instance *instance)
{
    const ProtoInstance *view = &instance->record.view;
    const GroupHealth *health = group_health_of(group, instance);

    if (health != NULL && health->reason != NULL)
        return health->reason;
    return view->reason != NULL ? view->reason : instance_state_to_string(view->state);
}

/* Everything that is done for a group is done in its maker's name.  Its removal is gone
 * through with, whatever became of the tenant. */
static OperationRequest
make_request(const Group *group)
{
    return (OperationRequest){ .tenant = group->record.view.tenant,
                               .uid = group->record.uid,
                               .token = group->record.token,
                               .by_admin = group->record.removing };
}

static void
remove_victims(Group *group, StoreTx *tx, const GPtrArray *members, const GroupPlan *plan)
{
    const OperationRequest request = make_request(group);
    g_autofree char *failure = NULL;
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < plan->n_victims; i++) {
        Instance *instance = members->pdata[plan->victims[i].member];
        const ProtoInstance *view = &instance->record.view;
        bool is_broken = plan->victims[i].cause == GROUP_CAUSE_DEAD ||
                         plan->victims[i].cause == GROUP_CAUSE_SICK;

        if (is_broken && failure == NULL)
            failure =
                g_strdup_printf("%s: %s", view->name, get_complaint(group, instance));
        if (!instance_admit_destroy(instance, tx, &request, &error)) {
            g_warning("Removing %s: %s", view->name, error->message);
            return;
        }
    }
    /* Many at once are one failure: of their host, most likely. */
    if (failure != NULL)
        fail(group, tx, failure);
}

/* The first names that nobody has. */
static char **
choose_names(Group *group, gint64 n)
{
    const ProtoGroup *view = &group->record.view;
    char **names = g_new0(char *, (gsize) n + 1);

    for (gint64 number = 1, i = 0; i < n; number++) {
        char *name = g_strdup_printf("%s-%" G_GINT64_FORMAT, view->name, number);

        if (instance_get_by_name(group->book->instances, view->tenant, name) == NULL) {
            names[i++] = name;
        } else {
            g_free(name);
        }
    }
    return names;
}

/* What n members are asked for with; borrowed from the group.  apart gets the label that
 * they are kept apart by. */
static ProtoInstanceCreateCall
make_call(const Group *group, gint64 n, char *apart[3])
{
    const ProtoGroup *view = &group->record.view;
    bool is_by_label = g_strcmp0(view->spread, GROUP_SPREAD_HOST) != 0;

    apart[0] = (char *) (gsize) GROUP_LABEL;
    apart[1] = (char *) (gsize) place_get_label(view->labels, GROUP_LABEL);
    apart[2] = NULL;
    return (ProtoInstanceCreateCall){
        .has_count = true,
        .count = n,
        .template = group->record.template_id,
        .has_vcpus = true,
        .vcpus = view->vcpus,
        .has_memory_bytes = true,
        .memory_bytes = view->memory_bytes,
        .has_disk_bytes = true,
        .disk_bytes = view->disk_bytes,
        .ssh_keys = group->record.ssh_keys,
        .user_data = group->record.user_data,
        .labels = view->labels,
        .pool = view->pool,
        .host_labels = view->host_labels,
        .anti_affinity = view->spread != NULL ? apart : NULL,
        .anti_affinity_by = is_by_label ? view->spread : NULL,
        .has_anti_affinity_soft = view->spread != NULL,
        .anti_affinity_soft = true,
    };
}

/* Makes n members in tx, or only sees whether it could if that is NULL. */
static bool
make_members(Group *group, StoreTx *tx, gint64 n, GError **error)
{
    InstanceBook *book = group->book->instances;
    const ProtoGroup *view = &group->record.view;
    g_auto(GStrv) names = choose_names(group, n);
    char *apart[3];
    const CreateGroup made_for = { view->id, view->name, names };
    const ProtoInstanceCreateCall in = make_call(group, n, apart);
    const OperationRequest request = make_request(group);
    g_auto(CreatePlan) plan = { 0 };

    if (!create_plan(book, &in, &made_for, &request, &plan, error))
        return false;
    if (plan.error != NULL) {
        g_propagate_error(error, g_steal_pointer(&plan.error));
        return false;
    }
    if (tx != NULL)
        g_ptr_array_unref(create_admit(book, tx, &plan, &in, &made_for, &request));
    return true;
}

bool
group_has_room(Group *group, gint64 n, GError **error)
{
    return n == 0 || make_members(group, NULL, n, error);
}

static void
take_hindrance(Group *group, const GError *error)
{
    gint64 wait_ms =
        MIN((gint64) HINDERED_FIRST_MS << MIN(group->n_hindered, HINDERED_DOUBLINGS),
            HINDERED_LAST_MS);

    group->n_hindered++;
    group->hindered_until_ms = clock_boot_ms() + wait_ms;
    text_replace(&group->hindrance, error->message);
}

static void
forget_hindrance(Group *group)
{
    group->n_hindered = 0;
    group->hindered_until_ms = 0;
    g_clear_pointer(&group->hindrance, g_free);
}

/* As many as there is room for.  Returns how many. */
static gint64
make_some(Group *group, StoreTx *tx, gint64 n)
{
    g_autoptr(GError) error = NULL;

    if (n == 0) {
        forget_hindrance(group);
        return 0;
    }
    if (clock_boot_ms() < group->hindered_until_ms)
        return 0;
    if (make_members(group, tx, n, &error)) {
        forget_hindrance(group);
        return n;
    }
    take_hindrance(group, error);
    for (gint64 some = n / 2; some > 0; some /= 2) {
        if (make_members(group, tx, some, NULL))
            return some;
    }
    return 0;
}

static void
add_event(Group *group, StoreTx *tx, const GroupPlan *plan, gint64 n_made)
{
    const ProtoGroup *view = &group->record.view;
    gint64 causes[GROUP_CAUSES] = { 0 };
    ProtoEvent event = { 0 };

    for (gsize i = 0; i < plan->n_victims; i++) {
        causes[plan->victims[i].cause]++;
    }
    event = (ProtoEvent){
        .kind = EVENT_KIND_GROUP_DECISION,
        .tenant = g_strdup(view->tenant),
        .subject = g_strdup(view->id),
        .name = g_strdup(view->name),
        .detail = g_strdup_printf(
            "%" G_GINT64_FORMAT " wanted, %" G_GINT64_FORMAT " up of %" G_GINT64_FORMAT
            ": makes %" G_GINT64_FORMAT ", removes %" G_GSIZE_FORMAT " (%" G_GINT64_FORMAT
            " too many, %" G_GINT64_FORMAT " dead, %" G_GINT64_FORMAT
            " sick, %" G_GINT64_FORMAT " outdated)",
            plan->wanted, plan->count[GROUP_PHASE_UP],
            (gint64) g_hash_table_size(group->members) - n_made, n_made, plan->n_victims,
            causes[GROUP_CAUSE_EXCESS] + causes[GROUP_CAUSE_REMOVED],
            causes[GROUP_CAUSE_DEAD], causes[GROUP_CAUSE_SICK],
            causes[GROUP_CAUSE_OUTDATED]),
    };
    store_add_event(tx, &event);
}

/* A new member that is not well ends the roll-out there. */
static void
halt(Group *group, StoreTx *tx, const GPtrArray *members)
{
    ProtoGroup *view = &group->record.view;

    for (guint i = 0; i < members->len; i++) {
        Instance *instance = members->pdata[i];
        const GroupMember member = describe(group, instance);

        if (!member.is_outdated &&
            (member.phase == GROUP_PHASE_SICK || member.phase == GROUP_PHASE_DEAD)) {
            g_autofree char *failure = g_strdup_printf(
                "%s: %s", instance->record.view.name, get_complaint(group, instance));

            text_replace(&view->failure, failure);
            break;
        }
    }
    view->halted = true;
    group_put(group, tx);
}

static void
end_roll(Group *group, StoreTx *tx)
{
    group->record.view.rolling = false;
    group_put(group, tx);
}

static void
carry_out(Group *group, StoreTx *tx, const GPtrArray *members, const GroupPlan *plan)
{
    static const GroupBreaker none = { 0 };
    gint64 n_made = 0;

    if (plan->is_proved && !group->record.view.halted)
        set_breaker(group, tx, &none, NULL);
    if (plan->is_settled && group->record.view.rolling)
        end_roll(group, tx);
    remove_victims(group, tx, members, plan);
    n_made = make_some(group, tx, plan->n_create);
    if (n_made > 0 || plan->n_victims > 0)
        add_event(group, tx, plan, n_made);
}

/* When it looks again */

static gboolean
on_look(gpointer data)
{
    Group *group = data;
    StoreTx *tx = store_begin(group->book->store);

    group->look_source = 0;
    group_keep(group, tx);
    store_commit(tx);
    return G_SOURCE_REMOVE;
}

void
group_keep_soon(Group *group)
{
    if (group->look_source == 0)
        group->look_source = g_idle_add_full(G_PRIORITY_DEFAULT, on_look, group, NULL);
}

static gboolean
on_wake(gpointer data)
{
    Group *group = data;

    group->wake_source = 0;
    return on_look(group);
}

static void
wake_within(gint64 *wait_ms, gint64 ms)
{
    *wait_ms = *wait_ms < 0 ? MAX(ms, 1) : CLAMP(ms, 1, *wait_ms);
}

static void
set_wake(Group *group, const GroupPlan *plan)
{
    gint64 wait_ms = -1;

    g_clear_handle_id(&group->wake_source, g_source_remove);
    if (plan->wake_ms != 0)
        wake_within(&wait_ms, plan->wake_ms - clock_wall_ms());
    if (group->schedule_ms != 0)
        wake_within(&wait_ms, group->schedule_ms - clock_wall_ms());
    if (group->hindered_until_ms != 0)
        wake_within(&wait_ms, group->hindered_until_ms - clock_boot_ms());
    if (group->settling != NULL)
        wake_within(&wait_ms, operation_get_time_left_ms(group->settling));
    if (wait_ms > 0)
        group->wake_source =
            g_timeout_add((guint) MIN(wait_ms, G_MAXINT), on_wake, group);
}

/* The operation that waits */

static const char *
get_obstacle(const Group *group)
{
    const ProtoGroup *view = &group->record.view;

    if (group->hindrance != NULL)
        return group->hindrance;
    return view->failure != NULL ? view->failure : "its members do not come up";
}

/* Whether it is over, and how. */
static bool
is_over(Group *group, const GroupPlan *plan, GError **ret_error)
{
    const ProtoGroup *view = &group->record.view;
    gint64 n_up = plan->count[GROUP_PHASE_UP];

    if (plan->is_settled)
        return true;
    if (group->record.removing)
        return false;
    if (plan->is_held || group->n_hindered >= HINDERED_TRIES) {
        proto_error_set_held_up(ret_error, view->name, plan->wanted, n_up,
                                "Group \"%s\" has %" G_GINT64_FORMAT
                                " of %" G_GINT64_FORMAT " members up: %s",
                                view->name, n_up, plan->wanted, get_obstacle(group));
        return true;
    }
    if (operation_get_time_left_ms(group->settling) > 0)
        return false;
    proto_error_set_deadline(ret_error, "group",
                             "Group \"%s\" has %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                             " members up by now",
                             view->name, n_up, plan->wanted);
    return true;
}

static void
end_settling(Group *group, const GroupPlan *plan)
{
    GError *error = NULL;

    if (group->settling != NULL && is_over(group, plan, &error))
        operation_step_done(g_steal_pointer(&group->settling), error);
}

/* What belongs to a tenant that is disabled, or has spent its budget, stays as it is, but
 * for a removal: what is stopped then is not replaced. */
static bool
stands_still(Group *group)
{
    TenantBook *tenants = group->book->instances->tenants;
    const char *tenant = group->record.view.tenant;
    g_autoptr(GError) error = NULL;

    if (group->record.removing || (tenant_check_enabled(tenants, tenant, &error) &&
                                   budget_check(tenants, tenant, &error)))
        return false;
    take_hindrance(group, error);
    return true;
}

/* Whether nothing is left of one that is removed, and nobody that would end that: its
 * operation was past its deadline, by a clock that was set. */
static bool
is_left_over(const Group *group)
{
    const Operation *newest =
        operation_find_newest(group->book->engine, group->record.view.id);

    return group->record.removing && g_hash_table_size(group->members) == 0 &&
           (newest == NULL || operation_is_over(newest));
}

void
group_keep(Group *group, StoreTx *tx)
{
    g_autoptr(GPtrArray) members = NULL;
    g_auto(GroupPlan) plan = { 0 };
    bool is_still = stands_still(group);

    if (is_left_over(group)) {
        group_remove(group, tx);
        return;
    }
    if (!is_still)
        group_scaling_follow(group, tx);
    group_look_ahead(group, &members, &plan);
    if (!is_still && plan.is_batch_bad && !group->record.view.halted) {
        halt(group, tx, members);
        group_plan_clear(&plan);
        look_ahead(group, group->record.view.wanted, members, &plan);
    }
    if (!is_still)
        carry_out(group, tx, members, &plan);
    set_wake(group, &plan);
    end_settling(group, &plan);
}

/* What is shown */

static void
explain(Group *group, const GroupPlan *plan)
{
    ProtoGroup *view = &group->record.view;
    g_autofree char *reason = NULL;

    view->state = plan->is_settled ? GROUP_STATE_STEADY : GROUP_STATE_CHANGING;
    if (group->record.removing) {
        view->state = GROUP_STATE_REMOVING;
    } else if (group->hindrance != NULL) {
        view->state = GROUP_STATE_HELD_UP;
        reason = g_strdup(group->hindrance);
    } else if (view->halted) {
        view->state = GROUP_STATE_HELD_UP;
        reason =
            g_strdup_printf("the update to %s halted at a batch that is not well: %s",
                            view->template, get_obstacle(group));
    } else if (plan->is_held) {
        view->state = GROUP_STATE_HELD_UP;
        reason = g_strdup_printf("%" G_GINT64_FORMAT " failures in a row, the last: %s; "
                                 "one member is tried at %s",
                                 view->failures, get_obstacle(group), view->open_until);
    } else if (!plan->is_settled && plan->n_no_room > 0) {
        reason = g_strdup_printf("%" G_GINT64_FORMAT " more wait until those that leave "
                                 "are gone: max is %" G_GINT64_FORMAT,
                                 plan->n_no_room, view->max);
    }
    text_replace(&view->reason, reason);
}

void
group_count(Group *group)
{
    ProtoGroup *view = &group->record.view;
    g_auto(GroupPlan) plan = { 0 };

    group_look_ahead(group, NULL, &plan);
    view->members = g_hash_table_size(group->members);
    view->coming = plan.count[GROUP_PHASE_COMING];
    view->up = plan.count[GROUP_PHASE_UP];
    view->aside = plan.count[GROUP_PHASE_ASIDE];
    view->sick = plan.count[GROUP_PHASE_SICK];
    view->dead = plan.count[GROUP_PHASE_DEAD];
    view->leaving = plan.count[GROUP_PHASE_LEAVING];
    view->outdated = plan.n_outdated;
    g_clear_pointer(&view->open_until, g_free);
    if (group->record.open_until_ms != 0)
        view->open_until = clock_format_time(group->record.open_until_ms);
    explain(group, &plan);
}

/* What instances tell */

static Group *
get_group(const Instance *instance, gpointer data)
{
    return group_get(data, instance->record.group);
}

static void
on_put(Instance *instance, StoreTx *tx, gpointer data)
{
    Group *group = get_group(instance, data);

    if (group == NULL)
        return;
    g_hash_table_add(group->members, instance);
    if (instance->record.view.state != INSTANCE_STATE_RUNNING)
        group_health_forget(group, instance);
    group_keep_soon(group);
}

/* Whether it went without anybody wanting it to: it could not be made. */
static bool
has_failed(Instance *instance)
{
    const Operation *newest =
        operation_find_newest(instance->book->engine, instance->record.view.id);

    return newest != NULL && newest->record.view.kind == OPERATION_KIND_INSTANCE_CREATE &&
           !newest->record.cancelling;
}

static void
on_removed(Instance *instance, StoreTx *tx, gpointer data)
{
    const ProtoInstance *view = &instance->record.view;
    Group *group = get_group(instance, data);

    if (group == NULL)
        return;
    g_hash_table_remove(group->members, instance);
    group_health_forget(group, instance);
    if (has_failed(instance) && !group->record.removing) {
        g_autofree char *failure = g_strdup_printf(
            "%s: %s", view->name, view->reason != NULL ? view->reason : "it failed");

        fail(group, tx, failure);
    }
    group_keep_soon(group);
}

static void
on_ticked(gpointer data)
{
    group_scaling_ticked(data);
}

InstanceListener
group_get_listener(GroupBook *book)
{
    return (InstanceListener){ on_put, on_removed, on_ticked, book };
}
