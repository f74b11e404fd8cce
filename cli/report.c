/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <string.h>

#include "exits.h"
#include "text.h"

/* "NotFound" of "io.vmctl.NotFound" */
static const char *
get_short_name(const GError *error)
{
    const char *name = wire_error_get_name(error);
    const char *dot = strrchr(name, '.');

    return dot != NULL ? dot + 1 : name;
}

static void
append_refusals(GString *out, const GError *error)
{
    const ProtoErrorNoCapacity *parameters = wire_error_get_parameters(error);

    for (gsize i = 0; i < parameters->n_refusals; i++) {
        g_string_append(out, "  host ");
        text_append_escaped(out, parameters->refusals[i].host);
        g_string_append(out, ": ");
        text_append_escaped(out, parameters->refusals[i].reason);
        g_string_append_c(out, '\n');
    }
}

/* The service names a field; whoever typed the command knows an option. */
static void
append_option(GString *out, const Command *command, const GError *error)
{
    const ProtoErrorInvalidParameter *parameters = wire_error_get_parameters(error);
    const Option *option = NULL;

    if (parameters->path == NULL || !g_str_has_prefix(parameters->path, "parameters."))
        return;
    for (gsize i = 0; (option = command_get_option(command, i)) != NULL; i++) {
        if (g_strcmp0(option->field, parameters->path + strlen("parameters.")) == 0) {
            g_string_append_printf(out, "  hint: that is --%s\n", option->name);
            return;
        }
    }
}

/* Ledgers and bills are no instances, and no operation changes them: what these errors
 * say of those is no help there. */
static const char *
get_hint(const Command *command, const GError *error)
{
    bool is_of_bills = command != NULL && command->service == SERVICE_METER;

    if (is_of_bills && (g_error_matches(error, PROTO_ERROR, PROTO_ERROR_ILLEGAL_STATE) ||
                        g_error_matches(error, PROTO_ERROR, PROTO_ERROR_CONFLICT)))
        return NULL;
    return exits_get_hint(error);
}

/* Errors of varlink itself have no message of their own. */
static void
append_message(GString *out, const GError *error)
{
    if (g_error_matches(error, PROTO_ERROR, PROTO_ERROR_SERVICE_METHOD_NOT_FOUND)) {
        const ProtoErrorServiceMethodNotFound *parameters =
            wire_error_get_parameters(error);

        g_string_append(out, "The service has no method ");
        text_append_escaped(out, parameters->method != NULL ? parameters->method : "?");
    } else {
        text_append_escaped(out, error->message);
    }
}

void
report_append(GString *out, const Command *command, const char *what, const GError *error)
{
    const char *hint = get_hint(command, error);

    g_string_append(out, "vmctl");
    if (command != NULL)
        g_string_append_printf(out, " %s", command->words);
    if (what != NULL) {
        g_string_append_c(out, ' ');
        text_append_escaped(out, what);
    }
    g_string_append(out, ": ");
    append_message(out, error);
    if (error->domain == PROTO_ERROR && exits_get_code(error) != EXIT_USAGE)
        g_string_append_printf(out, " (%s)", get_short_name(error));
    g_string_append_c(out, '\n');
    if (g_error_matches(error, PROTO_ERROR, PROTO_ERROR_NO_CAPACITY))
        append_refusals(out, error);
    if (command != NULL &&
        g_error_matches(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER))
        append_option(out, command, error);
    if (hint != NULL)
        g_string_append_printf(out, "  hint: %s\n", hint);
}
