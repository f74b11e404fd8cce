/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "command.h"

/** What the replies look like as tables: a column is a row in views.c. */
extern const View view_instances;
extern const View view_instance;
extern const View view_created;
/** Instances that nobody waits for. */
extern const View view_begun;
extern const View view_plan;
extern const View view_refusals;
/** The quota of a plan. */
extern const View view_quota;
extern const View view_quote;
extern const View view_quote_lines;
extern const View view_quota_rows;
extern const View view_budgets;
extern const View view_budget;
extern const View view_budget_removed;
extern const View view_members;
extern const View view_tokens;
extern const View view_token;
extern const View view_token_secret;
extern const View view_groups;
extern const View view_group;
extern const View view_group_members;
/** What a group would do, and whom it would remove. */
extern const View view_group_plan;
extern const View view_removals;
/** What `vmctl apply` does. */
extern const View view_steps;
extern const View view_templates;
extern const View view_template;
extern const View view_hosts;
extern const View view_host;
extern const View view_tenants;
extern const View view_tenant;
extern const View view_foreign;
extern const View view_operations;
extern const View view_operation;
/** Operations that were waited for: what counts is what they worked on. */
extern const View view_changes;
extern const View view_events;
extern const View view_usage;
extern const View view_facts;
extern const View view_faults;
extern const View view_usage_totals;
extern const View view_periods;
extern const View view_period;
extern const View view_cards;
extern const View view_card_set;
extern const View view_assigned;
extern const View view_corrected;
extern const View view_recovered;
extern const View view_findings;
extern const View view_collected;
extern const View view_whoami;
extern const View view_version;
extern const View view_checks;
