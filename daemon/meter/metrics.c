/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/metrics.h"

#include "build-config.h"

typedef enum {
    FAMILY_BUILD,
    FAMILY_CONNECTED,
    FAMILY_LEDGER_SEQ,
    FAMILY_KNOWN,
    FAMILY_N
} Family;

static const MetricFamily families[] = {
    [FAMILY_BUILD] = { "vmctl_metering_build", METRIC_INFO, NULL,
                       "The version of vmd-meter." },
    [FAMILY_CONNECTED] = { "vmctl_metering_connected", METRIC_GAUGE, NULL,
                           "Whether the ledger is being followed: 1, or 0." },
    [FAMILY_LEDGER_SEQ] = { "vmctl_metering_ledger_seq", METRIC_GAUGE, NULL,
                            "The newest row of the ledger that was read." },
    [FAMILY_KNOWN] = { "vmctl_metering_known_timestamp_seconds", METRIC_GAUGE, "seconds",
                       "Up to when it is known what was used." },
};

G_STATIC_ASSERT(G_N_ELEMENTS(families) == FAMILY_N);

/* One reading of the page. */
typedef struct {
    Metrics *metrics;
    MetricsFormat format;
    guint family;
} Reading;

static void
add_value(GString *out, Family family, const char *value)
{
    openmetrics_add_sample(out, &families[family], NULL, 0, value);
}

static void
add_integer(GString *out, Family family, gint64 value)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);

    add_value(out, family, text);
}

static void
add_time(GString *out, Family family, gint64 at_ms)
{
    g_autofree char *text =
        g_strdup_printf("%" G_GINT64_FORMAT ".%03d", at_ms / 1000, (int) (at_ms % 1000));

    add_value(out, family, text);
}

static void
add_family(Reading *reading, GString *out)
{
    const Metrics *metrics = reading->metrics;
    const MetricLabel version = { "version", VMCTL_VERSION };
    Family family = reading->family;

    openmetrics_begin_family(out, reading->format, &families[family]);
    switch (family) {
    case FAMILY_BUILD:
        openmetrics_add_sample(out, &families[family], &version, 1, "1");
        return;
    case FAMILY_CONNECTED:
        add_integer(out, family, controller_is_following(metrics->controller));
        return;
    case FAMILY_LEDGER_SEQ:
        add_integer(out, family, meter_store_get_cursor(metrics->store));
        return;
    case FAMILY_KNOWN:
        add_time(out, family, meter_store_get_known_ms(metrics->store));
        return;
    case FAMILY_N:
        return;
    }
}

static bool
next(gpointer stream, GString *part, GError **error)
{
    Reading *reading = stream;

    if (reading->family < FAMILY_N) {
        add_family(reading, part);
    } else if (reading->family == FAMILY_N) {
        openmetrics_end(part, reading->format);
    }
    reading->family++;
    return true;
}

static bool
open_page(gpointer data, const char *accept, HttpDocument *ret_document, GError **error)
{
    Reading *reading = g_new0(Reading, 1);

    *reading = (Reading){ .metrics = data, .format = openmetrics_choose(accept) };
    *ret_document = (HttpDocument){
        .content_type = openmetrics_get_content_type(reading->format),
        .stream = reading,
        .next = next,
        .free = g_free,
    };
    return true;
}

HttpPage
metrics_get_page(Metrics *metrics)
{
    return (HttpPage){ .path = "/metrics", .open = open_page, .data = metrics };
}

const MetricFamily *
metrics_get_families(gsize *ret_count)
{
    *ret_count = FAMILY_N;
    return families;
}
