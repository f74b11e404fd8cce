/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group/plan.h"

#include <string.h>

/*
 * How it works
 *
 * Members fall into three heaps: those that are alive (coming, up, aside), those that are
 * broken (sick, or dead for long enough), and those that leave.  One that has only just
 * died is taken for alive: a host that forgets its guests for a moment is no reason to
 * remove them.
 *
 * First what is too much goes, the broken before the alive.  Then broken ones are
 * replaced, as many as may be at once.  What is missing after that is made, as far as
 * there is room below max and the breaker allows it.
 */

enum {
    /** Of those wanted, one in so many sick ones is replaced at once. */
    SICK_SHARE = 5,
    BACKOFF_DOUBLINGS = 20
};

/** The state of one call. */
typedef struct {
    const GroupGoal *goal;
    const GroupPatience *patience;
    const GroupBreaker *breaker;
    const GroupMember *members;
    gsize n_members;
    gint64 now_ms;
    GArray *victims;
    bool *is_taken;
    /** How many may be made or replaced for the breaker's sake. */
    gint64 budget;
    /** How many stand for what is wanted, of those that are not yet victims. */
    gint64 n_standing;
    gint64 n_outdated_well;
    GroupPlan plan;
} Plan;

static void
wake_at(Plan *plan, gint64 at_ms)
{
    if (at_ms > plan->now_ms && (plan->plan.wake_ms == 0 || at_ms < plan->plan.wake_ms))
        plan->plan.wake_ms = at_ms;
}

static void
take(Plan *plan, gsize member, GroupCause cause)
{
    const GroupVictim victim = { member, cause };

    g_array_append_val(plan->victims, victim);
    plan->is_taken[member] = true;
}

static bool
is_alive(GroupPhase phase)
{
    return phase == GROUP_PHASE_COMING || phase == GROUP_PHASE_UP ||
           phase == GROUP_PHASE_ASIDE;
}

static const gint64 long_ago_ms = G_MININT64 / 2;

/* What is still to come was before the clock was put back: nobody knows how long ago, and
 * it is taken for long. */
static gint64
get_past(const Plan *plan, gint64 at_ms)
{
    return at_ms > plan->now_ms ? long_ago_ms : at_ms;
}

static gint64
get_since(const Plan *plan, const GroupMember *member)
{
    return get_past(plan, member->since_ms);
}

/* Whether it is broken, and for long enough. */
static bool
is_broken(const Plan *plan, const GroupMember *member)
{
    return member->phase == GROUP_PHASE_SICK ||
           (member->phase == GROUP_PHASE_DEAD &&
            plan->now_ms - get_since(plan, member) >= plan->patience->dead_ms);
}

/* Whether its removal failed, and is not yet to be tried again. */
static bool
is_resting(const Plan *plan, const GroupMember *member)
{
    return member->phase == GROUP_PHASE_DEAD && member->has_stayed &&
           !is_broken(plan, member);
}

static bool
is_leaving(const Plan *plan, const GroupMember *member)
{
    return member->phase == GROUP_PHASE_LEAVING || is_resting(plan, member);
}

/* The breaker */

bool
group_breaker_is_open(const GroupBreaker *breaker)
{
    return breaker->open_until_ms != 0;
}

void
group_breaker_fail(GroupBreaker *breaker, const GroupPatience *patience, gint64 now_ms)
{
    gint64 over = 0;
    gint64 backoff_ms = patience->backoff_first_ms;

    breaker->failures++;
    breaker->failed_ms = now_ms;
    over = breaker->failures - patience->failures;
    if (over < 0)
        return;
    for (gint64 i = 0; i < MIN(over, BACKOFF_DOUBLINGS); i++) {
        backoff_ms = MIN(backoff_ms * 2, patience->backoff_last_ms);
    }
    breaker->open_until_ms = now_ms + backoff_ms;
}

/* Members that were up after the last failure: of whether any has been for long enough,
 * and how many are still to show it. */
static gint64
look_for_proof(Plan *plan)
{
    gint64 failed_ms = get_past(plan, plan->breaker->failed_ms);
    gint64 n_tried = 0;

    for (gsize i = 0; i < plan->n_members; i++) {
        const GroupMember *member = &plan->members[i];
        gint64 since_ms = get_since(plan, member);
        gint64 proved_ms = since_ms + plan->patience->proof_ms;

        if (member->phase != GROUP_PHASE_UP || since_ms < failed_ms)
            continue;
        if (plan->now_ms >= proved_ms) {
            plan->plan.is_proved = true;
        } else {
            n_tried++;
            wake_at(plan, proved_ms);
        }
    }
    return n_tried;
}

/* Until when it holds back; a failure that is still to come was long ago, and its wait is
 * over. */
static gint64
get_open_until(const Plan *plan)
{
    bool is_old = plan->breaker->failed_ms > plan->now_ms;

    return group_breaker_is_open(plan->breaker) && !is_old ? plan->breaker->open_until_ms
                                                           : long_ago_ms;
}

static void
ask_breaker(Plan *plan)
{
    const GroupBreaker *breaker = plan->breaker;
    gint64 until_ms = get_open_until(plan);
    gint64 n_tried = 0;

    plan->budget = plan->goal->is_halted ? 0 : G_MAXINT64;
    if (breaker->failures == 0)
        return;
    n_tried = look_for_proof(plan);
    if (plan->plan.is_proved || !group_breaker_is_open(breaker) || plan->goal->is_halted)
        return;
    plan->budget = 0;
    if (plan->now_ms < until_ms) {
        wake_at(plan, until_ms);
    } else if (n_tried + plan->plan.count[GROUP_PHASE_COMING] == 0) {
        plan->budget = 1;
    }
}

/* Victims */

static int
compare_age(const GroupMember *a, const GroupMember *b)
{
    if (a->created_ms != b->created_ms)
        return a->created_ms < b->created_ms ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return 0;
}

/* What is outdated goes first, then what is only coming, which is not at work yet; after
 * that the rule decides. */
static int
compare_victims(gconstpointer a, gconstpointer b, gpointer data)
{
    const Plan *plan = data;
    const GroupMember *one = &plan->members[*(const gsize *) a];
    const GroupMember *other = &plan->members[*(const gsize *) b];
    bool is_coming = one->phase == GROUP_PHASE_COMING;

    if (one->is_outdated != other->is_outdated)
        return one->is_outdated ? -1 : 1;
    if (is_coming != (other->phase == GROUP_PHASE_COMING))
        return is_coming ? -1 : 1;
    switch (plan->goal->victims) {
    case GROUP_VICTIMS_NEWEST:
    case GROUP_VICTIMS_UNHEALTHY:
        return -compare_age(one, other);
    case GROUP_VICTIMS_OLDEST:
        return compare_age(one, other);
    case GROUP_VICTIMS_NAME:
    case GROUP_VICTIMS_N:
        return one->number == other->number ? 0 : one->number > other->number ? -1 : 1;
    }
    return 0;
}

/* Up to n of those that func chooses, the first by the rule. */
static gint64
take_some(Plan *plan,
          bool (*func)(const Plan *plan, const GroupMember *member),
          gint64 n,
          bool is_excess)
{
    g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(gsize));
    gint64 n_taken = 0;

    for (gsize i = 0; n > 0 && i < plan->n_members; i++) {
        if (func(plan, &plan->members[i]) && !plan->is_taken[i])
            g_array_append_val(chosen, i);
    }
    g_array_sort_with_data(chosen, compare_victims, plan);
    for (; n_taken < n && n_taken < (gint64) chosen->len; n_taken++) {
        gsize member = g_array_index(chosen, gsize, n_taken);
        GroupPhase phase = plan->members[member].phase;

        take(plan, member,
             phase == GROUP_PHASE_DEAD   ? GROUP_CAUSE_DEAD
             : phase == GROUP_PHASE_SICK ? GROUP_CAUSE_SICK
                                         : GROUP_CAUSE_EXCESS);
        if (is_excess)
            plan->n_standing--;
    }
    return n_taken;
}

static bool
is_dead_for_long(const Plan *plan, const GroupMember *member)
{
    return member->phase == GROUP_PHASE_DEAD && is_broken(plan, member);
}

static bool
is_sick(const Plan *plan, const GroupMember *member)
{
    return member->phase == GROUP_PHASE_SICK;
}

static bool
is_well(const Plan *plan, const GroupMember *member)
{
    return is_alive(member->phase);
}

static bool
is_outdated(const Plan *plan, const GroupMember *member)
{
    return member->is_outdated && is_alive(member->phase);
}

static bool
is_just_dead(const Plan *plan, const GroupMember *member)
{
    return member->phase == GROUP_PHASE_DEAD && !is_broken(plan, member) &&
           !is_resting(plan, member);
}

static void
take_excess(Plan *plan)
{
    bool (*const order[])(const Plan *plan,
                          const GroupMember *member) = { is_dead_for_long, is_sick,
                                                         is_just_dead, is_well };

    for (gsize i = 0; i < G_N_ELEMENTS(order); i++) {
        /* The old ones stay until the new ones are up. */
        if (order[i] == is_well && plan->goal->is_rolling && plan->n_outdated_well > 0 &&
            plan->plan.count[GROUP_PHASE_COMING] > 0)
            return;
        take_some(plan, order[i], plan->n_standing - plan->plan.wanted, true);
    }
}

static void
replace_broken(Plan *plan)
{
    gint64 under_way =
        plan->plan.count[GROUP_PHASE_COMING] + plan->plan.count[GROUP_PHASE_LEAVING];
    gint64 most = MAX(plan->plan.wanted / SICK_SHARE, 1);
    gint64 budget = plan->budget == 1 ? MAX(1 - plan->plan.count[GROUP_PHASE_LEAVING], 0)
                                      : plan->budget;
    gint64 n_dead = take_some(plan, is_dead_for_long, budget, false);

    plan->n_standing -= n_dead;
    plan->n_standing -=
        take_some(plan, is_sick, MIN(most - under_way - n_dead, budget - n_dead), false);
}

static void
make_missing(Plan *plan)
{
    GroupPlan *result = &plan->plan;
    gint64 missing = MAX(result->wanted - plan->n_standing, 0);
    gint64 room = MAX(plan->goal->max - (gint64) plan->n_members, 0);

    result->n_create = MIN(MIN(missing, room), plan->budget);
    result->n_no_room = MAX(missing - room, 0);
    result->n_held_back = MAX(MIN(missing, room) - plan->budget, 0);
}

/* A batch of the outdated: some are taken at once, and for the others the new ones come
 * before they go. */
static void
replace_outdated(Plan *plan)
{
    const GroupGoal *goal = plan->goal;
    GroupPlan *result = &plan->plan;
    const gint64 *count = result->count;
    gint64 batch = MIN(MIN(goal->batch, result->n_outdated), plan->budget);
    gint64 most = MIN(batch, MAX(goal->max_unavailable, 1));
    gint64 n_taken = 0;

    if (!goal->is_rolling || batch == 0 || result->n_create > 0 ||
        plan->victims->len > 0 || count[GROUP_PHASE_COMING] > 0 ||
        count[GROUP_PHASE_LEAVING] > 0 || count[GROUP_PHASE_SICK] > 0 ||
        count[GROUP_PHASE_DEAD] > 0)
        return;
    n_taken = take_some(plan, is_outdated, most, false);
    for (guint i = 0; i < plan->victims->len; i++) {
        g_array_index(plan->victims, GroupVictim, i).cause = GROUP_CAUSE_OUTDATED;
    }
    plan->n_standing -= n_taken;
    result->n_create = MIN(batch, MAX(plan->goal->max - (gint64) plan->n_members, 0));
}

/* Putting it together */

static void
count_members(Plan *plan)
{
    for (gsize i = 0; i < plan->n_members; i++) {
        const GroupMember *member = &plan->members[i];

        plan->plan.count[member->phase]++;
        if (member->is_outdated && member->phase != GROUP_PHASE_LEAVING)
            plan->plan.n_outdated++;
        if (is_outdated(plan, member))
            plan->n_outdated_well++;
        if (!member->is_outdated && is_broken(plan, member))
            plan->plan.is_batch_bad = true;
        if (!is_leaving(plan, member))
            plan->n_standing++;
        if (member->phase == GROUP_PHASE_DEAD)
            wake_at(plan, get_since(plan, member) + plan->patience->dead_ms);
    }
}

static void
remove_all(Plan *plan)
{
    plan->plan.wake_ms = 0;
    for (gsize i = 0; i < plan->n_members; i++) {
        const GroupMember *member = &plan->members[i];

        if (is_resting(plan, member)) {
            wake_at(plan, get_since(plan, member) + plan->patience->dead_ms);
        } else if (!is_leaving(plan, member)) {
            take(plan, i, GROUP_CAUSE_REMOVED);
        }
    }
}

static bool
is_settled(const Plan *plan)
{
    const gint64 *count = plan->plan.count;

    return plan->plan.n_create == 0 && plan->victims->len == 0 &&
           count[GROUP_PHASE_UP] + count[GROUP_PHASE_ASIDE] == plan->plan.wanted &&
           (gint64) plan->n_members == plan->plan.wanted &&
           (!plan->goal->is_rolling || plan->plan.n_outdated == 0);
}

static bool
is_held(const Plan *plan)
{
    bool is_open = plan->now_ms < get_open_until(plan);

    return (is_open || plan->goal->is_halted) && !plan->plan.is_settled &&
           plan->plan.count[GROUP_PHASE_COMING] + plan->plan.count[GROUP_PHASE_LEAVING] +
                   (gint64) plan->victims->len ==
               0;
}

void
group_plan(const GroupGoal *goal,
           const GroupPatience *patience,
           const GroupBreaker *breaker,
           const GroupMember *members,
           gsize n_members,
           gint64 now_ms,
           GroupPlan *ret_plan)
{
    Plan plan = {
        .goal = goal,
        .patience = patience,
        .breaker = breaker,
        .members = members,
        .n_members = n_members,
        .now_ms = now_ms,
        .victims = g_array_new(FALSE, FALSE, sizeof(GroupVictim)),
        .is_taken = g_new0(bool, n_members),
        .plan.wanted = goal->is_removing ? 0 : CLAMP(goal->wanted, goal->min, goal->max),
    };

    count_members(&plan);
    if (goal->is_removing) {
        remove_all(&plan);
    } else {
        ask_breaker(&plan);
        take_excess(&plan);
        replace_broken(&plan);
        make_missing(&plan);
        replace_outdated(&plan);
    }
    plan.plan.is_batch_bad &= goal->is_rolling && plan.plan.n_outdated > 0;
    plan.plan.is_settled = is_settled(&plan);
    plan.plan.is_held = is_held(&plan);
    plan.plan.victims = (GroupVictim *) g_array_steal(plan.victims, &plan.plan.n_victims);
    g_array_unref(plan.victims);
    g_free(plan.is_taken);
    *ret_plan = plan.plan;
}

void
group_plan_clear(GroupPlan *plan)
{
    g_free(plan->victims);
    *plan = (GroupPlan){ 0 };
}
