/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/money/biller.h"
#include "meter/report/focus.h"

/**
 * A report as text: lines of bills, put together as was asked for, in a format.  Pure;
 * its bytes depend on what goes in and on nothing else.
 */

/** What makes lines stay apart; what is not named is summed up. */
typedef enum {
    REPORT_BY_TENANT = 1 << 0,
    REPORT_BY_INSTANCE = 1 << 1,
    REPORT_BY_METER = 1 << 2,
    REPORT_BY_DAY = 1 << 3
} ReportGroup;

/** A row of a report: lines of a bill that belong together. */
typedef struct {
    /** Texts are owned by the row's fold; those of what is summed up are NULL. */
    BillLine line;
    /** False where rows of different ones are summed up: then it has no quantity. */
    bool has_meter;
    /** The value of the label that was asked for; NULL without one. */
    const char *label;
} ReportRow;

/** Reads "tenant,instance,meter,day,label:KEY" into bits and a label (NULL if none is
 * named; free with g_free()).  NULL is tenant,instance,meter. */
bool
report_read_groups(const char *text, guint *ret_groups, char **ret_label, GError **error);

/* Putting lines together */

typedef struct ReportFold ReportFold;

ReportFold *report_fold_new(guint groups, const char *label);
void report_fold_free(ReportFold *fold);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ReportFold, report_fold_free)

bool report_fold_add(ReportFold *fold, const BillLine *line, GError **error);

/** The rows so far, ReportRow, in the order in which they began; owned by fold. */
const GArray *report_fold_get_rows(const ReportFold *fold);
void report_fold_clear(ReportFold *fold);

/* Formats */

/** What every call of a format is about. */
typedef struct {
    guint groups;
    const char *label;
    /** The days that were asked for. */
    Window window;
    const BillFoot *foot;
    FocusOptions focus;
    /** The number of the tenant, from 0 on. */
    guint tenant;
} ReportContext;

typedef struct {
    const char *name;

    /** Before all; of the foot the period, the row and its hash are there. */
    void (*begin)(const ReportContext *context, GString *out);

    /** A line as it is billed: to be put together with others, or written at once. */
    bool (*line)(const ReportContext *context,
                 ReportFold *fold,
                 const BillLine *line,
                 GString *out,
                 GError **error);

    /** A tenant's rows, none if they are not asked for by tenant, and what they come to.
     */
    void (*tenant)(const ReportContext *context,
                   const GArray *rows,
                   const BillTotal *total,
                   GString *out);

    /** After all; the rows if they were not asked for by tenant, else none. */
    void (*end)(const ReportContext *context, const GArray *rows, GString *out);
} ReportFormat;

extern const ReportFormat report_table;
extern const ReportFormat report_csv;
extern const ReportFormat report_json;

/** Every line apart. */
extern const ReportFormat report_focus;

/** The line of a format that puts lines together. */
bool report_fold_line(const ReportContext *context,
                      ReportFold *fold,
                      const BillLine *line,
                      GString *out,
                      GError **error);

/** "2026-10-01T00:00:00Z", with milliseconds if there are any. */
void report_append_time(GString *out, gint64 at_ms);
void report_append_decimal(GString *out, Decimal value, int least_places);
