/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "meter/report/format.h"

/* RFC 4180: a line ends with CR LF, and what is not known is empty. */
static const char header[] =
    "tenant,project,resource,resource_name,meter,unit,from,to,quantity,"
    "estimated_quantity,unit_price,cost,currency,segment,ledger_first,ledger_last,sku,"
    "sku_price,list_price,list_cost,label,charge,invoice\r\n";

static void
append_text(GString *out, const char *text)
{
    if (text != NULL && strpbrk(text, ",\"\r\n") == NULL) {
        g_string_append(out, text);
    } else if (text != NULL) {
        g_string_append_c(out, '"');
        for (const char *at = text; *at != '\0'; at++) {
            if (*at == '"')
                g_string_append_c(out, '"');
            g_string_append_c(out, *at);
        }
        g_string_append_c(out, '"');
    }
    g_string_append_c(out, ',');
}

static void
append_decimal(GString *out, bool is_there, Decimal value)
{
    if (is_there)
        report_append_decimal(out, value, 1);
    g_string_append_c(out, ',');
}

static void
append_number(GString *out, bool is_there, gint64 number)
{
    if (is_there)
        g_string_append_printf(out, "%" G_GINT64_FORMAT, number);
    g_string_append_c(out, ',');
}

static void
append_time(GString *out, gint64 at_ms)
{
    report_append_time(out, at_ms);
    g_string_append_c(out, ',');
}

static const char *
get_charge(const BillLine *line)
{
    if (line->category == BILL_CATEGORY_ADJUSTMENT)
        return "rounding";
    return line->is_correction ? "correction" : "usage";
}

static void
append_row(GString *out, const ReportRow *row)
{
    const BillLine *line = &row->line;
    const MeterInfo *meter = row->has_meter ? meter_get_info(line->meter) : NULL;
    bool has_rows = line->category == BILL_CATEGORY_USAGE;

    append_text(out, line->tenant);
    append_text(out, NULL);
    append_text(out, line->resource);
    append_text(out, line->resource_name);
    append_text(out, meter != NULL ? meter->name : NULL);
    append_text(out, meter != NULL ? meter->unit : NULL);
    append_time(out, line->from_ms);
    append_time(out, line->to_ms);
    append_decimal(out, row->has_meter, line->quantity);
    append_decimal(out, row->has_meter, line->estimated);
    append_decimal(out, row->has_meter, line->contracted_price);
    append_decimal(out, true, line->contracted_cost);
    append_text(out, line->currency);
    append_number(out, has_rows && line->segment != 0, line->segment);
    append_number(out, has_rows, line->first_seq);
    append_number(out, has_rows, line->last_seq);
    append_text(out, line->sku);
    append_text(out, line->sku_price);
    append_decimal(out, row->has_meter, line->list_price);
    append_decimal(out, true, line->list_cost);
    append_text(out, row->label);
    append_text(out, get_charge(line));
    append_text(out, line->invoice);
    g_string_truncate(out, out->len - 1);
    g_string_append(out, "\r\n");
}

static void
append_rows(GString *out, const GArray *rows)
{
    for (guint i = 0; i < rows->len; i++) {
        append_row(out, &g_array_index(rows, ReportRow, i));
    }
}

static void
begin(const ReportContext *context, GString *out)
{
    g_string_append(out, header);
}

static void
tenant(const ReportContext *context,
       const GArray *rows,
       const BillTotal *total,
       GString *out)
{
    append_rows(out, rows);
}

static void
end(const ReportContext *context, const GArray *rows, GString *out)
{
    append_rows(out, rows);
}

const ReportFormat report_csv = { "csv", begin, report_fold_line, tenant, end };
