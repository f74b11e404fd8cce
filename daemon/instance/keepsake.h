/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "instance/book.h"

/**
 * What goes with an instance's domain to its host, so that its row can be made again when
 * the database is lost: base64 of the JSON of io.vmctl.record's Keepsake.
 */

/** Of an instance that is to have that size; template may be NULL.  Leaves out user-data,
 * keys and what only a moment is true of. */
char *
keepsake_make(const Instance *instance, const Template *template, const ProtoSize *size);

/** Reads one that a host gave back.  Fails with PROTO_ERROR_INVALID_PARAMETER; the caller
 * clears ret_keepsake. */
bool keepsake_read(const char *text, ProtoKeepsake *ret_keepsake, GError **error);
