/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "wire/schema.h"

static const void *
member(const void *value, gsize offset)
{
    return (const char *) value + offset;
}

static void
append_escape(GString *out, guchar byte)
{
    static const char shorts[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\' };

    if (byte < sizeof shorts && shorts[byte] != '\0') {
        g_string_append_c(out, '\\');
        g_string_append_c(out, shorts[byte]);
    } else {
        g_string_append_printf(out, "\\u%04x", byte);
    }
}

static bool
is_plain(guchar byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f;
}

void
wire_json_append_string(GString *out, const char *text)
{
    g_autofree char *valid = NULL;
    const char *run = NULL;

    if (!g_utf8_validate(text, -1, NULL)) {
        valid = g_utf8_make_valid(text, -1);
        text = valid;
    }
    g_string_append_c(out, '"');
    for (run = text; *text != '\0'; text++) {
        if (is_plain((guchar) *text))
            continue;
        g_string_append_len(out, run, text - run);
        append_escape(out, (guchar) *text);
        run = text + 1;
    }
    g_string_append_len(out, run, text - run);
    g_string_append_c(out, '"');
}

static void
append_int(GString *out, gint64 number)
{
    char digits[24];
    char *end = digits + sizeof digits;
    char *start = end;
    guint64 rest = number < 0 ? 0 - (guint64) number : (guint64) number;

    do {
        *--start = (char) ('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        *--start = '-';
    g_string_append_len(out, start, end - start);
}

static void
print_strings(char *const *strings, GString *out)
{
    g_string_append_c(out, '[');
    for (gsize i = 0; strings != NULL && strings[i] != NULL; i++) {
        if (i > 0)
            g_string_append_c(out, ',');
        wire_json_append_string(out, strings[i]);
    }
    g_string_append_c(out, ']');
}

static void
print_dict(char *const *strings, GString *out)
{
    g_string_append_c(out, '{');
    for (gsize i = 0; strings != NULL && strings[i] != NULL; i += 2) {
        if (i > 0)
            g_string_append_c(out, ',');
        wire_json_append_string(out, strings[i]);
        g_string_append_c(out, ':');
        wire_json_append_string(out, strings[i + 1]);
    }
    g_string_append_c(out, '}');
}

static void
print_structs(const WireField *field, const void *value, GString *out)
{
    const char *elements = *(const char *const *) member(value, field->offset);
    gsize count = *(const gsize *) member(value, field->count_offset);

    g_string_append_c(out, '[');
    for (gsize i = 0; i < count; i++) {
        if (i > 0)
            g_string_append_c(out, ',');
        wire_struct_print(field->structure, elements + i * field->structure->size, out);
    }
    g_string_append_c(out, ']');
}

static bool
is_null(const WireField *field, const void *value)
{
    if (!field->nullable)
        return false;
    if (field->kind <= WIRE_ENUM)
        return !*(const bool *) member(value, field->has_offset);
    return *(const gconstpointer *) member(value, field->offset) == NULL;
}

static void
print_value(const WireField *field, const void *value, GString *out)
{
    const void *source = member(value, field->offset);

    switch (field->kind) {
    case WIRE_BOOL:
        g_string_append(out, *(const bool *) source ? "true" : "false");
        return;
    case WIRE_INT:
        append_int(out, *(const gint64 *) source);
        return;
    case WIRE_ENUM:
        wire_json_append_string(out, field->enumeration->values[*(const int *) source]);
        return;
    case WIRE_STRING:
        wire_json_append_string(
            out, *(char *const *) source != NULL ? *(char *const *) source : "");
        return;
    case WIRE_STRINGS:
        print_strings(*(char *const *const *) source, out);
        return;
    case WIRE_DICT:
        print_dict(*(char *const *const *) source, out);
        return;
    case WIRE_STRUCTS:
        print_structs(field, value, out);
        return;
    case WIRE_STRUCT:
        wire_struct_print(field->structure,
                          field->nullable ? *(const gconstpointer *) source : source,
                          out);
        return;
    }
}

void
wire_struct_print(const WireStruct *type, const void *value, GString *out)
{
    bool first = true;

    g_string_append_c(out, '{');
    for (gsize i = 0; i < type->n_fields; i++) {
        const WireField *field = &type->fields[i];

        if (is_null(field, value))
            continue;
        if (!first)
            g_string_append_c(out, ',');
        first = false;
        g_string_append_c(out, '"');
        g_string_append(out, field->name);
        g_string_append(out, "\":");
        print_value(field, value, out);
    }
    g_string_append_c(out, '}');
}
