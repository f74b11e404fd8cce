/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "render/render.h"
#include "tree.h"
#include "views.h"

static const char sample[] =
    "{\"instances\": [ {\"name\":\"web\",\"vcpus\":2,\"next\":null,\"ready\":true,"
    "\"default\":{\"vcpus\":-5},\"addresses\":[\"a\",\"b\"]},{} ],"
    "\"text\":\"q\\\"\\\\ \\u00e4\\ud83d\\udc27\\n\"}";

static void
test_finds_along_a_path(void)
{
    g_autoptr(Tree) tree = tree_new(sample, sizeof sample - 1);
    const TreeNode *rows = tree_find(tree, tree->nodes, "instances");
    const TreeNode *row = tree_next(tree, rows, NULL);
    g_autofree char *name = tree_get_string(tree, tree_find(tree, row, "name"));

    g_assert_cmpstr(name, ==, "web");
    g_assert_cmpint(tree_get_number(tree, tree_find(tree, row, "vcpus")), ==, 2);
    g_assert_cmpint(tree_get_number(tree, tree_find_path(tree, row, "default.vcpus")), ==,
                    -5);
    g_assert_null(tree_find(tree, row, "next"));
    g_assert_null(tree_find(tree, row, "nam"));
    g_assert_null(tree_find(tree, row, "names"));
    g_assert_null(tree_find_path(tree, row, "name.vcpus"));
    g_assert_null(tree_find_path(tree, row, "nothing.vcpus"));
    g_assert_null(tree_find(tree, rows, "name"));
}

static void
test_walks_what_is_in_it(void)
{
    g_autoptr(Tree) tree = tree_new(sample, sizeof sample - 1);
    const TreeNode *rows = tree_find(tree, tree->nodes, "instances");
    const TreeNode *first = tree_next(tree, rows, NULL);
    const TreeNode *second = tree_next(tree, rows, first);

    g_assert_cmpint(second->kind, ==, TREE_OBJECT);
    g_assert_null(tree_next(tree, second, NULL));
    g_assert_null(tree_next(tree, rows, second));
    g_assert_null(tree_next(tree, tree_find(tree, first, "name"), NULL));
}

static void
test_strings_are_unescaped(void)
{
    g_autoptr(Tree) tree = tree_new(sample, sizeof sample - 1);
    g_autofree char *text = tree_get_string(tree, tree_find(tree, tree->nodes, "text"));

    g_assert_cmpstr(text, ==, "q\"\\ \xc3\xa4\xf0\x9f\x90\xa7\n");
}

static void
test_refuses_what_does_not_close(void)
{
    const char *const texts[] = { "", "{", "[[]", "]", "{\"a", "{\"a\\\"", "\\" };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Tree) tree = tree_new(texts[i], strlen(texts[i]));

        if (strcmp(texts[i], "\\") != 0)
            g_assert_null(tree);
    }
}

static void
test_refuses_what_is_too_deep(void)
{
    g_autofree char *deep = g_strnfill(80000, '[');

    g_assert_null(tree_new(deep, 80000));
}

/* Whatever comes, walking and rendering it stays within it. */
static void
render_all(const char *text, gsize length)
{
    g_autoptr(Tree) tree = tree_new(text, length);
    g_autoptr(GString) out = g_string_new(NULL);
    Render render;

    if (tree == NULL)
        return;
    render_init(&render, &view_instances, FORMAT_WIDE, 0);
    render_add(&render, tree, tree->nodes);
    render_flush(&render, out);
    render_done(&render);
}

static void
test_cut_anywhere(void)
{
    for (gsize length = 0; length < sizeof sample - 1; length++) {
        /* A copy of that size, so that a sanitizer sees one byte too many. */
        g_autofree char *text = g_strndup(sample, length);

        render_all(text, length);
    }
}

static void
test_bytes_changed_anywhere(void)
{
    static const char others[] = "\"\\{}[]:,0tn \n\x80";

    for (gsize i = 0; i < sizeof sample - 1; i++) {
        for (gsize j = 0; j < sizeof others - 1; j++) {
            g_autofree char *text = g_strndup(sample, sizeof sample - 1);

            text[i] = others[j];
            render_all(text, sizeof sample - 1);
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tree/finds-along-a-path", test_finds_along_a_path);
    g_test_add_func("/tree/walks-what-is-in-it", test_walks_what_is_in_it);
    g_test_add_func("/tree/strings-are-unescaped", test_strings_are_unescaped);
    g_test_add_func("/tree/refuses-what-does-not-close",
                    test_refuses_what_does_not_close);
    g_test_add_func("/tree/refuses-what-is-too-deep", test_refuses_what_is_too_deep);
    g_test_add_func("/tree/cut-anywhere", test_cut_anywhere);
    g_test_add_func("/tree/bytes-changed-anywhere", test_bytes_changed_anywhere);
    return g_test_run();
}
