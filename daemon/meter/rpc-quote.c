/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/money/quote.h"
#include "meter/rpc-private.h"

/* What is not made yet: its price. */

static ProtoQuoteLine
show_line(const QuoteLine *line)
{
    const MeterInfo *info = meter_get_info(line->meter);

    return (ProtoQuoteLine){
        .meter = (char *) (gsize) info->name,
        .sku = (char *) (gsize) line->sku,
        .unit = (char *) (gsize) info->unit,
        .quantity = decimal_format(line->quantity, 0),
        .price = decimal_format(line->price, 0),
        .cost = decimal_format(line->cost, 0),
    };
}

static void
reply(WireCall *call, const Quote *quote)
{
    ProtoQuoteLine lines[G_N_ELEMENTS(quote->lines)];
    g_autofree char *hour = decimal_format(quote->cost, 0);
    const ProtoBillingQuoteReply out = {
        .hour = hour,
        .currency = (char *) (gsize) quote->currency,
        .lines = lines,
        .n_lines = quote->n_lines,
    };

    for (guint i = 0; i < quote->n_lines; i++) {
        lines[i] = show_line(&quote->lines[i]);
    }
    wire_call_reply(call, &out);
    for (guint i = 0; i < quote->n_lines; i++) {
        g_free(lines[i].quantity);
        g_free(lines[i].price);
        g_free(lines[i].cost);
    }
}

static void
quote_ready(const Ask *ask)
{
    const ProtoBillingQuoteCall *in = ask->in;
    const char *own = *ask->identity->tenant != '\0' ? ask->identity->tenant : NULL;
    const BooksAt at = ask_get_books(ask);
    QuoteQuery query = {
        .vcpus = in->vcpus,
        .memory_bytes = in->memory_bytes,
        .disk_bytes = in->disk_bytes,
        .subject = { in->template, in->host != NULL ? in->host : "", in->labels },
    };
    Quote quote = { 0 };
    GError *error = NULL;

    if (ask_find_tenant(ask, in->tenant != NULL ? in->tenant : own, &query.tenant,
                        &error) &&
        quote_make(&at, &query, ask_get_now_ms(ask), &quote, &error)) {
        reply(ask->call, &quote);
    } else {
        wire_call_fail(ask->call, error);
    }
}

void
meter_quote(WireCall *call, const ProtoBillingQuoteCall *in)
{
    ask_start(call, in, quote_ready);
}
