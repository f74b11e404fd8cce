/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/audit.h"

#include "audit/collect.h"
#include "rpc/rpc.h"

/* A call that waits for its audit; its client may go before. */
typedef struct {
    Rpc *rpc;
    WireCall *call;
} Waiting;

static void
on_gone(WireCall *call, gpointer data)
{
    Waiting *waiting = data;

    waiting->call = NULL;
}

/* One at a time: it holds up the store.  NULL if one is under way; call has failed
 * then. */
static Waiting *
wait_for(WireCall *call)
{
    Rpc *rpc = rpc_of(call);
    Waiting *waiting = NULL;
    GError *error = NULL;

    if (rpc->is_auditing) {
        proto_error_set_busy(&error, "audit", "An audit is under way");
        wire_call_fail(call, error);
        return NULL;
    }
    rpc->is_auditing = true;
    waiting = g_new0(Waiting, 1);
    *waiting = (Waiting){ rpc, call };
    wire_call_park(call, on_gone, waiting);
    return waiting;
}

static AuditSources
get_sources(const Rpc *rpc)
{
    return (AuditSources){ rpc->store, rpc->templates, rpc->instances, rpc->fleet };
}

static void
answer(Waiting *waiting, const void *reply)
{
    waiting->rpc->is_auditing = false;
    if (waiting->call != NULL)
        wire_call_reply(waiting->call, reply);
    g_free(waiting);
}

static void
on_audited(const AuditReport *report, gpointer data)
{
    g_autofree ProtoFinding *rows = g_new0(ProtoFinding, report->findings->len);
    ProtoAuditRunReply reply = { rows, MIN(report->findings->len, WIRE_PAGE_ROWS),
                                 report->audited };

    for (gsize i = 0; i < reply.n_findings; i++) {
        rows[i] = *(const ProtoFinding *) report->findings->pdata[i];
    }
    answer(data, &reply);
}

static void
run(WireCall *call, const ProtoAuditRunCall *in)
{
    const AuditSources sources = get_sources(rpc_of(call));
    Waiting *waiting = wait_for(call);

    if (waiting != NULL)
        audit_start(&sources, on_audited, waiting);
}

static void
on_collected(const ProtoCollected *collected, gsize n_collected, gpointer data)
{
    const ProtoAuditCollectReply reply = {
        .collected = (ProtoCollected *) (gsize) collected,
        .n_collected = MIN(n_collected, WIRE_PAGE_ROWS),
    };

    answer(data, &reply);
}

static void
collect(WireCall *call, const ProtoAuditCollectCall *in)
{
    const AuditSources sources = get_sources(rpc_of(call));
    bool dry_run = in->dry_run;
    Waiting *waiting = wait_for(call);

    if (waiting != NULL)
        collect_start(&sources, dry_run, on_collected, waiting);
}

const ProtoAuditHandlers rpc_audit_handlers = {
    .run = run,
    .collect = collect,
};
