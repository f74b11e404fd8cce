/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/report-reply.h"

#include <string.h>

enum {
    /* Of text in a reply. */
    PIECE_BYTES = 128 * 1024,
    /* Of text in the one reply of a call that did not ask for more. */
    WHOLE_BYTES = 512 * 1024,
    /* Bytes that may wait for the client before it has to catch up. */
    BACKLOG_BYTES = 256 * 1024
};

/* It lives as long as its call: from the start to the final reply, or until the client
 * has gone. */
typedef struct {
    WireCall *call;
    Biller *biller;
    ReportWish wish;
    ReportContext context;
    ReportFold *fold;
    GString *out;
    guint source;
    bool is_complete;
    /* In the middle of a turn: who ends it then only says so. */
    bool is_busy;
    bool is_gone;
} ReportReply;

static void
report_reply_free(ReportReply *self)
{
    g_clear_handle_id(&self->source, g_source_remove);
    biller_free(self->biller);
    card_free(self->wish.instead);
    g_free(self->wish.label);
    report_fold_free(self->fold);
    g_string_free(self->out, TRUE);
    g_free(self);
}

static void
on_gone(WireCall *call, gpointer data)
{
    ReportReply *self = data;

    self->is_gone = true;
    if (!self->is_busy)
        report_reply_free(self);
}

static void
fail(ReportReply *self, GError *error)
{
    wire_call_fail(self->call, error);
    self->is_gone = true;
}

static bool
add_line(const BillLine *line, gpointer data, GError **error)
{
    ReportReply *self = data;

    return report_fold_add(self->fold, line, error);
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

static void
send_piece(ReportReply *self)
{
    gsize length = get_piece_length(self->out);
    g_autofree char *text = g_strndup(self->out->str, length);
    const ProtoBillingReportReply reply = { .text = text };

    g_string_erase(self->out, 0, (gssize) length);
    if (self->out->len == 0 && self->is_complete) {
        wire_call_reply(self->call, &reply);
        self->is_gone = true;
        return;
    }
    wire_call_continue(self->call, &reply);
}

static void
send_whole(ReportReply *self)
{
    const ProtoBillingReportReply reply = { .text = self->out->str };
    GError *error = NULL;

    if (self->out->len > WHOLE_BYTES) {
        proto_error_set_too_large(&error, "reply", WHOLE_BYTES,
                                  "The report has more than %d bytes: call with more, or "
                                  "ask for less",
                                  WHOLE_BYTES);
        fail(self, error);
        return;
    }
    if (!self->is_complete)
        return;
    wire_call_reply(self->call, &reply);
    self->is_gone = true;
}

static void
go_on(ReportReply *self)
{
    bool is_streamed = wire_call_wants_more(self->call);
    bool has_piece = self->out->len >= PIECE_BYTES || self->is_complete;
    GError *error = NULL;

    if (!(is_streamed && has_piece) && !self->is_complete && !bill_on(self, &error)) {
        fail(self, error);
        return;
    }
    if (!is_streamed) {
        send_whole(self);
    } else if (self->out->len >= PIECE_BYTES || self->is_complete) {
        send_piece(self);
    }
}

static gboolean turn(gpointer data);

static void
on_drained(WireCall *call, gpointer data)
{
    ReportReply *self = data;

    if (self->source == 0)
        self->source = g_idle_add_full(G_PRIORITY_DEFAULT, turn, self, NULL);
}

static gboolean
turn(gpointer data)
{
    ReportReply *self = data;

    if (wire_call_get_backlog(self->call) > BACKLOG_BYTES) {
        self->source = 0;
        wire_call_on_drained(self->call, on_drained, self);
        return G_SOURCE_REMOVE;
    }
    self->is_busy = true;
    go_on(self);
    self->is_busy = false;
    if (!self->is_gone)
        return G_SOURCE_CONTINUE;
    self->source = 0;
    report_reply_free(self);
    return G_SOURCE_REMOVE;
}

void
report_reply_start(WireCall *call, Biller *biller, const ReportWish *wish)
{
    ReportReply *self = g_new0(ReportReply, 1);

    *self = (ReportReply){
        .call = call,
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
    };
    wish->format->begin(&self->context, self->out);
    wire_call_park(call, on_gone, self);
    self->source = g_idle_add_full(G_PRIORITY_DEFAULT, turn, self, NULL);
}
