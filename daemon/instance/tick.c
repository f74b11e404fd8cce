/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/tick.h"

#include "base/clock.h"
#include "instance/reconcile.h"
#include "instance/runs.h"
#include "ledger/counters.h"
#include "ledger/ledger.h"
#include "wire/pack.h"

enum {
    STATS_TIMEOUT_MS = 60000,
    HOUR_MS = 3600000
};

static const char no_reading[] = "no-reading";

static bool
is_active(DomainState state)
{
    return state == DOMAIN_STATE_RUNNING || state == DOMAIN_STATE_PAUSED;
}

/* Keeps and writes the counters, and what was booked of them. */
static void
put(Instance *instance, StoreTx *tx, const ProtoCounterRecord *counters, GArray *rows)
{
    for (guint i = 0; i < rows->len; i++) {
        ledger_add_reading(instance->book->store, tx,
                           &g_array_index(rows, ProtoLedgerRow, i));
    }
    readings_keep(&instance->readings, counters);
    store_put_packed(tx, instance->record.view.id, instance->readings.packed);
}

void
tick_follow_segment(Instance *instance, StoreTx *tx, gint64 ended_ms, gint64 at_ms)
{
    gint64 segment = instance->readings.segment;
    g_auto(ProtoCounterRecord) counters = { 0 };
    const ProtoOpenSegment *open =
        ledger_find_open(&instance->record, RESOURCE_KIND_INSTANCE);
    bool counts = open != NULL && (open->state == BILLING_STATE_RUNNING ||
                                   open->state == BILLING_STATE_PAUSED);
    g_autoptr(GArray) rows = counters_new_rows();

    if (counts ? segment == open->seq : segment == 0)
        return;
    readings_open(&instance->readings, instance->record.view.id, &counters);
    if (counts) {
        counters_begin_segment(&counters, open->seq, ended_ms, at_ms, rows);
    } else {
        counters_end_segment(&counters, ended_ms);
        /* A destroy reads once more. */
        if (instance->record.view.state != INSTANCE_STATE_DESTROYING)
            counters_finish(&counters, "ended", rows);
    }
    put(instance, tx, &counters, rows);
}

/* When what is told now was read.  A step of the clock is looked after first, in a
 * transaction of its own: its rows come before those of the readings. */
static CounterTime
read_time(InstanceBook *book)
{
    CounterTime time = { 0 };

    instance_book_follow_clock(book);
    time = (CounterTime){ store_ledger_now_ms(book->store), clock_boot_ms() };
    store_pass_ledger_ms(book->store, time.at_ms);
    return time;
}

static void
take(Instance *instance,
     StoreTx *tx,
     const ProtoDomainStats *stats,
     const CounterTime *time)
{
    g_auto(ProtoCounterRecord) counters = { 0 };
    g_autoptr(GArray) rows = NULL;

    /* What is counted while nothing is billed was started by others; of a domain that is
     * off libvirt tells its own processor time. */
    if (instance->readings.segment == 0 || !is_active(stats->state))
        return;
    /* Nobody saw the process begin. */
    if (runs_is_other_process(instance, &stats->epoch)) {
        reconcile_look(instance);
        return;
    }
    load_take(&instance->load, stats, clock_wall_ms());
    rows = counters_new_rows();
    readings_open(&instance->readings, instance->record.view.id, &counters);
    counters_read(&counters, stats, instance->record.view.vcpus, time, rows);
    put(instance, tx, &counters, rows);
}

void
tick_take(Instance *instance, const ProtoDomainStats *stats)
{
    const CounterTime time = read_time(instance->book);
    StoreTx *tx = store_begin(instance->book->store);

    take(instance, tx, stats, &time);
    store_commit(tx);
}

/* Those that could not be read by the end of an hour have a gap there. */
static void
book_gaps(const BookHost *host)
{
    InstanceBook *book = host->book;
    const char *name = host_get_name(host->host);
    gint64 now_ms = store_ledger_now_ms(book->store);
    gint64 hour_ms = now_ms - now_ms % HOUR_MS;
    StoreTx *tx = store_begin(book->store);
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Instance *instance = value;
        const InstanceReadings *readings = &instance->readings;
        g_auto(ProtoCounterRecord) counters = { 0 };
        g_autoptr(GArray) rows = NULL;

        /* What most are passed over for comes first: all of them are looked at. */
        if (readings->known_ms >= hour_ms || readings->segment == 0 ||
            !instance_is_on(instance) || !instance_is_on_host(instance, name))
            continue;
        rows = counters_new_rows();
        readings_open(readings, instance->record.view.id, &counters);
        counters_miss(&counters, hour_ms, no_reading, rows);
        put(instance, tx, &counters, rows);
    }
    store_commit(tx);
}

/* One transaction for all: if each had its own, callers would wait for them.  A reading
 * that is not on disk when vmd dies is made up for by the next. */
static void
take_batch(const BookHost *host, const char *text)
{
    const char *name = host_get_name(host->host);
    gsize length = 0;
    g_autofree guint8 *data = g_base64_decode(text, &length);
    const CounterTime time = read_time(host->book);
    StoreTx *tx = store_begin(host->book->store);
    g_autoptr(GError) error = NULL;
    gsize used = 0;

    for (gsize at = 0; at < length; at += used) {
        g_auto(ProtoDomainStats) stats = { 0 };
        Instance *instance = NULL;

        if (!wire_struct_unpack(&proto_domain_stats_type, data + at, length - at, &used,
                                &stats, &error)) {
            g_warning("Host %s: counters: %s", name, error->message);
            break;
        }
        instance = instance_get(host->book, stats.id);
        if (instance != NULL && instance_is_on_host(instance, name))
            take(instance, tx, &stats, &time);
    }
    store_commit(tx);
}

static void
on_stats(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoWorkerStatsReply *reply = out;
    BookHost *host = data;
    const InstanceListener *listener = &host->book->listener;

    if (reply != NULL)
        take_batch(host, reply->samples);
    if (continues)
        return;
    if (error != NULL)
        g_message("Host %s: no counters: %s", host_get_name(host->host), error->message);
    host->is_ticking = false;
    instance_book_follow_clock(host->book);
    book_gaps(host);
    if (listener->ticked != NULL)
        listener->ticked(listener->data);
}

static gboolean on_tick(gpointer data);

/* Ticks are on the wall clock: an hour ends with one. */
static void
wait_for_next(InstanceBook *book)
{
    gint64 interval_ms = book->config->tick_seconds * 1000;
    gint64 wait_ms = interval_ms - clock_wall_ms() % interval_ms;

    book->tick_source = g_timeout_add((guint) wait_ms, on_tick, book);
}

static gboolean
on_tick(gpointer data)
{
    InstanceBook *book = data;
    const GPtrArray *hosts = fleet_get_hosts(book->fleet);

    wait_for_next(book);
    instance_book_follow_clock(book);
    for (guint i = 0; i < hosts->len; i++) {
        BookHost *host = instance_book_get_host(book, host_get_name(hosts->pdata[i]));

        if (host->is_ticking)
            continue;
        host->is_ticking = true;
        host_call(host->host, HOST_LANE_QUERY, &proto_worker_stats, NULL,
                  STATS_TIMEOUT_MS, on_stats, host);
    }
    return G_SOURCE_REMOVE;
}

void
tick_start(InstanceBook *book)
{
    wait_for_next(book);
}

void
tick_stop(InstanceBook *book)
{
    g_clear_handle_id(&book->tick_source, g_source_remove);
}
