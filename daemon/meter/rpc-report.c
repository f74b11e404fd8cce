/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/metrics.h"
#include "meter/refuse.h"
#include "meter/report/ledger-rows.h"
#include "meter/report/report-reply.h"
#include "meter/rpc-private.h"

static const ReportFormat *const formats[] = {
    [REPORT_FORMAT_NAME_TABLE] = &report_table,
    [REPORT_FORMAT_NAME_CSV] = &report_csv,
    [REPORT_FORMAT_NAME_JSON] = &report_json,
    [REPORT_FORMAT_NAME_FOCUS] = &report_focus,
    /* Are told without a bill. */
    [REPORT_FORMAT_NAME_FOCUS_METADATA] = NULL,
    [REPORT_FORMAT_NAME_OPENMETRICS] = NULL,
    [REPORT_FORMAT_NAME_LEDGER] = NULL,
};

G_STATIC_ASSERT(G_N_ELEMENTS(formats) == REPORT_FORMAT_NAME_N);

static bool
read_day(
    const char *text, const char *path, gint64 otherwise, gint64 *ret_day, GError **error)
{
    gint64 at_ms = 0;

    if (text == NULL) {
        *ret_day = otherwise;
        return true;
    }
    if (!clock_parse_time(text, &at_ms) || at_ms % CALENDAR_DAY_MS != 0)
        return refuse_parameter(error, path, "%s is not midnight of a day in UTC", text);
    *ret_day = calendar_day_of(at_ms);
    return true;
}

/* The month that was named, that from lies in, or that it is now. */
static bool
find_month(const Ask *ask,
           const ProtoBillingReportCall *in,
           gint64 *ret_month,
           GError **error)
{
    gint64 day = calendar_day_of(ask_get_now_ms(ask));

    if (in->period == NULL) {
        if (!read_day(in->from, "parameters.from", day, &day, error))
            return false;
        *ret_month = calendar_month_of(day);
        return true;
    }
    if (calendar_parse_month(in->period, ret_month))
        return true;
    return refuse_parameter(error, "parameters.period", "%s is not a month like 2026-10",
                            in->period);
}

static bool
read_days(const ProtoBillingReportCall *in,
          gint64 month,
          BillQuery *query,
          GError **error)
{
    const Window window = calendar_month_window(month);
    gint64 first = calendar_day_of(window.from_ms);
    gint64 last = calendar_day_of(window.to_ms);

    if (!read_day(in->from, "parameters.from", first, &query->from_day, error) ||
        !read_day(in->to, "parameters.to", last, &query->to_day, error))
        return false;
    if (query->from_day >= first && query->from_day < query->to_day &&
        query->to_day <= last)
        return true;
    return refuse_parameter(error, "parameters.to",
                            "a report is of days of one month, from is before to");
}

static bool
check_instead(const Ask *ask, const ProtoBillingReportCall *in, GError **error)
{
    if (in->instead == NULL || ask->is_admin)
        return true;
    proto_error_set_permission_denied(error, ROLE_ADMIN,
                                      "Another rate card needs the role admin");
    return false;
}

/* FOCUS has its own lines. */
static bool
check_focus(const ProtoBillingReportCall *in, GError **error)
{
    bool is_focus = in->format == REPORT_FORMAT_NAME_FOCUS ||
                    in->format == REPORT_FORMAT_NAME_FOCUS_METADATA;

    if (!is_focus && in->focus_version != NULL)
        return refuse_parameter(error, "parameters.focus_version",
                                "the format is not focus");
    if (!is_focus && in->has_focus_float_safe)
        return refuse_parameter(error, "parameters.focus_float_safe",
                                "the format is not focus");
    if (is_focus && in->group_by != NULL)
        return refuse_parameter(error, "parameters.group_by",
                                "FOCUS has each line of the bill, by day");
    return true;
}

static bool
read_focus(const Ask *ask, ReportWish *wish, GError **error)
{
    const ProtoBillingReportCall *in = ask->in;

    wish->focus.provider = ask->meter->operator_name;
    wish->focus.shows_hosts = ask->is_admin;
    wish->focus.is_float_safe = in->has_focus_float_safe && in->focus_float_safe;
    return check_focus(in, error) &&
           focus_parse_version(in->focus_version, &wish->focus.version, error);
}

static bool
read_wish(const Ask *ask, const BillQuery *query, ReportWish *wish, GError **error)
{
    const ProtoBillingReportCall *in = ask->in;

    wish->window = (Window){ calendar_day_start(query->from_day),
                             calendar_day_start(query->to_day) };
    if (!report_read_groups(in->group_by, &wish->groups, &wish->label, error))
        return false;
    if (in->instead == NULL)
        return true;
    wish->instead = card_new(in->instead, "parameters.instead", error);
    return wish->instead != NULL;
}

static void
tell_metadata(const Ask *ask, FocusVersion version)
{
    g_autofree char *text = focus_format_metadata(version);
    const ProtoBillingReportReply reply = { .text = text };

    wire_call_reply(ask->call, &reply);
}

static void
start_report(const Ask *ask, ReportWish *wish)
{
    const ProtoBillingReportCall *in = ask->in;
    BillQuery query = { .as_of = in->has_as_of ? in->as_of : 0 };
    g_autofree char *period = NULL;
    Biller *biller = NULL;
    GError *error = NULL;
    gint64 month = 0;

    if (ask_find_tenant(ask, in->tenant, &query.tenant, &error) &&
        check_instead(ask, in, &error) && find_month(ask, in, &month, &error) &&
        read_days(in, month, &query, &error) && read_wish(ask, &query, wish, &error)) {
        query.period = period = calendar_format_month(month);
        query.instead = wish->instead;
        biller = biller_new(ask->meter->store,
                            bookkeeper_get_books(ask->meter->bookkeeper), &query, &error);
    }
    if (biller == NULL) {
        card_free(wish->instead);
        g_free(wish->label);
        wire_call_fail(ask->call, error);
        return;
    }
    report_reply_start(ask->call, biller, wish);
}

/* The ledger itself, and its totals */

/* They are of all of a ledger: what is of a time, or put together, is none. */
static bool
check_whole(const ProtoBillingReportCall *in, GError **error)
{
    const struct {
        const char *path;
        bool is_there;
    } parts[] = {
        { "parameters.from", in->from != NULL },
        { "parameters.to", in->to != NULL },
        { "parameters.group_by", in->group_by != NULL },
        { "parameters.instead", in->instead != NULL },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (parts[i].is_there)
            return refuse_parameter(error, parts[i].path,
                                    "the format has all up to a row of the ledger");
    }
    return true;
}

/* The row that was asked for, the one that closed the period, or the newest. */
static bool
find_row(const Ask *ask, gint64 *ret_seq, GError **error)
{
    const ProtoBillingReportCall *in = ask->in;
    const BooksAt at = { bookkeeper_get_books(ask->meter->bookkeeper),
                         in->has_as_of ? in->as_of : G_MAXINT64 };
    const BooksPeriod *closed = NULL;
    gint64 month = 0;

    if (in->period != NULL && !find_month(ask, in, &month, error))
        return false;
    if (in->period != NULL)
        closed = books_find_period(&at, in->period);
    *ret_seq = closed != NULL ? closed->seq : in->has_as_of ? in->as_of : 0;
    return true;
}

static void
start_whole(const Ask *ask)
{
    const ProtoBillingReportCall *in = ask->in;
    View *view = NULL;
    const char *tenant = NULL;
    TextSource source = { 0 };
    GError *error = NULL;
    gint64 seq = 0;

    if (check_whole(in, &error) && ask_find_tenant(ask, in->tenant, &tenant, &error) &&
        find_row(ask, &seq, &error))
        view = view_open(ask->meter->store, seq, &error);
    if (view == NULL || !ask_check_there(ask, view, tenant, &error)) {
        view_free(view);
        wire_call_fail(ask->call, error);
        return;
    }
    source = in->format == REPORT_FORMAT_NAME_LEDGER
                 ? ledger_text_new(view, tenant)
                 : metrics_report_new(view, tenant, ask->is_admin);
    text_reply_start(ask->call, &source);
}

static void
report_ready(const Ask *ask)
{
    const ProtoBillingReportCall *in = ask->in;
    ReportWish wish = {
        .format = formats[in->has_format ? in->format : REPORT_FORMAT_NAME_TABLE],
    };
    GError *error = NULL;

    if (!read_focus(ask, &wish, &error)) {
        wire_call_fail(ask->call, error);
    } else if (wish.format != NULL) {
        start_report(ask, &wish);
    } else if (in->format == REPORT_FORMAT_NAME_FOCUS_METADATA) {
        tell_metadata(ask, wish.focus.version);
    } else {
        start_whole(ask);
    }
}

void
meter_report(WireCall *call, const ProtoBillingReportCall *in)
{
    ask_start(call, in, report_ready);
}
