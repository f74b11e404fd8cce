/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/** Changes (insert, remove, replace, swap neighbours) that make a of b; bounded by the
 * words' lengths. */
guint suggest_get_distance(const char *a, const char *b);

/** The word of the NULL-terminated list that is nearest to text, or NULL if none is
 * near. */
const char *suggest_find(const char *text, const char *const *words);
