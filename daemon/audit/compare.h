/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "audit/history.h"
#include "instance/book.h"
#include "store/ledger-check.h"
#include "template/template.h"

/**
 * Compares the books with what the hosts hold, and with what the ledger leaves open.
 * What an operation is at work on is passed over: it is between two states.
 */

/** inventories: of inventories_ask().  Of a host that did not tell nothing is said. */
void
compare_instances(InstanceBook *book, const GPtrArray *inventories, GPtrArray *findings);
void compare_templates(TemplateBook *book,
                       OperationEngine *engine,
                       const GPtrArray *inventories,
                       GPtrArray *findings);
void compare_objects(InstanceBook *instances,
                     TemplateBook *templates,
                     const GPtrArray *inventories,
                     GPtrArray *findings);
void compare_ledger(InstanceBook *book, const LedgerCheck *ledger, GPtrArray *findings);

/** Whether what quotas are held against is all that there is. */
void compare_quota(InstanceBook *book, GPtrArray *findings);
