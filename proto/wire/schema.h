/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

/**
 * What the generator makes of proto/ *.varlink: tables that describe C structs, and the
 * functions that walk them.  Pure: no I/O, no clock.  The structs themselves are in the
 * generated "proto.h".
 *
 * How a field of the schema stands in C:
 *
 *     int                gint64 x;             ?int     bool has_x; gint64 x;
 *     bool               bool x;               ?bool    bool has_x; bool x;
 *     an enum            XEnum x;              ?enum    bool has_x; XEnum x;
 *     string             char *x;              ?string  char *x;  (NULL is null)
 *     a struct           ProtoX x;             ?struct  ProtoX *x;  (NULL is null)
 *     []string           char **x;  NULL-terminated; NULL prints as []
 *     ?[]string          char **x;  NULL is null
 *     [string]string     char **x;  key, value, key, value, NULL, sorted by key; NULL
 * prints as {}
 *     ?[string]string    char **x;  NULL is null
 *     []struct           ProtoX *x; gsize n_x;
 */

typedef enum {
    WIRE_BOOL,
    WIRE_INT,
    WIRE_ENUM,
    WIRE_STRING,
    WIRE_STRUCT,
    WIRE_STRINGS,
    WIRE_DICT,
    WIRE_STRUCTS,
} WireKind;

/** Texts that a string field may be held to; the check of each is in schema.c. */
typedef enum {
    WIRE_FORMAT_ANY,
    /** ^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$ */
    WIRE_FORMAT_NAME,
    /** 8-4-4-4-12 lower-case hexadecimal digits */
    WIRE_FORMAT_UUID,
    /** ^[A-Za-z0-9._:-]{1,64}$ */
    WIRE_FORMAT_REQUEST_ID,
    /** ^[0-9A-Za-z][0-9A-Za-z.+~_-]{0,31}$ */
    WIRE_FORMAT_VERSION,
    /** RFC 3339 in UTC: 2026-10-01T00:00:00Z, with an optional fraction */
    WIRE_FORMAT_TIME,
    /** ^-?(0|[1-9][0-9]*)(\.[0-9]+)?$ */
    WIRE_FORMAT_DECIMAL,
    WIRE_FORMAT_BASE64,
} WireFormat;

typedef struct {
    const char *name;
    /** n_values words, then NULL. */
    const char *const *values;
    gsize n_values;
} WireEnum;

typedef struct WireStruct WireStruct;

typedef struct {
    const char *name;
    WireKind kind;
    bool nullable;
    /** Of the member, of its has_x, and of its n_x. */
    gsize offset;
    gsize has_offset;
    gsize count_offset;
    const WireStruct *structure;
    const WireEnum *enumeration;
    /** Bounds of an int. */
    gint64 minimum;
    gint64 maximum;
    /** Bounds of a string in bytes, or of each string of a list or dict; 0 is unbounded.
     */
    gsize max_length;
    /** Bound of a list or dict; 0 is unbounded. */
    gsize max_items;
    WireFormat format;
} WireField;

struct WireStruct {
    const char *name;
    gsize size;
    const WireField *fields;
    gsize n_fields;
};

typedef struct WireCall WireCall;

/** What a method does to the state of the service.  One that releases takes something
 * back, and so goes where nothing may be added: on a full disk. */
typedef enum {
    WIRE_EFFECT_READ,
    WIRE_EFFECT_CHANGE,
    WIRE_EFFECT_RELEASE,
} WireEffect;

typedef struct {
    /** "Create" and "io.vmctl.Instance.Create" */
    const char *name;
    const char *full_name;
    const WireStruct *call;
    const WireStruct *reply;
    /** A ProtoRole (the schema's Role): what the caller must at least be. */
    int role;
    WireEffect effect;
    bool more;
    /** Calls the method's entry of handlers, a ProtoXHandlers, with in, a ProtoXCall. */
    void (*dispatch)(WireCall *call, const void *handlers, const void *in);
} WireMethod;

typedef struct {
    const char *name;
    /** The text of the varlink file. */
    const char *description;
    bool is_private;
    const WireMethod *methods;
    gsize n_methods;
} WireInterface;

/** One error of the schema; the code is its PROTO_ERROR_… */
typedef struct {
    const char *full_name;
    int code;
    const WireStruct *parameters;
} WireErrorType;

typedef enum {
    /** Refuse fields that the schema does not have. */
    WIRE_PARSE_STRICT,
    /** Pass over them: the other side may be newer. */
    WIRE_PARSE_LENIENT,
} WireParseMode;

/**
 * Reads object into ret_value, which is type->size bytes and is overwritten.  A field
 * that is missing is null.  Fails with PROTO_ERROR_INVALID_PARAMETER, whose path begins
 * with path
 * ("parameters.memory_bytes: 5 is below 16777216"); ret_value is then all zero.
 * Release with wire_struct_clear().
 */
bool wire_struct_parse(const WireStruct *type,
                       JsonObject *object,
                       const char *path,
                       WireParseMode mode,
                       void *ret_value,
                       GError **error);

/**
 * Reads a text of length bytes that is a JSON object, within the limits of a peer, in the
 * same way.  Fails also as guard_check() does.
 */
bool wire_struct_read(const WireStruct *type,
                      const char *text,
                      gsize length,
                      const char *path,
                      WireParseMode mode,
                      void *ret_value,
                      GError **error);

/** Appends value as JSON.  Fields stand in the schema's order; null fields are left out.
 */
void wire_struct_print(const WireStruct *type, const void *value, GString *out);

/** Frees what value holds and makes it all zero. */
void wire_struct_clear(const WireStruct *type, void *value);

/** A deep copy of value into ret_copy, which is overwritten. */
void wire_struct_copy(const WireStruct *type, const void *value, void *ret_copy);

/** Appends text as a JSON string, quotes included.  Invalid UTF-8 becomes U+FFFD. */
void wire_json_append_string(GString *out, const char *text);

/** Says whether text has the format; ret_reason, if wanted, says what is wrong. */
bool wire_format_check(WireFormat format, const char *text, const char **ret_reason);

/** The index of text in values, or -1. */
int wire_enum_from_string(const WireEnum *type, const char *text);
