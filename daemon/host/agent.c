/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/agent.h"

#include <libvirt/libvirt-qemu.h>

AgentTalk
agent_talk_begin(Connection *for_guests, const char *id, int command_seconds, int seconds)
{
    g_autoptr(virConnect) libvirt = connection_open(for_guests, NULL);
    AgentTalk talk = {
        .domain = libvirt != NULL ? virDomainLookupByUUIDString(libvirt, id) : NULL,
        .seconds = command_seconds,
        .until_us = g_get_monotonic_time() + (gint64) seconds * G_TIME_SPAN_SECOND,
    };

    talk.is_over = talk.domain == NULL;
    /* libvirt greets the agent before each command. */
    if (talk.domain != NULL)
        virDomainAgentSetResponseTimeout(talk.domain, command_seconds, 0);
    return talk;
}

void
agent_talk_clear(AgentTalk *talk)
{
    g_clear_pointer(&talk->domain, virDomainFree);
}

bool
agent_talk_is_over(AgentTalk *talk)
{
    if (g_get_monotonic_time() >= talk->until_us)
        talk->is_over = true;
    return talk->is_over;
}

static JsonNode *
get_return(const char *text)
{
    g_autoptr(JsonNode) answer = json_from_string(text, NULL);
    JsonNode *returned = NULL;

    if (answer == NULL || !JSON_NODE_HOLDS_OBJECT(answer))
        return NULL;
    returned = json_object_get_member(json_node_get_object(answer), "return");
    return returned != NULL ? json_node_copy(returned) : NULL;
}

JsonNode *
agent_talk_ask(AgentTalk *talk, const char *command)
{
    gint64 begun_us = g_get_monotonic_time();
    g_autofree char *text = NULL;

    if (agent_talk_is_over(talk))
        return NULL;
    text = virDomainQemuAgentCommand(talk->domain, command, talk->seconds, 0);
    if (text != NULL)
        return get_return(text);
    /* What failed at once was answered, or has nobody to answer it. */
    if (g_get_monotonic_time() - begun_us >= (gint64) talk->seconds * G_TIME_SPAN_SECOND)
        talk->is_over = true;
    return NULL;
}
