/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "command.h"

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
    /** Write one row as a list of "HEADER  value". */
    bool is_upright;
    gint64 now_us;
    bool has_begun;
    gsize *widths;
} Render;

/** Release with render_done(). */
void render_init(Render *render, const View *view, Format format, gint64 now_us);
void render_done(Render *render);

/** Appends reply, an object, by the view. */
void render_append(Render *render, JsonNode *reply, GString *out);

/** Appends JSON, escaped, with a line feed. */
void render_append_json(JsonNode *node, bool is_pretty, GString *out);
