/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * JSON that is only looked at: a flat list of spans over the text, without a copy or an
 * allocation for each value.  A list of a thousand instances is read in a tenth of the
 * time that a tree of objects takes.  For text that the guard or a printer has checked;
 * other text gives NULL or nonsense, but nothing worse.  Pure.
 */
typedef enum {
    TREE_NULL,
    TREE_BOOL,
    TREE_NUMBER,
    TREE_STRING,
    TREE_ARRAY,
    TREE_OBJECT,
} TreeKind;

typedef struct {
    TreeKind kind;
    /** A string with backslashes. */
    bool is_escaped;
    /** Where its text begins and how long it is; of a string, without the quotes. */
    guint32 start;
    guint32 length;
    /** The index behind it and all that is in it. */
    guint32 after;
} TreeNode;

typedef struct {
    const char *text;
    TreeNode *nodes;
    guint32 n_nodes;
} Tree;

/** Borrows text, which is length bytes and has a NUL behind them. */
Tree *tree_new(const char *text, gsize length);
void tree_free(Tree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tree, tree_free)

/** The value of a member of object, or NULL; also if object is none, or it is null. */
const TreeNode *tree_find(const Tree *tree, const TreeNode *object, const char *name);

/** The same along a path such as "default.vcpus". */
const TreeNode *
tree_find_path(const Tree *tree, const TreeNode *object, const char *path);

/** The elements of an array, or keys and values of an object in turn: NULL begins; NULL
 * after the last. */
const TreeNode *
tree_next(const Tree *tree, const TreeNode *container, const TreeNode *before);

/** A string's text; NULL if it is none.  Free with g_free(). */
char *tree_get_string(const Tree *tree, const TreeNode *node);

/** A number's value, or 0. */
gint64 tree_get_number(const Tree *tree, const TreeNode *node);
