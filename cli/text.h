/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * Text from a server or a guest on its way to a terminal.  Pure.
 */

/** Appends text with every byte of what cannot be seen (control characters, what turns
 * the writing direction, invisible and unassigned characters) and of invalid UTF-8 as
 * \xNN. */
void text_append_escaped(GString *out, const char *text);
void text_append_escaped_len(GString *out, const char *text, gsize length);

/** The same for length bytes of a guest's console: lines and tabs stay, and a carriage
 * return before a line feed is dropped. */
void text_append_console(GString *out, const char *data, gsize length);

/** Appends JSON with the same characters as \uNNNN, which is the same JSON. */
void text_append_json(GString *out, const char *json);

/** Columns that valid text takes on a terminal. */
gsize text_get_width(const char *text);
