/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "wire/schema.h"

/**
 * Structs of the schema as bytes: shorter and quicker than JSON, and canonical: a value
 * has one form and a form one value, so that it can be hashed.  Pure.
 *
 *     struct   a mask of the fields that are there, the schema's first field in bit 0,
 *              as a number; then these fields in the schema's order
 *     number   seven bits a byte, the lowest first, the top bit set on all but the last
 *              (LEB128), in as few bytes as it takes
 *     int      a number: 2n if n is not negative, else -2n - 1
 *     bool     the number 0 or 1
 *     enum     a number: the place of its word in the schema
 *     string   its length in bytes as a number, and the bytes
 *     []       the count as a number, and the elements
 *     [string] the same, a key and a value in turn, sorted by key
 *
 * A field that is null is not there.  A struct has at most 64 fields.
 */

/** Appends value.  A string that is NULL and not nullable is written as "". */
void wire_struct_pack(const WireStruct *type, const void *value, GByteArray *out);

/**
 * Reads a value from the beginning of data into ret_value, type->size bytes that are
 * overwritten, and tells how many bytes it took.  Strings have to be UTF-8 without NUL.
 * Fails with PROTO_ERROR_INVALID_PARAMETER on anything that wire_struct_pack() does not
 * write; ret_value is then all zero.  Release with wire_struct_clear().
 */
bool wire_struct_unpack(const WireStruct *type,
                        const guint8 *data,
                        gsize length,
                        gsize *ret_used,
                        void *ret_value,
                        GError **error);
