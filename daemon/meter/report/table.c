/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "meter/calendar.h"
#include "meter/report/format.h"

/*
 * For people: a table a tenant.  A quantity has five places, in which hours and whole
 * GiB-hours are exact; one that has more is marked, and csv and json have all of it.
 */
enum {
    QUANTITY_PLACES = 5,
    COLUMNS_MAX = 8
};

typedef enum {
    COLUMN_RESOURCE,
    COLUMN_LABEL,
    COLUMN_DAY,
    COLUMN_METER,
    COLUMN_QUANTITY,
    COLUMN_UNIT,
    COLUMN_PRICE,
    COLUMN_COST
} Column;

static const struct {
    const char *title;
    bool is_right;
} columns[] = {
    [COLUMN_RESOURCE] = { "RESOURCE", false }, [COLUMN_LABEL] = { "LABEL", false },
    [COLUMN_DAY] = { "DAY", false },           [COLUMN_METER] = { "METER", false },
    [COLUMN_QUANTITY] = { "QUANTITY", true },  [COLUMN_UNIT] = { "UNIT", false },
    [COLUMN_PRICE] = { "PRICE", true },        [COLUMN_COST] = { "COST", true },
};

G_STATIC_ASSERT(G_N_ELEMENTS(columns) == COLUMNS_MAX);

typedef struct {
    char *cells[COLUMNS_MAX];
} Line;

static void
line_clear(gpointer data)
{
    Line *line = data;

    for (guint i = 0; i < COLUMNS_MAX; i++) {
        g_free(line->cells[i]);
    }
}

static bool
is_shown(const ReportContext *context, Column column)
{
    switch (column) {
    case COLUMN_RESOURCE:
        return (context->groups & REPORT_BY_INSTANCE) != 0;
    case COLUMN_LABEL:
        return context->label != NULL;
    case COLUMN_DAY:
        return (context->groups & REPORT_BY_DAY) != 0;
    case COLUMN_METER:
    case COLUMN_QUANTITY:
    case COLUMN_UNIT:
    case COLUMN_PRICE:
        return (context->groups & REPORT_BY_METER) != 0;
    case COLUMN_COST:
        return true;
    }
    return true;
}

static char *
format_quantity(Decimal quantity)
{
    Decimal shown = { 0 };
    g_autofree char *text = NULL;

    if (!decimal_round(quantity, QUANTITY_PLACES, &shown, NULL))
        return decimal_format(quantity, 1);
    text = decimal_format(shown, 1);
    return g_strconcat(text, decimal_compare(shown, quantity) == 0 ? "" : "~", NULL);
}

static const char *
get_what(const ReportRow *row)
{
    if (row->line.category == BILL_CATEGORY_ADJUSTMENT)
        return "rounding";
    return row->line.resource_name;
}

static void
add_row(GArray *lines, const ReportRow *row)
{
    const BillLine *bill = &row->line;
    bool is_usage = bill->category == BILL_CATEGORY_USAGE;
    Line line = { 0 };

    line.cells[COLUMN_RESOURCE] =
        g_strconcat(get_what(row) != NULL ? get_what(row) : "",
                    bill->is_correction ? " (correction)" : "", NULL);
    line.cells[COLUMN_LABEL] = g_strdup(row->label);
    if (is_usage)
        line.cells[COLUMN_DAY] = calendar_format_day(calendar_day_of(bill->from_ms));
    if (row->has_meter) {
        line.cells[COLUMN_METER] = g_strdup(meter_get_info(bill->meter)->name);
        line.cells[COLUMN_QUANTITY] = format_quantity(bill->quantity);
        line.cells[COLUMN_UNIT] = g_strdup(meter_get_info(bill->meter)->unit);
        line.cells[COLUMN_PRICE] = decimal_format(bill->contracted_price, 1);
    }
    line.cells[COLUMN_COST] = decimal_format(bill->contracted_cost, 1);
    g_array_append_val(lines, line);
}

static void
add_sum(GArray *lines, const char *title, Decimal cost, int places)
{
    Line line = { 0 };

    line.cells[COLUMN_PRICE] = g_strdup(title);
    line.cells[COLUMN_COST] = decimal_format(cost, places);
    g_array_append_val(lines, line);
}

static gsize
measure(const GArray *lines, Column column)
{
    gsize width = strlen(columns[column].title);

    for (guint i = 0; i < lines->len; i++) {
        const char *cell = g_array_index(lines, Line, i).cells[column];

        if (cell != NULL)
            width = MAX(width, (gsize) g_utf8_strlen(cell, -1));
    }
    return width;
}

static void
append_cell(GString *out, const char *cell, gsize width, bool is_right)
{
    gsize length = (gsize) g_utf8_strlen(cell, -1);
    gsize before = is_right ? width - length : 0;

    g_string_append_printf(out, "%*s%s", (int) before, "", cell);
    if (!is_right)
        g_string_append_printf(out, "%*s", (int) (width - length), "");
}

static void
append_line(const ReportContext *context,
            GString *out,
            const Line *line,
            const gsize widths[COLUMNS_MAX])
{
    for (Column column = COLUMN_RESOURCE; column <= COLUMN_COST; column++) {
        const char *cell = line != NULL ? line->cells[column] : columns[column].title;

        if (!is_shown(context, column))
            continue;
        append_cell(out, cell != NULL ? cell : "", widths[column],
                    columns[column].is_right);
        g_string_append(out, column == COLUMN_COST ? "\n" : "  ");
    }
}

static void
append_table(const ReportContext *context, GString *out, const GArray *lines)
{
    gsize widths[COLUMNS_MAX];

    for (Column column = COLUMN_RESOURCE; column <= COLUMN_COST; column++) {
        widths[column] = measure(lines, column);
    }
    append_line(context, out, NULL, widths);
    for (guint i = 0; i < lines->len; i++) {
        append_line(context, out, &g_array_index(lines, Line, i), widths);
    }
}

static GArray *
lines_new(const GArray *rows)
{
    GArray *lines = g_array_new(FALSE, FALSE, sizeof(Line));

    g_array_set_clear_func(lines, line_clear);
    for (guint i = 0; i < rows->len; i++) {
        add_row(lines, &g_array_index(rows, ReportRow, i));
    }
    return lines;
}

static void
begin(const ReportContext *context, GString *out)
{
    g_string_append_printf(out, "Usage of %s (%s), from ", context->foot->period,
                           context->foot->is_closed ? "closed" : "open");
    report_append_time(out, context->window.from_ms);
    g_string_append(out, " to ");
    report_append_time(out, context->window.to_ms);
    g_string_append_c(out, '\n');
}

static void
tenant(const ReportContext *context,
       const GArray *rows,
       const BillTotal *total,
       GString *out)
{
    g_autoptr(GArray) lines = lines_new(rows);

    if (rows->len == 0)
        return;
    g_string_append_printf(out, "\n%s", total->tenant);
    if (total->invoice != NULL)
        g_string_append_printf(out, ", invoice %s", total->invoice);
    g_string_append_printf(out, ", in %s\n", total->currency);
    if (total->is_payable) {
        add_sum(lines, "Total", total->total, total->places);
    } else {
        add_sum(lines, "Sum", total->cost, 1);
    }
    append_table(context, out, lines);
    if (total->estimated_cost.value != 0) {
        g_string_append(out, "Of it for use that may lie elsewhere in time: ");
        report_append_decimal(out, total->estimated_cost, 1);
        g_string_append_c(out, '\n');
    }
}

/* A share in hundredths of a percent, rounded down: 100 % is all of it. */
static void
append_percent(GString *out, gint64 part, gint64 whole)
{
    gint64 share = whole > 0 ? (gint64) ((__int128) part * 10000 / whole) : 10000;

    report_append_decimal(out, (Decimal){ share, 2 }, 2);
    g_string_append(out, " %");
}

/* What was in the rows that are lost is in no bill. */
static void
append_recoveries(GString *out, const GPtrArray *recoveries)
{
    for (guint i = 0; i < recoveries->len; i++) {
        const BooksRecovery *recovery = g_ptr_array_index(recoveries, i);

        g_string_append_printf(out,
                               "Recovered: row %" G_GINT64_FORMAT
                               " accepts that the ledger goes on from an older copy",
                               recovery->seq);
        if (recovery->note.has_lost)
            g_string_append_printf(out, "; row %" G_GINT64_FORMAT " %s is lost",
                                   recovery->note.lost, recovery->note.lost_hash);
        g_string_append_c(out, '\n');
    }
}

static void
end(const ReportContext *context, const GArray *rows, GString *out)
{
    const BillFoot *foot = context->foot;

    if (rows->len > 0) {
        g_autoptr(GArray) lines = lines_new(rows);

        g_string_append_c(out, '\n');
        append_table(context, out, lines);
    }
    g_string_append(out, "\nMeasured: ");
    append_percent(out, foot->metered_ms, foot->expected_ms);
    g_string_append_printf(out, " of the time, %" G_GINT64_FORMAT " gaps\n", foot->gaps);
    for (guint i = 0; i < foot->cards->len; i++) {
        const Card *card = g_ptr_array_index(foot->cards, i);

        g_string_append_printf(out, "Rate card: %s version %" G_GINT64_FORMAT " %s\n",
                               card_get_rates(card)->card, card_get_rates(card)->version,
                               card_get_hash(card));
    }
    append_recoveries(out, foot->recoveries);
    g_string_append_printf(out, "Ledger: row %" G_GINT64_FORMAT " %s\n", foot->seq,
                           foot->hash);
}

const ReportFormat report_table = { "table", begin, report_fold_line, tenant, end };
