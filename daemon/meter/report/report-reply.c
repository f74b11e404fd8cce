/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/report-reply.h"

#include <string.h>

#include "meter/report/turns.h"

enum {
    /* Of text in a reply. */
    PIECE_BYTES = 128 * 1024,
    /* Of text in the one reply of a call that did not ask for more. */
    WHOLE_BYTES = 512 * 1024
};

typedef struct {
    Biller *biller;
    ReportWish wish;
    ReportContext context;
    ReportFold *fold;
    GString *out;
    bool is_complete;
} ReportReply;

static void
report_reply_free(gpointer data)
{
    ReportReply *self = data;

    biller_free(self->biller);
    card_free(self->wish.instead);
    g_free(self->wish.label);
    report_fold_free(self->fold);
    g_string_free(self->out, TRUE);
    g_free(self);
}

static bool
add_line(const BillLine *line, gpointer data, GError **error)
{
    ReportReply *self = data;

    return self->wish.format->line(&self->context, self->fold, line, self->out, error);
}

/* The next tenant, or the end. */
static bool
bill_on(ReportReply *self, GError **error)
{
    const GArray *rows = report_fold_get_rows(self->fold);
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(ReportRow));
    bool is_by_tenant = (self->wish.groups & REPORT_BY_TENANT) != 0;
    BillTotal total = { 0 };
    bool more = false;

    if (!biller_next(self->biller, add_line, self, &more, &total, error))
        return false;
    if (!more) {
        self->wish.format->end(&self->context, rows, self->out);
        self->is_complete = true;
        return true;
    }
    if (total.lines == 0)
        return true;
    self->wish.format->tenant(&self->context, is_by_tenant ? rows : none, &total,
                              self->out);
    self->context.tenant++;
    if (is_by_tenant)
        report_fold_clear(self->fold);
    return true;
}

/* Up to the end of a line, so that no letter is cut. */
static gsize
get_piece_length(const GString *out)
{
    const char *end = NULL;

    if (out->len <= PIECE_BYTES)
        return out->len;
    end = memrchr(out->str, '\n', PIECE_BYTES);
    return end != NULL ? (gsize) (end - out->str) + 1 : PIECE_BYTES;
}

/* False with the last one. */
static bool
send_piece(WireCall *call, ReportReply *self)
{
    gsize length = get_piece_length(self->out);
    g_autofree char *text = g_strndup(self->out->str, length);
    const ProtoBillingReportReply reply = { .text = text };

    g_string_erase(self->out, 0, (gssize) length);
    if (self->out->len == 0 && self->is_complete) {
        wire_call_reply(call, &reply);
        return false;
    }
    wire_call_continue(call, &reply);
    return true;
}

/* False when it is sent, or too large. */
static bool
send_whole(WireCall *call, const ReportReply *self)
{
    const ProtoBillingReportReply reply = { .text = self->out->str };
    GError *error = NULL;

    if (self->out->len > WHOLE_BYTES) {
        proto_error_set_too_large(&error, "reply", WHOLE_BYTES,
                                  "The report has more than %d bytes: call with more, or "
                                  "ask for less",
                                  WHOLE_BYTES);
        wire_call_fail(call, error);
        return false;
    }
    if (self->is_complete)
        wire_call_reply(call, &reply);
    return !self->is_complete;
}

static bool
step(WireCall *call, gpointer data)
{
    ReportReply *self = data;
    bool is_streamed = wire_call_wants_more(call);
    bool has_piece = is_streamed && self->out->len >= PIECE_BYTES;
    GError *error = NULL;

    if (!has_piece && !self->is_complete && !bill_on(self, &error)) {
        wire_call_fail(call, error);
        return false;
    }
    if (!is_streamed)
        return send_whole(call, self);
    if (self->out->len >= PIECE_BYTES || self->is_complete)
        return send_piece(call, self);
    return true;
}

void
report_reply_start(WireCall *call, Biller *biller, const ReportWish *wish)
{
    ReportReply *self = g_new0(ReportReply, 1);

    *self = (ReportReply){
        .biller = biller,
        .wish = *wish,
        .fold = report_fold_new(wish->groups, wish->label),
        .out = g_string_new(NULL),
    };
    self->context = (ReportContext){
        .groups = wish->groups,
        .label = wish->label,
        .window = wish->window,
        .foot = biller_get_foot(biller),
        .focus = wish->focus,
    };
    wish->format->begin(&self->context, self->out);
    turns_start(call, step, self, report_reply_free);
}
