/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/view.h"
#include "wire/server.h"

/**
 * Answers a call of io.vmctl.Billing.Usage from view, which it takes over.  Who may see
 * what was decided before.  A call for more gets batches as fast as its client takes
 * them, and the totals with the last; any other gets all in one reply or
 * PROTO_ERROR_TOO_LARGE.  Memory does not grow with the answer.  Ends call.  tenant NULL:
 * every tenant.
 */
void
usage_reply_start(WireCall *call, View *view, const char *tenant, const Window *window);
