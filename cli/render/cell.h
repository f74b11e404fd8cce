/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "command.h"
#include "tree.h"

/** Appends a value for people, escaped; "-" for NULL and for what is empty. */
void cell_append(
    GString *out, const Tree *tree, const TreeNode *node, CellKind kind, gint64 now_us);

/** Appends a value as it is, escaped; nothing for NULL. */
void cell_append_plain(GString *out, const Tree *tree, const TreeNode *node);
