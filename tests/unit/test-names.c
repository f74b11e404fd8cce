/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "instance/names.h"

enum {
    MANY = 500,
    SEEDS = 300
};

static bool
is_free(const char *name, gpointer data)
{
    return false;
}

static bool
is_kept(const char *name, gpointer data)
{
    return g_hash_table_contains(data, name);
}

/* Left to chance alone, some of these seeds have a name twice. */
static void
test_those_made_at_once_are_different(void)
{
    for (guint32 seed = 0; seed < SEEDS; seed++) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
        g_auto(GStrv) names = NULL;

        g_random_set_seed(seed);
        names = names_generate("web", MANY, is_free, NULL);
        for (gsize i = 0; i < MANY; i++) {
            g_assert_true(g_hash_table_add(seen, names[i]));
        }
    }
}

static void
test_one_that_is_taken_is_passed_over(void)
{
    g_autoptr(GHashTable) taken =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(GStrv) names = NULL;

    g_random_set_seed(1);
    names = names_generate("web", 1, is_free, NULL);
    g_hash_table_add(taken, g_strdup(names[0]));
    g_clear_pointer(&names, g_strfreev);
    g_random_set_seed(1);
    names = names_generate("web", 1, is_kept, taken);
    g_assert_false(g_hash_table_contains(taken, names[0]));
}

static bool
is_taken(const char *name, gpointer data)
{
    return true;
}

static void
test_when_all_are_taken_there_is_none(void)
{
    g_assert_null(names_generate("web", 1, is_taken, NULL));
}

static void
test_a_long_stem_is_cut(void)
{
    g_auto(GStrv) names =
        names_generate("a-very-long-name-of-a-template-of-somebody", 1, is_free, NULL);

    g_assert_cmpuint(strlen(names[0]), ==, 32);
}

int
main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/names/those-made-at-once-are-different",
                    test_those_made_at_once_are_different);
    g_test_add_func("/names/one-that-is-taken-is-passed-over",
                    test_one_that_is_taken_is_passed_over);
    g_test_add_func("/names/when-all-are-taken-there-is-none",
                    test_when_all_are_taken_there_is_none);
    g_test_add_func("/names/a-long-stem-is-cut", test_a_long_stem_is_cut);
    return g_test_run();
}
