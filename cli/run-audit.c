/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run.h"
#include "views.h"

enum {
    AUDIT_MS = 300000
};

static gint64
get_count(JsonObject *audited, const char *member)
{
    return json_object_get_int_member_with_default(audited, member, 0);
}

/* On stderr, so that what is found can be piped. */
static void
tell_audited(const Session *session, JsonObject *reply, guint n_findings)
{
    JsonObject *audited = json_object_get_object_member(reply, "audited");

    session_warn(
        session,
        "%u findings; looked at %" G_GINT64_FORMAT " instances, %" G_GINT64_FORMAT
        " templates, %" G_GINT64_FORMAT " objects, %" G_GINT64_FORMAT
        " foreign domains, %" G_GINT64_FORMAT " events, %" G_GINT64_FORMAT " ledger rows",
        n_findings, get_count(audited, "instances"), get_count(audited, "templates"),
        get_count(audited, "objects"), get_count(audited, "foreign"),
        get_count(audited, "events"), get_count(audited, "ledger_rows"));
}

bool
run_audit(Session *session, const Arguments *arguments, GError **error)
{
    const Command *command = arguments->command;
    const ProtoAuditRunCall in = { 0 };
    g_auto(WireReply) reply = { 0 };
    JsonObject *object = NULL;
    guint n_findings = 0;

    if (!session_call(session, command->service, command->method, &in, AUDIT_MS, &reply,
                      error))
        return false;
    object = json_node_get_object(reply.parameters);
    n_findings = json_array_get_length(json_object_get_array_member(object, "findings"));
    if (n_findings > 0 || session->format == FORMAT_JSON)
        session_print(session, command->view, reply.parameters);
    if (session->format <= FORMAT_WIDE)
        tell_audited(session, object, n_findings);
    if (n_findings > 0)
        session_fail_with(session, EXIT_FAILED);
    return true;
}
