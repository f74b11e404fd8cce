/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * The text formats in which metrics are told: OpenMetrics 1.0, and for who does not know
 * that one the older text format of Prometheus, 0.0.4.  Pure: appends to a string.
 *
 * A family is begun once, and all its samples come before the next one.
 */
typedef enum {
    METRICS_OPENMETRICS,
    METRICS_TEXT
} MetricsFormat;

/** What a client with this header "Accept" gets; NULL: it has none.  OpenMetrics, unless
 * it likes the older one better. */
MetricsFormat openmetrics_choose(const char *accept);

/** A literal. */
const char *openmetrics_get_content_type(MetricsFormat format);

typedef enum {
    METRIC_COUNTER,
    METRIC_GAUGE,
    /** Has labels that describe, and the value 1. */
    METRIC_INFO,
    METRIC_TYPE_N
} MetricType;

/** A family of metrics.  All literals. */
typedef struct {
    /** Without the suffix of its samples, which the type gives: "_total" of a counter,
     * "_info" of an info.  Ends with its unit. */
    const char *name;
    MetricType type;
    /** NULL: it has none. */
    const char *unit;
    const char *help;
} MetricFamily;

typedef struct {
    /** A literal: a letter or _, then those and digits. */
    const char *name;
    /** Any text. */
    const char *value;
} MetricLabel;

/** The name of the family's samples; free with g_free(). */
char *openmetrics_format_name(const MetricFamily *family);

void
openmetrics_begin_family(GString *out, MetricsFormat format, const MetricFamily *family);

/** A sample; value is a decimal. */
void openmetrics_add_sample(GString *out,
                            const MetricFamily *family,
                            const MetricLabel *labels,
                            gsize n_labels,
                            const char *value);

/** Nothing comes after it: who reads no end was told only a part. */
void openmetrics_end(GString *out, MetricsFormat format);
