/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "command.h"

/** The value at a path such as "default.vcpus" of row, or NULL; null counts as NULL. */
JsonNode *cell_find(JsonObject *row, const char *path);

/** Appends a value for people, escaped; "-" for NULL. */
void cell_append(GString *out, JsonNode *node, CellKind kind, gint64 now_us);

/** Appends a value as it is, escaped; nothing for NULL. */
void cell_append_plain(GString *out, JsonNode *node);
