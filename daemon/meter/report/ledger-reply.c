/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/ledger-reply.h"

#include "meter/report/ledger-rows.h"
#include "meter/report/stream.h"

static bool
step(WireCall *call, gpointer data)
{
    LedgerRows *self = data;
    const ViewHead *head = view_get_head(self->view);
    ProtoBillingExportLedgerReply reply = {
        .service_id = (char *) (gsize) head->service_id,
        .tenant = self->tenant,
        .seq = head->seq,
        .hash = self->head_hash,
    };
    GError *error = NULL;

    if (!ledger_rows_read_on(self, &error)) {
        wire_call_fail(call, error);
        return false;
    }
    reply.rows = (ProtoLedgerProof *) (gpointer) self->proofs->data;
    reply.n_rows = self->proofs->len;
    if (self->seq < head->seq && self->proofs->len > 0 && wire_call_wants_more(call)) {
        wire_call_continue(call, &reply);
        return true;
    }
    wire_call_reply(call, &reply);
    return false;
}

void
ledger_reply_start(WireCall *call, View *view, const char *tenant)
{
    stream_start(call, step, ledger_rows_new(view, tenant), ledger_rows_free);
}
