/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "command.h"
#include "tree.h"

/**
 * Replies as text: tables, csv (RFC 4180), JSON, names and ids.  Every cell is escaped
 * (text.h).  Pure: writes into a string, and the caller brings the present.
 */
typedef enum {
    FORMAT_TABLE,
    FORMAT_WIDE,
    FORMAT_JSON,
    FORMAT_CSV,
    FORMAT_NAME,
    FORMAT_ID,
} Format;

/** A rendering that may come in pieces: its header is written once, and its columns only
 * grow. */
typedef struct {
    const View *view;
    Format format;
    /** Indent JSON for people. */
    bool is_pretty;
    /** Write a row as lines of "HEADER  value". */
    bool is_upright;
    gint64 now_us;
    /** What is written but not yet given: text, and of a table its cells. */
    GString *text;
    GArray *cells;
    gsize *widths;
    bool has_begun;
} Render;

/** Release with render_done(). */
void render_init(Render *render, const View *view, Format format, gint64 now_us);
void render_done(Render *render);

/** Takes the rows of reply, an object of tree; not for FORMAT_JSON. */
void render_add(Render *render, const Tree *tree, const TreeNode *reply);

/** Appends what was added since the last time. */
void render_flush(Render *render, GString *out);

/** Appends reply, an object, in any format. */
void render_append(Render *render, JsonNode *reply, GString *out);
