/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "host/connection.h"

/**
 * A talk with a guest's agent, which may lie, or answer as slowly as it likes: it has one
 * deadline, and is over at the first command that is not answered in time.  Threads of
 * jobs only.
 */
typedef struct {
    /** NULL: there is none. */
    virDomainPtr domain;
    /** What one command may take; nearly twice of that with the greeting before it. */
    int seconds;
    gint64 until_us;
    /** It was cut short. */
    bool is_over;
} AgentTalk;

/** Over a connection that only guests are asked over; it is over at once if that cannot
 * be opened. */
AgentTalk agent_talk_begin(Connection *for_guests,
                           const char *id,
                           int command_seconds,
                           int seconds);
void agent_talk_clear(AgentTalk *talk);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AgentTalk, agent_talk_clear)

/** Notes whether the time is over. */
bool agent_talk_is_over(AgentTalk *talk);

/** What a command returns; NULL if it fails, or the talk is over. */
JsonNode *agent_talk_ask(AgentTalk *talk, const char *command);
