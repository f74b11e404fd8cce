/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/verify-reply.h"

#include "meter/report/stream.h"
#include "proto.h"

enum {
    /* How far it is is told every so many rows. */
    TELL_ROWS = 100000
};

typedef struct {
    Verify *verify;
    GArray *shown;
    GArray *breaks;
    gint64 told;
    bool shows_resources;
} VerifyReply;

static void
verify_reply_free(gpointer data)
{
    VerifyReply *self = data;

    verify_free(self->verify);
    g_array_unref(self->shown);
    g_array_unref(self->breaks);
    g_free(self);
}

/* All faults so far go into the reply that is sent next. */
static void
collect(VerifyReply *self)
{
    g_autoptr(GArray) faults = verify_take_faults(self->verify);

    for (guint i = 0; i < faults->len; i++) {
        const VerifyFault *fault = &g_array_index(faults, VerifyFault, i);
        ProtoLedgerFault shown = {
            .row = fault->row,
            .resource = self->shows_resources ? g_strdup(fault->resource) : NULL,
            .text = g_strdup(fault->text),
        };

        g_array_append_val(self->shown, shown);
    }
}

static void
collect_breaks(VerifyReply *self)
{
    g_autoptr(GArray) breaks = verify_take_breaks(self->verify);

    for (guint i = 0; i < breaks->len; i++) {
        const VerifyBreak *found = &g_array_index(breaks, VerifyBreak, i);
        const ProtoLedgerBreak shown = { .row = found->row,
                                         .text = g_strdup(found->text) };

        g_array_append_val(self->breaks, shown);
    }
}

static bool
step(WireCall *call, gpointer data)
{
    VerifyReply *self = data;
    ProtoBillingVerifyReply reply = { 0 };
    g_autofree char *hash = NULL;
    GError *error = NULL;
    bool done = false;

    if (!verify_step(self->verify, &done, &error)) {
        wire_call_fail(call, error);
        return false;
    }
    collect(self);
    collect_breaks(self);
    if (!done && (!wire_call_wants_more(call) ||
                  verify_get_checked(self->verify) - self->told < TELL_ROWS))
        return true;
    hash = verify_get_hash(self->verify);
    self->told = verify_get_checked(self->verify);
    reply = (ProtoBillingVerifyReply){
        .checked = self->told,
        .rows = verify_get_rows(self->verify),
        .hash = hash,
        .faults = (ProtoLedgerFault *) (gpointer) self->shown->data,
        .n_faults = self->shown->len,
        .breaks = (ProtoLedgerBreak *) (gpointer) self->breaks->data,
        .n_breaks = self->breaks->len,
    };
    reply.has_same = verify_get_same(self->verify, &reply.same);
    if (done) {
        wire_call_reply(call, &reply);
        return false;
    }
    wire_call_continue(call, &reply);
    g_array_set_size(self->shown, 0);
    g_array_set_size(self->breaks, 0);
    return true;
}

void
verify_reply_start(WireCall *call, Verify *verify, bool shows_resources)
{
    VerifyReply *self = g_new0(VerifyReply, 1);

    self->verify = verify;
    self->shows_resources = shows_resources;
    self->shown = g_array_new(FALSE, FALSE, sizeof(ProtoLedgerFault));
    g_array_set_clear_func(self->shown, (GDestroyNotify) proto_ledger_fault_clear);
    self->breaks = g_array_new(FALSE, FALSE, sizeof(ProtoLedgerBreak));
    g_array_set_clear_func(self->breaks, (GDestroyNotify) proto_ledger_break_clear);
    stream_start(call, step, self, verify_reply_free);
}
