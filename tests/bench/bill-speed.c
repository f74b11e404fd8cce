/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>
#include <time.h>

#include "meter/calendar.h"
#include "meter/live.h"
#include "meter/metrics.h"
#include "meter/money/biller.h"
#include "meter/report/format.h"
#include "meter/report/ledger-rows.h"
#include "meter/verify.h"
#include "store/chain.h"
#include "wire/pack.h"

/*
 * bill-speed DIRECTORY TENANTS INSTANCES    makes a month of use in DIRECTORY/meter.db,
 * with INSTANCES for each tenant, and bills it.
 *
 * An instance has a volume and an address, runs all month, is resized once and uses four
 * counters each day.  Prints, as JSON, the seconds of processor that each report took,
 * and the metrics once more when all but the last tenant's instances are long gone.
 */
#define SERVICE "1b4e28ba-2fa1-4d2b-883f-0016d3cca427"
#define GIB G_GINT64_CONSTANT(1073741824)
/* 2026-10-01T00:00:00Z */
#define OCTOBER_MS G_GINT64_CONSTANT(1790812800000)

enum {
    DAYS = 31,
    BATCH_BYTES = 1024 * 1024
};

static const char card[] =
    "{\"card\":\"c\",\"version\":1,\"currency\":\"EUR\",\"from\":\"2026-01-01T00:00:"
    "00Z\","
    "\"lines\":["
    "{\"sku\":\"time\",\"meter\":\"instance.time\",\"price\":\"0.001\"},"
    "{\"sku\":\"vcpu\",\"meter\":\"vcpu.alloc\",\"price\":\"0.012345678\"},"
    "{\"sku\":\"memory\",\"meter\":\"memory.alloc\",\"price\":\"0.005\"},"
    "{\"sku\":\"disk\",\"meter\":\"disk.alloc\",\"price\":\"0.0001\"},"
    "{\"sku\":\"ip\",\"meter\":\"ip.alloc\",\"price\":\"0.004\"},"
    "{\"sku\":\"cpu\",\"meter\":\"cpu.time\",\"price\":\"0.02\"},"
    "{\"sku\":\"sent\",\"meter\":\"net.tx.bytes\",\"tiers\":{\"0\":\"0\",\"10\":\"0.02\"}"
    "}],"
    "\"free\":[\"net.rx.bytes\",\"disk.read.bytes\",\"disk.write.bytes\","
    "\"disk.read.ops\",\"disk.write.ops\"]}";

typedef struct {
    MeterStore *store;
    GByteArray *packed;
    ChainHash hash;
    gint64 seq;
    gint64 at_ms;
} Maker;

static void G_NORETURN
die_of(const GError *error)
{
    g_error("%s", error->message);
}

static double
get_cpu_seconds(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* Making */

static void
flush(Maker *maker)
{
    g_autofree char *hash = chain_to_text(&maker->hash);
    g_autoptr(GError) error = NULL;

    if (maker->packed->len > 0 && !meter_store_apply(maker->store, maker->packed->data,
                                                     maker->packed->len, hash, &error))
        die_of(error);
    g_byte_array_set_size(maker->packed, 0);
}

static gint64
add(Maker *maker, ProtoLedgerRow *row)
{
    guint from = maker->packed->len;
    ChainHash leaf;

    row->seq = ++maker->seq;
    row->at_ms = maker->at_ms;
    if (row->kind == LEDGER_KIND_OPENED) {
        row->has_segment = true;
        row->segment = row->seq;
    }
    wire_struct_pack(&proto_ledger_row_type, row, maker->packed);
    leaf = chain_leaf(maker->packed->data + from, maker->packed->len - from);
    maker->hash = chain_next(&maker->hash, &leaf);
    if (maker->packed->len > BATCH_BYTES)
        flush(maker);
    return maker->seq;
}

static char *
text(const char *constant)
{
    return (char *) (gsize) constant;
}

static void
note(Maker *maker, const char *topic, const char *body)
{
    ProtoLedgerRow row = { .kind = LEDGER_KIND_NOTED };

    row.topic = text(topic);
    row.note = text(body);
    add(maker, &row);
}

static gint64
open_segment(
    Maker *maker, ResourceKind kind, int instance, const char *tenant, gint64 vcpus)
{
    g_autofree char *id = g_strdup_printf("%08d-1111-4111-8111-111111111111", instance);
    ProtoLedgerRow row = { .kind = LEDGER_KIND_OPENED };

    row.has_from_ms = row.has_resource_kind = row.has_state = true;
    row.from_ms = maker->at_ms;
    row.cause = text("started");
    row.resource_kind = kind;
    row.resource = id;
    row.tenant = text(tenant);
    row.name = text("web");
    row.host = text("local");
    row.state =
        kind == RESOURCE_KIND_INSTANCE ? BILLING_STATE_RUNNING : BILLING_STATE_HELD;
    row.has_vcpus = row.has_memory_bytes = row.has_disk_bytes = true;
    row.vcpus = vcpus;
    row.memory_bytes = vcpus * GIB;
    row.disk_bytes = 10 * GIB;
    return add(maker, &row);
}

static void
close_segment(Maker *maker, gint64 segment)
{
    ProtoLedgerRow row = { .kind = LEDGER_KIND_CLOSED, .segment = segment };

    row.has_segment = row.has_to_ms = true;
    row.to_ms = maker->at_ms;
    row.cause = text("resized");
    add(maker, &row);
}

static void
use(Maker *maker, gint64 segment, Counter counter, gint64 quantity)
{
    ProtoLedgerRow row = { .kind = LEDGER_KIND_USED, .segment = segment };

    row.has_segment = row.has_from_ms = row.has_to_ms = true;
    row.from_ms = maker->at_ms - CALENDAR_DAY_MS;
    row.to_ms = maker->at_ms;
    row.has_counter = row.has_quantity = true;
    row.counter = counter;
    row.quantity = quantity;
    row.device = text(counter == COUNTER_CPU_TIME ? "0" : "52:54:00:00:00:01");
    add(maker, &row);
}

static gint64
tenant_of(int number, int instances, char **name)
{
    g_free(*name);
    *name = g_strdup_printf("t%05d", number / instances);
    return number;
}

static void
make_day(Maker *maker, gint64 *segments, int count, int instances, int day)
{
    g_autofree char *tenant = NULL;

    maker->at_ms += CALENDAR_DAY_MS;
    for (int i = 0; i < count; i++) {
        use(maker, segments[i], COUNTER_CPU_TIME, G_GINT64_CONSTANT(3600000000123) + i);
        use(maker, segments[i], COUNTER_DISK_WRITE_BYTES, 1000000007 + i);
        use(maker, segments[i], COUNTER_NET_RX_BYTES, 100003 + i);
        use(maker, segments[i], COUNTER_NET_TX_BYTES, 100000007 + i);
        if (day != DAYS / 2)
            continue;
        tenant_of(i, instances, &tenant);
        close_segment(maker, segments[i]);
        segments[i] = open_segment(maker, RESOURCE_KIND_INSTANCE, i, tenant, 4);
    }
}

/* Segments of the instances, then those of their volumes, then those of their addresses;
 * free with g_free(). */
static gint64 *
make_month(Maker *maker, int count, int instances)
{
    gint64 *segments = g_new0(gint64, (gsize) count * RESOURCE_KIND_N);
    g_autofree char *tenant = NULL;

    maker->at_ms = OCTOBER_MS;
    note(maker, "card", card);
    note(maker, "assignment",
         "{\"card\":\"c\",\"from_ms\":1767225600000,\"discount_ppm\":50000}");
    for (int i = 0; i < count; i++) {
        tenant_of(i, instances, &tenant);
        segments[i] = open_segment(maker, RESOURCE_KIND_INSTANCE, i, tenant, 2);
        segments[count + i] = open_segment(maker, RESOURCE_KIND_VOLUME, i, tenant, 0);
        segments[count * 2 + i] =
            open_segment(maker, RESOURCE_KIND_ADDRESS, i, tenant, 0);
    }
    for (int day = 1; day <= DAYS; day++) {
        make_day(maker, segments, count, instances, day);
    }
    flush(maker);
    return segments;
}

/* All but the last instances end, and two hours later the books are written on. */
static void
end_most(Maker *maker, const gint64 *segments, int count, int kept)
{
    for (int i = 0; i < count * RESOURCE_KIND_N; i++) {
        if (i % count < count - kept)
            close_segment(maker, segments[i]);
    }
    maker->at_ms += 2 * LIVE_KEPT_MS;
    use(maker, segments[count - 1], COUNTER_NET_RX_BYTES, 1);
    flush(maker);
}

/* Billing */

static Books *
read_books(MeterStore *store)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(View) view = view_open(store, 0, &error);
    g_autoptr(ViewMarks) marks = view_marks_new(view, LEDGER_KIND_NOTED, NULL);
    Books *books = books_new();
    const ProtoLedgerRow *row = NULL;

    while (view_marks_next(marks, &row, &error) && row != NULL) {
        if (!books_add(books, row, &error))
            die_of(error);
    }
    return books;
}

/* A report that is being written. */
typedef struct {
    const ReportFormat *format;
    ReportContext context;
    ReportFold *fold;
    GString *out;
    gint64 lines;
} Writing;

static bool
add_line(const BillLine *line, gpointer data, GError **error)
{
    Writing *writing = data;

    writing->lines++;
    return writing->format->line(&writing->context, writing->fold, line, writing->out,
                                 error);
}

/* What a report came to. */
typedef struct {
    gsize bytes;
    gint64 lines;
} Written;

/* The report as a whole, of which no more is held than a tenant. */
static Written
write_report(MeterStore *store,
             Books *books,
             const char *tenant,
             const ReportFormat *format,
             guint groups)
{
    const BillQuery query = { .tenant = tenant, .period = "2026-10" };
    g_autoptr(GError) error = NULL;
    g_autoptr(Biller) biller = biller_new(store, books, &query, &error);
    g_autoptr(ReportFold) fold = report_fold_new(groups, NULL);
    g_autoptr(GString) out = g_string_new(NULL);
    Writing writing = { .format = format,
                        .context = { .groups = groups, .focus = { .provider = "x" } },
                        .fold = fold,
                        .out = out };
    BillTotal total = { 0 };
    Written written = { 0 };
    bool more = true;

    if (biller == NULL)
        die_of(error);
    writing.context.foot = biller_get_foot(biller);
    while (more) {
        if (!biller_next(biller, add_line, &writing, &more, &total, &error))
            die_of(error);
        if (more)
            format->tenant(&writing.context, report_fold_get_rows(fold), &total, out);
        writing.context.tenant++;
        written.bytes += out->len;
        g_string_truncate(out, 0);
        report_fold_clear(fold);
    }
    written.lines = writing.lines;
    return written;
}

/* The same of what is of the ledger alone. */
static Written
write_text(TextSource source)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    Written written = { 0 };
    bool done = false;

    while (!done) {
        if (!source.next(source.stream, out, &done, &error))
            die_of(error);
        written.bytes += out->len;
        g_string_truncate(out, 0);
    }
    source.free(source.stream);
    return written;
}

static void
print_figures(const char *name, double since, Written written)
{
    g_print(", \"%s\": {\"cpu_seconds\": %.4f, \"bytes\": %" G_GSIZE_FORMAT
            ", \"lines\": %" G_GINT64_FORMAT "}",
            name, get_cpu_seconds() - since, written.bytes, written.lines);
}

static void
measure(const char *name,
        MeterStore *store,
        Books *books,
        const char *tenant,
        const ReportFormat *format,
        guint groups)
{
    double since = get_cpu_seconds();

    print_figures(name, since, write_report(store, books, tenant, format, groups));
}

static View *
open_newest(MeterStore *store)
{
    g_autoptr(GError) error = NULL;
    View *view = view_open(store, 0, &error);

    if (view == NULL)
        die_of(error);
    return view;
}

static void
measure_metrics(const char *name, MeterStore *store)
{
    double since = get_cpu_seconds();

    print_figures(name, since,
                  write_text(metrics_report_new(open_newest(store), NULL, true)));
}

static void
measure_ledger(MeterStore *store)
{
    double since = get_cpu_seconds();

    print_figures("ledger", since, write_text(ledger_text_new(open_newest(store), NULL)));
}

/* All that the store holds, the sums too. */
static void
measure_verify(MeterStore *store)
{
    double since = get_cpu_seconds();
    g_autoptr(GError) error = NULL;
    g_autoptr(Verify) verify = verify_new(store, &error);
    g_autoptr(GArray) faults = NULL;
    bool done = false;

    while (verify != NULL && !done) {
        if (!verify_step(verify, &done, &error))
            die_of(error);
    }
    if (verify == NULL)
        die_of(error);
    faults = verify_take_faults(verify);
    g_assert_cmpuint(faults->len, ==, 0);
    print_figures("verify", since, (Written){ .lines = verify_get_checked(verify) });
}

int
main(int argc, char **argv)
{
    const guint groups = REPORT_BY_TENANT | REPORT_BY_INSTANCE | REPORT_BY_METER;
    Maker maker = { .packed = g_byte_array_new() };
    g_autoptr(GError) error = NULL;
    g_autoptr(Books) books = NULL;
    g_autofree gint64 *segments = NULL;
    int tenants = 0;
    int instances = 0;

    if (argc != 4) {
        g_printerr("usage: bill-speed DIRECTORY TENANTS INSTANCES\n");
        return 2;
    }
    maker.store = meter_store_open(argv[1], &error);
    if (maker.store == NULL || !meter_store_bind(maker.store, SERVICE, &error))
        die_of(error);
    maker.hash = chain_begin(SERVICE);
    tenants = (int) g_ascii_strtoll(argv[2], NULL, 10);
    instances = (int) g_ascii_strtoll(argv[3], NULL, 10);
    segments = make_month(&maker, tenants * instances, instances);
    books = read_books(maker.store);
    g_print("{\"rows\": %" G_GINT64_FORMAT, maker.seq);
    measure("table", maker.store, books, NULL, &report_table, groups);
    measure("csv", maker.store, books, NULL, &report_csv, groups);
    measure("json", maker.store, books, NULL, &report_json, groups);
    measure("days", maker.store, books, NULL, &report_csv, groups | REPORT_BY_DAY);
    measure("focus", maker.store, books, NULL, &report_focus, groups);
    measure("tenant", maker.store, books, "t00000", &report_csv, groups);
    measure_metrics("openmetrics", maker.store);
    measure_ledger(maker.store);
    measure_verify(maker.store);
    end_most(&maker, segments, tenants * instances, instances);
    measure_metrics("metrics_after", maker.store);
    g_print("}\n");
    meter_store_close(maker.store);
    g_byte_array_unref(maker.packed);
    return 0;
}
