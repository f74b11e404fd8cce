/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "session.h"

/**
 * Prints what vmd answered to a create that is only tried, asked by in: the host or what
 * hinders it, the price, and the quota.  A price that vmd-meter does not know is told on
 * stderr and is no failure; what cannot be made is one.
 */
bool plan_print(Session *session,
                const ProtoInstanceCreateCall *in,
                JsonNode *reply,
                GError **error);
