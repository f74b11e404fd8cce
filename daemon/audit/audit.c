/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/audit.h"

#include "audit/compare.h"
#include "audit/findings.h"
#include "audit/inventory.h"

/*
 * How it works
 *
 * First the record is read, from the first event and row to the newest, and the
 * database's file checked.  Then each host is asked for its inventory and everything is
 * compared, in one turn of the main loop; if that found something, once more.
 */

enum {
    PAGE_ROWS = 2000
};

typedef struct {
    AuditSources sources;
    AuditDone done;
    gpointer data;
    AuditReport report;
    LedgerCheck *ledger;
    /** What is wrong with the record, and with the objects in the first look. */
    GPtrArray *of_record;
    GPtrArray *first_look;
    gint64 seq;
} Audit;

static void ask_hosts(Audit *audit);

static void
audit_end(Audit *audit)
{
    audit->done(&audit->report, audit->data);
    g_ptr_array_unref(audit->of_record);
    g_clear_pointer(&audit->first_look, g_ptr_array_unref);
    g_clear_pointer(&audit->report.findings, g_ptr_array_unref);
    history_free(audit->report.history);
    ledger_check_free(audit->ledger);
    g_free(audit);
}

/* Objects */

static void
count(Audit *audit, const GPtrArray *inventories)
{
    const AuditSources *sources = &audit->sources;
    const GPtrArray *hosts = fleet_get_hosts(sources->fleet);
    g_autoptr(GPtrArray) templates = template_list(sources->templates, NULL, G_MAXUINT);

    audit->report.audited = (ProtoAudited){
        .instances = g_hash_table_size(sources->instances->by_id),
        .templates = templates->len,
        .events = history_count_events(audit->report.history),
        .ledger_rows = ledger_check_count(audit->ledger),
    };
    for (guint i = 0; i < hosts->len; i++) {
        audit->report.audited.foreign += host_get_view(hosts->pdata[i])->foreign;
        audit->report.audited.objects +=
            ((const Inventory *) inventories->pdata[i])->objects->len;
    }
}

static GPtrArray *
compare(Audit *audit, const GPtrArray *inventories)
{
    const AuditSources *sources = &audit->sources;
    GPtrArray *findings = findings_new();

    compare_instances(sources->instances, inventories, findings);
    compare_templates(sources->templates, sources->instances->engine, inventories,
                      findings);
    compare_objects(sources->instances, sources->templates, inventories, findings);
    compare_ledger(sources->instances, audit->ledger, findings);
    compare_quota(sources->instances, findings);
    return findings;
}

static void
finish(Audit *audit, GPtrArray *look, const GPtrArray *inventories)
{
    count(audit, inventories);
    g_ptr_array_extend_and_steal(audit->of_record, g_ptr_array_ref(look));
    audit->report.findings = g_ptr_array_ref(audit->of_record);
    audit_end(audit);
}

static void
add_unchecked(const GPtrArray *inventories, GPtrArray *findings)
{
    for (guint i = 0; i < inventories->len; i++) {
        const Inventory *inventory = inventories->pdata[i];

        if (inventory->error != NULL)
            findings_add(findings, FINDING_KIND_UNCHECKED, NULL, NULL,
                         "the objects of host %s: %s", inventory->host,
                         inventory->error->message);
    }
}

static void
look(GPtrArray *owned, gpointer data)
{
    g_autoptr(GPtrArray) inventories = owned;
    Audit *audit = data;
    GPtrArray *findings = compare(audit, inventories);

    if (audit->first_look == NULL && findings->len > 0) {
        audit->first_look = findings;
        ask_hosts(audit);
        return;
    }
    if (audit->first_look != NULL)
        findings_keep_common(findings, audit->first_look);
    add_unchecked(inventories, findings);
    finish(audit, findings, inventories);
}

static void
ask_hosts(Audit *audit)
{
    inventories_ask(audit->sources.fleet, look, audit);
}

/* The record */

static void
on_checked(const char *const *faults, gsize n_faults, gpointer data)
{
    Audit *audit = data;

    for (gsize i = 0; i < n_faults; i++) {
        findings_add(audit->of_record, FINDING_KIND_DATABASE, NULL, NULL, "%s",
                     faults[i]);
    }
    ask_hosts(audit);
}

static void
on_fault(
    gint64 seq, const char *resource, const char *name, const char *text, gpointer data)
{
    Audit *audit = data;

    findings_add(audit->of_record, FINDING_KIND_LEDGER, resource, name,
                 "row %" G_GINT64_FORMAT ": %s", seq, text);
}

static void
take_page(Audit *audit, const LedgerPage *page)
{
    LedgerWalk walk = { 0 };
    gsize from = 0;
    ProtoLedgerRow row = { 0 };

    while (ledger_page_next(page, &walk, &row)) {
        ledger_check_take(audit->ledger, &row, page->rows->data + from, walk.at - from,
                          &g_array_index(page->hashes, ChainHash, walk.index - 1));
        from = walk.at;
        proto_ledger_row_clear(&row);
    }
    if (walk.index < page->hashes->len)
        findings_add(audit->of_record, FINDING_KIND_LEDGER, NULL, NULL,
                     "row %" G_GINT64_FORMAT " is damaged",
                     ledger_check_get_seq(audit->ledger) + 1);
}

static void
on_ledger(const LedgerPage *page, gpointer data)
{
    Audit *audit = data;

    take_page(audit, page);
    if (page->hashes->len > 0) {
        store_read_ledger(audit->sources.store, page->last_seq, PAGE_ROWS, on_ledger,
                          audit);
    } else {
        store_check(audit->sources.store, on_checked, audit);
    }
}

static void
on_events(const ProtoEvent *events, gsize n_events, gpointer data)
{
    Audit *audit = data;
    gint64 seq = 0;

    history_take_events(audit->report.history, events, n_events);
    seq = history_get_event_seq(audit->report.history);
    if (n_events == PAGE_ROWS) {
        store_read_events(audit->sources.store, seq, PAGE_ROWS, on_events, audit);
        return;
    }
    if (seq < audit->seq)
        findings_add(audit->of_record, FINDING_KIND_EVENTS, NULL, NULL,
                     "the newest event is %" G_GINT64_FORMAT ", it was %" G_GINT64_FORMAT,
                     seq, audit->seq);
    store_read_ledger(audit->sources.store, 0, PAGE_ROWS, on_ledger, audit);
}

void
audit_start(const AuditSources *sources, AuditDone done, gpointer data)
{
    Audit *audit = g_new0(Audit, 1);

    audit->sources = *sources;
    audit->done = done;
    audit->data = data;
    audit->of_record = findings_new();
    audit->report.history = history_new(audit->of_record);
    audit->ledger =
        ledger_check_new(store_get_service_id(sources->store), on_fault, audit);
    audit->seq = store_get_seq(sources->store);
    store_read_events(sources->store, 0, PAGE_ROWS, on_events, audit);
}
