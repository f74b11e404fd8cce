/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/money/bill.h"

/**
 * A bill as a FinOps FOCUS dataset, "Cost and Usage": CSV by RFC 4180, and what describes
 * it.  The versions exclude each other: 1.2 knows no ServiceProviderName, 1.4 no
 * ProviderName, and 1.3 has both.  Pure: the same lines give the same bytes.
 *
 * A null is an empty field; a number has a point, always; a time has whole seconds, so a
 * charge has the day that it lies in.  What the specification does not know begins with
 * x_.  Source: FOCUS 1.2 to 1.4, columns and attributes.
 */
typedef enum {
    FOCUS_1_2,
    FOCUS_1_3,
    FOCUS_1_4,
    FOCUS_VERSION_N
} FocusVersion;

/** "1.2", "1.3" or "1.4"; NULL is 1.2.  Fails with PROTO_ERROR_INVALID_PARAMETER. */
bool focus_parse_version(const char *text, FocusVersion *ret_version, GError **error);

/** Borrowed. */
typedef struct {
    FocusVersion version;
    /** Who provides what is billed, and sends the invoice. */
    const char *provider;
    /** Hosts are shown to those who may see them. */
    bool shows_hosts;
    /** Lines are split, see focus-split.h. */
    bool is_float_safe;
} FocusOptions;

/** Appends the names of the columns. */
void focus_begin(const FocusOptions *options, GString *out);

/** Appends a line.  Fails, with nothing appended, on usage without a price. */
bool focus_add(const FocusOptions *options,
               const BillLine *line,
               GString *out,
               GError **error);

/** What describes the dataset of a version, focus-metadata.json; free with g_free(). */
char *focus_format_metadata(FocusVersion version);

/** A period, of the dataset "Billing Period" that 1.4 brought. */
typedef struct {
    gint64 from_ms;
    gint64 to_ms;
    gint64 created_ms;
    gint64 updated_ms;
    bool is_closed;
} FocusPeriod;

/** Append to BillingPeriod.csv: the names of the columns, and a period. */
void focus_begin_periods(GString *out);
void focus_add_period(const FocusPeriod *period, const char *provider, GString *out);
