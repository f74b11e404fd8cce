/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/** Both return false, for a return of their own. */

/** PROTO_ERROR_INVALID_PARAMETER: path is what is wrong, and format tells why: "is no
 * day". */
bool refuse_parameter(GError **error, const char *path, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/** PROTO_ERROR_INTERNAL: a row that a ledger of ours cannot have: "ends before it began".
 */
bool refuse_row(GError **error, const ProtoLedgerRow *row, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
