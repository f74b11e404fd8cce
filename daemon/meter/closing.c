/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/closing.h"

#include <string.h>

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/money/biller.h"
#include "meter/refuse.h"
#include "meter/report/format.h"

enum {
    HOUR_MS = 3600000
};

typedef struct {
    Meter *meter;
    char *name;
    ClosingDone done;
    gpointer data;
    Biller *biller;
    /* Of the lines of the tenant that is billed. */
    ReportFold *fold;
    ReportContext context;
    /* Who used something without a price: it came in after prices were checked. */
    GPtrArray *unpriced;
} Closing;

static void go_on(Closing *closing);

static BooksAt
get_books(const Closing *closing)
{
    return (BooksAt){ bookkeeper_get_books(closing->meter->bookkeeper), G_MAXINT64 };
}

static void
end(Closing *closing, const GError *error)
{
    const BooksAt at = get_books(closing);

    closing->meter->is_closing = false;
    closing->done(error == NULL ? books_find_period(&at, closing->name) : NULL, error,
                  closing->data);
    biller_free(closing->biller);
    report_fold_free(closing->fold);
    g_ptr_array_unref(closing->unpriced);
    g_free(closing->name);
    g_free(closing);
}

static void
end_with(Closing *closing, GError *error)
{
    end(closing, error);
    g_error_free(error);
}

static void
on_noted(gint64 seq, const GError *error, gpointer data)
{
    if (error != NULL) {
        end(data, error);
        return;
    }
    go_on(data);
}

/* What may be closed */

static bool
refuse_state(const char *name, const char *why, GError **error)
{
    proto_error_set_illegal_state(error, "open", "%s cannot be closed: %s", name, why);
    return false;
}

static bool
check_order(const Closing *closing, const Window *window, GError **error)
{
    const BooksAt at = get_books(closing);
    gint64 closed_ms = books_get_closed_ms(&at);
    gint64 month = calendar_month_of(calendar_day_of(closed_ms));
    g_autofree char *first = calendar_format_month(month);
    g_autofree char *why = g_strdup_printf("%s is open and comes first", first);

    if (closed_ms == 0 || window->from_ms == closed_ms)
        return true;
    return refuse_state(closing->name, why, error);
}

/* The invoices of a month are noted before the next one is closed, or never. */
static bool
check_before(const Closing *closing, GError **error)
{
    const BooksAt at = get_books(closing);
    g_autoptr(GPtrArray) periods = books_list_periods(&at);
    const BooksPeriod *newest =
        periods->len > 0 ? g_ptr_array_index(periods, periods->len - 1) : NULL;
    g_autofree char *why = NULL;

    if (newest == NULL || newest->sealed_seq != 0)
        return true;
    why =
        g_strdup_printf("%s has not all its invoices yet: close it first", newest->name);
    return refuse_state(closing->name, why, error);
}

static bool
check_time(const Closing *closing, const Window *window, GError **error)
{
    gint64 now_ms = meter_store_get_known_ms(closing->meter->store);
    gint64 from_ms = window->to_ms + closing->meter->grace_hours * HOUR_MS;
    g_autofree char *from = clock_format_time(from_ms);
    g_autofree char *why = g_strdup_printf("usage may still come in for %" G_GINT64_FORMAT
                                           " hours after its end, until %s",
                                           closing->meter->grace_hours, from);

    if (now_ms < window->to_ms)
        return refuse_parameter(error, "parameters.period", "%s has not ended",
                                closing->name);
    return now_ms >= from_ms || refuse_state(closing->name, why, error);
}

static bool
pass_line(const BillLine *line, gpointer data, GError **error)
{
    return true;
}

/* Nothing is closed that has usage without a price. */
static bool
check_prices(const Closing *closing, GError **error)
{
    const BillQuery query = { .period = closing->name };
    g_autoptr(Biller) biller =
        biller_new(closing->meter->store,
                   bookkeeper_get_books(closing->meter->bookkeeper), &query, error);
    BillTotal total = { 0 };
    bool more = true;

    while (biller != NULL && more) {
        if (!biller_next(biller, pass_line, NULL, &more, &total, error))
            return false;
    }
    return biller != NULL;
}

static bool
note_closed(Closing *closing, GError **error)
{
    gint64 month = 0;
    ProtoClosedNote note = { .period = closing->name };
    Window window = { 0 };

    if (!calendar_parse_month(closing->name, &month))
        return refuse_parameter(error, "parameters.period",
                                "%s is not a month like 2026-10", closing->name);
    window = calendar_month_window(month);
    if (!check_time(closing, &window, error) || !check_order(closing, &window, error) ||
        !check_before(closing, error) || !check_prices(closing, error))
        return false;
    note.from_ms = window.from_ms;
    note.to_ms = window.to_ms;
    bookkeeper_note(closing->meter->bookkeeper, LEDGER_TOPIC_CLOSED, NULL, &note,
                    on_noted, closing);
    return true;
}

/* Invoices */

static bool
has_invoice(const BooksPeriod *period, const BillTotal *total)
{
    for (guint i = 0; i < period->invoices->len; i++) {
        const ProtoInvoiceNote *note = g_ptr_array_index(period->invoices, i);

        if (strcmp(note->tenant, total->tenant) == 0 &&
            strcmp(note->currency, total->currency) == 0)
            return true;
    }
    return false;
}

static bool
fold_line(const BillLine *line, gpointer data, GError **error)
{
    Closing *closing = data;

    return report_fold_add(closing->fold, line, error);
}

static void
note_unpriced(Closing *closing, const BillTotal *total)
{
    GPtrArray *names = closing->unpriced;

    if (total->has_unpriced &&
        !g_ptr_array_find_with_equal_func(names, total->tenant, g_str_equal, NULL))
        g_ptr_array_add(names, g_strdup(total->tenant));
}

/* The next tenant and currency with lines and no invoice yet; false in ret_more if none
 * is left. */
static bool
find_next(Closing *closing,
          const BooksPeriod *period,
          bool *ret_more,
          BillTotal *ret_total,
          GError **error)
{
    for (;;) {
        report_fold_clear(closing->fold);
        if (!biller_next(closing->biller, fold_line, closing, ret_more, ret_total, error))
            return false;
        if (*ret_more)
            note_unpriced(closing, ret_total);
        if (!*ret_more || (ret_total->lines > 0 && !has_invoice(period, ret_total)))
            return true;
    }
}

/* Of the lines by resource, price and day, as csv has them. */
static char *
hash_lines(Closing *closing, const BillTotal *total)
{
    g_autoptr(GString) text = g_string_new(NULL);

    report_csv.tenant(&closing->context, report_fold_get_rows(closing->fold), total,
                      text);
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str,
                                         (gssize) text->len);
}

static void
note_invoice(Closing *closing, const BillTotal *total)
{
    g_autofree char *sum = decimal_format(total->total, total->places);
    g_autofree char *hash = hash_lines(closing, total);
    const ProtoInvoiceNote note = {
        .period = closing->name,
        .tenant = (char *) (gsize) total->tenant,
        .invoice = (char *) (gsize) total->invoice,
        .currency = (char *) (gsize) total->currency,
        .total = sum,
        .lines = total->lines,
        .hash = hash,
    };

    bookkeeper_note(closing->meter->bookkeeper, LEDGER_TOPIC_INVOICE, total->tenant,
                    &note, on_noted, closing);
}

static void
note_sealed(Closing *closing, const BooksPeriod *period)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    ProtoSealedNote note = {
        .period = closing->name,
        .invoices = (gint64) period->invoices->len,
    };

    for (guint i = 0; i < period->invoices->len; i++) {
        const ProtoInvoiceNote *invoice = g_ptr_array_index(period->invoices, i);

        g_checksum_update(sum, (const guchar *) invoice->hash, -1);
    }
    note.hash = (char *) (gsize) g_checksum_get_string(sum);
    if (closing->unpriced->len > 0) {
        g_ptr_array_add(closing->unpriced, NULL);
        note.unpriced = (char **) closing->unpriced->pdata;
    }
    bookkeeper_note(closing->meter->bookkeeper, LEDGER_TOPIC_SEALED, NULL, &note,
                    on_noted, closing);
}

static bool
start_billing(Closing *closing, GError **error)
{
    const BillQuery query = { .period = closing->name };

    if (closing->biller != NULL)
        return true;
    closing->biller =
        biller_new(closing->meter->store,
                   bookkeeper_get_books(closing->meter->bookkeeper), &query, error);
    if (closing->biller == NULL)
        return false;
    closing->context.foot = biller_get_foot(closing->biller);
    return true;
}

static void
go_on(Closing *closing)
{
    const BooksAt at = get_books(closing);
    const BooksPeriod *period = books_find_period(&at, closing->name);
    BillTotal total = { 0 };
    GError *error = NULL;
    bool more = false;

    if (period == NULL) {
        if (!note_closed(closing, &error))
            end_with(closing, error);
        return;
    }
    if (period->sealed_seq != 0) {
        end(closing, NULL);
        return;
    }
    if (!start_billing(closing, &error) ||
        !find_next(closing, period, &more, &total, &error)) {
        end_with(closing, error);
        return;
    }
    if (more) {
        note_invoice(closing, &total);
    } else {
        note_sealed(closing, period);
    }
}

void
closing_start(Meter *meter, const char *period, ClosingDone done, gpointer data)
{
    Closing *closing = NULL;

    if (meter->is_closing) {
        g_autoptr(GError) error = NULL;

        proto_error_set_busy(&error, "closing", "A period is being closed already");
        done(NULL, error, data);
        return;
    }
    meter->is_closing = true;
    closing = g_new0(Closing, 1);
    *closing = (Closing){ .meter = meter, .done = done, .data = data };
    closing->name = g_strdup(period);
    closing->unpriced = g_ptr_array_new_with_free_func(g_free);
    closing->context.groups =
        REPORT_BY_TENANT | REPORT_BY_INSTANCE | REPORT_BY_METER | REPORT_BY_DAY;
    closing->fold = report_fold_new(closing->context.groups, NULL);
    go_on(closing);
}
