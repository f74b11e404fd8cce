/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ledger/counters.h"

#include <string.h>

/*
 * How it works
 *
 * A record keeps the last raw value of each counter and what it grew by since from_ms.
 * Booking writes that as rows of [from_ms, at] and begins again.
 *
 * Readings come every minute.  When one comes late, or a counter was not told for a
 * while, what it grew by is known but not when it was: that is booked as a row of its own
 * that spans the time, all of it estimated.  Where the time was booked as a gap the row
 * is written even if nothing was counted: it makes up for the gap.
 *
 * The rows of a counter never overlap: a row ends where the counter was last told, or
 * later if nothing was missing.
 */

enum {
    HOUR_MS = 3600000,
    /* A reading so long after the hour still belongs to it. */
    HOUR_SLACK_MS = 2000,
    /* Readings further apart than this do not say when something was used. */
    LATE_MS = 150000,
    /* A counter that was not told so often in a row is missing. */
    MISSES_MAX = 3,
    NS_PER_MS = 1000000,
    /* libvirt reads processor time in clock ticks, and not in the same instant as ours.
     */
    CPU_SLACK_MS = 1000
};

GArray *
counters_new_rows(void)
{
    GArray *rows = g_array_new(FALSE, TRUE, sizeof(ProtoLedgerRow));

    g_array_set_clear_func(rows, (GDestroyNotify) proto_ledger_row_clear);
    return rows;
}

/* Rows */

static ProtoLedgerRow
make_row(const ProtoCounterRecord *counters,
         LedgerKind kind,
         gint64 from_ms,
         gint64 to_ms)
{
    return (ProtoLedgerRow){
        .kind = kind,
        .has_segment = true,
        .segment = counters->segment,
        .has_from_ms = true,
        .from_ms = from_ms,
        .has_to_ms = true,
        .to_ms = to_ms,
    };
}

static void
name_counter(ProtoLedgerRow *row, const ProtoReading *reading)
{
    row->has_counter = true;
    row->counter = reading->counter;
    row->device = *reading->device != '\0' ? g_strdup(reading->device) : NULL;
}

static void
add_used(const ProtoCounterRecord *counters,
         const ProtoReading *reading,
         gint64 from_ms,
         gint64 to_ms,
         GArray *rows)
{
    ProtoLedgerRow row = make_row(counters, LEDGER_KIND_USED, from_ms, to_ms);

    name_counter(&row, reading);
    row.has_quantity = true;
    row.quantity = reading->quantity;
    row.has_estimated = reading->estimated > 0;
    row.estimated = reading->estimated;
    g_array_append_val(rows, row);
}

/* reading may be NULL: the gap is of all counters. */
static void
add_gap(const ProtoCounterRecord *counters,
        const ProtoReading *reading,
        gint64 from_ms,
        gint64 to_ms,
        const char *cause,
        GArray *rows)
{
    ProtoLedgerRow row = make_row(counters, LEDGER_KIND_GAP, from_ms, to_ms);

    if (counters->segment == 0 || from_ms >= to_ms)
        return;
    row.cause = g_strdup(cause);
    if (reading != NULL)
        name_counter(&row, reading);
    g_array_append_val(rows, row);
}

/* Booking */

static bool
is_missing(const ProtoReading *reading)
{
    return reading->missed >= MISSES_MAX;
}

/* When it was last told in this segment. */
static gint64
get_told_ms(const ProtoCounterRecord *counters, const ProtoReading *reading)
{
    return MAX(reading->told_ms, counters->since_ms);
}

static void
book(ProtoCounterRecord *counters, gint64 to_ms, GArray *rows)
{
    gint64 end_ms = MAX(to_ms, counters->from_ms);

    for (gsize i = 0; i < counters->n_readings; i++) {
        ProtoReading *reading = &counters->readings[i];

        if (counters->segment != 0 && reading->quantity > 0)
            add_used(counters, reading, counters->from_ms,
                     reading->missed > 0 ? get_told_ms(counters, reading) : end_ms, rows);
        reading->quantity = 0;
        reading->estimated = 0;
    }
    counters->from_ms = end_ms;
}

/* Gaps of single counters, which go on while they are missing. */
static void
book_missing(ProtoCounterRecord *counters, gint64 at_ms, GArray *rows)
{
    for (gsize i = 0; i < counters->n_readings; i++) {
        ProtoReading *reading = &counters->readings[i];

        if (!is_missing(reading) || reading->gap_ms >= at_ms)
            continue;
        add_gap(counters, reading, MAX(reading->gap_ms, get_told_ms(counters, reading)),
                at_ms, "not-told", rows);
        reading->gap_ms = at_ms;
    }
}

static void
book_gap(ProtoCounterRecord *counters, gint64 at_ms, const char *cause, GArray *rows)
{
    add_gap(counters, NULL,
            MAX(counters->at_ms, MAX(counters->gap_ms, counters->from_ms)), at_ms, cause,
            rows);
    counters->gap_ms = MAX(counters->gap_ms, at_ms);
}

void
counters_begin_segment(ProtoCounterRecord *counters,
                       gint64 segment,
                       gint64 ended_ms,
                       gint64 at_ms,
                       GArray *rows)
{
    if (counters->has_until_ms)
        counters_finish(counters, "ended", rows);
    /* What is read next is counted for the new one, also what was used before it. */
    if (counters->segment != 0 && ended_ms - counters->at_ms > HOUR_SLACK_MS)
        counters_miss(counters, ended_ms, "cut", rows);
    else if (counters->segment != 0)
        book(counters, ended_ms, rows);
    counters->segment = segment;
    counters->since_ms = counters->from_ms = at_ms;
    counters->gap_ms = 0;
}

void
counters_end_segment(ProtoCounterRecord *counters, gint64 at_ms)
{
    if (counters->segment == 0 || counters->has_until_ms)
        return;
    counters->has_until_ms = true;
    counters->until_ms = MAX(at_ms, counters->from_ms);
}

void
counters_finish(ProtoCounterRecord *counters, const char *cause, GArray *rows)
{
    gint64 until_ms = counters->until_ms;

    book(counters, MIN(counters->at_ms, until_ms), rows);
    book_missing(counters, until_ms, rows);
    book_gap(counters, until_ms, cause, rows);
    counters->segment = 0;
    counters->has_until_ms = false;
    counters->gap_ms = 0;
}

void
counters_miss(ProtoCounterRecord *counters, gint64 at_ms, const char *cause, GArray *rows)
{
    book(counters, counters->at_ms, rows);
    book_missing(counters, at_ms, rows);
    book_gap(counters, at_ms, cause, rows);
}

/* Reading */

static ProtoReading *
get_reading(ProtoCounterRecord *counters, Counter counter, const char *device)
{
    ProtoReading *reading = NULL;

    for (gsize i = 0; i < counters->n_readings; i++) {
        reading = &counters->readings[i];
        if (reading->counter == counter && strcmp(reading->device, device) == 0)
            return reading;
    }
    counters->readings =
        g_renew(ProtoReading, counters->readings, counters->n_readings + 1);
    reading = &counters->readings[counters->n_readings++];
    *reading = (ProtoReading){ .counter = counter,
                               .device = g_strdup(device),
                               .told_ms = counters->from_ms };
    return reading;
}

static void
drop_readings(ProtoCounterRecord *counters)
{
    for (gsize i = 0; i < counters->n_readings; i++) {
        proto_reading_clear(&counters->readings[i]);
    }
    g_clear_pointer(&counters->readings, g_free);
    counters->n_readings = 0;
}

/** One turn of reading all counters of a domain. */
typedef struct {
    ProtoCounterRecord *counters;
    CounterTime time;
    gint64 vcpus;
    /** It is the first of a process, and of one that may not have been ours. */
    bool is_first;
    bool is_baseline;
    /** Nobody knows when since the last one it was used, or when the process before this
     * one ended. */
    bool is_late;
    bool is_other;
    GArray *rows;
} Turn;

/* No more time than the processors had. */
static gint64
limit_cpu(const Turn *turn, const ProtoReading *reading, gint64 grown)
{
    gint64 elapsed_ms = turn->time.boot_ms - turn->counters->at_boot_ms;
    gint64 most = 0;

    if (turn->is_first || elapsed_ms < 0 ||
        __builtin_mul_overflow((elapsed_ms + CPU_SLACK_MS) * turn->vcpus,
                               (gint64) NS_PER_MS, &most) ||
        grown <= most)
        return grown;
    add_gap(turn->counters, reading, get_told_ms(turn->counters, reading),
            turn->time.at_ms, "implausible", turn->rows);
    return most;
}

/* How much it grew since it was last told. */
static gint64
grow(const Turn *turn, ProtoReading *reading, gint64 raw)
{
    gint64 grown = raw - reading->raw;

    reading->raw = raw;
    if (turn->is_baseline)
        return 0;
    if (grown < 0) {
        add_gap(turn->counters, reading, get_told_ms(turn->counters, reading),
                turn->time.at_ms, "went-back", turn->rows);
        return 0;
    }
    return reading->counter == COUNTER_CPU_TIME ? limit_cpu(turn, reading, grown) : grown;
}

/* Books what it grew by over the time in which it was not told. */
static void
make_up(const Turn *turn, const ProtoReading *reading, gint64 grown)
{
    const ProtoReading spanning = { .counter = reading->counter,
                                    .device = reading->device,
                                    .quantity = grown,
                                    .estimated = grown };
    bool had_gap = is_missing(reading) || turn->counters->gap_ms > turn->counters->at_ms;

    if (turn->counters->segment != 0 && (grown > 0 || had_gap))
        add_used(turn->counters, &spanning, get_told_ms(turn->counters, reading),
                 turn->time.at_ms, turn->rows);
}

static void
read_counter(const Turn *turn, Counter counter, const char *device, gint64 raw)
{
    ProtoReading *reading = get_reading(turn->counters, counter, device);
    gint64 grown = grow(turn, reading, raw);

    if (turn->is_late || is_missing(reading)) {
        make_up(turn, reading, grown);
    } else {
        if (__builtin_add_overflow(reading->quantity, grown, &reading->quantity))
            reading->quantity = G_MAXINT64;
        if (turn->is_other)
            reading->estimated = reading->quantity;
    }
    /* Counted up below, like those that were not told. */
    reading->missed = -1;
    reading->gap_ms = 0;
    reading->told_ms = turn->time.at_ms;
}

static void
read_all(const Turn *turn, const ProtoDomainStats *stats)
{
    if (stats->has_cpu_ns)
        read_counter(turn, COUNTER_CPU_TIME, "", stats->cpu_ns);
    for (gsize i = 0; i < stats->n_disks; i++) {
        const ProtoDiskStats *disk = &stats->disks[i];

        read_counter(turn, COUNTER_DISK_READ_BYTES, disk->serial, disk->read_bytes);
        read_counter(turn, COUNTER_DISK_WRITE_BYTES, disk->serial, disk->write_bytes);
        read_counter(turn, COUNTER_DISK_READ_OPS, disk->serial, disk->read_ops);
        read_counter(turn, COUNTER_DISK_WRITE_OPS, disk->serial, disk->write_ops);
    }
    for (gsize i = 0; i < stats->n_nics; i++) {
        const ProtoNicStats *nic = &stats->nics[i];

        read_counter(turn, COUNTER_NET_RX_BYTES, nic->mac, nic->rx_bytes);
        read_counter(turn, COUNTER_NET_TX_BYTES, nic->mac, nic->tx_bytes);
    }
}

/* What was not told this time is not zero. */
static void
count_misses(const Turn *turn)
{
    for (gsize i = 0; i < turn->counters->n_readings; i++) {
        turn->counters->readings[i].missed++;
    }
    book_missing(turn->counters, turn->time.at_ms, turn->rows);
}

static bool
is_same_epoch(const ProtoEpoch *a, const ProtoEpoch *b)
{
    return a->pid == b->pid && a->pid_start == b->pid_start &&
           strcmp(a->boot_id, b->boot_id) == 0;
}

/* Another process counts from zero; what the one before counted since its last reading
 * nobody knows any more. */
static void
begin_epoch(ProtoCounterRecord *counters, const ProtoEpoch *epoch)
{
    drop_readings(counters);
    if (counters->epoch != NULL)
        proto_epoch_clear(counters->epoch);
    g_free(counters->epoch);
    counters->epoch = g_new0(ProtoEpoch, 1);
    proto_epoch_copy(epoch, counters->epoch);
}

static void
end_hour(ProtoCounterRecord *counters, gint64 at_ms, GArray *rows)
{
    gint64 hour_ms = at_ms - at_ms % HOUR_MS;

    if (counters->from_ms < hour_ms)
        book(counters, at_ms - hour_ms <= HOUR_SLACK_MS ? hour_ms : at_ms, rows);
}

void
counters_read(ProtoCounterRecord *counters,
              const ProtoDomainStats *stats,
              gint64 vcpus,
              const CounterTime *time,
              GArray *rows)
{
    bool is_first =
        counters->epoch == NULL || !is_same_epoch(counters->epoch, &stats->epoch);
    Turn turn = {
        .counters = counters,
        .time = *time,
        .vcpus = vcpus,
        .is_first = is_first,
        .is_baseline = is_first && counters->adopted,
        .is_other = is_first && counters->epoch != NULL && counters->segment != 0 &&
                    counters->at_ms >= counters->from_ms,
        .is_late = !is_first && (time->boot_ms - counters->at_boot_ms > LATE_MS ||
                                 counters->gap_ms > counters->at_ms),
        .rows = rows,
    };

    if (counters->has_until_ms)
        turn.time.at_ms = MIN(time->at_ms, counters->until_ms);
    if (turn.is_other) {
        counters_miss(counters, turn.time.at_ms, "other-process", rows);
        counters->from_ms = turn.time.at_ms;
    }
    if (is_first)
        begin_epoch(counters, &stats->epoch);
    if (turn.is_late)
        book(counters, counters->at_ms, rows);
    read_all(&turn, stats);
    count_misses(&turn);
    if (turn.is_late)
        counters->from_ms = turn.time.at_ms;
    counters->adopted = false;
    counters->gap_ms = 0;
    counters->at_ms = turn.time.at_ms;
    counters->at_boot_ms = time->boot_ms;
    end_hour(counters, turn.time.at_ms, rows);
}
