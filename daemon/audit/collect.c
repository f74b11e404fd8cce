/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/collect.h"

enum {
    REMOVE_TIMEOUT_MS = 60000
};

typedef struct {
    AuditSources sources;
    bool dry_run;
    CollectDone done;
    gpointer data;
    /** ProtoCollected. */
    GArray *rows;
    /** The row whose removal is under way, or the next one. */
    guint at;
} Collect;

static void remove_next(Collect *collect);

static ProtoCollected *
get_row(Collect *collect, guint index)
{
    return &g_array_index(collect->rows, ProtoCollected, index);
}

static void
on_removed(const void *out, bool continues, const GError *error, gpointer data)
{
    Collect *collect = data;
    ProtoCollected *row = get_row(collect, collect->at++);

    row->removed = error == NULL;
    row->reason = error != NULL ? g_strdup(error->message) : NULL;
    remove_next(collect);
}

static void
remove_one(Collect *collect, const ProtoCollected *row)
{
    const ProtoWorkerRemoveCall one = { row->id };
    const ProtoWorkerRemoveTemplateCall template = { row->id };

    if (row->kind == HELD_KIND_TEMPLATE) {
        fleet_call(collect->sources.fleet, row->host, HOST_LANE_GENERAL,
                   &proto_worker_remove_template, &template, REMOVE_TIMEOUT_MS,
                   on_removed, collect);
    } else {
        fleet_call(collect->sources.fleet, row->host, HOST_LANE_GENERAL,
                   &proto_worker_remove, &one, REMOVE_TIMEOUT_MS, on_removed, collect);
    }
}

static void
remove_next(Collect *collect)
{
    while (collect->at < collect->rows->len &&
           (collect->dry_run || get_row(collect, collect->at)->reason != NULL)) {
        collect->at++;
    }
    if (collect->at < collect->rows->len) {
        remove_one(collect, get_row(collect, collect->at));
        return;
    }
    collect->done((const ProtoCollected *) (gpointer) collect->rows->data,
                  collect->rows->len, collect->data);
    g_array_unref(collect->rows);
    g_free(collect);
}

/* Why an unowned object has to stay; NULL if it may go. */
static const char *
get_hindrance(const AuditSources *sources,
              const ProtoFinding *finding,
              const History *history)
{
    if (finding->object == HELD_KIND_OTHER)
        return "its name is not one of ours";
    if (!history_knows(history, finding->id))
        return "no event of this installation tells of it: it may be another's, or of "
               "before a restore (see vmd --rebuild)";
    if (instance_get(sources->instances, finding->id) != NULL)
        return "its instance is on another host: look at both, and remove it by hand";
    return NULL;
}

static void
on_audited(const AuditReport *report, gpointer data)
{
    Collect *collect = data;

    for (guint i = 0; i < report->findings->len; i++) {
        const ProtoFinding *finding = report->findings->pdata[i];
        ProtoCollected row = { 0 };

        if (finding->kind != FINDING_KIND_UNOWNED)
            continue;
        row.kind = finding->object;
        row.id = g_strdup(finding->id);
        row.host = g_strdup(finding->host);
        row.reason = g_strdup(get_hindrance(&collect->sources, finding, report->history));
        g_array_append_val(collect->rows, row);
    }
    remove_next(collect);
}

void
collect_start(const AuditSources *sources, bool dry_run, CollectDone done, gpointer data)
{
    Collect *collect = g_new0(Collect, 1);

    collect->sources = *sources;
    collect->dry_run = dry_run;
    collect->done = done;
    collect->data = data;
    collect->rows = g_array_new(FALSE, TRUE, sizeof(ProtoCollected));
    g_array_set_clear_func(collect->rows, (GDestroyNotify) proto_collected_clear);
    audit_start(sources, on_audited, collect);
}
