/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "schema.h"

/**
 * The one error domain.  Its codes are the schema's errors (PROTO_ERROR_NOT_FOUND, … in
 * "proto.h"), each GError carries the error's parameters, and a code chosen deep in the
 * store reaches the command line unchanged. Raise one with the generated
 * proto_error_set_…() functions.
 */
#define PROTO_ERROR (proto_error_quark())
GQuark proto_error_quark(void);

/** Raises the error of this code with a copy of parameters (its generated struct, without
 * the message). */
void
wire_error_set(GError **error, int code, const void *parameters, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
void wire_error_set_valist(GError **error,
                           int code,
                           const void *parameters,
                           const char *format,
                           va_list arguments) G_GNUC_PRINTF(4, 0);

/** The parameters' struct of an error of our domain; its message is the GError's.  Owned
 * by error. */
const void *wire_error_get_parameters(const GError *error);

/** The full name of its code ("io.vmctl.NotFound"); of a foreign domain:
 * "io.vmctl.Internal". */
const char *wire_error_get_name(const GError *error);

/** Appends the parameters of error, its message among them, as a JSON object. */
void wire_error_print(const GError *error, GString *out);

/**
 * The GError of an error reply.  parameters may be NULL.  An unknown name becomes
 * PROTO_ERROR_INTERNAL with the name in its message.
 */
GError *wire_error_from_reply(const char *full_name, JsonObject *parameters);
