/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/turns.h"

static gpointer
item(guint number)
{
    return GUINT_TO_POINTER(number);
}

static void
test_tenants_take_turns(void)
{
    static const guint order[] = { 1, 11, 21, 2, 12, 3 };
    g_autoptr(Turns) turns = turns_new(G_N_ELEMENTS(order));

    for (guint i = 1; i <= 3; i++) {
        turns_add(turns, "many", item(i), false);
    }
    turns_add(turns, "two", item(11), false);
    turns_add(turns, "two", item(12), false);
    turns_add(turns, "one", item(21), false);
    for (gsize i = 0; i < G_N_ELEMENTS(order); i++) {
        g_assert_cmpuint(GPOINTER_TO_UINT(turns_take(turns)), ==, order[i]);
    }
    g_assert_false(turns_is_anybody_waiting(turns));
}

static void
test_one_that_comes_late_waits_for_one_at_most(void)
{
    g_autoptr(Turns) turns = turns_new(1);

    for (guint i = 1; i <= 1000; i++) {
        turns_add(turns, "many", item(i), false);
    }
    g_assert_cmpuint(GPOINTER_TO_UINT(turns_take(turns)), ==, 1);
    turns_add(turns, "late", item(5000), false);
    turns_release(turns);
    g_assert_cmpuint(GPOINTER_TO_UINT(turns_take(turns)), ==, 2);
    turns_release(turns);
    g_assert_cmpuint(GPOINTER_TO_UINT(turns_take(turns)), ==, 5000);
}

static void
test_no_more_than_the_width_are_at_work(void)
{
    g_autoptr(Turns) turns = turns_new(2);

    for (guint i = 1; i <= 3; i++) {
        turns_add(turns, "a", item(i), false);
    }
    g_assert_nonnull(turns_take(turns));
    g_assert_nonnull(turns_take(turns));
    g_assert_null(turns_take(turns));
    turns_release(turns);
    g_assert_cmpuint(GPOINTER_TO_UINT(turns_take(turns)), ==, 3);
}

static void
test_the_urgent_go_first_within_a_tenant(void)
{
    g_autoptr(Turns) turns = turns_new(9);

    turns_add(turns, "a", item(1), false);
    turns_add(turns, "a", item(2), true);
    turns_add(turns, "b", item(3), false);
    g_assert_cmpuint(GPOINTER_TO_UINT(turns_take(turns)), ==, 2);
    g_assert_cmpuint(GPOINTER_TO_UINT(turns_take(turns)), ==, 3);
    g_assert_cmpuint(GPOINTER_TO_UINT(turns_take(turns)), ==, 1);
}

static void
test_who_was_removed_has_no_turn(void)
{
    g_autoptr(Turns) turns = turns_new(9);

    turns_add(turns, "a", item(1), false);
    turns_add(turns, "b", item(2), false);
    turns_remove(turns, "a", item(1));
    turns_remove(turns, "nobody", item(7));
    g_assert_cmpuint(GPOINTER_TO_UINT(turns_take(turns)), ==, 2);
    g_assert_null(turns_take(turns));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/turns/tenants-take-turns", test_tenants_take_turns);
    g_test_add_func("/turns/one-that-comes-late-waits-for-one-at-most",
                    test_one_that_comes_late_waits_for_one_at_most);
    g_test_add_func("/turns/no-more-than-the-width-are-at-work",
                    test_no_more_than_the_width_are_at_work);
    g_test_add_func("/turns/the-urgent-go-first-within-a-tenant",
                    test_the_urgent_go_first_within_a_tenant);
    g_test_add_func("/turns/who-was-removed-has-no-turn",
                    test_who_was_removed_has_no_turn);
    return g_test_run();
}
