/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "follow.h"
#include "run.h"
#include "text.h"
#include "units.h"
#include "views.h"

enum {
    CALL_MS = 60000,
    WAIT_MS = 600000,
    /** What an operation takes beyond the time that its guest may take. */
    GUEST_SLACK_MS = 60000
};

/** One operand's change that was begun. */
typedef struct {
    char *name;
    char *operation;
} Begun;

static void
begun_free(Begun *begun)
{
    g_free(begun->name);
    g_free(begun->operation);
    g_free(begun);
}

static gint64
get_wait_ms(const Arguments *arguments)
{
    const Option *option = command_find_option(arguments->command, "timeout");
    gint64 ms = arguments_get_number(arguments, "timeout", WAIT_MS);

    return option != NULL && option->field != NULL ? ms + GUEST_SLACK_MS : ms;
}

static bool
begin_one(Session *session,
          const Arguments *arguments,
          const char *operand,
          GPtrArray *begun,
          GError **error)
{
    const WireMethod *method = arguments->command->method;
    g_autofree gpointer in = g_malloc0(method->call->size);
    g_auto(WireReply) reply = { 0 };
    bool done = arguments_fill(arguments, operand, in, error) &&
                session_call(session, SERVICE_VMD, method, in, CALL_MS, &reply, error);

    wire_struct_clear(method->call, in);
    if (!done)
        return false;
    Begun *one = g_new0(Begun, 1);

    one->name = g_strdup(operand);
    one->operation = g_strdup(json_object_get_string_member_with_default(
        json_node_get_object(reply.parameters), "operation", ""));
    g_ptr_array_add(begun, one);
    return true;
}

/* Begins all, side by side on the service's side; those that cannot begin are told. */
static GPtrArray *
begin_all(Session *session, const Arguments *arguments)
{
    GPtrArray *begun = g_ptr_array_new_with_free_func((GDestroyNotify) begun_free);

    for (gsize i = 0; i < arguments->n_operands && !session->is_interrupted; i++) {
        g_autoptr(GError) error = NULL;

        if (!begin_one(session, arguments, arguments->operands[i], begun, &error))
            session_fail(session, arguments->operands[i], error);
    }
    return begun;
}

static bool
get_operation(Session *session, const char *id, JsonNode **ret_operation, GError **error)
{
    const ProtoOperationGetCall in = { .operation = (char *) (guintptr) id };
    g_auto(WireReply) reply = { 0 };

    if (!session_call(session, SERVICE_VMD, &proto_operation_get, &in, CALL_MS, &reply,
                      error))
        return false;
    *ret_operation = json_node_ref(
        json_object_get_member(json_node_get_object(reply.parameters), "operation"));
    return true;
}

static void
append_applied(GString *out, JsonObject *resize, const char *what, const char *guest)
{
    const char *applied =
        json_object_get_string_member_with_default(resize, what, "unchanged");
    JsonNode *seen = guest != NULL ? json_object_get_member(resize, guest) : NULL;

    if (strcmp(applied, "unchanged") == 0)
        return;
    g_string_append_printf(out, "\n  %-6s  %s", what,
                           strcmp(applied, "live") == 0 ? "changed live"
                                                        : "changes at the next start");
    if (seen == NULL || JSON_NODE_HOLDS_NULL(seen))
        return;
    g_string_append(out, "; the guest sees ");
    if (strcmp(what, "memory") == 0) {
        units_append_size(out, json_node_get_int(seen));
    } else {
        g_string_append_printf(out, "%" G_GINT64_FORMAT, json_node_get_int(seen));
    }
}

/* What a change of size came to. */
static void
append_resize(GString *out, JsonNode *operation)
{
    JsonNode *node = json_object_get_member(json_node_get_object(operation), "resize");
    JsonObject *resize = NULL;
    const char *note = NULL;

    if (node == NULL || !JSON_NODE_HOLDS_OBJECT(node))
        return;
    resize = json_node_get_object(node);
    append_applied(out, resize, "vcpus", "guest_vcpus");
    append_applied(out, resize, "memory", "guest_memory_bytes");
    append_applied(out, resize, "disk", NULL);
    note = json_object_get_string_member_with_default(resize, "note", NULL);
    if (note != NULL) {
        g_string_append(out, "\n  note    ");
        text_append_escaped(out, note);
    }
}

static void
print_line(const Begun *begun, const char *state, JsonNode *operation, gint64 ms)
{
    g_autoptr(GString) out = g_string_new(NULL);

    text_append_escaped(out, begun->name);
    if (strcmp(state, "none") == 0) {
        g_string_append_printf(out, ": operation %s", begun->operation);
    } else {
        g_string_append_printf(out, ": %s", state);
    }
    if (ms >= 0) {
        g_string_append(out, " (");
        units_append_duration(out, ms);
        g_string_append_c(out, ')');
    }
    append_resize(out, operation);
    g_string_append_c(out, '\n');
    session_write(out->str, out->len);
}

/* A cancel has done what was asked when its operation did not succeed. */
static GError *
find_failure(const Arguments *arguments, JsonNode *operation)
{
    GError *failure = follow_get_failure(operation);

    if (arguments->command->method != &proto_operation_cancel)
        return failure;
    if (failure == NULL) {
        proto_error_set_illegal_state(&failure, "succeeded",
                                      "It was past taking back, and has succeeded");
        return failure;
    }
    g_error_free(failure);
    return NULL;
}

static bool
finish_one(Follow *follow,
           const Arguments *arguments,
           const Begun *begun,
           JsonArray *operations,
           GError **error)
{
    const char *wait = arguments_get_wait(arguments);
    g_autoptr(JsonNode) operation = NULL;
    g_autoptr(JsonNode) instance = NULL;
    GError *failure = NULL;
    gint64 ms = -1;

    follow_set_label(follow, "%s", begun->name);
    if (strcmp(wait, "none") == 0) {
        if (!get_operation(follow->session, begun->operation, &operation, error))
            return false;
        json_array_add_element(operations, json_node_ref(operation));
    } else {
        if (!follow_operation(follow, begun->operation, &operation, error))
            return false;
        json_array_add_element(operations, json_node_ref(operation));
        failure = find_failure(arguments, operation);
        if (failure != NULL) {
            g_propagate_error(error, failure);
            return false;
        }
    }
    ms = follow_get_duration(operation);
    if (strcmp(wait, "ready") == 0) {
        if (!follow_instance(follow, begun->name, arguments_get_text(arguments, "tenant"),
                             UNTIL_READY, &instance, error))
            return false;
        ms = (g_get_monotonic_time() - follow->started) / 1000;
    }
    follow_clear_line(follow);
    if (follow->session->format <= FORMAT_WIDE)
        print_line(begun, wait, operation, ms);
    return true;
}

static void
finish_all(Session *session, const Arguments *arguments, GPtrArray *begun)
{
    g_autoptr(JsonNode) reply = json_node_new(JSON_NODE_OBJECT);
    JsonArray *operations = json_array_new();
    bool waits = strcmp(arguments_get_wait(arguments), "none") != 0;
    Follow follow;

    json_node_take_object(reply, json_object_new());
    json_object_set_array_member(json_node_get_object(reply), "operations", operations);
    follow_init(&follow, session, get_wait_ms(arguments));
    for (guint i = 0; i < begun->len && !session->is_interrupted; i++) {
        const Begun *one = g_ptr_array_index(begun, i);
        g_autoptr(GError) error = NULL;

        if (!finish_one(&follow, arguments, one, operations, &error) &&
            !session->is_interrupted) {
            follow_clear_line(&follow);
            session_fail(session, one->name, error);
        }
    }
    follow_done(&follow);
    if (session->format > FORMAT_WIDE)
        session_print(session, waits ? &view_changes : &view_operations, reply);
}

bool
run_change(Session *session, const Arguments *arguments, GError **error)
{
    g_autoptr(GPtrArray) begun = begin_all(session, arguments);

    finish_all(session, arguments, begun);
    return true;
}

static bool
is_confirmed(const Arguments *arguments)
{
    g_autofree char *names = g_strjoinv(", ", arguments->operands);
    g_autoptr(GString) shown = g_string_new(NULL);
    char answer[8] = "";

    text_append_escaped(shown, names);
    fprintf(stderr, "Destroy %s, with all disks, for good? [y/N] ", shown->str);
    return fgets(answer, sizeof answer, stdin) != NULL &&
           (answer[0] == 'y' || answer[0] == 'Y');
}

bool
run_destroy(Session *session, const Arguments *arguments, GError **error)
{
    if (!arguments_has(arguments, "yes")) {
        if (isatty(STDIN_FILENO) != 1) {
            proto_error_set_invalid_parameter(
                error, "--yes", "is missing",
                "There is no terminal to ask at: say --yes if you are sure");
            return false;
        }
        if (!is_confirmed(arguments)) {
            session_warn(session, "nothing was destroyed");
            session_fail_with(session, EXIT_FAILED);
            return true;
        }
    }
    return run_change(session, arguments, error);
}
