/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/schema.h"

#include <string.h>

#include "proto.h"
#include "wire/format.h"
#include "wire/guard.h"

/** Where a value stands, from the outside in; written out only when something is wrong
 * there. */
typedef struct Place Place;

struct Place {
    const Place *outer;
    const char *name;
    /** Of an element of an array; -1 elsewhere. */
    gssize index;
    /** The key of a dict is quoted. */
    bool is_key;
};

typedef struct {
    WireParseMode mode;
    GError **error;
} Parse;

static bool parse_struct(Parse *parse,
                         const WireStruct *type,
                         JsonObject *object,
                         const Place *place,
                         void *value);

static gpointer
member(const void *value, gsize offset)
{
    return (gpointer) ((char *) (gsize) value + offset);
}

static char **
strings_of(const void *value, const WireField *field)
{
    return *(char ***) member(value, field->offset);
}

/* Complaints */

static void
write_place(const Place *place, GString *out)
{
    if (place->outer != NULL)
        write_place(place->outer, out);
    if (place->index >= 0) {
        g_string_append_printf(out, "[%zd]", place->index);
    } else if (place->is_key) {
        g_autofree char *shown = wire_format_shown(place->name);

        g_string_append_printf(out, "[\"%s\"]", shown);
    } else {
        g_autofree char *shown = wire_format_shown(place->name);

        g_string_append_printf(out, "%s%s", place->outer != NULL ? "." : "", shown);
    }
}

static bool G_GNUC_PRINTF(3, 4)
    complain(Parse *parse, const Place *place, const char *format, ...)
{
    g_autoptr(GString) path = g_string_new(NULL);
    g_autofree char *reason = NULL;
    va_list arguments;

    va_start(arguments, format);
    reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    write_place(place, path);
    proto_error_set_invalid_parameter(parse->error, path->str, reason, "%s: %s",
                                      path->str, reason);
    return false;
}

/* Values */

static bool
parse_int(
    Parse *parse, const WireField *field, JsonNode *node, const Place *place, gint64 *ret)
{
    gint64 number = 0;

    if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64)
        return complain(parse, place, "is not a whole number");
    number = json_node_get_int(node);
    if (number < field->minimum)
        return complain(parse, place, "%" G_GINT64_FORMAT " is below %" G_GINT64_FORMAT,
                        number, field->minimum);
    if (number > field->maximum)
        return complain(parse, place, "%" G_GINT64_FORMAT " is above %" G_GINT64_FORMAT,
                        number, field->maximum);
    *ret = number;
    return true;
}

static const char *
get_string(JsonNode *node)
{
    if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
        return NULL;
    return json_node_get_string(node);
}

static bool
parse_string(
    Parse *parse, const WireField *field, JsonNode *node, const Place *place, char **ret)
{
    const char *text = get_string(node);
    const char *reason = NULL;

    if (text == NULL)
        return complain(parse, place, "is not a string");
    if (field->max_length > 0 && strlen(text) > field->max_length)
        return complain(parse, place, "is longer than %zu bytes", field->max_length);
    if (!wire_format_check(field->format, text, &reason)) {
        g_autofree char *shown = wire_format_shown(text);

        return complain(parse, place, "\"%s\" %s", shown, reason);
    }
    *ret = g_strdup(text);
    return true;
}

static bool
parse_enum(
    Parse *parse, const WireField *field, JsonNode *node, const Place *place, int *ret)
{
    const char *text = get_string(node);
    int index = text != NULL ? wire_enum_from_string(field->enumeration, text) : -1;

    if (index < 0) {
        g_autofree char *words =
            g_strjoinv(", ", (char **) (gsize) field->enumeration->values);
        g_autofree char *shown = text != NULL ? wire_format_shown(text) : g_strdup("it");

        return complain(parse, place, "%s is not one of %s", shown, words);
    }
    *ret = index;
    return true;
}

static bool
check_count(Parse *parse, const WireField *field, gsize count, const Place *place)
{
    if (field->max_items > 0 && count > field->max_items)
        return complain(parse, place, "has more than %zu entries", field->max_items);
    return true;
}

static bool
parse_strings(Parse *parse,
              const WireField *field,
              JsonArray *array,
              const Place *place,
              char ***ret)
{
    guint length = json_array_get_length(array);

    if (!check_count(parse, field, length, place))
        return false;
    *ret = g_new0(char *, length + 1);
    for (guint i = 0; i < length; i++) {
        Place element = { place, NULL, i, false };

        if (!parse_string(parse, field, json_array_get_element(array, i), &element,
                          &(*ret)[i]))
            return false;
    }
    return true;
}

static bool
parse_dict(Parse *parse,
           const WireField *field,
           JsonObject *object,
           const Place *place,
           char ***ret)
{
    g_autoptr(GList) keys =
        g_list_sort(json_object_get_members(object), (GCompareFunc) strcmp);
    gsize filled = 0;

    if (!check_count(parse, field, json_object_get_size(object), place))
        return false;
    *ret = g_new0(char *, 2 * json_object_get_size(object) + 1);
    for (GList *item = keys; item != NULL; item = item->next) {
        const char *key = item->data;
        Place entry = { place, key, -1, true };

        if (!wire_format_is_key(key))
            return complain(parse, &entry,
                            "is not a key: 1 to 63 bytes without control characters");
        (*ret)[filled++] = g_strdup(key);
        if (!parse_string(parse, field, json_object_get_member(object, key), &entry,
                          &(*ret)[filled]))
            return false;
        filled++;
    }
    return true;
}

static bool
parse_structs(Parse *parse,
              const WireField *field,
              JsonArray *array,
              const Place *place,
              void *value)
{
    guint length = json_array_get_length(array);
    char *elements = NULL;

    if (!check_count(parse, field, length, place))
        return false;
    elements = length > 0 ? g_malloc0_n(length, field->structure->size) : NULL;
    *(gpointer *) member(value, field->offset) = elements;
    *(gsize *) member(value, field->count_offset) = length;
    for (guint i = 0; i < length; i++) {
        Place element = { place, NULL, i, false };
        JsonNode *node = json_array_get_element(array, i);

        if (!JSON_NODE_HOLDS_OBJECT(node))
            return complain(parse, &element, "is not an object");
        if (!parse_struct(parse, field->structure, json_node_get_object(node), &element,
                          elements + i * field->structure->size))
            return false;
    }
    return true;
}

static bool
parse_inner(Parse *parse,
            const WireField *field,
            JsonObject *object,
            const Place *place,
            void *value)
{
    gpointer inner = member(value, field->offset);

    if (field->nullable) {
        *(gpointer *) inner = g_malloc0(field->structure->size);
        inner = *(gpointer *) inner;
    }
    return parse_struct(parse, field->structure, object, place, inner);
}

static bool
parse_value(
    Parse *parse, const WireField *field, JsonNode *node, const Place *place, void *value)
{
    gpointer target = member(value, field->offset);

    switch (field->kind) {
    case WIRE_BOOL:
        if (!JSON_NODE_HOLDS_VALUE(node) ||
            json_node_get_value_type(node) != G_TYPE_BOOLEAN)
            return complain(parse, place, "is not true or false");
        *(bool *) target = json_node_get_boolean(node);
        return true;
    case WIRE_INT:
        return parse_int(parse, field, node, place, target);
    case WIRE_ENUM:
        return parse_enum(parse, field, node, place, target);
    case WIRE_STRING:
        return parse_string(parse, field, node, place, target);
    case WIRE_STRINGS:
        if (!JSON_NODE_HOLDS_ARRAY(node))
            return complain(parse, place, "is not an array");
        return parse_strings(parse, field, json_node_get_array(node), place, target);
    case WIRE_STRUCTS:
        if (!JSON_NODE_HOLDS_ARRAY(node))
            return complain(parse, place, "is not an array");
        return parse_structs(parse, field, json_node_get_array(node), place, value);
    case WIRE_DICT:
        if (!JSON_NODE_HOLDS_OBJECT(node))
            return complain(parse, place, "is not an object");
        return parse_dict(parse, field, json_node_get_object(node), place, target);
    case WIRE_STRUCT:
        if (!JSON_NODE_HOLDS_OBJECT(node))
            return complain(parse, place, "is not an object");
        return parse_inner(parse, field, json_node_get_object(node), place, value);
    }
    return false;
}

static bool
parse_missing(Parse *parse, const WireField *field, const Place *place, void *value)
{
    g_autoptr(JsonObject) empty = NULL;

    if (field->nullable)
        return true;
    if (parse->mode == WIRE_PARSE_STRICT)
        return complain(parse, place, "is missing");
    if (field->kind == WIRE_STRING)
        *(char **) member(value, field->offset) = g_strdup("");
    if (field->kind != WIRE_STRUCT)
        return true;
    empty = json_object_new();
    return parse_struct(parse, field->structure, empty, place,
                        member(value, field->offset));
}

static const WireField *
find_field(const WireStruct *type, const char *name)
{
    for (gsize i = 0; i < type->n_fields; i++) {
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    }
    return NULL;
}

static bool
refuse_unknown(Parse *parse,
               const WireStruct *type,
               JsonObject *object,
               const Place *place)
{
    JsonObjectIter iter;
    const char *name = NULL;

    json_object_iter_init(&iter, object);
    while (json_object_iter_next(&iter, &name, NULL)) {
        Place unknown = { place, name, -1, false };

        if (find_field(type, name) == NULL)
            return complain(parse, &unknown, "is not a field of %s", type->name);
    }
    return true;
}

static bool
parse_struct(Parse *parse,
             const WireStruct *type,
             JsonObject *object,
             const Place *place,
             void *value)
{
    gsize present = 0;

    for (gsize i = 0; i < type->n_fields; i++) {
        const WireField *field = &type->fields[i];
        JsonNode *node = json_object_get_member(object, field->name);
        Place inner = { place, field->name, -1, false };

        if (node != NULL)
            present++;
        if (node == NULL || JSON_NODE_HOLDS_NULL(node)) {
            if (!parse_missing(parse, field, &inner, value))
                return false;
            continue;
        }
        if (!parse_value(parse, field, node, &inner, value))
            return false;
        if (field->nullable && field->kind <= WIRE_ENUM)
            *(bool *) member(value, field->has_offset) = true;
    }
    if (parse->mode == WIRE_PARSE_LENIENT || present == json_object_get_size(object))
        return true;
    return refuse_unknown(parse, type, object, place);
}

bool
wire_struct_parse(const WireStruct *type,
                  JsonObject *object,
                  const char *path,
                  WireParseMode mode,
                  void *ret_value,
                  GError **error)
{
    Parse parse = { mode, error };
    Place place = { NULL, path, -1, false };

    memset(ret_value, 0, type->size);
    if (parse_struct(&parse, type, object, &place, ret_value))
        return true;
    wire_struct_clear(type, ret_value);
    return false;
}

bool
wire_struct_read(const WireStruct *type,
                 const char *text,
                 gsize length,
                 const char *path,
                 WireParseMode mode,
                 void *ret_value,
                 GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    const WireLimits limits = WIRE_LIMITS_PEER;

    memset(ret_value, 0, type->size);
    if (!guard_check(text, length, &limits, error) ||
        !json_parser_load_from_data(parser, text, (gssize) length, error))
        return false;
    return wire_struct_parse(type, json_node_get_object(json_parser_get_root(parser)),
                             path, mode, ret_value, error);
}

/* Memory */

static void
clear_structs(const WireField *field, void *value)
{
    char *elements = *(gpointer *) member(value, field->offset);
    gsize count = *(gsize *) member(value, field->count_offset);

    for (gsize i = 0; elements != NULL && i < count; i++) {
        wire_struct_clear(field->structure, elements + i * field->structure->size);
    }
    g_free(elements);
}

static void
clear_inner(const WireField *field, void *value)
{
    gpointer inner = member(value, field->offset);

    if (!field->nullable) {
        wire_struct_clear(field->structure, inner);
        return;
    }
    inner = *(gpointer *) inner;
    if (inner != NULL)
        wire_struct_clear(field->structure, inner);
    g_free(inner);
}

void
wire_struct_clear(const WireStruct *type, void *value)
{
    for (gsize i = 0; i < type->n_fields; i++) {
        const WireField *field = &type->fields[i];

        switch (field->kind) {
        case WIRE_BOOL:
        case WIRE_INT:
        case WIRE_ENUM:
            break;
        case WIRE_STRING:
            g_free(*(char **) member(value, field->offset));
            break;
        case WIRE_STRINGS:
        case WIRE_DICT:
            g_strfreev(strings_of(value, field));
            break;
        case WIRE_STRUCTS:
            clear_structs(field, value);
            break;
        case WIRE_STRUCT:
            clear_inner(field, value);
            break;
        }
    }
    memset(value, 0, type->size);
}

static void
copy_structs(const WireField *field, const void *value, void *copy)
{
    const char *elements = *(gpointer *) member(value, field->offset);
    gsize count = *(gsize *) member(value, field->count_offset);
    gsize size = field->structure->size;
    char *copies = count > 0 ? g_malloc0_n(count, size) : NULL;

    for (gsize i = 0; i < count; i++) {
        wire_struct_copy(field->structure, elements + i * size, copies + i * size);
    }
    *(gpointer *) member(copy, field->offset) = copies;
}

static void
copy_inner(const WireField *field, const void *value, void *copy)
{
    gpointer inner = member(value, field->offset);
    gpointer target = member(copy, field->offset);

    if (field->nullable) {
        inner = *(gpointer *) inner;
        if (inner == NULL)
            return;
        *(gpointer *) target = g_malloc0(field->structure->size);
        target = *(gpointer *) target;
    }
    wire_struct_copy(field->structure, inner, target);
}

void
wire_struct_copy(const WireStruct *type, const void *value, void *ret_copy)
{
    memcpy(ret_copy, value, type->size);
    for (gsize i = 0; i < type->n_fields; i++) {
        const WireField *field = &type->fields[i];
        gpointer target = member(ret_copy, field->offset);

        switch (field->kind) {
        case WIRE_BOOL:
        case WIRE_INT:
        case WIRE_ENUM:
            break;
        case WIRE_STRING:
            *(char **) target = g_strdup(*(char **) target);
            break;
        case WIRE_STRINGS:
        case WIRE_DICT:
            *(char ***) target = g_strdupv(*(char ***) target);
            break;
        case WIRE_STRUCTS:
            copy_structs(field, value, ret_copy);
            break;
        case WIRE_STRUCT:
            copy_inner(field, value, ret_copy);
            break;
        }
    }
}

int
wire_enum_from_string(const WireEnum *type, const char *text)
{
    for (gsize i = 0; i < type->n_values; i++) {
        if (strcmp(type->values[i], text) == 0)
            return (int) i;
    }
    return -1;
}
