/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/closing.h"
#include "meter/rpc-private.h"

static ProtoBillingPeriod
describe_period(const BooksPeriod *period)
{
    return (ProtoBillingPeriod){
        .period = g_strdup(period->name),
        .from = clock_format_time(period->window.from_ms),
        .to = clock_format_time(period->window.to_ms),
        .state = period->sealed_seq != 0 ? PERIOD_STATE_CLOSED : PERIOD_STATE_CLOSING,
        .invoices = (gint64) period->invoices->len,
        .has_seq = true,
        .seq = period->seq,
    };
}

/* The one that comes after those that are closed. */
static ProtoBillingPeriod
describe_open(const Ask *ask, const BooksAt *at)
{
    gint64 closed_ms = books_get_closed_ms(at);
    gint64 known_ms = meter_store_get_known_ms(ask->meter->store);
    gint64 month =
        calendar_month_of(calendar_day_of(closed_ms != 0 ? closed_ms : known_ms));
    const Window window = calendar_month_window(month);

    return (ProtoBillingPeriod){
        .period = calendar_format_month(month),
        .from = clock_format_time(window.from_ms),
        .to = clock_format_time(window.to_ms),
        .state = PERIOD_STATE_OPEN,
    };
}

static void
list_periods_ready(const Ask *ask)
{
    const BooksAt at = ask_get_books(ask);
    g_autoptr(GPtrArray) closed = books_list_periods(&at);
    g_autofree ProtoBillingPeriod *periods =
        g_new0(ProtoBillingPeriod, (gsize) closed->len + 1);
    const ProtoBillingListPeriodsReply reply = {
        .periods = periods,
        .n_periods = (gsize) closed->len + 1,
    };

    for (guint i = 0; i < closed->len; i++) {
        periods[i] = describe_period(g_ptr_array_index(closed, i));
        /* How many tenants there are is not for everybody. */
        if (!ask->is_admin)
            periods[i].invoices = 0;
    }
    periods[closed->len] = describe_open(ask, &at);
    wire_call_reply(ask->call, &reply);
    for (guint i = 0; i <= closed->len; i++) {
        proto_billing_period_clear(&periods[i]);
    }
}

void
meter_list_periods(WireCall *call, const ProtoBillingListPeriodsCall *in)
{
    ask_start(call, in, list_periods_ready);
}

static void
on_closed(const BooksPeriod *period, const GError *error, gpointer data)
{
    ProtoBillingClosePeriodReply reply = { 0 };
    WireCall *call = data;

    if (error != NULL) {
        wire_call_fail(call, g_error_copy(error));
        return;
    }
    reply.period = describe_period(period);
    wire_call_reply(call, &reply);
    proto_billing_period_clear(&reply.period);
}

static void
close_ready(const Ask *ask)
{
    const ProtoBillingClosePeriodCall *in = ask->in;

    closing_start(ask->meter, in->period, on_closed, ask->call);
}

void
meter_close_period(WireCall *call, const ProtoBillingClosePeriodCall *in)
{
    ask_start(call, in, close_ready);
}
