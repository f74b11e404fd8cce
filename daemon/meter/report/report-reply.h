/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/money/biller.h"
#include "meter/report/format.h"
#include "wire/server.h"

/** What a report is asked for with. */
typedef struct {
    const ReportFormat *format;
    /** What it has borrowed outlives the call. */
    FocusOptions focus;
    guint groups;
    /** NULL: no label. */
    char *label;
    /** The days that it is of. */
    Window window;
    /** NULL, or what is put in the place of the books' cards; owned. */
    Card *instead;
} ReportWish;

/**
 * Answers a call of io.vmctl.Billing.Report with what biller bills, which it takes over
 * with the contents of wish, a tenant at a time, see text_reply_start().  Who may see
 * what was decided before.  No more is held than the lines of a tenant.  Ends call.
 */
void report_reply_start(WireCall *call, Biller *biller, const ReportWish *wish);
