/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "render/cell.h"

#include <string.h>

#include "text.h"
#include "units.h"

static void
append_string(GString *out, const Tree *tree, const TreeNode *node)
{
    g_autofree char *text = NULL;

    if (!node->is_escaped) {
        text_append_escaped_len(out, tree->text + node->start, node->length);
        return;
    }
    text = tree_get_string(tree, node);
    if (text != NULL)
        text_append_escaped(out, text);
}

static void
append_array(GString *out, const Tree *tree, const TreeNode *array)
{
    const TreeNode *element = NULL;
    const char *separator = "";

    while ((element = tree_next(tree, array, element)) != NULL) {
        g_string_append(out, separator);
        cell_append_plain(out, tree, element);
        separator = ",";
    }
}

static void
append_object(GString *out, const Tree *tree, const TreeNode *object)
{
    const TreeNode *key = NULL;
    const char *separator = "";

    while ((key = tree_next(tree, object, key)) != NULL) {
        const TreeNode *value = tree_next(tree, object, key);

        if (value == NULL)
            return;
        g_string_append(out, separator);
        cell_append_plain(out, tree, key);
        g_string_append_c(out, '=');
        cell_append_plain(out, tree, value);
        separator = ",";
        key = value;
    }
}

void
cell_append_plain(GString *out, const Tree *tree, const TreeNode *node)
{
    if (node == NULL)
        return;
    switch (node->kind) {
    case TREE_NULL:
        break;
    case TREE_BOOL:
    case TREE_NUMBER:
        text_append_escaped_len(out, tree->text + node->start, node->length);
        break;
    case TREE_STRING:
        append_string(out, tree, node);
        break;
    case TREE_ARRAY:
        append_array(out, tree, node);
        break;
    case TREE_OBJECT:
        append_object(out, tree, node);
        break;
    }
}

static void
append_phases(GString *out, const Tree *tree, const TreeNode *node)
{
    const TreeNode *phase = NULL;
    const char *separator = "";

    while ((phase = tree_next(tree, node, phase)) != NULL) {
        g_string_append(out, separator);
        cell_append_plain(out, tree, tree_find(tree, phase, "name"));
        g_string_append_c(out, ' ');
        units_append_duration(
            out, tree_get_number(tree, tree_find(tree, phase, "duration_ms")));
        separator = ", ";
    }
}

static void
append_age(GString *out, const Tree *tree, const TreeNode *node, gint64 now_us)
{
    g_autofree char *time = tree_get_string(tree, node);
    gint64 age = units_get_age(time != NULL ? time : "", now_us);

    if (age < 0) {
        append_string(out, tree, node);
    } else {
        units_append_age(out, age);
    }
}

/* What is not as the schema says is shown as it is. */
static void
append_for_people(
    GString *out, const Tree *tree, const TreeNode *node, CellKind kind, gint64 now_us)
{
    if (kind == CELL_SIZE && node->kind == TREE_NUMBER) {
        units_append_size(out, tree_get_number(tree, node));
    } else if (kind == CELL_DURATION && node->kind == TREE_NUMBER) {
        units_append_duration(out, tree_get_number(tree, node));
    } else if (kind == CELL_AGE && node->kind == TREE_STRING) {
        append_age(out, tree, node, now_us);
    } else if (kind == CELL_YES && node->kind == TREE_BOOL) {
        g_string_append(out, tree->text[node->start] == 't' ? "yes" : "no");
    } else if (kind == CELL_PHASES) {
        append_phases(out, tree, node);
    } else {
        cell_append_plain(out, tree, node);
    }
}

void
cell_append(
    GString *out, const Tree *tree, const TreeNode *node, CellKind kind, gint64 now_us)
{
    gsize start = out->len;

    if (node != NULL)
        append_for_people(out, tree, node, kind, now_us);
    if (out->len == start)
        g_string_append_c(out, '-');
}
