/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/pack.h"

#include <string.h>

#include "proto.h"

enum {
    FIELDS_MAX = 64,
    /* Seven bits each. */
    NUMBER_BYTES_MAX = 10
};

static gpointer
member(const void *value, gsize offset)
{
    return (gpointer) ((char *) (gsize) value + offset);
}

static bool
is_there(const WireField *field, const void *value)
{
    if (!field->nullable)
        return true;
    if (field->kind <= WIRE_ENUM)
        return *(const bool *) member(value, field->has_offset);
    return *(const gconstpointer *) member(value, field->offset) != NULL;
}

/* Writing */

static void
put_number(GByteArray *out, guint64 number)
{
    guint8 bytes[NUMBER_BYTES_MAX];
    guint count = 0;

    while (number >= 0x80) {
        bytes[count++] = (guint8) (number | 0x80);
        number >>= 7;
    }
    bytes[count++] = (guint8) number;
    g_byte_array_append(out, bytes, count);
}

static void
put_int(GByteArray *out, gint64 number)
{
    put_number(out, number < 0 ? ~((guint64) number << 1) : (guint64) number << 1);
}

static void
put_text(GByteArray *out, const char *text)
{
    gsize length = text != NULL ? strlen(text) : 0;

    put_number(out, length);
    g_byte_array_append(out, (const guint8 *) text, (guint) length);
}

static void
put_texts(GByteArray *out, char *const *texts, gsize a_piece)
{
    gsize count = texts != NULL ? g_strv_length((char **) (gsize) texts) : 0;

    put_number(out, count / a_piece);
    for (gsize i = 0; i < count; i++) {
        put_text(out, texts[i]);
    }
}

static void
put_structs(GByteArray *out, const WireField *field, const void *value)
{
    const char *elements = *(const char *const *) member(value, field->offset);
    gsize count = *(const gsize *) member(value, field->count_offset);

    put_number(out, count);
    for (gsize i = 0; i < count; i++) {
        wire_struct_pack(field->structure, elements + i * field->structure->size, out);
    }
}

static void
put_value(GByteArray *out, const WireField *field, const void *value)
{
    const void *source = member(value, field->offset);

    switch (field->kind) {
    case WIRE_BOOL:
        put_number(out, *(const bool *) source ? 1 : 0);
        return;
    case WIRE_INT:
        put_int(out, *(const gint64 *) source);
        return;
    case WIRE_ENUM:
        put_number(out, (guint64) * (const int *) source);
        return;
    case WIRE_STRING:
        put_text(out, *(const char *const *) source);
        return;
    case WIRE_STRINGS:
        put_texts(out, *(char *const *const *) source, 1);
        return;
    case WIRE_DICT:
        put_texts(out, *(char *const *const *) source, 2);
        return;
    case WIRE_STRUCT:
        wire_struct_pack(field->structure,
                         field->nullable ? *(const gconstpointer *) source : source, out);
        return;
    case WIRE_STRUCTS:
        put_structs(out, field, value);
        return;
    }
}

void
wire_struct_pack(const WireStruct *type, const void *value, GByteArray *out)
{
    guint64 mask = 0;

    g_assert(type->n_fields <= FIELDS_MAX);
    for (gsize i = 0; i < type->n_fields; i++) {
        if (is_there(&type->fields[i], value))
            mask |= G_GUINT64_CONSTANT(1) << i;
    }
    put_number(out, mask);
    for (gsize i = 0; i < type->n_fields; i++) {
        if ((mask >> i & 1) != 0)
            put_value(out, &type->fields[i], value);
    }
}

/* Reading */

typedef struct {
    const guint8 *at;
    const guint8 *end;
} Bytes;

static bool take_struct(Bytes *bytes, const WireStruct *type, void *value);

static bool
take_number(Bytes *bytes, guint64 *ret_number)
{
    guint64 number = 0;

    for (guint shift = 0; shift < 7 * NUMBER_BYTES_MAX && bytes->at < bytes->end;
         shift += 7) {
        guint8 byte = *bytes->at++;

        /* The tenth byte has one bit left. */
        if (shift == 63 && byte > 1)
            return false;
        number |= (guint64) (byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret_number = number;
            return byte != 0 || shift == 0;
        }
    }
    return false;
}

static bool
take_int(Bytes *bytes, const WireField *field, gint64 *ret_number)
{
    guint64 number = 0;

    if (!take_number(bytes, &number))
        return false;
    *ret_number = (number & 1) != 0 ? (gint64) ~(number >> 1) : (gint64) (number >> 1);
    return *ret_number >= field->minimum && *ret_number <= field->maximum;
}

static bool
take_bool(Bytes *bytes, bool *ret_value)
{
    guint64 number = 0;

    if (!take_number(bytes, &number) || number > 1)
        return false;
    *ret_value = number == 1;
    return true;
}

static bool
take_enum(Bytes *bytes, const WireField *field, int *ret_value)
{
    guint64 number = 0;

    if (!take_number(bytes, &number) || number >= field->enumeration->n_values)
        return false;
    *ret_value = (int) number;
    return true;
}

static bool
take_text(Bytes *bytes, char **ret_text)
{
    guint64 length = 0;

    if (!take_number(bytes, &length) || length > (gsize) (bytes->end - bytes->at) ||
        !g_utf8_validate_len((const char *) bytes->at, (gsize) length, NULL))
        return false;
    *ret_text = g_strndup((const char *) bytes->at, (gsize) length);
    bytes->at += length;
    return true;
}

/* How many elements follow: each takes a byte at least. */
static bool
take_count(Bytes *bytes, const WireField *field, gsize *ret_count)
{
    guint64 count = 0;

    if (!take_number(bytes, &count) || count > (gsize) (bytes->end - bytes->at) ||
        (field->max_items > 0 && count > field->max_items))
        return false;
    *ret_count = (gsize) count;
    return true;
}

static bool
take_texts(Bytes *bytes, const WireField *field, gsize a_piece, char ***ret_texts)
{
    gsize count = 0;

    if (!take_count(bytes, field, &count))
        return false;
    *ret_texts = g_new0(char *, count *a_piece + 1);
    for (gsize i = 0; i < count * a_piece; i++) {
        if (!take_text(bytes, &(*ret_texts)[i]))
            return false;
        if (a_piece == 2 && i >= 2 && i % 2 == 0 &&
            strcmp((*ret_texts)[i - 2], (*ret_texts)[i]) >= 0)
            return false;
    }
    return true;
}

static bool
take_structs(Bytes *bytes, const WireField *field, void *value)
{
    gsize size = field->structure->size;
    gsize count = 0;
    char *elements = NULL;

    if (!take_count(bytes, field, &count))
        return false;
    elements = count > 0 ? g_malloc0_n(count, size) : NULL;
    *(gpointer *) member(value, field->offset) = elements;
    *(gsize *) member(value, field->count_offset) = count;
    for (gsize i = 0; i < count; i++) {
        if (!take_struct(bytes, field->structure, elements + i * size))
            return false;
    }
    return true;
}

static bool
take_value(Bytes *bytes, const WireField *field, void *value)
{
    gpointer target = member(value, field->offset);

    switch (field->kind) {
    case WIRE_BOOL:
        return take_bool(bytes, target);
    case WIRE_INT:
        return take_int(bytes, field, target);
    case WIRE_ENUM:
        return take_enum(bytes, field, target);
    case WIRE_STRING:
        return take_text(bytes, target);
    case WIRE_STRINGS:
        return take_texts(bytes, field, 1, target);
    case WIRE_DICT:
        return take_texts(bytes, field, 2, target);
    case WIRE_STRUCTS:
        return take_structs(bytes, field, value);
    case WIRE_STRUCT:
        if (field->nullable)
            target = *(gpointer *) target = g_malloc0(field->structure->size);
        return take_struct(bytes, field->structure, target);
    }
    return false;
}

/* Says which fields are there; false if that cannot be. */
static bool
take_mask(Bytes *bytes, const WireStruct *type, guint64 *ret_mask)
{
    guint64 mask = 0;

    if (!take_number(bytes, &mask) ||
        (type->n_fields < FIELDS_MAX && mask >> type->n_fields != 0))
        return false;
    for (gsize i = 0; i < type->n_fields; i++) {
        if ((mask >> i & 1) == 0 && !type->fields[i].nullable)
            return false;
    }
    *ret_mask = mask;
    return true;
}

static bool
take_struct(Bytes *bytes, const WireStruct *type, void *value)
{
    guint64 mask = 0;

    if (!take_mask(bytes, type, &mask))
        return false;
    for (; mask != 0; mask &= mask - 1) {
        const WireField *field = &type->fields[__builtin_ctzll(mask)];

        if (!take_value(bytes, field, value))
            return false;
        if (field->nullable && field->kind <= WIRE_ENUM)
            *(bool *) member(value, field->has_offset) = true;
    }
    return true;
}

bool
wire_struct_unpack(const WireStruct *type,
                   const guint8 *data,
                   gsize length,
                   gsize *ret_used,
                   void *ret_value,
                   GError **error)
{
    Bytes bytes = { data, data + length };

    memset(ret_value, 0, type->size);
    if (take_struct(&bytes, type, ret_value)) {
        *ret_used = (gsize) (bytes.at - data);
        return true;
    }
    wire_struct_clear(type, ret_value);
    proto_error_set_invalid_parameter(error, "packed", "is damaged",
                                      "A packed %s is damaged at byte %zu", type->name,
                                      (gsize) (bytes.at - data));
    return false;
}
