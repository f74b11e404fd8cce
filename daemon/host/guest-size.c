/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/guest-size.h"

/*
 * libvirt would do the same for CPUs (VIR_DOMAIN_VCPU_GUEST), but asks a guest that
 * changes one after the other as often as it has some: nothing bounds that.
 */

/* The members of a list that a command returns; NULL if it is none. */
static JsonNode *
ask_list(AgentTalk *talk, const char *command)
{
    g_autoptr(JsonNode) list = agent_talk_ask(talk, command);

    return list != NULL && JSON_NODE_HOLDS_ARRAY(list) ? g_steal_pointer(&list) : NULL;
}

/* NULL if it is no object. */
static JsonObject *
get_object(JsonArray *list, guint index)
{
    JsonNode *node = json_array_get_element(list, index);

    return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static bool
get_flag(JsonObject *object, const char *name)
{
    return json_object_get_boolean_member_with_default(object, name, FALSE);
}

static gint64
count_online(JsonArray *list)
{
    gint64 online = 0;

    for (guint i = 0; i < json_array_get_length(list); i++) {
        JsonObject *object = get_object(list, i);

        online += object != NULL && get_flag(object, "online") ? 1 : 0;
    }
    return online;
}

/* CPUs */

static JsonNode *
ask_vcpus(AgentTalk *talk)
{
    return ask_list(talk, "{\"execute\":\"guest-get-vcpus\"}");
}

gint64
guest_size_count_vcpus(AgentTalk *talk)
{
    g_autoptr(JsonNode) list = ask_vcpus(talk);

    return list != NULL ? count_online(json_node_get_array(list)) : 0;
}

static gint
compare(gconstpointer a, gconstpointer b)
{
    return (*(const gint64 *) a > *(const gint64 *) b) -
           (*(const gint64 *) a < *(const gint64 *) b);
}

/* The numbers of those that can be changed, in order; the list is in none. */
static GArray *
find_others(JsonArray *list, bool online)
{
    GArray *numbers = g_array_new(FALSE, FALSE, sizeof(gint64));

    for (guint i = 0; i < json_array_get_length(list); i++) {
        JsonObject *cpu = get_object(list, i);
        gint64 number =
            cpu != NULL ? json_object_get_int_member_with_default(cpu, "logical-id", -1)
                        : -1;

        /* Kernels do not do well without the first. */
        if (number > 0 && get_flag(cpu, "can-offline") &&
            get_flag(cpu, "online") != online)
            g_array_append_val(numbers, number);
    }
    g_array_sort(numbers, compare);
    return numbers;
}

static void
add_change(JsonBuilder *changes, gint64 number, bool online)
{
    json_builder_begin_object(changes);
    json_builder_set_member_name(changes, "logical-id");
    json_builder_add_int_value(changes, number);
    json_builder_set_member_name(changes, "online");
    json_builder_add_boolean_value(changes, online);
    json_builder_end_object(changes);
}

/* Changes the first that are offline, or the last that are not. */
static char *
print_change(const GArray *numbers, guint wanted, bool online)
{
    g_autoptr(JsonBuilder) command = json_builder_new();
    g_autoptr(JsonNode) root = NULL;

    json_builder_begin_object(command);
    json_builder_set_member_name(command, "execute");
    json_builder_add_string_value(command, "guest-set-vcpus");
    json_builder_set_member_name(command, "arguments");
    json_builder_begin_object(command);
    json_builder_set_member_name(command, "vcpus");
    json_builder_begin_array(command);
    for (guint i = 0; i < wanted; i++) {
        guint index = online ? i : numbers->len - 1 - i;

        add_change(command, g_array_index(numbers, gint64, index), online);
    }
    json_builder_end_array(command);
    json_builder_end_object(command);
    json_builder_end_object(command);
    root = json_builder_get_root(command);
    return json_to_string(root, FALSE);
}

bool
guest_size_adjust_vcpus(AgentTalk *talk, gint64 vcpus)
{
    g_autoptr(JsonNode) list = ask_vcpus(talk);
    g_autoptr(GArray) numbers = NULL;
    g_autofree char *command = NULL;
    JsonNode *answer = NULL;
    gint64 more = 0;

    if (list == NULL)
        return false;
    more = vcpus - count_online(json_node_get_array(list));
    if (more == 0)
        return true;
    numbers = find_others(json_node_get_array(list), more > 0);
    if (ABS(more) > numbers->len)
        return false;
    command = print_change(numbers, (guint) ABS(more), more > 0);
    answer = agent_talk_ask(talk, command);
    g_clear_pointer(&answer, json_node_unref);
    return false;
}

/* Memory, block by block. */
gint64
guest_size_count_memory(AgentTalk *talk)
{
    g_autoptr(JsonNode) info =
        agent_talk_ask(talk, "{\"execute\":\"guest-get-memory-block-info\"}");
    g_autoptr(JsonNode) blocks = NULL;
    gint64 online = 0;
    gint64 size = 0;

    if (info == NULL || !JSON_NODE_HOLDS_OBJECT(info))
        return 0;
    blocks = ask_list(talk, "{\"execute\":\"guest-get-memory-blocks\"}");
    if (blocks == NULL)
        return 0;
    online = count_online(json_node_get_array(blocks));
    size = json_object_get_int_member_with_default(json_node_get_object(info), "size", 0);
    return online > 0 && size > 0 && size <= G_MAXINT64 / online ? online * size : 0;
}
