/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "run.h"
#include "text.h"
#include "views.h"

enum {
    CALL_MS = 30000,
    REPORT_MS = 120000,
    RETRY_MS = 30000,
    RETRY_PAUSE_MS = 200,
    LOG_POLL_MS = 500,
    LOG_CHUNK = 65536
};

/* One piece of the console, if there is more; moves the call on to the next. */
static bool
read_log(Session *session, ProtoInstanceLogCall *in, bool *ret_has_more, GError **error)
{
    g_auto(WireReply) raw = { 0 };
    g_auto(ProtoInstanceLogReply) reply = { 0 };
    g_autofree guchar *data = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    gsize length = 0;

    if (!session_call(session, SERVICE_VMD, &proto_instance_log, in, CALL_MS, &raw,
                      error) ||
        !wire_struct_parse(&proto_instance_log_reply_type,
                           json_node_get_object(raw.parameters), "reply",
                           WIRE_PARSE_LENIENT, &reply, error))
        return false;
    data = g_base64_decode(reply.data, &length);
    /* A service that answers with what was read already must not be read for ever. */
    *ret_has_more =
        length > 0 && !(in->has_offset && in->offset >= 0 && reply.next <= in->offset);
    in->has_offset = true;
    in->offset = reply.next;
    if (!*ret_has_more)
        return true;
    if (session->is_out_terminal) {
        text_append_console(out, (const char *) data, length);
        session_write(out->str, out->len);
    } else {
        session_write((const char *) data, length);
    }
    fflush(stdout);
    return true;
}

bool
run_log(Session *session, const Arguments *arguments, GError **error)
{
    ProtoInstanceLogCall in = {
        .instance = arguments->operands[0],
        .tenant = (char *) (guintptr) arguments_get_text(arguments, "tenant"),
        .has_max_bytes = true,
        .max_bytes = LOG_CHUNK,
    };
    bool follows = arguments_has(arguments, "follow");

    in.has_offset = arguments_has(arguments, "tail");
    in.offset = -arguments_get_number(arguments, "tail", 0);
    if (follows)
        session_catch_signals(session);
    for (;;) {
        bool has_more = false;

        if (!read_log(session, &in, &has_more, error))
            return false;
        if (!has_more && !follows)
            return true;
        if (!has_more)
            session_pause(session, LOG_POLL_MS);
        if (session->is_interrupted)
            return true;
    }
}

static bool
is_one_of(char *const *names, JsonObject *event, const char *member)
{
    JsonNode *node = json_object_get_member(event, member);
    const char *text =
        node != NULL && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;

    return text != NULL && g_strv_contains((const char *const *) names, text);
}

/* A line of JSON for each event of a reply that is about one of names, or for all. */
static void
append_lines(JsonNode *reply, char *const *names, GString *out)
{
    JsonNode *node = json_object_get_member(json_node_get_object(reply), "events");
    JsonArray *events =
        node != NULL && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

    for (guint i = 0; events != NULL && i < json_array_get_length(events); i++) {
        JsonNode *event = json_array_get_element(events, i);
        g_autofree char *text = json_to_string(event, FALSE);
        JsonObject *object =
            JSON_NODE_HOLDS_OBJECT(event) ? json_node_get_object(event) : NULL;

        if (names != NULL && (object == NULL || (!is_one_of(names, object, "name") &&
                                                 !is_one_of(names, object, "subject"))))
            continue;
        text_append_json(out, text);
        g_string_append_c(out, '\n');
    }
}

/* How events are printed: by a view, or, without one, a line of JSON each. */
typedef struct {
    Render *render;
    char *const *names;
} EventPrinter;

static void
append_events(const EventPrinter *printer, JsonNode *reply, GString *out)
{
    if (printer->render != NULL)
        render_append(printer->render, reply, out);
    else
        append_lines(reply, printer->names, out);
}

/* Prints replies of a stream as they come, until the last; moves the call on. */
static bool
print_stream(Session *session,
             const EventPrinter *printer,
             ProtoEventReadCall *in,
             gint64 timeout_ms,
             GError **error)
{
    for (;;) {
        g_auto(WireReply) reply = { 0 };
        g_autoptr(GString) out = g_string_new(NULL);

        if (!session_receive(session, SERVICE_VMD, timeout_ms, &reply, error))
            return false;
        append_events(printer, reply.parameters, out);
        session_write(out->str, out->len);
        fflush(stdout);
        in->has_after = true;
        in->after = json_object_get_int_member_with_default(
            json_node_get_object(reply.parameters), "next", in->after);
        if (!reply.continues)
            return true;
    }
}

/* A reader that lost its service, or did not keep up, reads on where it was. */
static bool
read_events(Session *session,
            const EventPrinter *printer,
            ProtoEventReadCall *in,
            GError **error)
{
    gint64 timeout_ms = in->has_follow ? -1 : CALL_MS;
    gint64 give_up = g_get_monotonic_time() + (gint64) RETRY_MS * 1000;

    for (;;) {
        g_autoptr(GError) inner = NULL;
        gint64 after = in->after;

        if (session_send(session, SERVICE_VMD, &proto_event_read, in, WIRE_CLIENT_MORE,
                         &inner) &&
            print_stream(session, printer, in, timeout_ms, &inner))
            return true;
        if (in->after != after)
            give_up = g_get_monotonic_time() + (gint64) RETRY_MS * 1000;
        if (!in->has_follow || session->is_interrupted || !session_is_lost(inner) ||
            !session->was_connected[SERVICE_VMD] || g_get_monotonic_time() >= give_up) {
            g_propagate_error(error, g_steal_pointer(&inner));
            return false;
        }
        session_drop(session, SERVICE_VMD);
        session_pause(session, RETRY_PAUSE_MS);
    }
}

bool
run_events(Session *session, const Arguments *arguments, GError **error)
{
    ProtoEventReadCall in = { 0 };
    bool follows = arguments_has(arguments, "follow");
    bool done = arguments_fill(arguments, NULL, &in, error);
    Render render;
    const EventPrinter printer = { .render = &render };

    if (!follows && !in.has_after) {
        /* Without a beginning and without an end there would be nothing to read. */
        in.has_after = true;
        in.after = 0;
    }
    if (follows)
        session_catch_signals(session);
    render_init(&render, &view_events, session->format, g_get_real_time());
    done = done && read_events(session, &printer, &in, error);
    render_done(&render);
    wire_struct_clear(&proto_event_read_call_type, &in);
    return done;
}

/* The number of the newest event, so that none is missed when the connection is lost. */
static bool
find_newest(Session *session, ProtoEventReadCall *in, GError **error)
{
    const ProtoVmctlGetInfoCall call = { 0 };
    g_auto(WireReply) raw = { 0 };

    if (!session_call(session, SERVICE_VMD, &proto_vmctl_get_info, &call, CALL_MS, &raw,
                      error))
        return false;
    in->has_after = true;
    in->after = json_object_get_int_member_with_default(
        json_node_get_object(raw.parameters), "seq", 0);
    return true;
}

bool
run_watch(Session *session, const Arguments *arguments, GError **error)
{
    ProtoEventReadCall in = { 0 };
    const EventPrinter printer = {
        .names = arguments->n_operands > 0 ? arguments->operands : NULL,
    };
    bool done = arguments_fill(arguments, NULL, &in, error) &&
                (in.has_after || find_newest(session, &in, error));

    in.has_follow = in.follow = true;
    session_catch_signals(session);
    done = done && read_events(session, &printer, &in, error);
    wire_struct_clear(&proto_event_read_call_type, &in);
    return done;
}

static void
append_elements(JsonArray *array, JsonNode *reply, const char *member)
{
    JsonNode *node = json_object_get_member(json_node_get_object(reply), member);
    JsonArray *more =
        node != NULL && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

    for (guint i = 0; more != NULL && i < json_array_get_length(more); i++)
        json_array_add_element(array, json_node_ref(json_array_get_element(more, i)));
}

/* Takes what is not a list from the last batch. */
static JsonNode *
make_report(JsonNode *last, JsonArray *lines, JsonArray *totals)
{
    JsonNode *whole = json_node_new(JSON_NODE_OBJECT);
    JsonObject *object = json_object_new();
    JsonObjectIter iter;
    const char *name = NULL;
    JsonNode *node = NULL;

    json_object_iter_init_ordered(&iter, json_node_get_object(last));
    while (json_object_iter_next_ordered(&iter, &name, &node))
        json_object_set_member(object, name, json_node_ref(node));
    json_object_set_array_member(object, "lines", json_array_ref(lines));
    json_object_set_array_member(object, "totals", json_array_ref(totals));
    json_node_take_object(whole, object);
    return whole;
}

static bool
read_usage(Session *session, JsonNode **ret_report, GError **error)
{
    g_autoptr(JsonArray) lines = json_array_new();
    g_autoptr(JsonArray) totals = json_array_new();

    for (;;) {
        g_auto(WireReply) reply = { 0 };

        if (!session_receive(session, SERVICE_METER, REPORT_MS, &reply, error))
            return false;
        append_elements(lines, reply.parameters, "lines");
        append_elements(totals, reply.parameters, "totals");
        if (!reply.continues) {
            *ret_report = make_report(reply.parameters, lines, totals);
            return true;
        }
    }
}

bool
run_usage(Session *session, const Arguments *arguments, GError **error)
{
    ProtoBillingUsageCall in = { 0 };
    g_autoptr(JsonNode) report = NULL;
    bool done = arguments_fill(arguments, NULL, &in, error) &&
                session_send(session, SERVICE_METER, &proto_billing_usage, &in,
                             WIRE_CLIENT_MORE, error) &&
                read_usage(session, &report, error);

    wire_struct_clear(&proto_billing_usage_call_type, &in);
    if (!done)
        return false;
    session_print(session, &view_usage, report);
    if (session->format <= FORMAT_WIDE) {
        session_write("\n", 1);
        session_print(session, &view_usage_totals, report);
    }
    return true;
}
