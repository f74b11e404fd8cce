/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/openmetrics.h"

#include <string.h>

static const char *const content_types[] = {
    [METRICS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
    [METRICS_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
};

/* What a range of types has to be, from the most to the least specific. */
static const char *const ranges[][3] = {
    [METRICS_OPENMETRICS] = { "application/openmetrics-text", "application/*", "*/*" },
    [METRICS_TEXT] = { "text/plain", "text/*", "*/*" },
};

/* The older format knows no info: it is a gauge there. */
static const char *const type_names[][METRIC_TYPE_N] = {
    [METRICS_OPENMETRICS] = { "counter", "gauge", "info" },
    [METRICS_TEXT] = { "counter", "gauge", "gauge" },
};

static const char *const suffixes[] = {
    [METRIC_COUNTER] = "_total",
    [METRIC_GAUGE] = "",
    [METRIC_INFO] = "_info",
};

G_STATIC_ASSERT(G_N_ELEMENTS(suffixes) == METRIC_TYPE_N);

/* What is chosen */

enum {
    QUALITY_DIGITS = 3,
    QUALITY_ONE = 1000
};

/* "0.75" in thousandths; one where it says nothing that can be understood. */
static int
parse_quality(const char *text)
{
    int quality = 0;
    int digits = 0;

    if (text[0] != '0')
        return QUALITY_ONE;
    for (const char *at = text[1] == '.' ? text + 2 : text + 1;
         g_ascii_isdigit(*at) && digits < QUALITY_DIGITS; at++, digits++) {
        quality = quality * 10 + g_ascii_digit_value(*at);
    }
    for (; digits < QUALITY_DIGITS; digits++) {
        quality *= 10;
    }
    return quality;
}

/* How much it likes what the range "type; q=0.5" is of. */
static int
get_quality(char *const *range)
{
    for (gsize i = 1; range[i] != NULL; i++) {
        const char *parameter = g_strstrip(range[i]);

        if (g_ascii_strncasecmp(parameter, "q=", 2) == 0)
            return parse_quality(parameter + 2);
    }
    return QUALITY_ONE;
}

/* How much it likes format: what its most specific range says. */
static int
find_quality(char *const *accepted, MetricsFormat format)
{
    gsize best = G_N_ELEMENTS(ranges[format]);
    int quality = 0;

    for (gsize i = 0; accepted[i] != NULL; i++) {
        g_auto(GStrv) range = g_strsplit(accepted[i], ";", -1);

        for (gsize rank = 0;
             range[0] != NULL && rank <= best && rank < G_N_ELEMENTS(ranges[format]);
             rank++) {
            if (g_ascii_strcasecmp(g_strstrip(range[0]), ranges[format][rank]) != 0)
                continue;
            quality = rank < best ? get_quality(range) : MAX(quality, get_quality(range));
            best = rank;
        }
    }
    return quality;
}

MetricsFormat
openmetrics_choose(const char *accept)
{
    g_auto(GStrv) accepted = accept != NULL ? g_strsplit(accept, ",", -1) : NULL;

    if (accepted == NULL || find_quality(accepted, METRICS_OPENMETRICS) >=
                                find_quality(accepted, METRICS_TEXT))
        return METRICS_OPENMETRICS;
    return METRICS_TEXT;
}

const char *
openmetrics_get_content_type(MetricsFormat format)
{
    return content_types[format];
}

/* What is told */

char *
openmetrics_format_name(const MetricFamily *family)
{
    return g_strconcat(family->name, suffixes[family->type], NULL);
}

/* A family is called by its samples in the older format, and without their suffix in the
 * newer one. */
static void
append_about(GString *out,
             MetricsFormat format,
             const MetricFamily *family,
             const char *what,
             const char *text)
{
    g_string_append_printf(out, "# %s %s%s %s\n", what, family->name,
                           format == METRICS_TEXT ? suffixes[family->type] : "", text);
}

void
openmetrics_begin_family(GString *out, MetricsFormat format, const MetricFamily *family)
{
    append_about(out, format, family, "TYPE", type_names[format][family->type]);
    if (family->unit != NULL && format == METRICS_OPENMETRICS)
        append_about(out, format, family, "UNIT", family->unit);
    append_about(out, format, family, "HELP", family->help);
}

/* In neither format may anything else be escaped. */
static void
append_escaped(GString *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\n') {
            g_string_append(out, "\\n");
            continue;
        }
        if (*at == '"' || *at == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *at);
    }
}

void
openmetrics_add_sample(GString *out,
                       const MetricFamily *family,
                       const MetricLabel *labels,
                       gsize n_labels,
                       const char *value)
{
    g_string_append(out, family->name);
    g_string_append(out, suffixes[family->type]);
    for (gsize i = 0; i < n_labels; i++) {
        g_string_append_c(out, i == 0 ? '{' : ',');
        g_string_append(out, labels[i].name);
        g_string_append(out, "=\"");
        append_escaped(out, labels[i].value);
        g_string_append_c(out, '"');
    }
    if (n_labels > 0)
        g_string_append_c(out, '}');
    g_string_append_c(out, ' ');
    g_string_append(out, value);
    g_string_append_c(out, '\n');
}

void
openmetrics_end(GString *out, MetricsFormat format)
{
    if (format == METRICS_OPENMETRICS)
        g_string_append(out, "# EOF\n");
}
