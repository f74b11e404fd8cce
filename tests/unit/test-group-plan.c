/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group/plan.h"

enum {
    NOW_MS = 1000000,
    ROUNDS = 20000,
    MEMBERS = 24
};

static const GroupPatience patience = {
    .failures = 3,
    .backoff_first_ms = 1000,
    .backoff_last_ms = 16000,
    .proof_ms = 500,
    .dead_ms = 200,
};

static const GroupBreaker closed = { 0 };

static GroupMember
member(GroupPhase phase, gint64 number)
{
    return (GroupMember){ phase, number, number * 10, NOW_MS - 100000 };
}

static GroupPlan
plan(const GroupGoal *goal, const GroupMember *members, gsize n_members)
{
    GroupPlan result;

    group_plan(goal, &patience, &closed, members, n_members, NOW_MS, &result);
    return result;
}

/* One case each */

static void
test_what_is_missing_is_made(void)
{
    const GroupGoal goal = { .min = 1, .max = 10, .wanted = 4 };
    const GroupMember members[] = { member(GROUP_PHASE_UP, 1),
                                    member(GROUP_PHASE_COMING, 2) };
    g_auto(GroupPlan) result = plan(&goal, members, 2);

    g_assert_cmpint(result.n_create, ==, 2);
    g_assert_cmpuint(result.n_victims, ==, 0);
    g_assert_false(result.is_settled);
}

static void
test_members_in_any_state_count_against_the_most(void)
{
    const GroupGoal goal = { .min = 0, .max = 4, .wanted = 4 };

    for (int phase = 0; phase < GROUP_PHASE_N; phase++) {
        const GroupMember members[] = { member((GroupPhase) phase, 1),
                                        member((GroupPhase) phase, 2),
                                        member((GroupPhase) phase, 3),
                                        member((GroupPhase) phase, 4) };
        g_auto(GroupPlan) result = plan(&goal, members, 4);

        g_assert_cmpint(result.n_create, ==, 0);
    }
}

static void
test_the_rule_chooses_who_goes(void)
{
    static const struct {
        GroupVictims rule;
        gsize first;
    } cases[] = {
        { GROUP_VICTIMS_NEWEST, 2 },
        { GROUP_VICTIMS_OLDEST, 0 },
        { GROUP_VICTIMS_UNHEALTHY, 2 },
        { GROUP_VICTIMS_NAME, 1 },
    };

    /* web-1 is the oldest, web-9 stands between, web-2 was made last. */
    const GroupMember members[] = { { GROUP_PHASE_UP, 1, 10, 0 },
                                    { GROUP_PHASE_UP, 9, 20, 0 },
                                    { GROUP_PHASE_UP, 2, 30, 0 } };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const GroupGoal goal = { .max = 9, .wanted = 2, .victims = cases[i].rule };
        g_auto(GroupPlan) result = plan(&goal, members, 3);

        g_assert_cmpuint(result.n_victims, ==, 1);
        g_assert_cmpuint(result.victims[0].member, ==, cases[i].first);
        g_assert_cmpint(result.victims[0].cause, ==, GROUP_CAUSE_EXCESS);
    }
}

static void
test_what_is_broken_or_only_coming_goes_before_what_works(void)
{
    const GroupGoal goal = { .max = 9, .wanted = 1, .victims = GROUP_VICTIMS_OLDEST };
    const GroupMember members[] = { member(GROUP_PHASE_UP, 1),
                                    member(GROUP_PHASE_COMING, 2),
                                    member(GROUP_PHASE_SICK, 3),
                                    member(GROUP_PHASE_DEAD, 4) };
    g_auto(GroupPlan) result = plan(&goal, members, 4);

    g_assert_cmpuint(result.n_victims, ==, 3);
    g_assert_cmpuint(result.victims[0].member, ==, 3);
    g_assert_cmpuint(result.victims[1].member, ==, 2);
    g_assert_cmpuint(result.victims[2].member, ==, 1);
}

static void
test_the_dead_are_replaced_after_a_while(void)
{
    const GroupGoal goal = { .max = 9, .wanted = 2 };
    GroupMember members[] = { member(GROUP_PHASE_UP, 1), member(GROUP_PHASE_DEAD, 2) };
    GroupPlan result = { 0 };

    members[1].since_ms = NOW_MS - patience.dead_ms + 1;
    result = plan(&goal, members, 2);
    g_assert_cmpuint(result.n_victims, ==, 0);
    g_assert_cmpint(result.n_create, ==, 0);
    g_assert_cmpint(result.wake_ms, ==, NOW_MS + 1);
    group_plan_clear(&result);
    members[1].since_ms--;
    result = plan(&goal, members, 2);
    g_assert_cmpuint(result.n_victims, ==, 1);
    g_assert_cmpint(result.victims[0].cause, ==, GROUP_CAUSE_DEAD);
    g_assert_cmpint(result.n_create, ==, 1);
    group_plan_clear(&result);
}

/* Or it would be tried again and again, as fast as it fails. */
static void
test_what_could_not_be_removed_is_tried_again_after_a_while(void)
{
    const GroupGoal goals[] = { { .max = 9, .wanted = 1, .is_removing = true },
                                { .max = 9, .wanted = 1 } };

    for (gsize i = 0; i < G_N_ELEMENTS(goals); i++) {
        GroupMember members[] = { member(GROUP_PHASE_DEAD, 1),
                                  member(GROUP_PHASE_UP, 2) };
        gsize n_removed = goals[i].is_removing ? 1 : 0;
        GroupPlan result = { 0 };

        members[0].has_stayed = true;
        members[0].since_ms = NOW_MS - patience.dead_ms + 1;
        result = plan(&goals[i], members, 2);
        g_assert_cmpuint(result.n_victims, ==, n_removed);
        g_assert_cmpint(result.n_create, ==, 0);
        g_assert_cmpint(result.wake_ms, ==, NOW_MS + 1);
        group_plan_clear(&result);
        members[0].since_ms--;
        result = plan(&goals[i], members, 2);
        g_assert_cmpuint(result.n_victims, ==, n_removed + 1);
        g_assert_cmpuint(result.victims[0].member, ==, 0);
        group_plan_clear(&result);
    }
}

static void
test_not_all_that_are_sick_are_replaced_at_once(void)
{
    const GroupGoal goal = { .max = 40, .wanted = 20 };
    GroupMember members[20];

    for (int i = 0; i < 20; i++) {
        members[i] = member(GROUP_PHASE_SICK, i);
    }
    g_auto(GroupPlan) result = plan(&goal, members, 20);

    g_assert_cmpuint(result.n_victims, ==, 4);
    g_assert_cmpint(result.n_create, ==, 4);
}

static void
test_who_was_stopped_by_hand_is_left_alone(void)
{
    const GroupGoal goal = { .max = 9, .wanted = 2 };
    const GroupMember members[] = { member(GROUP_PHASE_UP, 1),
                                    member(GROUP_PHASE_ASIDE, 2) };
    g_auto(GroupPlan) result = plan(&goal, members, 2);

    g_assert_cmpuint(result.n_victims, ==, 0);
    g_assert_cmpint(result.n_create, ==, 0);
    g_assert_true(result.is_settled);
}

static void
test_a_group_that_is_removed_takes_all_with_it(void)
{
    const GroupGoal goal = { .min = 2, .max = 9, .wanted = 3, .is_removing = true };
    const GroupMember members[] = { member(GROUP_PHASE_UP, 1),
                                    member(GROUP_PHASE_COMING, 2),
                                    member(GROUP_PHASE_LEAVING, 3) };
    g_auto(GroupPlan) result = plan(&goal, members, 3);
    g_auto(GroupPlan) after = plan(&goal, NULL, 0);

    g_assert_cmpuint(result.n_victims, ==, 2);
    g_assert_false(result.is_settled);
    g_assert_true(after.is_settled);
}

static void
test_failures_in_a_row_open_the_breaker(void)
{
    const GroupGoal goal = { .max = 9, .wanted = 5 };
    GroupBreaker breaker = { 0 };
    GroupPlan result = { 0 };
    gint64 waits[8];

    for (int i = 0; i < 8; i++) {
        group_breaker_fail(&breaker, &patience, NOW_MS);
        waits[i] = group_breaker_is_open(&breaker) ? breaker.open_until_ms - NOW_MS : 0;
    }
    const gint64 meant[] = { 0, 0, 1000, 2000, 4000, 8000, 16000, 16000 };

    for (int i = 0; i < 8; i++) {
        g_assert_cmpint(waits[i], ==, meant[i]);
    }
    group_plan(&goal, &patience, &breaker, NULL, 0, NOW_MS, &result);
    g_assert_cmpint(result.n_create, ==, 0);
    g_assert_cmpint(result.n_held_back, ==, 5);
    g_assert_cmpint(result.wake_ms, ==, breaker.open_until_ms);
}

static void
test_one_is_tried_and_shows_the_others_the_way(void)
{
    const GroupGoal goal = { .max = 9, .wanted = 5 };
    GroupBreaker breaker = { 0 };
    GroupPlan result = { 0 };
    GroupMember tried = { 0 };
    gint64 now_ms = NOW_MS;

    for (int i = 0; i < 3; i++) {
        group_breaker_fail(&breaker, &patience, NOW_MS);
    }
    now_ms = breaker.open_until_ms;
    group_plan(&goal, &patience, &breaker, NULL, 0, now_ms, &result);
    g_assert_cmpint(result.n_create, ==, 1);
    tried = (GroupMember){ GROUP_PHASE_COMING, 1, now_ms, now_ms };
    group_plan(&goal, &patience, &breaker, &tried, 1, now_ms, &result);
    g_assert_cmpint(result.n_create, ==, 0);
    tried.phase = GROUP_PHASE_UP;
    group_plan(&goal, &patience, &breaker, &tried, 1, now_ms, &result);
    g_assert_cmpint(result.n_create, ==, 0);
    g_assert_cmpint(result.wake_ms, ==, now_ms + patience.proof_ms);
    group_plan(&goal, &patience, &breaker, &tried, 1, result.wake_ms, &result);
    g_assert_true(result.is_proved);
    g_assert_cmpint(result.n_create, ==, 4);
}

static void
test_what_is_too_much_goes_while_the_breaker_is_open(void)
{
    const GroupGoal goal = { .max = 9, .wanted = 1 };
    const GroupBreaker open = { 9, NOW_MS, NOW_MS + 5000 };
    const GroupMember members[] = { member(GROUP_PHASE_UP, 1), member(GROUP_PHASE_UP, 2),
                                    member(GROUP_PHASE_SICK, 3) };
    g_auto(GroupPlan) result = { 0 };

    group_plan(&goal, &patience, &open, members, 3, NOW_MS, &result);
    g_assert_cmpuint(result.n_victims, ==, 2);
}

static void
test_a_clock_that_is_put_back_does_not_hold_it_open(void)
{
    const GroupGoal goal = { .max = 9, .wanted = 1 };
    const GroupBreaker open = { 3, NOW_MS + 900000, NOW_MS + 1000000 };
    g_auto(GroupPlan) result = { 0 };

    group_plan(&goal, &patience, &open, NULL, 0, NOW_MS, &result);
    g_assert_cmpint(result.n_create, ==, 1);
    g_assert_false(result.is_held);
}

static void
test_a_clock_that_is_put_back_does_not_hide_that_one_is_up(void)
{
    const GroupGoal goal = { .max = 9, .wanted = 1 };
    const GroupBreaker open = { 3, NOW_MS + 900000, NOW_MS + 1000000 };
    const GroupMember up = { GROUP_PHASE_UP, 1, 10, NOW_MS - patience.proof_ms };
    g_auto(GroupPlan) result = { 0 };

    group_plan(&goal, &patience, &open, &up, 1, NOW_MS, &result);
    g_assert_true(result.is_proved);
}

static void
test_a_clock_that_is_put_back_does_not_keep_the_dead(void)
{
    const GroupGoal goal = { .max = 9, .wanted = 1 };
    const GroupMember dead = { GROUP_PHASE_DEAD, 1, 10, NOW_MS + 900000 };
    g_auto(GroupPlan) result = plan(&goal, &dead, 1);

    g_assert_cmpuint(result.n_victims, ==, 1);
}

static void
test_the_outdated_go_in_batches(void)
{
    const GroupGoal goal = {
        .max = 6, .wanted = 4, .is_rolling = true, .batch = 2, .max_unavailable = 1
    };
    GroupMember members[6];
    GroupPlan result = { 0 };

    for (int i = 0; i < 4; i++) {
        members[i] = member(GROUP_PHASE_UP, i);
        members[i].is_outdated = true;
    }
    result = plan(&goal, members, 4);
    g_assert_cmpint(result.n_create, ==, 2);
    g_assert_cmpuint(result.n_victims, ==, 1);
    g_assert_cmpint(result.victims[0].cause, ==, GROUP_CAUSE_OUTDATED);
    members[result.victims[0].member] = members[3];
    group_plan_clear(&result);
    /* One is gone, two come: nothing before they are up. */
    members[3] = member(GROUP_PHASE_COMING, 7);
    members[4] = member(GROUP_PHASE_COMING, 8);
    result = plan(&goal, members, 5);
    g_assert_cmpuint(result.n_victims, ==, 0);
    g_assert_cmpint(result.n_create, ==, 0);
    group_plan_clear(&result);
    members[3].phase = members[4].phase = GROUP_PHASE_UP;
    result = plan(&goal, members, 5);
    g_assert_cmpuint(result.n_victims, ==, 1);
    g_assert_true(members[result.victims[0].member].is_outdated);
    group_plan_clear(&result);
}

static void
test_a_batch_that_is_not_well_is_seen(void)
{
    const GroupGoal goal = {
        .max = 6, .wanted = 2, .is_rolling = true, .batch = 1, .max_unavailable = 1
    };
    GroupMember members[] = { member(GROUP_PHASE_UP, 1), member(GROUP_PHASE_SICK, 2) };
    GroupPlan result = { 0 };

    members[0].is_outdated = true;
    result = plan(&goal, members, 2);
    g_assert_true(result.is_batch_bad);
    group_plan_clear(&result);
    members[1].is_outdated = true;
    members[0].is_outdated = false;
    result = plan(&goal, members, 2);
    g_assert_false(result.is_batch_bad);
    group_plan_clear(&result);
}

static void
test_what_is_halted_makes_and_replaces_nobody(void)
{
    const GroupGoal goal = { .max = 9, .wanted = 4, .is_halted = true };
    const GroupMember members[] = { member(GROUP_PHASE_UP, 1),
                                    member(GROUP_PHASE_DEAD, 2) };
    g_auto(GroupPlan) result = plan(&goal, members, 2);

    g_assert_cmpint(result.n_create, ==, 0);
    g_assert_cmpuint(result.n_victims, ==, 0);
    g_assert_true(result.is_held);
}

/* Whatever it is given */

static gint64
pick(gint64 below)
{
    return g_test_rand_int_range(0, (gint32) below);
}

static GroupGoal
any_goal(void)
{
    GroupGoal goal = {
        .max = pick(MEMBERS),
        .wanted = pick(MEMBERS + 4),
        .is_removing = pick(12) == 0,
        .victims = (GroupVictims) pick(GROUP_VICTIMS_N),
        .is_rolling = pick(2) == 0,
        .batch = 1 + pick(4),
        .max_unavailable = 1 + pick(3),
    };

    goal.min = pick(goal.max + 1);
    return goal;
}

static gsize
any_members(GroupMember *members)
{
    gsize n_members = (gsize) pick(MEMBERS);

    for (gsize i = 0; i < n_members; i++) {
        members[i] = (GroupMember){
            .phase = (GroupPhase) pick(GROUP_PHASE_N),
            .number = (gint64) i,
            .created_ms = pick(NOW_MS),
            .since_ms = NOW_MS - pick(1000),
            .is_outdated = pick(2) == 0,
            .has_stayed = pick(4) == 0,
        };
    }
    return n_members;
}

static GroupBreaker
any_breaker(void)
{
    GroupBreaker breaker = { 0 };

    for (gint64 i = pick(6); i > 0; i--) {
        group_breaker_fail(&breaker, &patience, NOW_MS - pick(4000));
    }
    return breaker;
}

static gsize
count_well(const GroupMember *members, gsize n_members)
{
    gsize count = 0;

    for (gsize i = 0; i < n_members; i++) {
        count += members[i].phase <= GROUP_PHASE_ASIDE ? 1 : 0;
    }
    return count;
}

/* The members when the plan was begun; returns how many. */
static gsize
begin(const GroupPlan *result, GroupMember *members, gsize n_members, gint64 now_ms)
{
    for (gsize i = 0; i < result->n_victims; i++) {
        members[result->victims[i].member].phase = GROUP_PHASE_LEAVING;
    }
    for (gint64 i = 0; i < result->n_create; i++) {
        members[n_members++] =
            (GroupMember){ GROUP_PHASE_COMING, now_ms + i, now_ms, now_ms, false };
    }
    return n_members;
}

static void
test_it_never_makes_more_than_the_most(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        GroupMember members[2 * MEMBERS];
        gsize n_members = any_members(members);
        const GroupGoal goal = any_goal();
        const GroupBreaker breaker = any_breaker();
        g_auto(GroupPlan) result = { 0 };

        group_plan(&goal, &patience, &breaker, members, n_members, NOW_MS, &result);
        g_assert_cmpint(result.n_create, >=, 0);
        if (result.n_create > 0)
            g_assert_cmpint((gint64) n_members + result.n_create, <=, goal.max);
    }
}

static void
test_it_never_takes_who_is_wanted(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        GroupMember members[2 * MEMBERS];
        gsize n_members = any_members(members);
        gsize n_well = count_well(members, n_members);
        GroupGoal goal = any_goal();
        const GroupBreaker breaker = any_breaker();
        g_auto(GroupPlan) result = { 0 };

        goal.is_removing = false;
        group_plan(&goal, &patience, &breaker, members, n_members, NOW_MS, &result);
        g_assert_cmpint(result.wanted, >=, goal.min);
        n_members = begin(&result, members, n_members, NOW_MS);
        g_assert_cmpint((gint64) count_well(members, n_members), >=,
                        MIN((gint64) n_well, result.wanted) -
                            (goal.is_rolling ? goal.max_unavailable : 0));
    }
}

static void
test_it_does_nothing_twice(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        GroupMember members[2 * MEMBERS];
        gsize n_members = any_members(members);
        const GroupGoal goal = any_goal();
        const GroupBreaker breaker = any_breaker();
        g_auto(GroupPlan) first = { 0 };
        g_auto(GroupPlan) second = { 0 };

        group_plan(&goal, &patience, &breaker, members, n_members, NOW_MS, &first);
        n_members = begin(&first, members, n_members, NOW_MS);
        group_plan(&goal, &patience, &breaker, members, n_members, NOW_MS, &second);
        g_assert_cmpint(second.n_create, ==, 0);
        g_assert_cmpuint(second.n_victims, ==, 0);
    }
}

/* What was begun comes to its end, in any order, some of it badly. */
static gsize
go_on(GroupMember *members, gsize n_members, gint64 now_ms, GroupBreaker *breaker)
{
    gsize kept = 0;

    for (gsize i = 0; i < n_members; i++) {
        GroupMember one = members[i];
        bool moves = pick(2) == 0;

        if (one.phase == GROUP_PHASE_LEAVING && moves)
            continue;
        if (one.phase == GROUP_PHASE_COMING && moves) {
            if (pick(4) == 0) {
                group_breaker_fail(breaker, &patience, now_ms);
                continue;
            }
            one.phase = GROUP_PHASE_UP;
            one.since_ms = now_ms;
        }
        members[kept++] = one;
    }
    return kept;
}

static void
test_it_comes_to_what_is_wanted(void)
{
    for (int round = 0; round < ROUNDS / 20; round++) {
        GroupMember members[2 * MEMBERS];
        gsize n_members = any_members(members);
        const GroupGoal goal = any_goal();
        GroupBreaker breaker = any_breaker();
        gint64 now_ms = NOW_MS;
        bool is_settled = false;

        for (int turn = 0; turn < 2000 && !is_settled; turn++) {
            g_auto(GroupPlan) result = { 0 };

            group_plan(&goal, &patience, &breaker, members, n_members, now_ms, &result);
            if (result.is_proved)
                breaker = closed;
            is_settled = result.is_settled;
            n_members = begin(&result, members, n_members, now_ms);
            n_members = go_on(members, n_members, now_ms, &breaker);
            now_ms = MAX(now_ms + 300, result.wake_ms);
        }
        g_assert_true(is_settled);
    }
}

/* A template that never boots. */
static void
test_failure_after_failure_makes_few(void)
{
    const GroupGoal goal = { .max = 4, .wanted = 4 };
    GroupBreaker breaker = { 0 };
    gint64 n_made = 0;

    for (gint64 now_ms = NOW_MS; now_ms < NOW_MS + 100000; now_ms += 10) {
        g_auto(GroupPlan) result = { 0 };

        group_plan(&goal, &patience, &breaker, NULL, 0, now_ms, &result);
        n_made += result.n_create;
        for (gint64 i = 0; i < result.n_create; i++) {
            group_breaker_fail(&breaker, &patience, now_ms);
        }
    }
    g_assert_cmpint(n_made, <=, 4 + 100000 / patience.backoff_last_ms + 4);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/group/missing-is-made", test_what_is_missing_is_made);
    g_test_add_func("/group/any-state-counts",
                    test_members_in_any_state_count_against_the_most);
    g_test_add_func("/group/rule-chooses", test_the_rule_chooses_who_goes);
    g_test_add_func("/group/broken-goes-first",
                    test_what_is_broken_or_only_coming_goes_before_what_works);
    g_test_add_func("/group/dead-are-replaced", test_the_dead_are_replaced_after_a_while);
    g_test_add_func("/group/what-stayed-is-tried-again",
                    test_what_could_not_be_removed_is_tried_again_after_a_while);
    g_test_add_func("/group/sick-not-all-at-once",
                    test_not_all_that_are_sick_are_replaced_at_once);
    g_test_add_func("/group/aside-is-left", test_who_was_stopped_by_hand_is_left_alone);
    g_test_add_func("/group/removed-takes-all",
                    test_a_group_that_is_removed_takes_all_with_it);
    g_test_add_func("/group/breaker-opens", test_failures_in_a_row_open_the_breaker);
    g_test_add_func("/group/breaker-tries-one",
                    test_one_is_tried_and_shows_the_others_the_way);
    g_test_add_func("/group/breaker-lets-go",
                    test_what_is_too_much_goes_while_the_breaker_is_open);
    g_test_add_func("/group/breaker-and-clock",
                    test_a_clock_that_is_put_back_does_not_hold_it_open);
    g_test_add_func("/group/proof-and-clock",
                    test_a_clock_that_is_put_back_does_not_hide_that_one_is_up);
    g_test_add_func("/group/dead-and-clock",
                    test_a_clock_that_is_put_back_does_not_keep_the_dead);
    g_test_add_func("/group/outdated-in-batches", test_the_outdated_go_in_batches);
    g_test_add_func("/group/bad-batch", test_a_batch_that_is_not_well_is_seen);
    g_test_add_func("/group/halted", test_what_is_halted_makes_and_replaces_nobody);
    g_test_add_func("/group/never-above-max", test_it_never_makes_more_than_the_most);
    g_test_add_func("/group/never-below-wanted", test_it_never_takes_who_is_wanted);
    g_test_add_func("/group/idempotent", test_it_does_nothing_twice);
    g_test_add_func("/group/converges", test_it_comes_to_what_is_wanted);
    g_test_add_func("/group/never-boots", test_failure_after_failure_makes_few);
    return g_test_run();
}
