/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "follow.h"
#include "plan.h"
#include "run.h"
#include "views.h"

enum {
    CALL_MS = 120000,
    WAIT_MS = 600000
};

/** What is printed at the end. */
typedef struct {
    Follow follow;
    const Arguments *arguments;
    /** As the service gave them. */
    JsonArray *instances;
    JsonArray *operations;
    /** The same with times, for the tables. */
    JsonArray *rows;
    gsize count;
    gsize failed;
} Creation;

static void
add_phase(JsonArray *phases, const char *name, gint64 ms)
{
    JsonObject *phase = json_object_new();

    json_object_set_string_member(phase, "name", name);
    json_object_set_int_member(phase, "duration_ms", ms);
    json_array_add_object_element(phases, phase);
}

static JsonArray *
copy_phases(JsonNode *operation)
{
    JsonArray *copy = json_array_new();
    JsonNode *node = json_object_get_member(json_node_get_object(operation), "phases");
    JsonArray *phases =
        node != NULL && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

    for (guint i = 0; phases != NULL && i < json_array_get_length(phases); i++)
        json_array_add_element(copy, json_node_ref(json_array_get_element(phases, i)));
    return copy;
}

/* An instance with how long it took; guest_ms is -1 if it was not waited for. */
static void
add_row(Creation *creation, JsonNode *instance, JsonNode *operation, gint64 guest_ms)
{
    static const char *const members[] = { "name",      "id",   "state",   "ready",
                                           "addresses", "host", "template" };
    JsonObject *row = json_object_new();
    JsonArray *phases = copy_phases(operation);
    gint64 total_ms = follow_get_duration(operation);

    for (gsize i = 0; i < G_N_ELEMENTS(members); i++) {
        JsonNode *node =
            json_object_get_member(json_node_get_object(instance), members[i]);

        if (node != NULL && !JSON_NODE_HOLDS_NULL(node))
            json_object_set_member(row, members[i], json_node_ref(node));
    }
    if (guest_ms >= 0) {
        add_phase(phases, "guest", guest_ms);
        total_ms += guest_ms;
    }
    json_object_set_array_member(row, "phases", phases);
    if (total_ms >= 0)
        json_object_set_int_member(row, "total_ms", total_ms);
    json_array_add_object_element(creation->rows, row);
    json_array_add_element(creation->instances, json_node_ref(instance));
}

static bool
get_member(Session *session,
           const WireMethod *method,
           const void *in,
           const char *member,
           JsonNode **ret_node,
           GError **error)
{
    g_auto(WireReply) reply = { 0 };
    JsonNode *node = NULL;

    if (!session_call(session, SERVICE_VMD, method, in, CALL_MS, &reply, error))
        return false;
    node = json_object_get_member(json_node_get_object(reply.parameters), member);
    if (node == NULL || !JSON_NODE_HOLDS_OBJECT(node)) {
        proto_error_set_internal(error, "protocol", "The service's answer has no \"%s\"",
                                 member);
        return false;
    }
    *ret_node = json_node_ref(node);
    return true;
}

static bool
get_instance(Session *session, const char *id, JsonNode **ret_instance, GError **error)
{
    const ProtoInstanceGetCall in = { .instance = (char *) (guintptr) id };

    return get_member(session, &proto_instance_get, &in, "instance", ret_instance, error);
}

static bool
get_operation(Session *session, const char *id, JsonNode **ret_operation, GError **error)
{
    const ProtoOperationGetCall in = { .operation = (char *) (guintptr) id };

    return get_member(session, &proto_operation_get, &in, "operation", ret_operation,
                      error);
}

/* Waits for the operation; one that failed is an error. */
static bool
finish_operation(Creation *creation,
                 const ProtoAccepted *accepted,
                 JsonNode **ret_operation,
                 GError **error)
{
    Session *session = creation->follow.session;
    g_autoptr(JsonNode) operation = NULL;
    GError *failure = NULL;

    if (strcmp(arguments_get_wait(creation->arguments), "none") == 0) {
        if (!get_operation(session, accepted->operation, &operation, error))
            return false;
        json_array_add_element(creation->operations, json_node_ref(operation));
        *ret_operation = g_steal_pointer(&operation);
        return true;
    }
    if (!follow_operation(&creation->follow, accepted->operation, &operation, error))
        return false;
    json_array_add_element(creation->operations, json_node_ref(operation));
    failure = follow_get_failure(operation);
    if (failure != NULL) {
        g_propagate_error(error, failure);
        return false;
    }
    *ret_operation = g_steal_pointer(&operation);
    return true;
}

static bool
finish_one(Creation *creation, const ProtoAccepted *accepted, GError **error)
{
    Follow *follow = &creation->follow;
    g_autoptr(JsonNode) operation = NULL;
    g_autoptr(JsonNode) instance = NULL;
    g_autoptr(GError) late = NULL;
    gint64 begin = 0;
    gint64 guest_ms = -1;

    if (!finish_operation(creation, accepted, &operation, error))
        return false;
    begin = g_get_monotonic_time();
    if (strcmp(arguments_get_wait(creation->arguments), "ready") == 0) {
        if (follow_instance(follow, accepted->instance, NULL, UNTIL_READY, &instance,
                            &late)) {
            /* Others were waited for before it: then this would be no measure of it. */
            if (creation->count == 1)
                guest_ms = (g_get_monotonic_time() - begin) / 1000;
            add_row(creation, instance, operation, guest_ms);
            return true;
        }
        if (follow->session->is_interrupted) {
            g_propagate_error(error, g_steal_pointer(&late));
            return false;
        }
    }
    /* It is there, even if it is not what was waited for. */
    if (!get_instance(follow->session, accepted->instance, &instance,
                      late == NULL ? error : NULL)) {
        if (late != NULL)
            g_propagate_error(error, g_steal_pointer(&late));
        return false;
    }
    add_row(creation, instance, operation, -1);
    if (late == NULL)
        return true;
    g_propagate_error(error, g_steal_pointer(&late));
    return false;
}

static void
finish_all(Creation *creation, const ProtoInstanceCreateReply *reply)
{
    Session *session = creation->follow.session;

    for (gsize i = 0; i < reply->n_instances && !session->is_interrupted; i++) {
        const ProtoAccepted *accepted = &reply->instances[i];
        g_autoptr(GError) error = NULL;

        if (creation->count > 1) {
            follow_set_label(&creation->follow, "%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT,
                             i + 1, creation->count);
        } else {
            follow_set_label(&creation->follow, "%s", accepted->name);
        }
        if (finish_one(creation, accepted, &error) || session->is_interrupted)
            continue;
        creation->failed++;
        follow_clear_line(&creation->follow);
        session_fail(session, accepted->name, error);
    }
    follow_done(&creation->follow);
}

static JsonNode *
make_result(JsonArray *instances, JsonArray *operations)
{
    JsonNode *result = json_node_new(JSON_NODE_OBJECT);
    JsonObject *object = json_object_new();

    json_object_set_array_member(object, "instances", json_array_ref(instances));
    json_object_set_array_member(object, "operations", json_array_ref(operations));
    json_node_take_object(result, object);
    return result;
}

static void
print_one(Session *session, JsonNode *result)
{
    Render render;
    g_autoptr(GString) out = g_string_new(NULL);

    render_init(&render, &view_created, session->format, g_get_real_time());
    render.is_upright = true;
    render_append(&render, result, out);
    render_done(&render);
    session_write(out->str, out->len);
}

static void
print_result(Creation *creation)
{
    Session *session = creation->follow.session;
    bool is_json = session->format == FORMAT_JSON;
    bool waits = strcmp(arguments_get_wait(creation->arguments), "none") != 0;
    g_autoptr(JsonNode) result =
        make_result(is_json ? creation->instances : creation->rows, creation->operations);

    if (!waits && session->format <= FORMAT_WIDE) {
        session_print(session, &view_begun, result);
    } else if (!waits && session->format == FORMAT_ID) {
        session_print(session, &view_operations, result);
    } else if (session->format <= FORMAT_WIDE && creation->count == 1) {
        print_one(session, result);
    } else {
        session_print(session, &view_created, result);
    }
    if (creation->count > 1 && creation->failed > 0) {
        session_warn(session,
                     "%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " failed, each told above",
                     creation->failed, creation->count);
        session->exit = EXIT_FAILED;
    }
}

static bool
finish(Session *session, const Arguments *arguments, JsonNode *parameters, GError **error)
{
    g_auto(ProtoInstanceCreateReply) reply = { 0 };
    Creation creation = { .arguments = arguments };

    if (!wire_struct_parse(&proto_instance_create_reply_type,
                           json_node_get_object(parameters), "reply", WIRE_PARSE_LENIENT,
                           &reply, error))
        return false;
    creation.instances = json_array_new();
    creation.operations = json_array_new();
    creation.rows = json_array_new();
    creation.count = reply.n_instances;
    follow_init(&creation.follow, session,
                arguments_get_number(arguments, "timeout", WAIT_MS));
    finish_all(&creation, &reply);
    print_result(&creation);
    json_array_unref(creation.instances);
    json_array_unref(creation.operations);
    json_array_unref(creation.rows);
    return true;
}

bool
run_create(Session *session, const Arguments *arguments, GError **error)
{
    g_auto(ProtoInstanceCreateCall) in = { 0 };
    g_auto(WireReply) reply = { 0 };

    if (!arguments_fill(arguments, arguments->operands[0], &in, error) ||
        !session_call(session, SERVICE_VMD, &proto_instance_create, &in, CALL_MS, &reply,
                      error))
        return false;
    if (arguments_has(arguments, "dry-run"))
        return plan_print(session, &in, reply.parameters, error);
    return finish(session, arguments, reply.parameters, error);
}
