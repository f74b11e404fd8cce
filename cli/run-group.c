/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run.h"
#include "views.h"

enum {
    CALL_MS = 30000
};

bool
run_group_show(Session *session, const Arguments *arguments, GError **error)
{
    const Command *command = arguments->command;
    g_autofree gpointer in = g_malloc0(command->method->call->size);
    g_auto(WireReply) reply = { 0 };
    bool done = arguments_fill(arguments, arguments->operands[0], in, error) &&
                session_call(session, command->service, command->method, in, CALL_MS,
                             &reply, error);

    wire_struct_clear(command->method->call, in);
    if (!done)
        return false;
    session_print(session, command->view, reply.parameters);
    if (session->format <= FORMAT_WIDE)
        session_print(session, &view_members, reply.parameters);
    return true;
}
