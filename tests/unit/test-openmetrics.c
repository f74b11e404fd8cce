/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "meter/openmetrics.h"

static const MetricFamily seconds = { "vmctl_cpu_seconds", METRIC_COUNTER, "seconds",
                                      "Processor time." };
static const MetricFamily about = { "vmctl_instance", METRIC_INFO, NULL, "What it is." };
static const MetricFamily seq = { "vmctl_seq", METRIC_GAUGE, NULL, "A row." };

typedef struct {
    const char *accept;
    MetricsFormat format;
} Choice;

static void
gives_what_is_liked_best(void)
{
    static const Choice choices[] = {
        { NULL, METRICS_OPENMETRICS },
        { "", METRICS_OPENMETRICS },
        { "*/*", METRICS_OPENMETRICS },
        { "text/html", METRICS_OPENMETRICS },
        { "text/plain", METRICS_TEXT },
        { "text/plain;version=0.0.4", METRICS_TEXT },
        { " Text/Plain ; version=0.0.4", METRICS_TEXT },
        { "text/*;q=0.9", METRICS_TEXT },
        { "text/*, application/*;q=0.999", METRICS_TEXT },
        { "text/*;q=0.999, application/*", METRICS_OPENMETRICS },
        /* What Prometheus 2.42 says. */
        { "application/openmetrics-text;version=1.0.0,"
          "application/openmetrics-text;version=0.0.1;q=0.75,"
          "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
          METRICS_OPENMETRICS },
        { "text/plain;q=0.5,application/openmetrics-text;q=0.3", METRICS_TEXT },
        { "application/openmetrics-text;q=0,*/*", METRICS_TEXT },
        { "application/openmetrics-text;q=0.000,text/plain;q=0.001", METRICS_TEXT },
        { "text/plain;q=", METRICS_TEXT },
        { ",;,;;q=,,", METRICS_OPENMETRICS },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(choices); i++) {
        g_test_message("%s", choices[i].accept);
        g_assert_cmpint(openmetrics_choose(choices[i].accept), ==, choices[i].format);
    }
}

static char *
print(const MetricFamily *family, MetricsFormat format, const char *label)
{
    const MetricLabel labels[] = { { "tenant", label }, { "name", "web" } };
    GString *text = g_string_new(NULL);

    openmetrics_begin_family(text, format, family);
    openmetrics_add_sample(text, family, labels, label != NULL ? 2 : 0, "1.5");
    openmetrics_end(text, format);
    return g_string_free(text, FALSE);
}

static void
calls_a_family_without_its_suffix(void)
{
    g_autofree char *text = print(&seconds, METRICS_OPENMETRICS, NULL);

    g_assert_cmpstr(text, ==,
                    "# TYPE vmctl_cpu_seconds counter\n"
                    "# UNIT vmctl_cpu_seconds seconds\n"
                    "# HELP vmctl_cpu_seconds Processor time.\n"
                    "vmctl_cpu_seconds_total 1.5\n"
                    "# EOF\n");
}

static void
calls_a_family_as_its_samples_in_the_older_format(void)
{
    g_autofree char *text = print(&seconds, METRICS_TEXT, NULL);

    g_assert_cmpstr(text, ==,
                    "# TYPE vmctl_cpu_seconds_total counter\n"
                    "# HELP vmctl_cpu_seconds_total Processor time.\n"
                    "vmctl_cpu_seconds_total 1.5\n");
}

static void
an_info_is_a_gauge_in_the_older_format(void)
{
    g_autofree char *text = print(&about, METRICS_TEXT, NULL);
    g_autofree char *newer = print(&about, METRICS_OPENMETRICS, NULL);

    g_assert_cmpstr(text, ==,
                    "# TYPE vmctl_instance_info gauge\n"
                    "# HELP vmctl_instance_info What it is.\n"
                    "vmctl_instance_info 1.5\n");
    g_assert_true(g_str_has_prefix(newer, "# TYPE vmctl_instance info\n"));
}

static void
escapes_what_a_label_may_not_hold(void)
{
    g_autofree char *text = print(&seq, METRICS_OPENMETRICS, "a\"b\\c\nd {}=,\xc3\xa9");

    g_assert_nonnull(g_strstr_len(
        text, -1,
        "\nvmctl_seq{tenant=\"a\\\"b\\\\c\\nd {}=,\xc3\xa9\",name=\"web\"} 1.5\n"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/openmetrics/gives-what-is-liked-best", gives_what_is_liked_best);
    g_test_add_func("/openmetrics/calls-a-family-without-its-suffix",
                    calls_a_family_without_its_suffix);
    g_test_add_func("/openmetrics/calls-a-family-as-its-samples-in-the-older-format",
                    calls_a_family_as_its_samples_in_the_older_format);
    g_test_add_func("/openmetrics/an-info-is-a-gauge-in-the-older-format",
                    an_info_is_a_gauge_in_the_older_format);
    g_test_add_func("/openmetrics/escapes-what-a-label-may-not-hold",
                    escapes_what_a_label_may_not_hold);
    return g_test_run();
}
