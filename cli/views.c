/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "views.h"

/* A list and its single row share their columns. */
#define VIEW(array, is_a_list, member_name, name, id)                                    \
    {                                                                                    \
        .member = member_name, .is_list = is_a_list, .columns = array,                   \
        .n_columns = G_N_ELEMENTS(array), .name_path = name, .id_path = id               \
    }

/* clang-format off */
static const Column instance_columns[] = {
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "READY", "ready", CELL_YES, COLUMN_NARROW },
    { "ADDRESS", "addresses", CELL_TEXT, COLUMN_NARROW },
    { "CPUS", "vcpus", CELL_TEXT, COLUMN_NARROW },
    { "MEMORY", "memory_bytes", CELL_SIZE, COLUMN_NARROW },
    { "DISK", "disk_bytes", CELL_SIZE, COLUMN_NARROW },
    { "TEMPLATE", "template", CELL_TEXT, COLUMN_NARROW },
    { "HOST", "host", CELL_TEXT, COLUMN_NARROW },
    { "AGE", "created_at", CELL_AGE, COLUMN_NARROW },
    { "ID", "id", CELL_TEXT, COLUMN_WIDE },
    { "TENANT", "tenant", CELL_TEXT, COLUMN_WIDE },
    { "GROUP", "group", CELL_TEXT, COLUMN_WIDE },
    { "REASON", "reason", CELL_TEXT, COLUMN_WIDE },
    { "DESIRED", "desired", CELL_TEXT, COLUMN_WIDE },
    { "OPERATION", "operation", CELL_TEXT, COLUMN_WIDE },
    { "NEXT-CPUS", "next.vcpus", CELL_TEXT, COLUMN_WIDE },
    { "NEXT-MEMORY", "next.memory_bytes", CELL_SIZE, COLUMN_WIDE },
    { "NEXT-DISK", "next.disk_bytes", CELL_SIZE, COLUMN_WIDE },
    { "AGENT", "agent", CELL_YES, COLUMN_WIDE },
    { "MAC", "mac", CELL_TEXT, COLUMN_WIDE },
    { "GENERATION", "generation", CELL_TEXT, COLUMN_WIDE },
    { "LABELS", "labels", CELL_TEXT, COLUMN_WIDE },
    { "CHANGED", "changed_at", CELL_AGE, COLUMN_WIDE },
    { "STARTED", "started_at", CELL_AGE, COLUMN_WIDE },
    { "POOL", "placement.pool", CELL_TEXT, COLUMN_WIDE },
    { "HOST-LABELS", "placement.host_labels", CELL_TEXT, COLUMN_WIDE },
    { "APART-FROM", "placement.anti_affinity", CELL_TEXT, COLUMN_WIDE },
    { "APART-BY", "placement.anti_affinity_by", CELL_TEXT, COLUMN_WIDE },
    { "APART-SOFT", "placement.anti_affinity_soft", CELL_YES, COLUMN_WIDE },
    { "SEEN", "seen_at", CELL_AGE, COLUMN_WIDE },
};

static const Column created_columns[] = {
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "ID", "id", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "READY", "ready", CELL_YES, COLUMN_NARROW },
    { "ADDRESS", "addresses", CELL_TEXT, COLUMN_NARROW },
    { "TIME", "total_ms", CELL_DURATION, COLUMN_NARROW },
    { "HOST", "host", CELL_TEXT, COLUMN_WIDE },
    { "TEMPLATE", "template", CELL_TEXT, COLUMN_WIDE },
    { "PHASES", "phases", CELL_PHASES, COLUMN_WIDE },
};

static const Column plan_columns[] = {
    { "HOST", "host", CELL_TEXT, COLUMN_NARROW },
    { "HOSTS", "hosts", CELL_TEXT, COLUMN_WIDE },
    { "TEMPLATE", "template", CELL_TEXT, COLUMN_NARROW },
    { "CPUS", "size.vcpus", CELL_TEXT, COLUMN_NARROW },
    { "MEMORY", "size.memory_bytes", CELL_SIZE, COLUMN_NARROW },
    { "DISK", "size.disk_bytes", CELL_SIZE, COLUMN_NARROW },
    { "HINDERED-BY", "refusals", CELL_TEXT, COLUMN_NARROW },
};

static const Column quote_columns[] = {
    { "PER-HOUR", "hour", CELL_TEXT, COLUMN_NARROW },
    { "CURRENCY", "currency", CELL_TEXT, COLUMN_NARROW },
};

static const Column quote_line_columns[] = {
    { "METER", "meter", CELL_TEXT, COLUMN_NARROW },
    { "QUANTITY", "quantity", CELL_TEXT, COLUMN_NARROW },
    { "UNIT", "unit", CELL_TEXT, COLUMN_NARROW },
    { "PRICE", "price", CELL_TEXT, COLUMN_NARROW },
    { "COST", "cost", CELL_TEXT, COLUMN_NARROW },
    { "SKU", "sku", CELL_TEXT, COLUMN_WIDE },
};

static const Column refusal_columns[] = {
    { "REFUSED-BY", "host", CELL_TEXT, COLUMN_NARROW },
    { "REASON", "reason", CELL_TEXT, COLUMN_NARROW },
};

static const Column begun_columns[] = {
    { "OPERATION", "id", CELL_TEXT, COLUMN_NARROW },
    { "INSTANCE", "target_name", CELL_TEXT, COLUMN_NARROW },
    { "ID", "target", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
};

static const Column quota_columns[] = {
    { "QUOTA", "resource", CELL_TEXT, COLUMN_NARROW },
    { "USED", "used", CELL_TEXT, COLUMN_NARROW },
    { "AFTER", "after", CELL_TEXT, COLUMN_NARROW },
    { "LIMIT", "limit", CELL_TEXT, COLUMN_NARROW },
};

static const Column member_columns[] = {
    { "KIND", "kind", CELL_TEXT, COLUMN_NARROW },
    { "ID", "id", CELL_TEXT, COLUMN_NARROW },
    { "ROLE", "role", CELL_TEXT, COLUMN_NARROW },
    { "AGE", "added_at", CELL_AGE, COLUMN_NARROW },
};

static const Column token_columns[] = {
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "ID", "id", CELL_TEXT, COLUMN_NARROW },
    { "ROLE", "role", CELL_TEXT, COLUMN_NARROW },
    { "EXPIRES", "expires_at", CELL_TEXT, COLUMN_NARROW },
    { "EXPIRED", "expired", CELL_YES, COLUMN_NARROW },
    { "AGE", "created_at", CELL_AGE, COLUMN_NARROW },
    { "TENANT", "tenant", CELL_TEXT, COLUMN_WIDE },
    { "UID", "uid", CELL_TEXT, COLUMN_WIDE },
};

static const Column token_secret_columns[] = {
    { "SECRET", "secret", CELL_TEXT, COLUMN_NARROW },
    { "ID", "token.id", CELL_TEXT, COLUMN_NARROW },
    { "TENANT", "token.tenant", CELL_TEXT, COLUMN_NARROW },
    { "ROLE", "token.role", CELL_TEXT, COLUMN_NARROW },
    { "EXPIRES", "token.expires_at", CELL_TEXT, COLUMN_NARROW },
};

static const Column quota_row_columns[] = {
    { "QUOTA", "resource", CELL_TEXT, COLUMN_NARROW },
    { "USED", "used", CELL_TEXT, COLUMN_NARROW },
    { "LIMIT", "limit", CELL_TEXT, COLUMN_NARROW },
    { "OWN", "own", CELL_YES, COLUMN_NARROW },
};

static const Column budget_columns[] = {
    { "TENANT", "tenant", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "SPENT", "spent", CELL_TEXT, COLUMN_NARROW },
    { "OF", "amount", CELL_TEXT, COLUMN_NARROW },
    { "CURRENCY", "currency", CELL_TEXT, COLUMN_NARROW },
    { "POLICY", "policy", CELL_TEXT, COLUMN_NARROW },
    { "PERIOD", "period", CELL_TEXT, COLUMN_NARROW },
    { "AGE", "as_of", CELL_AGE, COLUMN_NARROW },
    { "TROUBLE", "trouble", CELL_TEXT, COLUMN_NARROW },
};

static const Column budget_removed_columns[] = {
    { "TENANT", "tenant", CELL_TEXT, COLUMN_NARROW },
};

static const Column group_columns[] = {
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "WANTED", "wanted", CELL_TEXT, COLUMN_NARROW },
    { "UP", "up", CELL_TEXT, COLUMN_NARROW },
    { "MEMBERS", "members", CELL_TEXT, COLUMN_NARROW },
    { "MIN", "min", CELL_TEXT, COLUMN_NARROW },
    { "MAX", "max", CELL_TEXT, COLUMN_NARROW },
    { "TEMPLATE", "template", CELL_TEXT, COLUMN_NARROW },
    { "AGE", "created_at", CELL_AGE, COLUMN_NARROW },
    { "REASON", "reason", CELL_TEXT, COLUMN_NARROW },
    { "ID", "id", CELL_TEXT, COLUMN_WIDE },
    { "TENANT", "tenant", CELL_TEXT, COLUMN_WIDE },
    { "CPUS", "vcpus", CELL_TEXT, COLUMN_WIDE },
    { "MEMORY", "memory_bytes", CELL_SIZE, COLUMN_WIDE },
    { "DISK", "disk_bytes", CELL_SIZE, COLUMN_WIDE },
    { "LABELS", "labels", CELL_TEXT, COLUMN_WIDE },
    { "VICTIMS", "victims", CELL_TEXT, COLUMN_WIDE },
    { "SPREAD", "spread", CELL_TEXT, COLUMN_WIDE },
    { "POOL", "pool", CELL_TEXT, COLUMN_WIDE },
    { "HOST-LABELS", "host_labels", CELL_TEXT, COLUMN_WIDE },
    { "HEALTH", "health", CELL_TEXT, COLUMN_WIDE },
    { "GRACE", "health_grace_ms", CELL_DURATION, COLUMN_WIDE },
    { "INTERVAL", "health_interval_ms", CELL_DURATION, COLUMN_WIDE },
    { "TRACKS", "scaling.track", CELL_TEXT, COLUMN_WIDE },
    { "TARGET", "scaling.target", CELL_TEXT, COLUMN_WIDE },
    { "SCHEDULE", "scaling.schedule", CELL_TEXT, COLUMN_WIDE },
    { "DECISION", "decision", CELL_TEXT, COLUMN_WIDE },
    { "COMING", "coming", CELL_TEXT, COLUMN_WIDE },
    { "ASIDE", "aside", CELL_TEXT, COLUMN_WIDE },
    { "SICK", "sick", CELL_TEXT, COLUMN_WIDE },
    { "DEAD", "dead", CELL_TEXT, COLUMN_WIDE },
    { "LEAVING", "leaving", CELL_TEXT, COLUMN_WIDE },
    { "OUTDATED", "outdated", CELL_TEXT, COLUMN_WIDE },
    { "ROLLING", "rolling", CELL_YES, COLUMN_WIDE },
    { "HALTED", "halted", CELL_YES, COLUMN_WIDE },
    { "BATCH", "batch", CELL_TEXT, COLUMN_WIDE },
    { "MAX-UNAVAILABLE", "max_unavailable", CELL_TEXT, COLUMN_WIDE },
    { "PREVIOUS", "previous_template", CELL_TEXT, COLUMN_WIDE },
    { "FAILURES", "failures", CELL_TEXT, COLUMN_WIDE },
    { "FAILURE", "failure", CELL_TEXT, COLUMN_WIDE },
    { "OPEN-UNTIL", "open_until", CELL_TEXT, COLUMN_WIDE },
    { "OPERATION", "operation", CELL_TEXT, COLUMN_WIDE },
    { "CHANGED", "changed_at", CELL_AGE, COLUMN_WIDE },
};

static const Column group_member_columns[] = {
    { "MEMBER", "name", CELL_TEXT, COLUMN_NARROW },
    { "PHASE", "phase", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "READY", "ready", CELL_YES, COLUMN_NARROW },
    { "ADDRESS", "addresses", CELL_TEXT, COLUMN_NARROW },
    { "HOST", "host", CELL_TEXT, COLUMN_NARROW },
    { "AGE", "created_at", CELL_AGE, COLUMN_NARROW },
    { "REASON", "reason", CELL_TEXT, COLUMN_NARROW },
    { "SINCE", "since", CELL_AGE, COLUMN_WIDE },
    { "TEMPLATE", "template", CELL_TEXT, COLUMN_WIDE },
    { "ID", "instance", CELL_TEXT, COLUMN_WIDE },
};

static const Column group_plan_columns[] = {
    { "WANTED", "wanted", CELL_TEXT, COLUMN_NARROW },
    { "DECIDED", "decided", CELL_TEXT, COLUMN_NARROW },
    { "WHY", "why", CELL_TEXT, COLUMN_NARROW },
    { "MAKES", "makes", CELL_TEXT, COLUMN_NARROW },
    { "HELD-BACK", "held_back", CELL_TEXT, COLUMN_NARROW },
    { "REASON", "reason", CELL_TEXT, COLUMN_NARROW },
};

static const Column removal_columns[] = {
    { "REMOVES", "name", CELL_TEXT, COLUMN_NARROW },
    { "CAUSE", "cause", CELL_TEXT, COLUMN_NARROW },
};

static const Column step_columns[] = {
    { "ACTION", "action", CELL_TEXT, COLUMN_NARROW },
    { "KIND", "kind", CELL_TEXT, COLUMN_NARROW },
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "DETAIL", "detail", CELL_TEXT, COLUMN_NARROW },
};

static const Column template_columns[] = {
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "VERSION", "version", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "ARCH", "arch", CELL_TEXT, COLUMN_NARROW },
    { "CPUS", "default.vcpus", CELL_TEXT, COLUMN_NARROW },
    { "MEMORY", "default.memory_bytes", CELL_SIZE, COLUMN_NARROW },
    { "DISK", "default.disk_bytes", CELL_SIZE, COLUMN_NARROW },
    { "INSTANCES", "instances", CELL_TEXT, COLUMN_NARROW },
    { "AGE", "created_at", CELL_AGE, COLUMN_NARROW },
    { "DESCRIPTION", "description", CELL_TEXT, COLUMN_NARROW },
    { "ID", "id", CELL_TEXT, COLUMN_WIDE },
    { "USER", "login_user", CELL_TEXT, COLUMN_WIDE },
    { "LEAST-CPUS", "minimum.vcpus", CELL_TEXT, COLUMN_WIDE },
    { "LEAST-MEMORY", "minimum.memory_bytes", CELL_SIZE, COLUMN_WIDE },
    { "LEAST-DISK", "minimum.disk_bytes", CELL_SIZE, COLUMN_WIDE },
    { "SHA256", "sha256", CELL_TEXT, COLUMN_WIDE },
    { "HOSTS", "hosts", CELL_TEXT, COLUMN_WIDE },
};

static const Column host_columns[] = {
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "POOL", "pool", CELL_TEXT, COLUMN_NARROW },
    { "DRAINED", "drained", CELL_YES, COLUMN_NARROW },
    { "ACCEL", "accel", CELL_TEXT, COLUMN_NARROW },
    { "INSTANCES", "instances", CELL_TEXT, COLUMN_NARROW },
    { "USED-CPUS", "used_vcpus", CELL_TEXT, COLUMN_NARROW },
    { "OF-CPUS", "capacity_vcpus", CELL_TEXT, COLUMN_NARROW },
    { "USED-MEMORY", "used_memory_bytes", CELL_SIZE, COLUMN_NARROW },
    { "OF-MEMORY", "capacity_memory_bytes", CELL_SIZE, COLUMN_NARROW },
    { "USED-DISK", "used_disk_bytes", CELL_SIZE, COLUMN_NARROW },
    { "OF-DISK", "capacity_disk_bytes", CELL_SIZE, COLUMN_NARROW },
    { "SEEN", "seen_at", CELL_AGE, COLUMN_NARROW },
    { "REASON", "reason", CELL_TEXT, COLUMN_NARROW },
    { "LABELS", "labels", CELL_TEXT, COLUMN_WIDE },
    { "RESERVED-CPUS", "reserved_vcpus", CELL_TEXT, COLUMN_WIDE },
    { "RESERVED-MEMORY", "reserved_memory_bytes", CELL_SIZE, COLUMN_WIDE },
    { "RESERVED-DISK", "reserved_disk_bytes", CELL_SIZE, COLUMN_WIDE },
    { "CPUS", "vcpus", CELL_TEXT, COLUMN_WIDE },
    { "MEMORY", "memory_bytes", CELL_SIZE, COLUMN_WIDE },
    { "DISK", "disk_bytes", CELL_SIZE, COLUMN_WIDE },
    { "URI", "uri", CELL_TEXT, COLUMN_WIDE },
    { "ARCH", "arch", CELL_TEXT, COLUMN_WIDE },
    { "HYPERVISOR", "hypervisor", CELL_TEXT, COLUMN_WIDE },
    { "FOREIGN", "foreign", CELL_TEXT, COLUMN_WIDE },
};

static const Column tenant_columns[] = {
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "DISPLAY-NAME", "display_name", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "INSTANCES", "instances", CELL_TEXT, COLUMN_NARROW },
    { "WHEN-DISABLED", "when_disabled", CELL_TEXT, COLUMN_NARROW },
    { "AGE", "created_at", CELL_AGE, COLUMN_NARROW },
    { "REASON", "reason", CELL_TEXT, COLUMN_NARROW },
    { "UNBILLED", "unbilled", CELL_TEXT, COLUMN_WIDE },
    { "UID", "uid", CELL_TEXT, COLUMN_WIDE },
    { "LABELS", "labels", CELL_TEXT, COLUMN_WIDE },
    { "CHANGED", "changed_at", CELL_AGE, COLUMN_WIDE },
};

static const Column foreign_columns[] = {
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "ID", "id", CELL_TEXT, COLUMN_NARROW },
};

static const Column operation_columns[] = {
    { "ID", "id", CELL_TEXT, COLUMN_NARROW },
    { "KIND", "kind", CELL_TEXT, COLUMN_NARROW },
    { "TARGET", "target_name", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "STEP", "step", CELL_TEXT, COLUMN_NARROW },
    { "DONE", "steps_done", CELL_TEXT, COLUMN_NARROW },
    { "OF", "steps", CELL_TEXT, COLUMN_NARROW },
    { "AGE", "created_at", CELL_AGE, COLUMN_NARROW },
    { "FAILURE", "failure.message", CELL_TEXT, COLUMN_NARROW },
    { "TENANT", "tenant", CELL_TEXT, COLUMN_WIDE },
    { "UID", "uid", CELL_TEXT, COLUMN_WIDE },
    { "TARGET-ID", "target", CELL_TEXT, COLUMN_WIDE },
    { "UNDOING", "undoing", CELL_YES, COLUMN_WIDE },
    { "PHASES", "phases", CELL_PHASES, COLUMN_WIDE },
    { "CPUS", "resize.vcpus", CELL_TEXT, COLUMN_WIDE },
    { "MEMORY", "resize.memory", CELL_TEXT, COLUMN_WIDE },
    { "DISK", "resize.disk", CELL_TEXT, COLUMN_WIDE },
    { "REQUEST-ID", "request_id", CELL_TEXT, COLUMN_WIDE },
    { "ENDED", "ended_at", CELL_AGE, COLUMN_WIDE },
    { "DEADLINE", "deadline_at", CELL_TEXT, COLUMN_WIDE },
};

static const Column event_columns[] = {
    { "SEQ", "seq", CELL_TEXT, COLUMN_NARROW },
    { "AT", "at", CELL_TEXT, COLUMN_NARROW },
    { "KIND", "kind", CELL_TEXT, COLUMN_NARROW },
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "DETAIL", "detail", CELL_TEXT, COLUMN_NARROW },
    { "TENANT", "tenant", CELL_TEXT, COLUMN_WIDE },
    { "SUBJECT", "subject", CELL_TEXT, COLUMN_WIDE },
    { "UID", "uid", CELL_TEXT, COLUMN_WIDE },
};

static const Column fact_columns[] = {
    { "ROW", "row", CELL_TEXT, COLUMN_NARROW },
    { "KIND", "kind", CELL_TEXT, COLUMN_NARROW },
    { "FROM", "from", CELL_TEXT, COLUMN_NARROW },
    { "TO", "to", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "VCPUS", "vcpus", CELL_TEXT, COLUMN_NARROW },
    { "MEMORY", "memory_bytes", CELL_SIZE, COLUMN_NARROW },
    { "DISK", "disk_bytes", CELL_SIZE, COLUMN_NARROW },
    { "COUNTER", "counter", CELL_TEXT, COLUMN_NARROW },
    { "DEVICE", "device", CELL_TEXT, COLUMN_WIDE },
    { "QUANTITY", "quantity", CELL_TEXT, COLUMN_NARROW },
    { "ESTIMATED", "estimated", CELL_TEXT, COLUMN_NARROW },
    { "CAUSE", "cause", CELL_TEXT, COLUMN_WIDE },
    { "END-ROW", "end_row", CELL_TEXT, COLUMN_WIDE },
    { "END-CAUSE", "end_cause", CELL_TEXT, COLUMN_WIDE },
    { "FILLED-BY", "filled", CELL_TEXT, COLUMN_WIDE },
    { "HOST", "host", CELL_TEXT, COLUMN_WIDE },
};

static const Column fault_columns[] = {
    { "ROW", "row", CELL_TEXT, COLUMN_NARROW },
    { "RESOURCE", "resource", CELL_TEXT, COLUMN_NARROW },
    { "FAULT", "text", CELL_TEXT, COLUMN_NARROW },
};

static const Column usage_columns[] = {
    { "TENANT", "tenant", CELL_TEXT, COLUMN_NARROW },
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "CPUS", "vcpus", CELL_TEXT, COLUMN_NARROW },
    { "MEMORY", "memory_bytes", CELL_SIZE, COLUMN_NARROW },
    { "DISK", "disk_bytes", CELL_SIZE, COLUMN_NARROW },
    { "FROM", "from", CELL_TEXT, COLUMN_NARROW },
    { "TO", "to", CELL_TEXT, COLUMN_NARROW },
    { "HOURS", "running_hours", CELL_TEXT, COLUMN_NARROW },
    { "VCPU-HOURS", "vcpu_hours", CELL_TEXT, COLUMN_NARROW },
    { "MEMORY-GIB-HOURS", "memory_gib_hours", CELL_TEXT, COLUMN_NARROW },
    { "DISK-GIB-HOURS", "disk_gib_hours", CELL_TEXT, COLUMN_NARROW },
    { "INSTANCE", "instance", CELL_TEXT, COLUMN_WIDE },
};

static const Column total_columns[] = {
    { "TENANT", "tenant", CELL_TEXT, COLUMN_NARROW },
    { "INSTANCES", "instances", CELL_TEXT, COLUMN_NARROW },
    { "HOURS", "running_hours", CELL_TEXT, COLUMN_NARROW },
    { "VCPU-HOURS", "vcpu_hours", CELL_TEXT, COLUMN_NARROW },
    { "MEMORY-GIB-HOURS", "memory_gib_hours", CELL_TEXT, COLUMN_NARROW },
    { "DISK-GIB-HOURS", "disk_gib_hours", CELL_TEXT, COLUMN_NARROW },
};

static const Column finding_columns[] = {
    { "FINDING", "kind", CELL_TEXT, COLUMN_NARROW },
    { "OBJECT", "object", CELL_TEXT, COLUMN_NARROW },
    { "ID", "id", CELL_TEXT, COLUMN_NARROW },
    { "NAME", "name", CELL_TEXT, COLUMN_NARROW },
    { "HOST", "host", CELL_TEXT, COLUMN_NARROW },
    { "DETAIL", "detail", CELL_TEXT, COLUMN_NARROW },
};

static const Column collected_columns[] = {
    { "HOST", "host", CELL_TEXT, COLUMN_NARROW },
    { "OBJECT", "kind", CELL_TEXT, COLUMN_NARROW },
    { "ID", "id", CELL_TEXT, COLUMN_NARROW },
    { "REMOVED", "removed", CELL_YES, COLUMN_NARROW },
    { "REASON", "reason", CELL_TEXT, COLUMN_NARROW },
};

static const Column whoami_columns[] = {
    { "UID", "uid", CELL_TEXT, COLUMN_NARROW },
    { "TENANT", "tenant", CELL_TEXT, COLUMN_NARROW },
    { "ROLE", "role", CELL_TEXT, COLUMN_NARROW },
    { "TOKEN", "token", CELL_TEXT, COLUMN_NARROW },
};

static const Column version_columns[] = {
    { "PROGRAM", "program", CELL_TEXT, COLUMN_NARROW },
    { "VERSION", "version", CELL_TEXT, COLUMN_NARROW },
    { "UP", "uptime_ms", CELL_DURATION, COLUMN_NARROW },
    { "MEMORY", "resident_bytes", CELL_SIZE, COLUMN_WIDE },
    { "EVENTS", "seq", CELL_TEXT, COLUMN_WIDE },
    { "SERVICE", "service_id", CELL_TEXT, COLUMN_WIDE },
};

static const Column check_columns[] = {
    { "CHECK", "name", CELL_TEXT, COLUMN_NARROW },
    { "RESULT", "result", CELL_TEXT, COLUMN_NARROW },
    { "FOUND", "found", CELL_TEXT, COLUMN_NARROW },
    { "MEND", "mend", CELL_TEXT, COLUMN_NARROW },
};

static const Column period_columns[] = {
    { "PERIOD", "period", CELL_TEXT, COLUMN_NARROW },
    { "FROM", "from", CELL_TEXT, COLUMN_NARROW },
    { "TO", "to", CELL_TEXT, COLUMN_NARROW },
    { "STATE", "state", CELL_TEXT, COLUMN_NARROW },
    { "INVOICES", "invoices", CELL_TEXT, COLUMN_NARROW },
    { "ROW", "seq", CELL_TEXT, COLUMN_WIDE },
};

static const Column card_columns[] = {
    { "CARD", "card", CELL_TEXT, COLUMN_NARROW },
    { "VERSION", "version", CELL_TEXT, COLUMN_NARROW },
    { "CURRENCY", "currency", CELL_TEXT, COLUMN_NARROW },
    { "FROM", "from", CELL_TEXT, COLUMN_NARROW },
    { "LINES", "lines", CELL_TEXT, COLUMN_NARROW },
    { "HASH", "hash", CELL_TEXT, COLUMN_WIDE },
};

static const Column card_set_columns[] = {
    { "VERSION", "version", CELL_TEXT, COLUMN_NARROW },
    { "ROW", "seq", CELL_TEXT, COLUMN_NARROW },
};

static const Column assigned_columns[] = {
    { "ROW", "seq", CELL_TEXT, COLUMN_NARROW },
};

static const Column corrected_columns[] = {
    { "BEFORE", "before", CELL_TEXT, COLUMN_NARROW },
    { "AFTER", "after", CELL_TEXT, COLUMN_NARROW },
    { "CURRENCY", "currency", CELL_TEXT, COLUMN_NARROW },
    { "ROW", "seq", CELL_TEXT, COLUMN_NARROW },
};

static const Column recovered_columns[] = {
    { "ROW", "seq", CELL_TEXT, COLUMN_NARROW },
    { "BRANCH", "branch", CELL_TEXT, COLUMN_NARROW },
    { "LOST", "lost", CELL_TEXT, COLUMN_NARROW },
    { "HASH", "lost_hash", CELL_TEXT, COLUMN_WIDE },
    { "KEPT", "lost_file", CELL_TEXT, COLUMN_WIDE },
};

const View view_instances = VIEW(instance_columns, true, "instances", "name", "id");
const View view_instance = VIEW(instance_columns, false, "instance", "name", "id");
const View view_created = VIEW(created_columns, true, "instances", "name", "id");
const View view_begun = VIEW(begun_columns, true, "operations", "target_name", "id");
const View view_quota = VIEW(quota_columns, true, "quota", "resource", "resource");
const View view_quota_rows = VIEW(quota_row_columns, true, "quota", "resource", "resource");
const View view_budgets = VIEW(budget_columns, true, "budgets", "tenant", "tenant");
const View view_budget = VIEW(budget_columns, false, "budget", "tenant", "tenant");
const View view_budget_removed = VIEW(budget_removed_columns, false, NULL, "tenant", "tenant");
const View view_members = VIEW(member_columns, true, "members", "id", "id");
const View view_tokens = VIEW(token_columns, true, "tokens", "name", "id");
const View view_token = VIEW(token_columns, false, "token", "name", "id");
const View view_token_secret = VIEW(token_secret_columns, false, NULL, "token.name", "secret");
const View view_plan = VIEW(plan_columns, false, "plan", "host", "host");
const View view_quote = VIEW(quote_columns, false, NULL, "hour", "hour");
const View view_quote_lines = VIEW(quote_line_columns, true, "lines", "meter", "meter");
const View view_refusals = VIEW(refusal_columns, true, "host_refusals", "host", "host");
const View view_groups = VIEW(group_columns, true, "groups", "name", "id");
const View view_group = VIEW(group_columns, false, "group", "name", "id");
const View view_group_members = VIEW(group_member_columns, true, "members", "name", "instance");
const View view_group_plan = VIEW(group_plan_columns, false, NULL, "decided", "decided");
const View view_removals = VIEW(removal_columns, true, "removes", "name", "name");
const View view_steps = VIEW(step_columns, true, "steps", "name", "name");
const View view_templates = VIEW(template_columns, true, "templates", "name", "id");
const View view_template = VIEW(template_columns, false, "template", "name", "id");
const View view_hosts = VIEW(host_columns, true, "hosts", "name", "name");
const View view_host = VIEW(host_columns, false, "host", "name", "name");
const View view_tenants = VIEW(tenant_columns, true, "tenants", "name", "name");
const View view_tenant = VIEW(tenant_columns, false, "tenant", "name", "name");
const View view_foreign = VIEW(foreign_columns, true, "domains", "name", "id");
const View view_operations = VIEW(operation_columns, true, "operations", "target_name", "id");
const View view_operation = VIEW(operation_columns, false, "operation", "target_name", "id");
const View view_changes = VIEW(operation_columns, true, "operations", "target_name", "target");
const View view_events = VIEW(event_columns, true, "events", "name", "seq");
const View view_facts = VIEW(fact_columns, true, "facts", "row", "row");
const View view_faults = VIEW(fault_columns, true, "faults", "row", "row");
const View view_usage = VIEW(usage_columns, true, "lines", "name", "instance");
const View view_usage_totals = VIEW(total_columns, true, "totals", "tenant", "tenant");
const View view_periods = VIEW(period_columns, true, "periods", "period", "period");
const View view_period = VIEW(period_columns, false, "period", "period", "period");
const View view_cards = VIEW(card_columns, true, "cards", "card", "hash");
const View view_card_set = VIEW(card_set_columns, false, NULL, "version", "seq");
const View view_assigned = VIEW(assigned_columns, false, NULL, "seq", "seq");
const View view_corrected = VIEW(corrected_columns, false, NULL, "seq", "seq");
const View view_recovered = VIEW(recovered_columns, false, NULL, "seq", "seq");
const View view_findings = VIEW(finding_columns, true, "findings", "id", "id");
const View view_collected = VIEW(collected_columns, true, "collected", "id", "id");
const View view_whoami = VIEW(whoami_columns, false, NULL, "tenant", "uid");
const View view_version = VIEW(version_columns, true, "programs", "program", "version");
const View view_checks = VIEW(check_columns, true, "checks", "name", "name");
/* clang-format on */
