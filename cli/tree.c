/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree.h"

#include <json-glib/json-glib.h>
#include <string.h>

enum {
    DEPTH_MAX = 64
};

/** The state of one reading. */
typedef struct {
    const char *text;
    const char *at;
    const char *end;
    GArray *nodes;
    /** Containers that are open, by index. */
    guint32 open[DEPTH_MAX];
    gsize depth;
} Reader;

static guint32
append(Reader *reader, TreeKind kind, const char *start, gsize length, bool is_escaped)
{
    const TreeNode node = { .kind = kind,
                            .is_escaped = is_escaped,
                            .start = (guint32) (start - reader->text),
                            .length = (guint32) length,
                            .after = reader->nodes->len + 1 };

    g_array_append_val(reader->nodes, node);
    return reader->nodes->len - 1;
}

static bool
read_string(Reader *reader)
{
    const char *start = ++reader->at;
    bool is_escaped = false;

    for (; reader->at < reader->end && *reader->at != '"'; reader->at++) {
        if (*reader->at != '\\')
            continue;
        is_escaped = true;
        reader->at++;
    }
    if (reader->at >= reader->end)
        return false;
    append(reader, TREE_STRING, start, (gsize) (reader->at - start), is_escaped);
    reader->at++;
    return true;
}

static bool
read_word(Reader *reader)
{
    const char *start = reader->at;
    TreeKind kind = TREE_NUMBER;

    while (reader->at < reader->end && strchr(",]} \t\r\n", *reader->at) == NULL)
        reader->at++;
    if (*start == 't' || *start == 'f') {
        kind = TREE_BOOL;
    } else if (*start == 'n') {
        kind = TREE_NULL;
    }
    append(reader, kind, start, (gsize) (reader->at - start), false);
    return reader->at > start;
}

static bool
begin(Reader *reader, TreeKind kind)
{
    if (reader->depth == DEPTH_MAX)
        return false;
    reader->open[reader->depth++] = append(reader, kind, reader->at++, 1, false);
    return true;
}

static bool
end(Reader *reader)
{
    TreeNode *node = NULL;

    if (reader->depth == 0)
        return false;
    reader->at++;
    node = &g_array_index(reader->nodes, TreeNode, reader->open[--reader->depth]);
    node->length = (guint32) (reader->at - reader->text) - node->start;
    node->after = reader->nodes->len;
    return true;
}

static bool
read_one(Reader *reader)
{
    switch (*reader->at) {
    case '{':
        return begin(reader, TREE_OBJECT);
    case '[':
        return begin(reader, TREE_ARRAY);
    case '}':
    case ']':
        return end(reader);
    case '"':
        return read_string(reader);
    case ',':
    case ':':
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        reader->at++;
        return true;
    default:
        return read_word(reader);
    }
}

Tree *
tree_new(const char *text, gsize length)
{
    Reader reader = { .text = text, .at = text, .end = text + length };
    Tree *tree = NULL;

    if (length == 0 || length > G_MAXINT32)
        return NULL;
    /* About one value in ten bytes. */
    reader.nodes =
        g_array_sized_new(FALSE, FALSE, sizeof(TreeNode), (guint) (length / 10 + 1));
    while (reader.at < reader.end) {
        if (!read_one(&reader))
            break;
    }
    if (reader.at < reader.end || reader.depth > 0 || reader.nodes->len == 0) {
        g_array_unref(reader.nodes);
        return NULL;
    }
    tree = g_new0(Tree, 1);
    tree->text = text;
    tree->n_nodes = reader.nodes->len;
    tree->nodes = (TreeNode *) (gpointer) g_array_free(reader.nodes, FALSE);
    return tree;
}

void
tree_free(Tree *tree)
{
    if (tree == NULL)
        return;
    g_free(tree->nodes);
    g_free(tree);
}

const TreeNode *
tree_next(const Tree *tree, const TreeNode *container, const TreeNode *before)
{
    guint32 index = 0;

    if (container == NULL ||
        (container->kind != TREE_ARRAY && container->kind != TREE_OBJECT))
        return NULL;
    index = before != NULL ? before->after : (guint32) (container - tree->nodes) + 1;
    return index < container->after ? &tree->nodes[index] : NULL;
}

static const TreeNode *
find(const Tree *tree, const TreeNode *object, const char *name, gsize length)
{
    const TreeNode *key = NULL;

    if (object == NULL || object->kind != TREE_OBJECT)
        return NULL;
    while ((key = tree_next(tree, object, key)) != NULL) {
        const TreeNode *value = tree_next(tree, object, key);

        if (value == NULL)
            return NULL;
        if (key->length == length && memcmp(tree->text + key->start, name, length) == 0)
            return value->kind != TREE_NULL ? value : NULL;
        key = value;
    }
    return NULL;
}

const TreeNode *
tree_find(const Tree *tree, const TreeNode *object, const char *name)
{
    return find(tree, object, name, strlen(name));
}

const TreeNode *
tree_find_path(const Tree *tree, const TreeNode *object, const char *path)
{
    for (;;) {
        const char *dot = strchr(path, '.');

        if (dot == NULL)
            return find(tree, object, path, strlen(path));
        object = find(tree, object, path, (gsize) (dot - path));
        path = dot + 1;
    }
}

char *
tree_get_string(const Tree *tree, const TreeNode *node)
{
    g_autofree char *quoted = NULL;
    g_autoptr(JsonNode) value = NULL;

    if (node == NULL || node->kind != TREE_STRING)
        return NULL;
    if (!node->is_escaped)
        return g_strndup(tree->text + node->start, node->length);
    /* Few have backslashes: they go the long way. */
    quoted = g_strndup(tree->text + node->start - 1, node->length + 2);
    value = json_from_string(quoted, NULL);
    return value != NULL ? json_node_dup_string(value) : NULL;
}

gint64
tree_get_number(const Tree *tree, const TreeNode *node)
{
    if (node == NULL || node->kind != TREE_NUMBER)
        return 0;
    return g_ascii_strtoll(tree->text + node->start, NULL, 10);
}
