/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "follow.h"
#include "run.h"
#include "text.h"
#include "units.h"
#include "views.h"

enum {
    WAIT_MS = 300000
};

static void
print_line(const char *name, Until until, gint64 ms)
{
    g_autoptr(GString) out = g_string_new(NULL);

    text_append_escaped(out, name);
    g_string_append_printf(out, ": %s (", until_to_string(until));
    units_append_duration(out, ms);
    g_string_append(out, ")\n");
    session_write(out->str, out->len);
}

static bool
wait_for_one(Follow *follow,
             const Arguments *arguments,
             const char *name,
             Until until,
             JsonArray *instances,
             GError **error)
{
    g_autoptr(JsonNode) instance = NULL;
    g_autoptr(GError) inner = NULL;

    follow_set_label(follow, "%s", name);
    if (!follow_instance(follow, name, arguments_get_text(arguments, "tenant"), until,
                         &instance, &inner)) {
        /* What is not there is destroyed. */
        if (until != UNTIL_DESTROYED ||
            !g_error_matches(inner, PROTO_ERROR, PROTO_ERROR_NOT_FOUND)) {
            g_propagate_error(error, g_steal_pointer(&inner));
            return false;
        }
    }
    if (instance != NULL)
        json_array_add_element(instances, json_node_ref(instance));
    follow_clear_line(follow);
    if (follow->session->format <= FORMAT_WIDE)
        print_line(name, until, (g_get_monotonic_time() - follow->started) / 1000);
    return true;
}

bool
run_wait(Session *session, const Arguments *arguments, GError **error)
{
    Until until = (Until) arguments_get_number(arguments, "for", UNTIL_READY);
    g_autoptr(JsonNode) reply = json_node_new(JSON_NODE_OBJECT);
    JsonArray *instances = json_array_new();
    Follow follow;

    json_node_take_object(reply, json_object_new());
    json_object_set_array_member(json_node_get_object(reply), "instances", instances);
    follow_init(&follow, session, arguments_get_number(arguments, "timeout", WAIT_MS));
    for (gsize i = 0; i < arguments->n_operands && !session->is_interrupted; i++) {
        const char *name = arguments->operands[i];
        g_autoptr(GError) inner = NULL;

        if (!wait_for_one(&follow, arguments, name, until, instances, &inner) &&
            !session->is_interrupted)
            session_fail(session, name, inner);
    }
    follow_done(&follow);
    if (session->format > FORMAT_WIDE)
        session_print(session, &view_instances, reply);
    return true;
}

bool
run_operation_wait(Session *session, const Arguments *arguments, GError **error)
{
    g_autoptr(JsonNode) operation = NULL;
    g_autoptr(JsonNode) reply = json_node_new(JSON_NODE_OBJECT);
    g_autoptr(GError) failure = NULL;
    bool done = false;
    Follow follow;

    follow_init(&follow, session, arguments_get_number(arguments, "timeout", WAIT_MS));
    done = follow_operation(&follow, arguments->operands[0], &operation, error);
    follow_done(&follow);
    if (!done)
        return false;
    json_node_take_object(reply, json_object_new());
    json_object_set_member(json_node_get_object(reply), "operation",
                           json_node_ref(operation));
    session_print(session, &view_operation, reply);
    failure = follow_get_failure(operation);
    if (failure != NULL)
        session_fail(session, arguments->operands[0], failure);
    return true;
}
