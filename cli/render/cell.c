/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "render/cell.h"

#include <string.h>

#include "text.h"
#include "units.h"

enum {
    NAME_MAX_BYTES = 64
};

JsonNode *
cell_find(JsonObject *row, const char *path)
{
    char name[NAME_MAX_BYTES];

    for (;;) {
        const char *dot = strchr(path, '.');
        gsize length = dot != NULL ? (gsize) (dot - path) : strlen(path);
        JsonNode *node = NULL;

        g_assert(length < sizeof name);
        memcpy(name, path, length);
        name[length] = '\0';
        node = json_object_get_member(row, name);
        if (node == NULL || JSON_NODE_HOLDS_NULL(node))
            return NULL;
        if (dot == NULL)
            return node;
        if (!JSON_NODE_HOLDS_OBJECT(node))
            return NULL;
        row = json_node_get_object(node);
        path = dot + 1;
    }
}

static void
append_value(GString *out, JsonNode *node)
{
    switch (json_node_get_value_type(node)) {
    case G_TYPE_STRING:
        text_append_escaped(out, json_node_get_string(node));
        break;
    case G_TYPE_BOOLEAN:
        g_string_append(out, json_node_get_boolean(node) ? "true" : "false");
        break;
    case G_TYPE_INT64:
        g_string_append_printf(out, "%" G_GINT64_FORMAT, json_node_get_int(node));
        break;
    default:
        break;
    }
}

static void
append_array(GString *out, JsonArray *array)
{
    for (guint i = 0; i < json_array_get_length(array); i++) {
        if (i > 0)
            g_string_append_c(out, ',');
        cell_append_plain(out, json_array_get_element(array, i));
    }
}

static void
append_object(GString *out, JsonObject *object)
{
    JsonObjectIter iter;
    const char *name = NULL;
    JsonNode *value = NULL;
    bool first = true;

    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &value)) {
        if (!first)
            g_string_append_c(out, ',');
        first = false;
        text_append_escaped(out, name);
        g_string_append_c(out, '=');
        cell_append_plain(out, value);
    }
}

void
cell_append_plain(GString *out, JsonNode *node)
{
    if (node == NULL)
        return;
    switch (json_node_get_node_type(node)) {
    case JSON_NODE_VALUE:
        append_value(out, node);
        break;
    case JSON_NODE_ARRAY:
        append_array(out, json_node_get_array(node));
        break;
    case JSON_NODE_OBJECT:
        append_object(out, json_node_get_object(node));
        break;
    case JSON_NODE_NULL:
        break;
    }
}

static void
append_phases(GString *out, JsonNode *node)
{
    JsonArray *array = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

    for (guint i = 0; array != NULL && i < json_array_get_length(array); i++) {
        JsonObject *phase = json_array_get_object_element(array, i);

        if (i > 0)
            g_string_append(out, ", ");
        text_append_escaped(
            out, json_object_get_string_member_with_default(phase, "name", "?"));
        g_string_append_c(out, ' ');
        units_append_duration(
            out, json_object_get_int_member_with_default(phase, "duration_ms", 0));
    }
}

static void
append_for_people(GString *out, JsonNode *node, CellKind kind, gint64 now_us)
{
    GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : 0;

    switch (kind) {
    case CELL_SIZE:
        if (type == G_TYPE_INT64) {
            units_append_size(out, json_node_get_int(node));
            return;
        }
        break;
    case CELL_DURATION:
        if (type == G_TYPE_INT64) {
            units_append_duration(out, json_node_get_int(node));
            return;
        }
        break;
    case CELL_AGE:
        if (type == G_TYPE_STRING) {
            g_autoptr(GString) age = g_string_new(NULL);

            units_append_age(age, json_node_get_string(node), now_us);
            text_append_escaped(out, age->str);
            return;
        }
        break;
    case CELL_YES:
        if (type == G_TYPE_BOOLEAN) {
            g_string_append(out, json_node_get_boolean(node) ? "yes" : "no");
            return;
        }
        break;
    case CELL_PHASES:
        append_phases(out, node);
        return;
    case CELL_TEXT:
        break;
    }
    /* Not what the schema says: show it as it is. */
    cell_append_plain(out, node);
}

void
cell_append(GString *out, JsonNode *node, CellKind kind, gint64 now_us)
{
    gsize start = out->len;

    if (node != NULL)
        append_for_people(out, node, kind, now_us);
    if (out->len == start)
        g_string_append_c(out, '-');
}
