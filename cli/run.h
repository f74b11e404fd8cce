/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "arguments.h"
#include "session.h"

/**
 * What a command's row may do.  Each prints its result, or fails with an error that main
 * prints.  A result in part (some of several failed) is told on stderr at once and kept
 * by session_fail().
 */

/** One call; a list is read page by page. */
bool run_query(Session *session, const Arguments *arguments, GError **error);

/** The call once for each operand, then waits for the operations. */
bool run_change(Session *session, const Arguments *arguments, GError **error);

/** run_change, after it has asked. */
bool run_destroy(Session *session, const Arguments *arguments, GError **error);

/** run_query of a group, with its members. */
bool run_group_show(Session *session, const Arguments *arguments, GError **error);

/** run_query of what a group would do, with whom it would remove. */
bool run_group_plan(Session *session, const Arguments *arguments, GError **error);

/** run_query of a price, with what it is made of. */
bool run_rate_quote(Session *session, const Arguments *arguments, GError **error);

/** One call that has done all when it is answered. */
bool run_set(Session *session, const Arguments *arguments, GError **error);

/** Brings groups and instances to what a file says. */
bool run_apply(Session *session, const Arguments *arguments, GError **error);

bool run_create(Session *session, const Arguments *arguments, GError **error);
bool run_member_add(Session *session, const Arguments *arguments, GError **error);
bool run_member_remove(Session *session, const Arguments *arguments, GError **error);
bool run_token_create(Session *session, const Arguments *arguments, GError **error);
bool run_wait(Session *session, const Arguments *arguments, GError **error);
bool run_log(Session *session, const Arguments *arguments, GError **error);
bool run_watch(Session *session, const Arguments *arguments, GError **error);
bool run_events(Session *session, const Arguments *arguments, GError **error);
bool run_usage(Session *session, const Arguments *arguments, GError **error);
bool run_rate_set(Session *session, const Arguments *arguments, GError **error);
bool run_rate_show(Session *session, const Arguments *arguments, GError **error);
bool run_report(Session *session, const Arguments *arguments, GError **error);
bool run_preview(Session *session, const Arguments *arguments, GError **error);

/** run_query, and which file has what is lost. */
bool run_recover(Session *session, const Arguments *arguments, GError **error);

/** The ledger as lines of JSON, the first of which says which one it is. */
bool run_ledger_export(Session *session, const Arguments *arguments, GError **error);

/** What lies behind the figures of a resource. */
bool run_explain(Session *session, const Arguments *arguments, GError **error);

/** What is wrong, as it is found; EXIT_FAILED if anything is. */
bool run_verify(Session *session, const Arguments *arguments, GError **error);

bool run_version(Session *session, const Arguments *arguments, GError **error);
bool run_operation_wait(Session *session, const Arguments *arguments, GError **error);
bool run_audit(Session *session, const Arguments *arguments, GError **error);
bool run_doctor(Session *session, const Arguments *arguments, GError **error);
bool run_help(Session *session, const Arguments *arguments, GError **error);
bool run_completion(Session *session, const Arguments *arguments, GError **error);
