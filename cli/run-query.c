/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "build-config.h"
#include "pages.h"
#include "run.h"
#include "views.h"

enum {
    CALL_MS = 30000
};

static const char *
get_next(JsonNode *reply)
{
    JsonObject *object = json_node_get_object(reply);

    /* A member that is null has no string. */
    if (!json_object_has_member(object, "next") ||
        json_object_get_null_member(object, "next"))
        return NULL;
    return json_object_get_string_member_with_default(object, "next", NULL);
}

static JsonArray *
get_rows(JsonNode *reply, const char *member)
{
    JsonNode *node = json_object_get_member(json_node_get_object(reply), member);

    return node != NULL && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

static void
add_rows(JsonArray *rows, JsonNode *page, const char *member)
{
    JsonArray *more = get_rows(page, member);

    for (guint i = 0; more != NULL && i < json_array_get_length(more); i++)
        json_array_add_element(rows, json_node_ref(json_array_get_element(more, i)));
}

/* The pages as one reply.  Replies are sealed, so the whole is a new object. */
static JsonNode *
join_pages(GPtrArray *pages, const char *member)
{
    JsonNode *whole = json_node_new(JSON_NODE_OBJECT);
    JsonArray *rows = json_array_new();

    for (guint i = 0; i < pages->len; i++)
        add_rows(rows, g_ptr_array_index(pages, i), member);
    json_node_take_object(whole, json_object_new());
    json_object_set_array_member(json_node_get_object(whole), member, rows);
    return whole;
}

static bool
is_paged(const Arguments *arguments)
{
    return command_find_field(arguments->command, "after") != NULL &&
           !arguments_has(arguments, "limit");
}

static bool
read_pages(Session *session,
           const Command *command,
           bool all,
           void *in,
           GPtrArray *pages,
           GError **error)
{
    for (;;) {
        g_auto(WireReply) reply = { 0 };
        const char *next = NULL;

        if (!session_call(session, command->service, command->method, in, CALL_MS, &reply,
                          error))
            return false;
        g_ptr_array_add(pages, json_node_ref(reply.parameters));
        next = get_next(reply.parameters);
        if (!all || next == NULL)
            return true;
        if (!pages_set_after(command, in, next, error))
            return false;
    }
}

static bool
print_pages(Session *session, const Command *command, void *in, GError **error)
{
    Render render;
    g_autoptr(GString) out = g_string_new(NULL);
    bool done = false;

    render_init(&render, command->view, session->format, g_get_real_time());
    done = pages_render(session, command, in, CALL_MS, &render, error);
    if (done)
        render_flush(&render, out);
    render_done(&render);
    session_write(out->str, out->len);
    return done;
}

static bool
print_reply(Session *session, const Command *command, bool all, void *in, GError **error)
{
    g_autoptr(GPtrArray) pages =
        g_ptr_array_new_with_free_func((GDestroyNotify) json_node_unref);
    g_autoptr(JsonNode) whole = NULL;

    if (!read_pages(session, command, all, in, pages, error))
        return false;
    whole = all ? join_pages(pages, command->view->member)
                : json_node_ref(g_ptr_array_index(pages, 0));
    session_print(session, command->view, whole);
    return true;
}

bool
run_query(Session *session, const Arguments *arguments, GError **error)
{
    const Command *command = arguments->command;
    g_autofree gpointer in = g_malloc0(command->method->call->size);
    bool all = is_paged(arguments);
    bool done = arguments_fill(arguments, arguments->operands[0], in, error);

    if (done && all && session->format != FORMAT_JSON) {
        done = print_pages(session, command, in, error);
    } else if (done) {
        done = print_reply(session, command, all, in, error);
    }
    wire_struct_clear(command->method->call, in);
    return done;
}

bool
run_version(Session *session, const Arguments *arguments, GError **error)
{
    const ProtoVmctlGetInfoCall in = { 0 };
    g_autoptr(JsonNode) whole = json_node_new(JSON_NODE_OBJECT);
    JsonArray *programs = json_array_new();
    JsonObject *own = json_object_new();
    g_auto(WireReply) reply = { 0 };
    bool done = session_call(session, SERVICE_VMD, &proto_vmctl_get_info, &in, CALL_MS,
                             &reply, error);

    json_node_take_object(whole, json_object_new());
    json_object_set_array_member(json_node_get_object(whole), "programs", programs);
    json_object_set_string_member(own, "program", "vmctl");
    json_object_set_string_member(own, "version", VMCTL_VERSION);
    json_array_add_object_element(programs, own);
    if (done)
        json_array_add_element(programs, json_node_ref(reply.parameters));
    session_print(session, &view_version, whole);
    return done;
}
