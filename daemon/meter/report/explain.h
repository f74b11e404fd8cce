/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/view.h"
#include "wire/server.h"

/**
 * Answers a call of io.vmctl.Billing.Explain from view, which it takes over: what the
 * ledger says of a resource in window.  Who may see what was decided before; shows_hosts:
 * whether the caller may see where it ran.  Ends call.
 */
void explain_start(
    WireCall *call, View *view, gint64 resource, const Window *window, bool shows_hosts);
