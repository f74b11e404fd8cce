/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run.h"
#include "views.h"

enum {
    CALL_MS = 30000
};

/* Calls, and shows the reply and below it its rows. */
static bool
show_both(Session *session, const Arguments *arguments, const View *rows, GError **error)
{
    const Command *command = arguments->command;
    g_autofree gpointer in = g_malloc0(command->method->call->size);
    g_auto(WireReply) reply = { 0 };
    bool done = arguments_fill(arguments, arguments->operands[0], in, error) &&
                session_call(session, command->service, command->method, in, CALL_MS,
                             &reply, error);

    wire_struct_clear(command->method->call, in);
    if (!done || command->view == NULL)
        return done;
    session_print(session, command->view, reply.parameters);
    if (session->format <= FORMAT_WIDE)
        session_print(session, rows, reply.parameters);
    return true;
}

bool
run_group_show(Session *session, const Arguments *arguments, GError **error)
{
    return show_both(session, arguments, &view_group_members, error);
}

bool
run_group_plan(Session *session, const Arguments *arguments, GError **error)
{
    return show_both(session, arguments, &view_removals, error);
}

bool
run_rate_quote(Session *session, const Arguments *arguments, GError **error)
{
    return show_both(session, arguments, &view_quote_lines, error);
}

bool
run_set(Session *session, const Arguments *arguments, GError **error)
{
    return show_both(session, arguments, NULL, error);
}
