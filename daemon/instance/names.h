/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** Names for instances that nobody named: STEM-xxxxx. */
typedef bool (*NamesTaken)(const char *name, gpointer data);

/** So many of them, each another and none that is taken; NULL if there are not as many.
 */
char **names_generate(const char *stem, gsize n, NamesTaken is_taken, gpointer data);
