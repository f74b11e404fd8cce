/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/report/text-reply.h"
#include "meter/view.h"
#include "wire/server.h"

/**
 * Answers a call of io.vmctl.Billing.ExportLedger from view, which it takes over: rows of
 * tenant whole, of others their leaf.  tenant NULL: all whole.  Who may see what was
 * decided before.  Ends call.
 */
void ledger_reply_start(WireCall *call, View *view, const char *tenant);

/** The same as lines of JSON, the first of which says which ledger it is, as "vmctl
 * ledger export" prints them. */
TextSource ledger_text_new(View *view, const char *tenant);
