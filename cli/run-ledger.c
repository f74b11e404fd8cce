/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "run.h"
#include "views.h"

enum {
    LEDGER_MS = 120000
};

static void
write_line(JsonNode *node)
{
    g_autofree char *text = json_to_string(node, FALSE);
    g_autoptr(GString) line = g_string_new(text);

    g_string_append_c(line, '\n');
    session_write(line->str, line->len);
}

/* Which ledger it is of, and up to where: the first line. */
static void
write_head(JsonNode *reply)
{
    g_autoptr(JsonNode) head = json_node_new(JSON_NODE_OBJECT);
    JsonObject *object = json_object_new();
    JsonObjectIter iter;
    const char *name = NULL;
    JsonNode *node = NULL;

    json_object_iter_init_ordered(&iter, json_node_get_object(reply));
    while (json_object_iter_next_ordered(&iter, &name, &node)) {
        if (!JSON_NODE_HOLDS_ARRAY(node))
            json_object_set_member(object, name, json_node_ref(node));
    }
    json_node_take_object(head, object);
    write_line(head);
}

static void
write_rows(JsonNode *reply)
{
    JsonArray *rows = json_object_get_array_member(json_node_get_object(reply), "rows");

    for (guint i = 0; rows != NULL && i < json_array_get_length(rows); i++) {
        write_line(json_array_get_element(rows, i));
    }
}

static bool
print_ledger(Session *session, GError **error)
{
    bool has_head = false;

    for (;;) {
        g_auto(WireReply) reply = { 0 };

        if (!session_receive(session, SERVICE_METER, LEDGER_MS, &reply, error))
            return false;
        if (!has_head)
            write_head(reply.parameters);
        has_head = true;
        write_rows(reply.parameters);
        if (!reply.continues)
            return true;
    }
}

bool
run_ledger_export(Session *session, const Arguments *arguments, GError **error)
{
    ProtoBillingExportLedgerCall in = { 0 };
    bool done = arguments_fill(arguments, NULL, &in, error) &&
                session_send(session, SERVICE_METER, &proto_billing_export_ledger, &in,
                             WIRE_CLIENT_MORE, error) &&
                print_ledger(session, error);

    wire_struct_clear(&proto_billing_export_ledger_call_type, &in);
    return done;
}

/* Explaining */

static bool
print_facts(Session *session, Render *render, GError **error)
{
    for (;;) {
        g_auto(WireReply) reply = { 0 };
        g_autoptr(GString) out = g_string_new(NULL);

        if (!session_receive(session, SERVICE_METER, LEDGER_MS, &reply, error))
            return false;
        render_append(render, reply.parameters, out);
        session_write(out->str, out->len);
        if (!reply.continues)
            return true;
    }
}

bool
run_explain(Session *session, const Arguments *arguments, GError **error)
{
    ProtoBillingExplainCall in = { 0 };
    bool done = arguments_fill(arguments, arguments->operands[0], &in, error) &&
                session_send(session, SERVICE_METER, &proto_billing_explain, &in,
                             WIRE_CLIENT_MORE, error);
    Render render;

    render_init(&render, arguments->command->view, session->format, g_get_real_time());
    done = done && print_facts(session, &render, error);
    render_done(&render);
    wire_struct_clear(&proto_billing_explain_call_type, &in);
    return done;
}
