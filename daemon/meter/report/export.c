/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/export.h"

#include <string.h>

#include "meter/report/turns.h"
#include "proto.h"
#include "store/chain.h"
#include "wire/pack.h"

typedef struct {
    View *view;
    char *tenant;
    char *head_hash;
    /** Of the last row that was sent. */
    gint64 seq;
    ChainHash hash;
    GByteArray *rows;
    GArray *proofs;
} Export;

static void
export_free(gpointer data)
{
    Export *export = data;

    view_free(export->view);
    g_free(export->tenant);
    g_free(export->head_hash);
    g_byte_array_unref(export->rows);
    g_array_unref(export->proofs);
    g_free(export);
}

/* What is of nobody, the clock and forks, is everybody's; entries of the books that are
 * of nobody are the operator's. */
static bool
is_whole(Export *export, const ProtoLedgerRow *row, bool *ret_whole, GError **error)
{
    const char *owner = row->tenant;

    *ret_whole = true;
    if (export->tenant == NULL)
        return true;
    if (row->has_segment && row->kind != LEDGER_KIND_OPENED) {
        owner = view_find_owner(export->view, row->segment, error);
        if (owner == NULL)
            return false;
    }
    *ret_whole = owner != NULL ? strcmp(owner, export->tenant) == 0
                               : row->kind != LEDGER_KIND_NOTED;
    return true;
}

static bool
add_proof(
    Export *export, const guint8 *packed, gsize length, gsize *ret_used, GError **error)
{
    g_auto(ProtoLedgerRow) row = { 0 };
    ProtoLedgerProof proof = { 0 };
    ChainHash leaf;
    bool whole = false;

    if (!wire_struct_unpack(&proto_ledger_row_type, packed, length, ret_used, &row,
                            error) ||
        !is_whole(export, &row, &whole, error))
        return false;
    leaf = chain_leaf(packed, *ret_used);
    export->hash = chain_next(&export->hash, &leaf);
    export->seq = proof.seq = row.seq;
    proof.hash = chain_to_text(&export->hash);
    if (whole)
        proof.row = g_base64_encode(packed, *ret_used);
    else
        proof.leaf = chain_to_text(&leaf);
    g_array_append_val(export->proofs, proof);
    return true;
}

static bool
read_on(Export *export, GError **error)
{
    gint64 last = 0;
    gsize used = 0;

    g_array_set_size(export->proofs, 0);
    if (!view_read_rows(export->view, export->seq, export->rows, &last, error))
        return false;
    for (gsize at = 0; at < export->rows->len; at += used) {
        if (!add_proof(export, export->rows->data + at, export->rows->len - at, &used,
                       error))
            return false;
    }
    return true;
}

static bool
step(WireCall *call, gpointer data)
{
    Export *export = data;
    const ViewHead *head = view_get_head(export->view);
    ProtoBillingExportLedgerReply reply = {
        .service_id = (char *) (gsize) head->service_id,
        .tenant = export->tenant,
        .seq = head->seq,
        .hash = export->head_hash,
    };
    GError *error = NULL;

    if (!read_on(export, &error)) {
        wire_call_fail(call, error);
        return false;
    }
    reply.rows = (ProtoLedgerProof *) (gpointer) export->proofs->data;
    reply.n_rows = export->proofs->len;
    if (export->seq<head->seq &&export->proofs->len> 0 && wire_call_wants_more(call)) {
        wire_call_continue(call, &reply);
        return true;
    }
    wire_call_reply(call, &reply);
    return false;
}

void
export_start(WireCall *call, View *view, const char *tenant)
{
    Export *export = g_new0(Export, 1);
    const ViewHead *head = view_get_head(view);

    export->view = view;
    export->tenant = g_strdup(tenant);
    export->head_hash = chain_to_text(&head->hash);
    export->hash = chain_begin(head->service_id);
    export->rows = g_byte_array_new();
    export->proofs = g_array_new(FALSE, FALSE, sizeof(ProtoLedgerProof));
    g_array_set_clear_func(export->proofs, (GDestroyNotify) proto_ledger_proof_clear);
    turns_start(call, step, export, export_free);
}
