/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/format.h"
#include "wire/schema.h"

/* Figures are texts, so that whoever reads them cannot make binary fractions of them. */

static void
append_key(GString *out, const char *key)
{
    if (out->len > 0 && out->str[out->len - 1] != '{' && out->str[out->len - 1] != '[')
        g_string_append_c(out, ',');
    g_string_append_c(out, '"');
    g_string_append(out, key);
    g_string_append(out, "\":");
}

static void
append_text(GString *out, const char *key, const char *text)
{
    append_key(out, key);
    if (text != NULL) {
        wire_json_append_string(out, text);
    } else {
        g_string_append(out, "null");
    }
}

static void
append_decimal(GString *out, const char *key, Decimal value, int least_places)
{
    append_key(out, key);
    g_string_append_c(out, '"');
    report_append_decimal(out, value, least_places);
    g_string_append_c(out, '"');
}

static void
append_number(GString *out, const char *key, gint64 number)
{
    append_key(out, key);
    g_string_append_printf(out, "%" G_GINT64_FORMAT, number);
}

static void
append_time(GString *out, const char *key, gint64 at_ms)
{
    append_key(out, key);
    g_string_append_c(out, '"');
    report_append_time(out, at_ms);
    g_string_append_c(out, '"');
}

static void
append_flag(GString *out, const char *key, bool flag)
{
    append_key(out, key);
    g_string_append(out, flag ? "true" : "false");
}

static void
append_usage(GString *out, const BillLine *line)
{
    const MeterInfo *meter = meter_get_info(line->meter);

    append_text(out, "sku", line->sku);
    append_text(out, "sku_price", line->sku_price);
    append_text(out, "meter", meter->name);
    append_text(out, "unit", meter->unit);
    append_decimal(out, "quantity", line->quantity, 1);
    append_decimal(out, "estimated_quantity", line->estimated, 1);
    append_decimal(out, "list_price", line->list_price, 1);
    append_decimal(out, "unit_price", line->contracted_price, 1);
}

static void
append_row(const ReportContext *context, GString *out, const ReportRow *row)
{
    const BillLine *line = &row->line;

    g_string_append(out, "\n{");
    if ((context->groups & REPORT_BY_INSTANCE) != 0 && line->resource != NULL) {
        append_text(out, "kind", resource_kind_to_string(line->kind));
        append_text(out, "resource", line->resource);
        append_text(out, "resource_name", line->resource_name);
    }
    if (context->label != NULL)
        append_text(out, "label", row->label);
    if (row->has_meter)
        append_usage(out, line);
    append_time(out, "from", line->from_ms);
    append_time(out, "to", line->to_ms);
    append_decimal(out, "list_cost", line->list_cost, 1);
    append_decimal(out, "cost", line->contracted_cost, 1);
    append_text(out, "currency", line->currency);
    append_flag(out, "rounding", line->category == BILL_CATEGORY_ADJUSTMENT);
    append_flag(out, "correction", line->is_correction);
    if (line->why != NULL)
        append_text(out, "why", line->why);
    append_number(out, "ledger_first", line->first_seq);
    append_number(out, "ledger_last", line->last_seq);
    g_string_append_c(out, '}');
}

static void
append_rows(const ReportContext *context, GString *out, const GArray *rows)
{
    append_key(out, "lines");
    g_string_append_c(out, '[');
    for (guint i = 0; i < rows->len; i++) {
        if (i > 0)
            g_string_append_c(out, ',');
        append_row(context, out, &g_array_index(rows, ReportRow, i));
    }
    g_string_append_c(out, ']');
}

static void
begin(const ReportContext *context, GString *out)
{
    const BillFoot *foot = context->foot;

    g_string_append_c(out, '{');
    append_text(out, "schema", "vmctl-report/1");
    append_text(out, "period", foot->period);
    append_time(out, "from", context->window.from_ms);
    append_time(out, "to", context->window.to_ms);
    append_flag(out, "closed", foot->is_closed);
    append_key(out, "ledger_head");
    g_string_append_c(out, '{');
    append_number(out, "seq", foot->seq);
    append_text(out, "hash", foot->hash);
    append_time(out, "at", foot->at_ms);
    g_string_append_c(out, '}');
    append_key(out, "tenants");
    g_string_append_c(out, '[');
}

static void
tenant(const ReportContext *context,
       const GArray *rows,
       const BillTotal *total,
       GString *out)
{
    g_string_append(out, context->tenant > 0 ? ",\n{" : "\n{");
    append_text(out, "tenant", total->tenant);
    append_text(out, "invoice", total->invoice);
    append_text(out, "currency", total->currency);
    append_rows(context, out, rows);
    append_decimal(out, "list_cost", total->list_cost, 1);
    append_decimal(out, "subtotal", total->cost, 1);
    append_decimal(out, "estimated_cost", total->estimated_cost, 1);
    if (total->is_payable) {
        append_decimal(out, "rounding", total->rounding, 1);
        append_decimal(out, "total", total->total, total->places);
    }
    g_string_append_c(out, '}');
}

static void
append_cards(GString *out, const GPtrArray *cards)
{
    append_key(out, "ratecards");
    g_string_append_c(out, '[');
    for (guint i = 0; i < cards->len; i++) {
        const Card *card = g_ptr_array_index(cards, i);

        g_string_append(out, i > 0 ? ",{" : "{");
        append_text(out, "card", card_get_rates(card)->card);
        append_number(out, "version", card_get_rates(card)->version);
        append_text(out, "hash", card_get_hash(card));
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ']');
}

static void
append_recoveries(GString *out, const GPtrArray *recoveries)
{
    append_key(out, "recoveries");
    g_string_append_c(out, '[');
    for (guint i = 0; i < recoveries->len; i++) {
        const BooksRecovery *recovery = g_ptr_array_index(recoveries, i);

        g_string_append(out, i > 0 ? ",{" : "{");
        append_number(out, "seq", recovery->seq);
        if (recovery->note.has_lost) {
            append_number(out, "lost", recovery->note.lost);
            append_text(out, "lost_hash", recovery->note.lost_hash);
        }
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ']');
}

static void
end(const ReportContext *context, const GArray *rows, GString *out)
{
    const BillFoot *foot = context->foot;

    g_string_append_c(out, ']');
    if ((context->groups & REPORT_BY_TENANT) == 0)
        append_rows(context, out, rows);
    append_key(out, "coverage");
    g_string_append_c(out, '{');
    append_number(out, "expected_ms", foot->expected_ms);
    append_number(out, "metered_ms", foot->metered_ms);
    append_number(out, "gaps", foot->gaps);
    g_string_append_c(out, '}');
    append_cards(out, foot->cards);
    append_recoveries(out, foot->recoveries);
    g_string_append(out, "}\n");
}

const ReportFormat report_json = { "json", begin, report_fold_line, tenant, end };
