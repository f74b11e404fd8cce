/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/report-reply.h"

#include "meter/report/text-reply.h"

typedef struct {
    Biller *biller;
    ReportWish wish;
    ReportContext context;
    ReportFold *fold;
    /* While a bit is made. */
    GString *out;
    bool has_begun;
} ReportReply;

static void
report_reply_free(gpointer data)
{
    ReportReply *self = data;

    biller_free(self->biller);
    card_free(self->wish.instead);
    g_free(self->wish.label);
    report_fold_free(self->fold);
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
bill_on(gpointer stream, GString *out, bool *ret_done, GError **error)
{
    ReportReply *self = stream;
    const GArray *rows = report_fold_get_rows(self->fold);
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(ReportRow));
    bool is_by_tenant = (self->wish.groups & REPORT_BY_TENANT) != 0;
    BillTotal total = { 0 };
    bool more = false;

    if (!self->has_begun)
        self->wish.format->begin(&self->context, out);
    self->has_begun = true;
    self->out = out;
    if (!biller_next(self->biller, add_line, self, &more, &total, error))
        return false;
    if (!more) {
        self->wish.format->end(&self->context, rows, out);
        *ret_done = true;
        return true;
    }
    if (total.lines == 0)
        return true;
    self->wish.format->tenant(&self->context, is_by_tenant ? rows : none, &total, out);
    self->context.tenant++;
    if (is_by_tenant)
        report_fold_clear(self->fold);
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
    };
    self->context = (ReportContext){
        .groups = wish->groups,
        .label = wish->label,
        .window = wish->window,
        .foot = biller_get_foot(biller),
        .focus = wish->focus,
    };
    text_reply_start(call, &(TextSource){ self, bill_on, report_reply_free });
}
