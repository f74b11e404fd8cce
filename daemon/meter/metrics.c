/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/metrics.h"

#include "build-config.h"
#include "meter/live.h"
#include "meter/view.h"
#include "model/decimal.h"
#include "store/ledger-table.h"
#include "store/ledger-topics.h"

enum {
    PAGES_MAX = 4,
    TURN_RESOURCES = 50,
    TURN_ROWS = 500
};

/* The sides of a quota. */
enum {
    QUOTA_USED,
    QUOTA_LIMIT
};

struct Metrics {
    MeterStore *store;
    Controller *controller;
    Watch *watch;
    LiveMarks *marks;
    guint pages;
};

typedef struct Reading Reading;

/** A family of the page, and who adds samples of it: in turns, until ret_done. */
typedef struct {
    MetricFamily about;
    bool (*add)(Reading *reading, GString *out, bool *ret_done, GError **error);
    /** A LiveAmount, a Counter, a side of a quota, or nothing. */
    guint which;
    /** The value is in 10^-places of the unit. */
    int places;
    /** What the device of a counter is called. */
    const char *device;
    /** It is of the moment, and not told by a report, which is of the ledger alone. */
    bool is_live;
} FamilyRow;

/* One reading of the page, or of what of it a report tells. */
struct Reading {
    /* NULL for a report. */
    Metrics *metrics;
    LiveMarks *marks;
    /* Whose metrics; NULL: everybody's. */
    char *tenant;
    bool hides_hosts;
    MetricsFormat format;
    View *view;
    LiveReading *live;
    /* NULL until live was read to its end. */
    const GArray *resources;
    GPtrArray *hosts;
    GPtrArray *tenants;
    gsize family;
    bool has_begun;
    /* Where the family stands. */
    guint at;
};

static const FamilyRow *get_row(const Reading *reading);

/* Samples */

static void
add_sample(Reading *reading,
           GString *out,
           const MetricLabel *labels,
           gsize n_labels,
           __int128 value)
{
    const FamilyRow *row = get_row(reading);
    char text[DECIMAL_TEXT_SIZE];

    decimal_print((Decimal){ value, row->places }, 0, text);
    openmetrics_add_sample(out, &row->about, labels, n_labels, text);
}

/* How metering itself fares */

static bool
add_build(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    const MetricLabel version = { "version", VMCTL_VERSION };

    add_sample(reading, out, &version, 1, 1);
    return true;
}

static bool
add_following(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    add_sample(reading, out, NULL, 0,
               controller_is_following(reading->metrics->controller));
    return true;
}

static bool
add_seq(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    add_sample(reading, out, NULL, 0, view_get_head(reading->view)->seq);
    return true;
}

static bool
add_booked(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    add_sample(reading, out, NULL, 0, view_get_head(reading->view)->at_ms);
    return true;
}

static bool
add_known(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    add_sample(reading, out, NULL, 0, view_get_head(reading->view)->known_ms);
    return true;
}

/* The newest row of a kind and topic and how many there are.  There are few. */
static bool
find_marks(Reading *reading,
           LedgerKind kind,
           const char *topic,
           gint64 *ret_count,
           gint64 *ret_newest,
           GError **error)
{
    ViewMarks *marks = view_marks_new(reading->view, kind, topic);
    const ProtoLedgerRow *row = NULL;
    bool good = true;

    *ret_count = 0;
    *ret_newest = 0;
    while ((good = view_marks_next(marks, &row, error)) && row != NULL) {
        *ret_count += 1;
        *ret_newest = row->seq;
    }
    view_marks_free(marks);
    return good;
}

static bool
add_steps(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    gint64 count = 0;
    gint64 newest = 0;

    if (!find_marks(reading, LEDGER_KIND_CLOCK, NULL, &count, &newest, error))
        return false;
    add_sample(reading, out, NULL, 0, count);
    return true;
}

static bool
add_forked(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    gint64 count = 0;
    gint64 forked = 0;
    gint64 recovered = 0;

    if (!find_marks(reading, LEDGER_KIND_FORKED, NULL, &count, &forked, error) ||
        !find_marks(reading, LEDGER_KIND_NOTED,
                    ledger_topic_get_name(LEDGER_TOPIC_RECOVERED), &count, &recovered,
                    error))
        return false;
    add_sample(reading, out, NULL, 0, forked > recovered);
    return true;
}

/* Where samples of a family go. */
typedef struct {
    Reading *reading;
    GString *out;
} Adding;

static void
add_gap(const char *name, gint64 lost_ms, gpointer data)
{
    const Adding *adding = data;
    const MetricLabel cause = { "cause", name };

    add_sample(adding->reading, adding->out, &cause, 1, lost_ms);
}

static bool
add_gaps(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    Adding adding = { reading, out };

    return view_sum_gaps(reading->view, reading->tenant, add_gap, &adding, error);
}

/* Hosts and quotas */

static bool
add_hosts(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    for (guint i = 0; i < reading->hosts->len; i++) {
        const WatchHost *host = reading->hosts->pdata[i];
        const MetricLabel label = { "host", host->name };

        add_sample(reading, out, &label, 1, host->is_connected);
    }
    return true;
}

static void
add_quota(Reading *reading,
          GString *out,
          const WatchTenant *tenant,
          const gint64 *amounts)
{
    for (guint i = 0; i < WATCH_RESOURCE_N; i++) {
        const MetricLabel labels[] = { { "tenant", tenant->name },
                                       { "resource", watch_get_resource_name(i) } };

        add_sample(reading, out, labels, G_N_ELEMENTS(labels), amounts[i]);
    }
}

static bool
add_quotas(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    guint end = MIN(reading->at + TURN_RESOURCES, reading->tenants->len);

    for (; reading->at < end; reading->at++) {
        const WatchTenant *tenant = reading->tenants->pdata[reading->at];

        add_quota(reading, out, tenant,
                  get_row(reading)->which == QUOTA_USED ? tenant->used : tenant->limit);
    }
    *ret_done = end == reading->tenants->len;
    return true;
}

/* What was used */

/* Calls add for some resources more that are of kind. */
static bool
add_each(Reading *reading,
         GString *out,
         ResourceKind kind,
         void (*add)(Reading *reading, GString *out, const LiveResource *resource),
         bool *ret_done)
{
    guint end = MIN(reading->at + TURN_RESOURCES, reading->resources->len);

    for (; reading->at < end; reading->at++) {
        const LiveResource *resource =
            &g_array_index(reading->resources, LiveResource, reading->at);

        if (resource->kind == kind)
            add(reading, out, resource);
    }
    *ret_done = end == reading->resources->len;
    return true;
}

static void
add_about(Reading *reading, GString *out, const LiveResource *resource)
{
    const MetricLabel labels[] = {
        { "tenant", resource->tenant }, { "instance_id", resource->id },
        { "name", resource->name },     { "template", resource->template },
        { "host", resource->host },
    };

    add_sample(reading, out, labels,
               G_N_ELEMENTS(labels) - (reading->hides_hosts ? 1 : 0), 1);
}

static bool
add_infos(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    return add_each(reading, out, RESOURCE_KIND_INSTANCE, add_about, ret_done);
}

static void
add_state(Reading *reading, GString *out, const LiveResource *resource)
{
    const MetricLabel labels[] = { { "tenant", resource->tenant },
                                   { "instance_id", resource->id } };

    add_sample(reading, out, labels, G_N_ELEMENTS(labels),
               resource->is_open && resource->state == BILLING_STATE_RUNNING);
}

static bool
add_states(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    return add_each(reading, out, RESOURCE_KIND_INSTANCE, add_state, ret_done);
}

static void
add_amount(Reading *reading, GString *out, const LiveResource *resource)
{
    const MetricLabel labels[] = { { "tenant", resource->tenant },
                                   { "instance_id", resource->id } };

    add_sample(reading, out, labels, G_N_ELEMENTS(labels),
               resource->amounts[get_row(reading)->which]);
}

static bool
add_amounts(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    ResourceKind kind = live_get_kind((LiveAmount) get_row(reading)->which);

    return add_each(reading, out, kind, add_amount, ret_done);
}

static void
add_use(Reading *reading, GString *out, const ViewUsage *use)
{
    const FamilyRow *row = get_row(reading);
    const MetricLabel labels[] = { { "tenant", use->tenant },
                                   { "instance_id", use->id },
                                   { row->device, use->device } };

    add_sample(reading, out, labels, row->device != NULL ? 3 : 2, use->quantity);
}

static bool
add_uses(Reading *reading, GString *out, bool *ret_done, GError **error)
{
    const GArray *uses = live_reading_get_uses(reading->live);
    guint end = MIN(reading->at + TURN_ROWS, uses->len);

    for (; reading->at < end; reading->at++) {
        const ViewUsage *use = &g_array_index(uses, ViewUsage, reading->at);

        if (use->counter == (Counter) get_row(reading)->which)
            add_use(reading, out, use);
    }
    *ret_done = end == uses->len;
    return true;
}

/* clang-format off */
static const FamilyRow rows[] = {
    { { "vmctl_metering_build", METRIC_INFO, NULL,
        "The version of vmd-meter." }, add_build, .is_live = true },
    { { "vmctl_metering_connected", METRIC_GAUGE, NULL,
        "Whether the ledger is being followed: 1, or 0." }, add_following, .is_live = true },
    { { "vmctl_metering_ledger_seq", METRIC_GAUGE, NULL,
        "The newest row of the ledger that was read." }, add_seq },
    { { "vmctl_metering_booked_timestamp_seconds", METRIC_GAUGE, "seconds",
        "When that row was booked." }, add_booked, 0, 3 },
    { { "vmctl_metering_known_timestamp_seconds", METRIC_GAUGE, "seconds",
        "Up to when it is known what was used." }, add_known, 0, 3 },
    { { "vmctl_metering_forked", METRIC_GAUGE, NULL,
        "Whether the ledger goes on from an older copy of itself, and nobody has accepted that: 1, or 0." }, add_forked },
    { { "vmctl_metering_clock_steps", METRIC_COUNTER, NULL,
        "How often the clock was set; what it passed over is not charged." }, add_steps },
    { { "vmctl_metering_gap_seconds", METRIC_COUNTER, "seconds",
        "Time of instances in which counters could not be read, made up for later or not, by cause." }, add_gaps, 0, 3 },
    { { "vmctl_host_up", METRIC_GAUGE, NULL,
        "Whether the host answers: 1, or 0." }, add_hosts, .is_live = true },
    { { "vmctl_tenant_quota_used", METRIC_GAUGE, NULL,
        "What a tenant holds of a resource." }, add_quotas, QUOTA_USED, .is_live = true },
    { { "vmctl_tenant_quota_limit", METRIC_GAUGE, NULL,
        "What a tenant may hold of a resource at most." }, add_quotas, QUOTA_LIMIT, .is_live = true },
    { { "vmctl_instance", METRIC_INFO, NULL,
        "What an instance is, or was until an hour ago." }, add_infos },
    { { "vmctl_instance_up", METRIC_GAUGE, NULL,
        "Whether the instance runs: 1, or 0." }, add_states },
    { { "vmctl_instance_running_seconds", METRIC_COUNTER, "seconds",
        "Time for which the instance ran." }, add_amounts, LIVE_RUNNING, 3 },
    { { "vmctl_instance_vcpu_allocated_seconds", METRIC_COUNTER, "seconds",
        "Virtual CPUs times the time for which the instance ran or was paused." }, add_amounts, LIVE_VCPUS, 3 },
    { { "vmctl_instance_memory_allocated_byte_seconds", METRIC_COUNTER, "byte_seconds",
        "Bytes of memory times the time for which the instance ran or was paused." }, add_amounts, LIVE_MEMORY, 3 },
    { { "vmctl_instance_disk_allocated_byte_seconds", METRIC_COUNTER, "byte_seconds",
        "Bytes of the instance's volume times the time for which it was held." }, add_amounts, LIVE_DISK, 3 },
    { { "vmctl_instance_address_allocated_seconds", METRIC_COUNTER, "seconds",
        "Time for which the instance's address was held." }, add_amounts, LIVE_ADDRESS, 3 },
    { { "vmctl_instance_cpu_seconds", METRIC_COUNTER, "seconds",
        "Processor time of the instance's virtual CPUs." }, add_uses, COUNTER_CPU_TIME, 9 },
    { { "vmctl_instance_disk_read_bytes", METRIC_COUNTER, "bytes",
        "Bytes read from a disk." }, add_uses, COUNTER_DISK_READ_BYTES, 0, "disk" },
    { { "vmctl_instance_disk_written_bytes", METRIC_COUNTER, "bytes",
        "Bytes written to a disk." }, add_uses, COUNTER_DISK_WRITE_BYTES, 0, "disk" },
    { { "vmctl_instance_disk_reads", METRIC_COUNTER, NULL,
        "Reads from a disk." }, add_uses, COUNTER_DISK_READ_OPS, 0, "disk" },
    { { "vmctl_instance_disk_writes", METRIC_COUNTER, NULL,
        "Writes to a disk." }, add_uses, COUNTER_DISK_WRITE_OPS, 0, "disk" },
    { { "vmctl_instance_network_receive_bytes", METRIC_COUNTER, "bytes",
        "Bytes that the guest received." }, add_uses, COUNTER_NET_RX_BYTES, 0, "mac" },
    { { "vmctl_instance_network_transmit_bytes", METRIC_COUNTER, "bytes",
        "Bytes that the guest sent." }, add_uses, COUNTER_NET_TX_BYTES, 0, "mac" },
};

/* clang-format on */

static const FamilyRow *
get_row(const Reading *reading)
{
    return &rows[reading->family];
}

/* The page */

/* Of usage nothing is told before it is known up to now: after a restart it might be less
 * than what was told before. */
static bool
is_told(const Reading *reading)
{
    const FamilyRow *row = get_row(reading);

    return reading->metrics == NULL ||
           !g_str_has_prefix(row->about.name, "vmctl_instance") ||
           controller_is_current(reading->metrics->controller);
}

static bool
read_live(Reading *reading, GError **error)
{
    bool done = false;

    if (!live_reading_turn(reading->live, &done, error))
        return false;
    if (done)
        reading->resources = live_reading_finish(reading->live, reading->marks);
    return true;
}

static bool
add_turn(Reading *reading, GString *out, GError **error)
{
    bool done = true;

    if (!reading->has_begun)
        openmetrics_begin_family(out, reading->format, &get_row(reading)->about);
    reading->has_begun = true;
    if (is_told(reading) && !get_row(reading)->add(reading, out, &done, error))
        return false;
    if (!done)
        return true;
    reading->at = 0;
    reading->has_begun = false;
    reading->family++;
    return true;
}

static bool
next(gpointer stream, GString *part, bool *ret_done, GError **error)
{
    Reading *reading = stream;

    *ret_done = false;
    if (reading->resources == NULL)
        return read_live(reading, error);
    while (reading->family < G_N_ELEMENTS(rows) && reading->metrics == NULL &&
           get_row(reading)->is_live) {
        reading->family++;
    }
    if (reading->family < G_N_ELEMENTS(rows))
        return add_turn(reading, part, error);
    openmetrics_end(part, reading->format);
    *ret_done = true;
    return true;
}

static void
reading_free(gpointer data)
{
    Reading *reading = data;

    if (reading->metrics != NULL) {
        reading->metrics->pages--;
        g_ptr_array_unref(reading->hosts);
        g_ptr_array_unref(reading->tenants);
    } else {
        live_marks_free(reading->marks);
    }
    g_free(reading->tenant);
    live_reading_free(reading->live);
    view_free(reading->view);
    g_free(reading);
}

static bool
open_page(gpointer data, const char *accept, HttpDocument *ret_document, GError **error)
{
    Metrics *metrics = data;
    View *view = NULL;
    Reading *reading = NULL;

    if (metrics->pages >= PAGES_MAX) {
        proto_error_set_busy(error, "metrics", "%d pages are being made already",
                             PAGES_MAX);
        return false;
    }
    view = view_open(metrics->store, 0, error);
    if (view == NULL)
        return false;
    metrics->pages++;
    reading = g_new0(Reading, 1);
    *reading = (Reading){ .metrics = metrics,
                          .marks = metrics->marks,
                          .format = openmetrics_choose(accept),
                          .view = view,
                          .live = live_reading_new(view, NULL),
                          .hosts = g_ptr_array_ref(watch_get_hosts(metrics->watch)),
                          .tenants = g_ptr_array_ref(watch_get_tenants(metrics->watch)) };
    *ret_document = (HttpDocument){
        .content_type = openmetrics_get_content_type(reading->format),
        .stream = reading,
        .next = next,
        .free = reading_free,
    };
    return true;
}

HttpPage
metrics_get_page(Metrics *metrics)
{
    return (HttpPage){ .path = "/metrics", .open = open_page, .data = metrics };
}

/* A report */

TextSource
metrics_report_new(View *view, const char *tenant, bool shows_hosts)
{
    Reading *reading = g_new0(Reading, 1);

    *reading = (Reading){ .marks = live_marks_new(),
                          .tenant = g_strdup(tenant),
                          .hides_hosts = !shows_hosts,
                          .format = METRICS_OPENMETRICS,
                          .view = view,
                          .live = live_reading_new(view, tenant) };
    return (TextSource){ reading, next, reading_free };
}

const MetricFamily *
metrics_get_family(gsize number)
{
    return number < G_N_ELEMENTS(rows) ? &rows[number].about : NULL;
}

Metrics *
metrics_new(MeterStore *store)
{
    Metrics *metrics = g_new0(Metrics, 1);

    metrics->store = store;
    metrics->marks = live_marks_new();
    return metrics;
}

void
metrics_set_sources(Metrics *metrics, Controller *controller, Watch *watch)
{
    metrics->controller = controller;
    metrics->watch = watch;
}

void
metrics_free(Metrics *metrics)
{
    if (metrics == NULL)
        return;
    live_marks_free(metrics->marks);
    g_free(metrics);
}
