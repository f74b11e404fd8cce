/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/view.h"
#include "wire/server.h"

/**
 * Answers a call of io.vmctl.Billing.ExportLedger from view, which it takes over: rows of
 * tenant whole, of others their leaf.  tenant NULL: all whole.  Who may see what was
 * decided before.  Ends call.
 */
void ledger_reply_start(WireCall *call, View *view, const char *tenant);
