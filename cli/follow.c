/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "follow.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "text.h"
#include "units.h"

enum {
    /** How often the line is drawn, and how long one call waits where there is none. */
    DRAW_MS = 250,
    SLICE_MS = 30000,
    /** What a reply may take beyond the waiting itself. */
    SLACK_MS = 15000,
    CALL_MS = 30000,
    DEFAULT_COLUMNS = 80
};

/** A call that waits on the service's side. */
typedef struct {
    const WireMethod *method;
    const void *in;
    /** The timeout within in. */
    gint64 *timeout_ms;
    /** What the line says meanwhile; owned by the caller. */
    void (*describe)(Follow *follow, const char *id, GString *out);
    const char *id;
} Waiting;

void
follow_init(Follow *follow, Session *session, gint64 timeout_ms)
{
    *follow = (Follow){ .session = session, .started = g_get_monotonic_time() };
    follow->deadline = follow->started + timeout_ms * 1000;
    session_catch_signals(session);
}

void
follow_clear_line(Follow *follow)
{
    if (follow->has_line)
        fputs("\r\033[K", stderr);
    follow->has_line = false;
}

void
follow_done(Follow *follow)
{
    follow_clear_line(follow);
    g_clear_pointer(&follow->label, g_free);
}

void
follow_set_label(Follow *follow, const char *format, ...)
{
    va_list arguments;

    g_free(follow->label);
    va_start(arguments, format);
    follow->label = g_strdup_vprintf(format, arguments);
    va_end(arguments);
}

static gsize
get_columns(void)
{
    struct winsize size = { 0 };

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_COLUMNS;
    return size.ws_col;
}

static void
draw(Follow *follow, const Waiting *waiting)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) line = g_string_new(NULL);
    gsize columns = get_columns();

    if (follow->label != NULL)
        g_string_append_printf(text, "%s: ", follow->label);
    waiting->describe(follow, waiting->id, text);
    g_string_append(text, ", ");
    units_append_duration(text, (g_get_monotonic_time() - follow->started) / 1000);
    text_append_escaped(line, text->str);
    /* A line that wraps could not be drawn over. */
    while (line->len > 0 && text_get_width(line->str) >= columns)
        g_string_truncate(
            line, (gsize) (g_utf8_find_prev_char(line->str, line->str + line->len) -
                           line->str));
    fprintf(stderr, "\r\033[K%s", line->str);
    follow->has_line = true;
}

static bool
is_too_early(const GError *error)
{
    return g_error_matches(error, PROTO_ERROR, PROTO_ERROR_DEADLINE);
}

/* Waits in slices, so that the line lives and a lost service is noticed. */
static bool
wait_for(Follow *follow, const Waiting *waiting, WireReply *ret_reply, GError **error)
{
    bool draws = session_shows_progress(follow->session);

    for (;;) {
        g_autoptr(GError) inner = NULL;
        gint64 left_ms = MAX((follow->deadline - g_get_monotonic_time()) / 1000, 0);

        *waiting->timeout_ms = MIN(left_ms, draws ? DRAW_MS : SLICE_MS);
        if (session_call(follow->session, SERVICE_VMD, waiting->method, waiting->in,
                         *waiting->timeout_ms + SLACK_MS, ret_reply, &inner))
            return true;
        if (!is_too_early(inner) || left_ms == 0) {
            follow_clear_line(follow);
            g_propagate_error(error, g_steal_pointer(&inner));
            return false;
        }
        if (draws)
            draw(follow, waiting);
    }
}

static bool
take_member(WireReply *reply, const char *name, JsonNode **ret_node, GError **error)
{
    JsonNode *node =
        json_object_get_member(json_node_get_object(reply->parameters), name);

    if (node == NULL || !JSON_NODE_HOLDS_OBJECT(node)) {
        proto_error_set_internal(error, "protocol", "The service's answer has no \"%s\"",
                                 name);
        return false;
    }
    *ret_node = json_node_ref(node);
    return true;
}

static void
describe_operation(Follow *follow, const char *id, GString *out)
{
    const ProtoOperationGetCall in = { .operation = (char *) (guintptr) id };
    g_auto(ProtoOperationGetReply) reply = { 0 };
    g_auto(WireReply) raw = { 0 };

    if (!session_call(follow->session, SERVICE_VMD, &proto_operation_get, &in, CALL_MS,
                      &raw, NULL) ||
        !wire_struct_parse(&proto_operation_get_reply_type,
                           json_node_get_object(raw.parameters), "reply",
                           WIRE_PARSE_LENIENT, &reply, NULL)) {
        g_string_append(out, "waiting");
        return;
    }
    g_string_append_printf(out, "%s%s (%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT ")",
                           reply.operation.undoing ? "taking back " : "",
                           reply.operation.step != NULL ? reply.operation.step : "queued",
                           reply.operation.steps_done, reply.operation.steps);
}

bool
follow_operation(Follow *follow, const char *id, JsonNode **ret_operation, GError **error)
{
    ProtoOperationWaitCall in = { .operation = (char *) (guintptr) id,
                                  .has_timeout_ms = true };
    const Waiting waiting = { .method = &proto_operation_wait,
                              .in = &in,
                              .timeout_ms = &in.timeout_ms,
                              .describe = describe_operation,
                              .id = id };
    g_auto(WireReply) reply = { 0 };

    g_free(follow->session->note);
    follow->session->note = g_strdup_printf(
        "operation %s goes on: `vmctl operation show %s` tells how far it is", id, id);
    return wait_for(follow, &waiting, &reply, error) &&
           take_member(&reply, "operation", ret_operation, error);
}

static void
describe_guest(Follow *follow, const char *id, GString *out)
{
    g_string_append(out, "waiting for the guest");
}

bool
follow_instance(Follow *follow,
                const char *instance,
                const char *tenant,
                Until until,
                JsonNode **ret_instance,
                GError **error)
{
    ProtoInstanceWaitCall in = { .instance = (char *) (guintptr) instance,
                                 .tenant = (char *) (guintptr) tenant,
                                 .until = until,
                                 .has_timeout_ms = true };
    const Waiting waiting = { .method = &proto_instance_wait,
                              .in = &in,
                              .timeout_ms = &in.timeout_ms,
                              .describe = describe_guest,
                              .id = instance };
    g_auto(WireReply) reply = { 0 };

    g_free(follow->session->note);
    follow->session->note = g_strdup_printf(
        "the instance goes on: `vmctl show %s` tells how it is", instance);
    return wait_for(follow, &waiting, &reply, error) &&
           take_member(&reply, "instance", ret_instance, error);
}

static int
find_code(const char *full_name)
{
    for (gsize i = 0; full_name != NULL && i < proto_n_error_types; i++) {
        if (strcmp(proto_error_types[i].full_name, full_name) == 0)
            return proto_error_types[i].code;
    }
    return PROTO_ERROR_INTERNAL;
}

/* The failure has the error's name and message; its parameters are not kept. */
static GError *
make_failure(const char *full_name, const char *message)
{
    GError *error = NULL;
    int code = find_code(full_name);
    g_autofree gpointer parameters = NULL;

    for (gsize i = 0; i < proto_n_error_types; i++) {
        if (proto_error_types[i].code == code)
            parameters = g_malloc0(MAX(proto_error_types[i].parameters->size, 1));
    }
    wire_error_set(&error, code, parameters, "%s", message);
    return error;
}

GError *
follow_get_failure(JsonNode *operation)
{
    JsonObject *object = json_node_get_object(operation);
    const char *state = json_object_get_string_member_with_default(object, "state", "");
    JsonObject *failure = NULL;

    if (strcmp(state, "succeeded") == 0)
        return NULL;
    if (json_object_has_member(object, "failure") &&
        JSON_NODE_HOLDS_OBJECT(json_object_get_member(object, "failure")))
        failure = json_object_get_object_member(object, "failure");
    if (failure == NULL)
        return make_failure("io.vmctl.Cancelled", "The operation was cancelled");
    return make_failure(
        json_object_get_string_member_with_default(failure, "error", NULL),
        json_object_get_string_member_with_default(failure, "message", "It failed"));
}

static GDateTime *
get_time(JsonNode *operation, const char *name)
{
    const char *text = json_object_get_string_member_with_default(
        json_node_get_object(operation), name, NULL);

    return text != NULL ? g_date_time_new_from_iso8601(text, NULL) : NULL;
}

gint64
follow_get_duration(JsonNode *operation)
{
    g_autoptr(GDateTime) from = get_time(operation, "created_at");
    g_autoptr(GDateTime) to = get_time(operation, "ended_at");

    if (from == NULL || to == NULL)
        return -1;
    return g_date_time_difference(to, from) / 1000;
}
