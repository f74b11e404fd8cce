/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "audit/history.h"
#include "fleet/fleet.h"
#include "instance/book.h"
#include "store/store.h"
#include "template/template.h"

/**
 * Compares the books, the database, the record of what happened and what the hosts hold,
 * while all of them are in use.  A difference counts when it is seen in two looks: what
 * only one saw was on its way.
 */
typedef struct {
    Store *store;
    TemplateBook *templates;
    InstanceBook *instances;
    Fleet *fleet;
} AuditSources;

/** What an audit came to. */
typedef struct {
    /** ProtoFinding. */
    GPtrArray *findings;
    ProtoAudited audited;
    /** What the events tell of. */
    History *history;
} AuditReport;

/** report is borrowed during the call. */
typedef void (*AuditDone)(const AuditReport *report, gpointer data);

/** Starts an audit; done is told later, from the main loop. */
void audit_start(const AuditSources *sources, AuditDone done, gpointer data);
