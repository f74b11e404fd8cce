/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/ledger-rows.h"

#include <string.h>

#include "wire/pack.h"

LedgerRows *
ledger_rows_new(View *view, const char *tenant)
{
    LedgerRows *self = g_new0(LedgerRows, 1);
    const ViewHead *head = view_get_head(view);

    self->view = view;
    self->tenant = g_strdup(tenant);
    self->head_hash = chain_to_text(&head->hash);
    self->hash = chain_begin(head->service_id);
    self->rows = g_byte_array_new();
    self->proofs = g_array_new(FALSE, FALSE, sizeof(ProtoLedgerProof));
    g_array_set_clear_func(self->proofs, (GDestroyNotify) proto_ledger_proof_clear);
    return self;
}

void
ledger_rows_free(gpointer data)
{
    LedgerRows *self = data;

    view_free(self->view);
    g_free(self->tenant);
    g_free(self->head_hash);
    g_byte_array_unref(self->rows);
    g_array_unref(self->proofs);
    g_free(self);
}

/* What is of nobody, the clock and forks, is everybody's; entries of the books that are
 * of nobody are the operator's. */
static bool
is_whole(LedgerRows *self, const ProtoLedgerRow *row, bool *ret_whole, GError **error)
{
    const char *owner = row->tenant;

    *ret_whole = true;
    if (self->tenant == NULL)
        return true;
    if (row->has_segment && row->kind != LEDGER_KIND_OPENED) {
        owner = view_find_owner(self->view, row->segment, error);
        if (owner == NULL)
            return false;
    }
    *ret_whole =
        owner != NULL ? strcmp(owner, self->tenant) == 0 : row->kind != LEDGER_KIND_NOTED;
    return true;
}

static bool
add_proof(
    LedgerRows *self, const guint8 *packed, gsize length, gsize *ret_used, GError **error)
{
    g_auto(ProtoLedgerRow) row = { 0 };
    ProtoLedgerProof proof = { 0 };
    ChainHash leaf;
    bool whole = false;

    if (!wire_struct_unpack(&proto_ledger_row_type, packed, length, ret_used, &row,
                            error) ||
        !is_whole(self, &row, &whole, error))
        return false;
    leaf = chain_leaf(packed, *ret_used);
    self->hash = chain_next(&self->hash, &leaf);
    self->seq = proof.seq = row.seq;
    proof.hash = chain_to_text(&self->hash);
    if (whole)
        proof.row = g_base64_encode(packed, *ret_used);
    else
        proof.leaf = chain_to_text(&leaf);
    g_array_append_val(self->proofs, proof);
    return true;
}

bool
ledger_rows_read_on(LedgerRows *self, GError **error)
{
    gint64 last = 0;
    gsize used = 0;

    g_array_set_size(self->proofs, 0);
    if (!view_read_rows(self->view, self->seq, self->rows, &last, error))
        return false;
    for (gsize at = 0; at < self->rows->len; at += used) {
        if (!add_proof(self, self->rows->data + at, self->rows->len - at, &used, error))
            return false;
    }
    return true;
}

/* As text */

static void
append_head(const LedgerRows *self, GString *out)
{
    const ViewHead *head = view_get_head(self->view);

    g_string_append(out, "{\"service_id\":");
    wire_json_append_string(out, head->service_id);
    if (self->tenant != NULL) {
        g_string_append(out, ",\"tenant\":");
        wire_json_append_string(out, self->tenant);
    }
    g_string_append_printf(out, ",\"seq\":%" G_GINT64_FORMAT ",\"hash\":\"%s\"}\n",
                           head->seq, self->head_hash);
}

static bool
append_rows(gpointer stream, GString *out, bool *ret_done, GError **error)
{
    LedgerRows *self = stream;

    if (self->seq == 0)
        append_head(self, out);
    if (!ledger_rows_read_on(self, error))
        return false;
    for (guint i = 0; i < self->proofs->len; i++) {
        wire_struct_print(&proto_ledger_proof_type,
                          &g_array_index(self->proofs, ProtoLedgerProof, i), out);
        g_string_append_c(out, '\n');
    }
    *ret_done = self->proofs->len == 0 || self->seq >= view_get_head(self->view)->seq;
    return true;
}

TextSource
ledger_text_new(View *view, const char *tenant)
{
    return (TextSource){ ledger_rows_new(view, tenant), append_rows, ledger_rows_free };
}

bool
ledger_text_is_whole(const TextSource *source)
{
    const LedgerRows *self = source->stream;
    const ViewHead *head = view_get_head(self->view);

    return self->seq == head->seq && chain_is_equal(&self->hash, &head->hash);
}
