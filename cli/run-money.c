/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "input.h"
#include "run.h"
#include "wire/guard.h"

enum {
    CALL_MS = 30000,
    REPORT_MS = 120000,
    /* All that vmd-meter holds is written to a file before it answers. */
    RECOVER_MS = 600000,
    CARD_BYTES_MAX = 65536
};

static bool
refuse_file(const char *path, const char *why, GError **error)
{
    proto_error_set_invalid_parameter(error, path, why, "%s: %s", path, why);
    return false;
}

/* A rate card is a file of JSON; what the schema does not know is a mistake. */
static bool
read_card(const char *path, ProtoRateCard *ret_card, GError **error)
{
    g_autofree char *text = input_read_file(path, CARD_BYTES_MAX, error);
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) why = NULL;
    const WireLimits limits = WIRE_LIMITS_CLIENT;
    JsonNode *root = NULL;

    if (text == NULL)
        return false;
    if (!guard_check(text, strlen(text), &limits, &why) ||
        !json_parser_load_from_data(parser, text, -1, &why))
        return refuse_file(path, why->message, error);
    root = json_parser_get_root(parser);
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root))
        return refuse_file(path, "is not a JSON object", error);
    return wire_struct_parse(&proto_rate_card_type, json_node_get_object(root), path,
                             WIRE_PARSE_STRICT, ret_card, error);
}

bool
run_rate_set(Session *session, const Arguments *arguments, GError **error)
{
    const Command *command = arguments->command;
    g_auto(WireReply) reply = { 0 };
    ProtoBillingSetCardCall in = { 0 };
    bool done = arguments_fill(arguments, NULL, &in, error) &&
                read_card(arguments->operands[0], &in.card, error) &&
                session_call(session, command->service, command->method, &in, CALL_MS,
                             &reply, error);

    if (done)
        session_print(session, command->view, reply.parameters);
    wire_struct_clear(command->method->call, &in);
    return done;
}

/* As a file that can be set again. */
bool
run_rate_show(Session *session, const Arguments *arguments, GError **error)
{
    const Command *command = arguments->command;
    g_auto(WireReply) reply = { 0 };
    ProtoBillingGetCardCall in = { 0 };
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autofree char *text = NULL;
    bool done = arguments_fill(arguments, arguments->operands[0], &in, error) &&
                session_call(session, command->service, command->method, &in, CALL_MS,
                             &reply, error);

    wire_struct_clear(command->method->call, &in);
    if (!done)
        return false;
    json_generator_set_pretty(generator, TRUE);
    json_generator_set_root(
        generator,
        json_object_get_member(json_node_get_object(reply.parameters), "card"));
    text = json_generator_to_data(generator, NULL);
    session_write(text, strlen(text));
    session_write("\n", 1);
    return true;
}

/* Prints the pieces of a report as they come. */
static bool
print_report(Session *session, GError **error)
{
    for (;;) {
        g_auto(WireReply) reply = { 0 };
        const char *text = NULL;

        if (!session_receive(session, SERVICE_METER, REPORT_MS, &reply, error))
            return false;
        text = json_object_get_string_member_with_default(
            json_node_get_object(reply.parameters), "text", "");
        session_write(text, strlen(text));
        if (!reply.continues)
            return true;
    }
}

static bool
report(Session *session, const Arguments *arguments, const char *card, GError **error)
{
    ProtoBillingReportCall in = { 0 };
    bool done = arguments_fill(arguments, NULL, &in, error);

    if (done && card != NULL) {
        in.instead = g_new0(ProtoRateCard, 1);
        done = read_card(card, in.instead, error);
    }
    done = done &&
           session_send(session, SERVICE_METER, &proto_billing_report, &in,
                        WIRE_CLIENT_MORE, error) &&
           print_report(session, error);
    wire_struct_clear(&proto_billing_report_call_type, &in);
    fflush(stdout);
    return done;
}

bool
run_report(Session *session, const Arguments *arguments, GError **error)
{
    if (arguments_has(arguments, "all") && arguments_has(arguments, "tenant"))
        return refuse_file("--all", "goes without --tenant", error);
    return report(session, arguments, NULL, error);
}

bool
run_preview(Session *session, const Arguments *arguments, GError **error)
{
    return report(session, arguments, arguments->operands[0], error);
}

/* Accepting a fork */

static void
tell_kept(const Session *session, JsonObject *reply)
{
    JsonNode *path = json_object_get_member(reply, "lost_file");

    if (session->format <= FORMAT_WIDE && path != NULL && JSON_NODE_HOLDS_VALUE(path))
        session_warn(session,
                     "the ledger with the rows that are lost is kept on the machine of "
                     "vmd-meter, in %s",
                     json_node_get_string(path));
}

bool
run_recover(Session *session, const Arguments *arguments, GError **error)
{
    const Command *command = arguments->command;
    g_auto(WireReply) reply = { 0 };
    ProtoBillingRecoverCall in = { 0 };
    bool done = arguments_fill(arguments, NULL, &in, error) &&
                session_call(session, command->service, command->method, &in, RECOVER_MS,
                             &reply, error);

    wire_struct_clear(command->method->call, &in);
    if (!done)
        return false;
    session_print(session, command->view, reply.parameters);
    tell_kept(session, json_node_get_object(reply.parameters));
    return true;
}
