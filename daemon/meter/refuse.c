/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/refuse.h"

bool
refuse_parameter(GError **error, const char *path, const char *format, ...)
{
    g_autofree char *reason = NULL;
    va_list arguments;

    va_start(arguments, format);
    reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    proto_error_set_invalid_parameter(error, path, reason, "%s: %s", path, reason);
    return false;
}

bool
refuse_row(GError **error, const ProtoLedgerRow *row, const char *format, ...)
{
    g_autofree char *why = NULL;
    va_list arguments;

    va_start(arguments, format);
    why = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    proto_error_set_internal(error, "ledger", "Row %" G_GINT64_FORMAT " of the ledger %s",
                             row->seq, why);
    return false;
}
