/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fleet.h"
#include "follow.h"
#include "input.h"
#include "pages.h"
#include "run.h"
#include "views.h"

enum {
    CALL_MS = 60000,
    WAIT_MS = 600000,
    PAGE_ROWS = 500,
    FILE_BYTES = 16777216
};

/** One page of what there is. */
typedef struct {
    ProtoGroupListReply groups;
    ProtoInstanceListReply instances;
} Page;

static void
page_free(gpointer data)
{
    Page *page = data;

    proto_group_list_reply_clear(&page->groups);
    proto_instance_list_reply_clear(&page->instances);
    g_free(page);
}

/* Reads a list page by page; out is where each page's reply stands in it. */
static bool
read_list(Session *session,
          const WireMethod *method,
          void *in,
          char **after,
          gsize reply_offset,
          char *const *(*get_next)(const Page *page),
          GPtrArray *pages,
          GError **error)
{
    for (;;) {
        g_auto(WireReply) reply = { 0 };
        Page *page = g_new0(Page, 1);
        const char *next = NULL;

        g_ptr_array_add(pages, page);
        if (!session_call(session, SERVICE_VMD, method, in, CALL_MS, &reply, error) ||
            !wire_struct_parse(method->reply, json_node_get_object(reply.parameters),
                               "reply", WIRE_PARSE_LENIENT, (char *) page + reply_offset,
                               error))
            return false;
        next = *get_next(page);
        if (next == NULL)
            return true;
        g_free(*after);
        *after = g_strdup(next);
    }
}

static char *const *
get_next_group(const Page *page)
{
    return &page->groups.next;
}

static char *const *
get_next_instance(const Page *page)
{
    return &page->instances.next;
}

static bool
read_present(Session *session, const char *tenant, GPtrArray *pages, GError **error)
{
    g_auto(ProtoGroupListCall)
        groups = { .tenant = g_strdup(tenant), .has_limit = true, .limit = PAGE_ROWS };
    g_auto(ProtoInstanceListCall)
        instances = { .tenant = g_strdup(tenant), .has_limit = true, .limit = PAGE_ROWS };

    return read_list(session, &proto_group_list, &groups, &groups.after,
                     offsetof(Page, groups), get_next_group, pages, error) &&
           read_list(session, &proto_instance_list, &instances, &instances.after,
                     offsetof(Page, instances), get_next_instance, pages, error);
}

/* All pages in one; their rows stay theirs. */
static FleetPresent
join_pages(const GPtrArray *pages, GArray *groups, GArray *instances)
{
    for (guint i = 0; i < pages->len; i++) {
        const Page *page = pages->pdata[i];

        g_array_append_vals(groups, page->groups.groups, (guint) page->groups.n_groups);
        g_array_append_vals(instances, page->instances.instances,
                            (guint) page->instances.n_instances);
    }
    return (FleetPresent){ (const ProtoGroup *) (gpointer) groups->data, groups->len,
                           (const ProtoInstance *) (gpointer) instances->data,
                           instances->len };
}

/* The tenant whose fleet it is: an admin without --tenant sees all, and means its own. */
static char *
find_tenant(Session *session, const Arguments *arguments, GError **error)
{
    const ProtoVmctlWhoAmICall in = { 0 };
    g_auto(WireReply) reply = { 0 };
    const char *asked = arguments_get_text(arguments, "tenant");

    if (asked != NULL)
        return g_strdup(asked);
    if (!session_call(session, SERVICE_VMD, &proto_vmctl_who_am_i, &in, CALL_MS, &reply,
                      error))
        return NULL;
    return g_strdup(json_object_get_string_member_with_default(
        json_node_get_object(reply.parameters), "tenant", ""));
}

static GPtrArray *
find_steps(Session *session,
           const Arguments *arguments,
           const Fleet *fleet,
           const char *tenant,
           GError **error)
{
    g_autoptr(GPtrArray) pages = g_ptr_array_new_with_free_func(page_free);
    g_autoptr(GArray) groups = g_array_new(FALSE, FALSE, sizeof(ProtoGroup));
    g_autoptr(GArray) instances = g_array_new(FALSE, FALSE, sizeof(ProtoInstance));
    FleetPresent present = { 0 };

    if (!read_present(session, tenant, pages, error))
        return NULL;
    present = join_pages(pages, groups, instances);
    return fleet_compare(fleet, &present, arguments_has(arguments, "prune"));
}

/* The diff */

static JsonNode *
show(const GPtrArray *steps)
{
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);
    JsonArray *rows = json_array_new();

    for (guint i = 0; i < steps->len; i++) {
        const FleetStep *step = steps->pdata[i];
        JsonObject *row = json_object_new();

        json_object_set_string_member(row, "action", step->action);
        json_object_set_string_member(row, "kind", step->kind);
        json_object_set_string_member(row, "name", step->name);
        json_object_set_string_member(row, "detail", step->detail);
        json_array_add_object_element(rows, row);
    }
    json_node_take_object(node, json_object_new());
    json_object_set_array_member(json_node_get_object(node), "steps", rows);
    return node;
}

static guint
count_refused(const GPtrArray *steps)
{
    guint count = 0;

    for (guint i = 0; i < steps->len; i++) {
        count += ((const FleetStep *) steps->pdata[i])->method == NULL ? 1 : 0;
    }
    return count;
}

/* Doing it */

/** A step whose operation is waited for. */
typedef struct {
    const FleetStep *step;
    char *operation;
} Begun;

static void
begun_free(gpointer data)
{
    Begun *begun = data;

    g_free(begun->operation);
    g_free(begun);
}

static char *
read_operation(JsonNode *parameters)
{
    JsonObject *object = json_node_get_object(parameters);
    JsonNode *node = json_object_get_member(object, "instances");

    if (node != NULL && JSON_NODE_HOLDS_ARRAY(node) &&
        json_array_get_length(json_node_get_array(node)) > 0)
        object = json_array_get_object_element(json_node_get_array(node), 0);
    return g_strdup(json_object_get_string_member_with_default(object, "operation", ""));
}

static void
set_text(const WireMethod *method, void *in, const char *field, const char *text)
{
    for (gsize i = 0; i < method->call->n_fields; i++) {
        char **place = (gpointer) ((char *) in + method->call->fields[i].offset);

        if (strcmp(method->call->fields[i].name, field) != 0)
            continue;
        g_free(*place);
        *place = g_strdup(text);
    }
}

static void
begin_step(Session *session, const FleetStep *step, const char *tenant, GPtrArray *begun)
{
    g_auto(WireReply) reply = { 0 };
    g_autoptr(GError) error = NULL;
    g_autofree char *request = g_uuid_string_random();
    const Begun *last = begun->len > 0 ? begun->pdata[begun->len - 1] : NULL;
    Begun *one = NULL;

    set_text(step->method, step->in, "request_id", request);
    set_text(step->method, step->in, "tenant", tenant);
    if (!session_call(session, SERVICE_VMD, step->method, step->in, CALL_MS, &reply,
                      &error)) {
        session_fail(session, step->name, error);
        return;
    }
    /* A second change of the same thing takes the place of the first. */
    if (last != NULL && strcmp(last->step->name, step->name) == 0 &&
        last->step->kind == step->kind)
        g_ptr_array_remove_index(begun, begun->len - 1);
    one = g_new0(Begun, 1);
    *one = (Begun){ step, read_operation(reply.parameters) };
    g_ptr_array_add(begun, one);
}

static void
wait_for_all(Session *session, const Arguments *arguments, const GPtrArray *begun)
{
    Follow follow;

    follow_init(&follow, session, arguments_get_number(arguments, "timeout", WAIT_MS));
    for (guint i = 0; i < begun->len && !session->is_interrupted; i++) {
        const Begun *one = begun->pdata[i];
        g_autoptr(JsonNode) operation = NULL;
        g_autoptr(GError) error = NULL;

        follow_set_label(&follow, "%u of %u", i + 1, begun->len);
        if (follow_operation(&follow, one->operation, &operation, &error))
            error = follow_get_failure(operation);
        if (error == NULL || session->is_interrupted)
            continue;
        follow_clear_line(&follow);
        session_fail(session, one->step->name, error);
    }
    follow_done(&follow);
}

static void
carry_out(Session *session,
          const Arguments *arguments,
          const GPtrArray *steps,
          const char *tenant)
{
    g_autoptr(GPtrArray) begun = g_ptr_array_new_with_free_func(begun_free);

    for (guint i = 0; i < steps->len && !session->is_interrupted; i++) {
        begin_step(session, steps->pdata[i], tenant, begun);
    }
    if (strcmp(arguments_get_wait(arguments), "none") != 0)
        wait_for_all(session, arguments, begun);
}

bool
run_apply(Session *session, const Arguments *arguments, GError **error)
{
    const char *path = arguments_get_text(arguments, "file");
    g_autofree char *text = input_read_file(path != NULL ? path : "-", FILE_BYTES, error);
    g_auto(Fleet) fleet = { 0 };
    g_autofree char *tenant = NULL;
    g_autoptr(GPtrArray) steps = NULL;
    g_autoptr(JsonNode) shown = NULL;
    guint n_refused = 0;

    if (text == NULL || !fleet_parse(text, &fleet, error))
        return false;
    tenant = find_tenant(session, arguments, error);
    if (tenant == NULL)
        return false;
    steps = find_steps(session, arguments, &fleet, tenant, error);
    if (steps == NULL)
        return false;
    shown = show(steps);
    if (steps->len > 0 || session->format > FORMAT_WIDE)
        session_print(session, &view_steps, shown);
    n_refused = count_refused(steps);
    if (n_refused > 0) {
        session_warn(session, "%u cannot be changed in place: nothing was done",
                     n_refused);
        session_fail_with(session, EXIT_FAILED);
    } else if (!arguments_has(arguments, "dry-run")) {
        carry_out(session, arguments, steps, tenant);
    }
    return true;
}
