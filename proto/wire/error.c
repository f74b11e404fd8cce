/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/error.h"

#include <string.h>

#include "proto.h"

/** What a GError of our domain holds besides its message. */
typedef struct {
    const WireErrorType *type;
    /** type->parameters->size bytes, or NULL. */
    gpointer parameters;
} ProtoErrorPrivate;

static void
proto_error_private_init(ProtoErrorPrivate *private)
{
}

static void
proto_error_private_copy(const ProtoErrorPrivate *source, ProtoErrorPrivate *copy)
{
    copy->type = source->type;
    if (source->parameters == NULL)
        return;
    copy->parameters = g_malloc0(source->type->parameters->size);
    wire_struct_copy(source->type->parameters, source->parameters, copy->parameters);
}

static void
proto_error_private_clear(ProtoErrorPrivate *private)
{
    if (private->parameters != NULL)
        wire_struct_clear(private->type->parameters, private->parameters);
    g_free(private->parameters);
}

/* GLib's macro casts const away. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
G_DEFINE_EXTENDED_ERROR(ProtoError, proto_error)
#pragma GCC diagnostic pop

static const WireErrorType *
find_code(int code)
{
    for (gsize i = 0; i < proto_n_error_types; i++) {
        if (proto_error_types[i].code == code)
            return &proto_error_types[i];
    }
    return NULL;
}

static const WireErrorType *
find_name(const char *full_name)
{
    for (gsize i = 0; i < proto_n_error_types; i++) {
        if (strcmp(proto_error_types[i].full_name, full_name) == 0)
            return &proto_error_types[i];
    }
    return NULL;
}

void
wire_error_set_valist(GError **error,
                      int code,
                      const void *parameters,
                      const char *format,
                      va_list arguments)
{
    ProtoErrorPrivate *private = NULL;

    if (error == NULL)
        return;
    *error = g_error_new_valist(PROTO_ERROR, code, format, arguments);
    private = proto_error_get_private(*error);
    private->type = find_code(code);
    private->parameters = g_malloc0(private->type->parameters->size);
    wire_struct_copy(private->type->parameters, parameters, private->parameters);
}

void
wire_error_set(GError **error, int code, const void *parameters, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    wire_error_set_valist(error, code, parameters, format, arguments);
    va_end(arguments);
}

const void *
wire_error_get_parameters(const GError *error)
{
    if (error->domain != PROTO_ERROR)
        return NULL;
    return ((ProtoErrorPrivate *) proto_error_get_private(error))->parameters;
}

const char *
wire_error_get_name(const GError *error)
{
    const WireErrorType *type =
        error->domain == PROTO_ERROR ? find_code(error->code) : NULL;

    return type != NULL ? type->full_name : "io.vmctl.Internal";
}

void
wire_error_print(const GError *error, GString *out)
{
    const void *parameters = wire_error_get_parameters(error);
    const WireErrorType *type =
        error->domain == PROTO_ERROR ? find_code(error->code) : NULL;
    bool has_message = g_str_has_prefix(wire_error_get_name(error), "io.vmctl.");
    gsize start = 0;

    if (has_message) {
        g_string_append(out, "{\"message\":");
        wire_json_append_string(out, error->message);
        g_string_append_c(out, ',');
    }
    start = out->len;
    if (parameters != NULL) {
        wire_struct_print(type->parameters, parameters, out);
    } else {
        g_string_append(out, "{}");
    }
    if (!has_message)
        return;
    /* The members go on in the object that the message began. */
    g_string_erase(out, (gssize) start, 1);
    if (out->str[start] == '}')
        g_string_erase(out, (gssize) start - 1, 1);
}

/* The message of an error reply, or its name where it has none. */
static const char *
get_message(const char *full_name, JsonObject *parameters)
{
    const char *message =
        json_object_has_member(parameters, "message")
            ? json_object_get_string_member_with_default(parameters, "message", NULL)
            : NULL;

    return message != NULL ? message : full_name;
}

static GError *
make_unknown(const char *full_name, JsonObject *parameters)
{
    const char *message = get_message(full_name, parameters);
    GError *error = NULL;

    proto_error_set_internal(&error, full_name, "The service answered %s%s%s", full_name,
                             message != full_name ? ": " : "",
                             message != full_name ? message : "");
    return error;
}

GError *
wire_error_from_reply(const char *full_name, JsonObject *parameters)
{
    const WireErrorType *type = find_name(full_name);
    g_autoptr(JsonObject) empty = json_object_new();
    g_autofree gpointer value = NULL;
    GError *error = NULL;

    if (parameters == NULL)
        parameters = empty;
    if (type == NULL)
        return make_unknown(full_name, parameters);
    value = g_malloc0(MAX(type->parameters->size, 1));
    /* Parameters that cannot be read are left empty: the code says more than they do. */
    (void) wire_struct_parse(type->parameters, parameters, "error", WIRE_PARSE_LENIENT,
                             value, NULL);
    wire_error_set(&error, type->code, value, "%s", get_message(full_name, parameters));
    wire_struct_clear(type->parameters, value);
    return error;
}
