/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/agent.h"

/** What a guest says of its size, and is asked to do about it; all of it may be lies. */

/** The CPUs that it uses; 0 if it does not say. */
gint64 guest_size_count_vcpus(AgentTalk *talk);

/** Whether it uses this many CPUs; if it does not, it is told to. */
bool guest_size_adjust_vcpus(AgentTalk *talk, gint64 vcpus);

/** The memory that it has taken into use; 0 if it does not say. */
gint64 guest_size_count_memory(AgentTalk *talk);
