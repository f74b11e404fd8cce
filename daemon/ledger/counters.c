/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ledger/counters.h"

#include <string.h>

#include "model/epoch.h"

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
 * A device is known by its serial or MAC address, never by its place among others or the
 * name of its tap.  The host tells all that a domain has, also that of which it knows no
 * figures now: a device that is not among it was unplugged.  The time of a domain is the
 * sum of its virtual CPUs', which come and go one by one.
 *
 * Two readings may have been under way together, that of an operation and that of all
 * domains: which of them is older nobody can tell, counter by counter.  What is more is
 * newer, and what such a reading does not have was not taken away.
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
    CPU_SLACK_MS = 1000,
    /* Of /proc/PID/stat. */
    MS_PER_CLOCK_TICK = 10
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

/* What is not yet booked of a counter, up to to_ms; what comes next begins there. */
static void
add_used(const ProtoCounterRecord *counters,
         ProtoReading *reading,
         gint64 to_ms,
         GArray *rows)
{
    ProtoLedgerRow row = make_row(counters, LEDGER_KIND_USED, reading->from_ms, to_ms);

    name_counter(&row, reading);
    row.has_quantity = true;
    row.quantity = reading->quantity;
    row.has_estimated = reading->estimated > 0;
    row.estimated = reading->estimated;
    g_array_append_val(rows, row);
    reading->from_ms = to_ms;
    reading->quantity = 0;
    reading->estimated = 0;
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
        gint64 last_ms = reading->missed > 0 ? get_told_ms(counters, reading) : end_ms;

        if (counters->segment != 0 && reading->quantity > 0)
            add_used(counters, reading, last_ms, rows);
        reading->from_ms = MAX(reading->from_ms, last_ms);
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

/* No row is later than the ledger's clock was; what is later here has no row, and the
 * clock was set back. */
static void
set_back(ProtoCounterRecord *counters, gint64 at_ms)
{
    counters->at_ms = MIN(counters->at_ms, at_ms);
    counters->from_ms = MIN(counters->from_ms, at_ms);
    counters->gap_ms = MIN(counters->gap_ms, at_ms);
    for (gsize i = 0; i < counters->n_readings; i++) {
        ProtoReading *reading = &counters->readings[i];

        reading->told_ms = MIN(reading->told_ms, at_ms);
        reading->gap_ms = MIN(reading->gap_ms, at_ms);
    }
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
    set_back(counters, MAX(ended_ms, counters->since_ms));
    /* What is read next is counted for the new one, also what was used before it. */
    if (counters->segment != 0 && ended_ms - counters->at_ms > HOUR_SLACK_MS)
        counters_miss(counters, ended_ms, "cut", rows);
    else if (counters->segment != 0)
        book(counters, ended_ms, rows);
    for (gsize i = 0; i < counters->n_readings; i++) {
        counters->readings[i].from_ms = at_ms;
    }
    counters->segment = segment;
    counters->since_ms = counters->from_ms = at_ms;
    counters->gap_ms = 0;
}

void
counters_end_segment(ProtoCounterRecord *counters, gint64 at_ms)
{
    if (counters->segment == 0 || counters->has_until_ms)
        return;
    set_back(counters, MAX(at_ms, counters->since_ms));
    counters->has_until_ms = true;
    counters->until_ms = MAX(at_ms, counters->since_ms);
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
find_reading(const ProtoCounterRecord *counters, Counter counter, const char *device)
{
    for (gsize i = 0; i < counters->n_readings; i++) {
        ProtoReading *reading = &counters->readings[i];

        if (reading->counter == counter && strcmp(reading->device, device) == 0)
            return reading;
    }
    return NULL;
}

static void
drop_readings(ProtoCounterRecord *counters)
{
    for (gsize i = 0; i < counters->n_readings; i++) {
        proto_reading_clear(&counters->readings[i]);
    }
    g_clear_pointer(&counters->readings, g_free);
    counters->n_readings = 0;
    if (counters->vcpus != NULL)
        proto_vcpu_readings_clear(counters->vcpus);
    g_clear_pointer(&counters->vcpus, g_free);
}

/** One turn of reading all counters of a domain. */
typedef struct {
    ProtoCounterRecord *counters;
    CounterTime time;
    gint64 vcpus;
    /** It is the first of a process that may not have been ours. */
    bool is_baseline;
    /** Nobody knows when since the last one it was used, or when the process before this
     * one ended. */
    bool is_late;
    bool is_other;
    /** It was under way together with one that was taken already. */
    bool overlaps;
    GArray *rows;
} Turn;

/** What the host tells of one counter. */
typedef struct {
    Counter counter;
    const char *device;
    /** NULL: it has none. */
    const char *incarnation;
    bool is_told;
    gint64 raw;
} Told;

static ProtoReading *
ensure_reading(const Turn *turn, const Told *told)
{
    ProtoCounterRecord *counters = turn->counters;
    ProtoReading *reading = find_reading(counters, told->counter, told->device);

    if (reading != NULL)
        return reading;
    counters->readings =
        g_renew(ProtoReading, counters->readings, counters->n_readings + 1);
    reading = &counters->readings[counters->n_readings++];
    *reading = (ProtoReading){ .counter = told->counter,
                               .device = g_strdup(told->device),
                               .told_ms = counters->from_ms,
                               .from_ms = MAX(counters->from_ms, counters->at_ms),
                               .incarnation = g_strdup(told->incarnation),
                               .has_unbegun = turn->is_baseline,
                               .unbegun = turn->is_baseline };
    return reading;
}

/* No more time than the processors had since it was last told. */
static gint64
limit_cpu(const Turn *turn, const ProtoReading *reading, gint64 grown)
{
    gint64 elapsed_ms = turn->time.boot_ms - reading->told_boot_ms;
    gint64 most = 0;

    if (reading->told_boot_ms == 0 || elapsed_ms < 0 ||
        __builtin_mul_overflow((elapsed_ms + CPU_SLACK_MS) * turn->vcpus,
                               (gint64) NS_PER_MS, &most) ||
        grown <= most)
        return grown;
    add_gap(turn->counters, reading, get_told_ms(turn->counters, reading),
            turn->time.at_ms, "implausible", turn->rows);
    return most;
}

/* A counter that went back is a mistake and counts nothing, unless its device is another
 * one, which began at zero. */
static gint64
judge(const Turn *turn, const ProtoReading *reading, const Told *told, gint64 grown)
{
    if (reading->has_unbegun && reading->unbegun)
        return 0;
    if (grown < 0 && g_strcmp0(reading->incarnation, told->incarnation) != 0)
        return told->raw;
    if (grown < 0) {
        add_gap(turn->counters, reading, get_told_ms(turn->counters, reading),
                turn->time.at_ms, "went-back", turn->rows);
        return 0;
    }
    return told->counter == COUNTER_CPU_TIME ? limit_cpu(turn, reading, grown) : grown;
}

/* Books what it grew by over the time in which it was not told, and before that what it
 * had grown by until then. */
static void
make_up(const Turn *turn, ProtoReading *reading, gint64 grown)
{
    bool had_gap = is_missing(reading) || turn->counters->gap_ms > turn->counters->at_ms;

    if (turn->counters->segment == 0)
        return;
    if (reading->quantity > 0)
        add_used(turn->counters, reading, get_told_ms(turn->counters, reading),
                 turn->rows);
    reading->quantity = reading->estimated = grown;
    if (grown > 0 || had_gap)
        add_used(turn->counters, reading, turn->time.at_ms, turn->rows);
    reading->from_ms = turn->time.at_ms;
}

static void
count(const Turn *turn, ProtoReading *reading, gint64 grown)
{
    if (turn->is_late || is_missing(reading)) {
        make_up(turn, reading, grown);
        return;
    }
    if (__builtin_add_overflow(reading->quantity, grown, &reading->quantity))
        reading->quantity = G_MAXINT64;
    if (turn->is_other)
        reading->estimated = reading->quantity;
}

/* Of two readings that were under way together. */
static bool
is_older(const Turn *turn, const ProtoReading *reading, const Told *told, gint64 grown)
{
    return turn->overlaps &&
           (grown < 0 || g_strcmp0(reading->incarnation, told->incarnation) != 0);
}

static void
keep_value(ProtoReading *reading, const Told *told)
{
    reading->raw = told->raw;
    if (g_strcmp0(reading->incarnation, told->incarnation) != 0) {
        g_free(reading->incarnation);
        reading->incarnation = g_strdup(told->incarnation);
    }
    reading->has_unbegun = reading->unbegun = false;
}

/* grown is by how much more it is than when it was last told. */
static void
take_told(const Turn *turn, ProtoReading *reading, const Told *told, gint64 grown)
{
    bool is_old = is_older(turn, reading, told, grown);

    count(turn, reading, is_old ? 0 : judge(turn, reading, told, grown));
    if (!is_old)
        keep_value(reading, told);
    /* Counted up below, like those that were not told. */
    reading->missed = -1;
    reading->gap_ms = 0;
    reading->told_ms = turn->time.at_ms;
    reading->told_boot_ms = turn->time.boot_ms;
}

static void
read_counter(const Turn *turn, const Told *told)
{
    ProtoReading *reading = ensure_reading(turn, told);

    if (told->is_told)
        take_told(turn, reading, told, told->raw - reading->raw);
}

/* Processors */

static gint64
get_time_before(const ProtoCounterRecord *counters, gint64 number)
{
    for (gsize i = 0; counters->vcpus != NULL && i < counters->vcpus->n_each; i++) {
        if (counters->vcpus->each[i].number == number)
            return counters->vcpus->each[i].time_ns;
    }
    return 0;
}

static bool
has_vcpu(const ProtoDomainStats *stats, gint64 number)
{
    for (gsize i = 0; i < stats->n_vcpus; i++) {
        if (stats->vcpus[i].number == number)
            return true;
    }
    return false;
}

static void
add_time(ProtoVcpuReadings *kept, gint64 number, gint64 time_ns)
{
    kept->each = g_renew(ProtoVcpuReading, kept->each, kept->n_each + 1);
    kept->each[kept->n_each++] = (ProtoVcpuReading){ number, time_ns };
}

static void
keep_times(const Turn *turn, const ProtoDomainStats *stats)
{
    ProtoCounterRecord *counters = turn->counters;
    ProtoVcpuReadings *before = counters->vcpus;
    ProtoVcpuReadings *kept = g_new0(ProtoVcpuReadings, 1);

    for (gsize i = 0; i < stats->n_vcpus; i++) {
        gint64 number = stats->vcpus[i].number;
        gint64 least_ns = turn->overlaps ? get_time_before(counters, number) : 0;

        add_time(kept, number, MAX(stats->vcpus[i].time_ns, least_ns));
    }
    for (gsize i = 0; turn->overlaps && before != NULL && i < before->n_each; i++) {
        if (!has_vcpu(stats, before->each[i].number))
            add_time(kept, before->each[i].number, before->each[i].time_ns);
    }
    if (before != NULL)
        proto_vcpu_readings_clear(before);
    g_free(before);
    counters->vcpus = kept;
}

/* The sum of all, each since it was last told: one that was unplugged takes its time with
 * it, and begins at zero when it comes back. */
static void
read_cpu(const Turn *turn, const ProtoDomainStats *stats)
{
    ProtoCounterRecord *counters = turn->counters;
    Told told = { .counter = COUNTER_CPU_TIME,
                  .device = "",
                  .is_told = stats->n_vcpus > 0 };
    ProtoReading *reading = ensure_reading(turn, &told);
    gint64 grown = 0;

    for (gsize i = 0; i < stats->n_vcpus; i++) {
        gint64 time_ns = stats->vcpus[i].time_ns;
        gint64 since_ns = 0;

        told.is_told &= stats->vcpus[i].has_time_ns && time_ns <= G_MAXINT64 - told.raw;
        if (!told.is_told)
            return;
        told.raw += time_ns;
        since_ns = time_ns - get_time_before(counters, stats->vcpus[i].number);
        grown += turn->overlaps ? MAX(since_ns, 0) : since_ns;
    }
    if (!told.is_told)
        return;
    take_told(turn, reading, &told,
              counters->vcpus != NULL ? grown : told.raw - reading->raw);
    keep_times(turn, stats);
}

/* Devices */

static void
read_disk(const Turn *turn, const ProtoDiskStats *disk)
{
    const Told all[] = {
        { COUNTER_DISK_READ_BYTES, disk->serial, disk->incarnation, disk->has_read_bytes,
          disk->read_bytes },
        { COUNTER_DISK_WRITE_BYTES, disk->serial, disk->incarnation,
          disk->has_write_bytes, disk->write_bytes },
        { COUNTER_DISK_READ_OPS, disk->serial, disk->incarnation, disk->has_read_ops,
          disk->read_ops },
        { COUNTER_DISK_WRITE_OPS, disk->serial, disk->incarnation, disk->has_write_ops,
          disk->write_ops },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        read_counter(turn, &all[i]);
    }
}

static void
read_nic(const Turn *turn, const ProtoNicStats *nic)
{
    const Told all[] = {
        { COUNTER_NET_RX_BYTES, nic->mac, nic->incarnation, nic->has_rx_bytes,
          nic->rx_bytes },
        { COUNTER_NET_TX_BYTES, nic->mac, nic->incarnation, nic->has_tx_bytes,
          nic->tx_bytes },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        read_counter(turn, &all[i]);
    }
}

static bool
is_plugged_in(const ProtoDomainStats *stats, const char *device)
{
    for (gsize i = 0; i < stats->n_disks; i++) {
        if (strcmp(stats->disks[i].serial, device) == 0)
            return true;
    }
    for (gsize i = 0; i < stats->n_nics; i++) {
        if (strcmp(stats->nics[i].mac, device) == 0)
            return true;
    }
    return *device == '\0';
}

/* A device that was unplugged took with it what it counted since it was last told; should
 * it come back, it begins at zero. */
static void
drop_unplugged(const Turn *turn, const ProtoDomainStats *stats)
{
    ProtoCounterRecord *counters = turn->counters;
    gsize n_kept = 0;

    for (gsize i = 0; i < counters->n_readings; i++) {
        ProtoReading *reading = &counters->readings[i];
        gint64 told_ms = get_told_ms(counters, reading);

        if (is_plugged_in(stats, reading->device)) {
            counters->readings[n_kept++] = *reading;
            continue;
        }
        if (counters->segment != 0 && reading->quantity > 0)
            add_used(counters, reading, told_ms, turn->rows);
        add_gap(counters, reading, MAX(told_ms, reading->gap_ms), turn->time.at_ms,
                "unplugged", turn->rows);
        proto_reading_clear(reading);
    }
    counters->n_readings = n_kept;
}

static void
read_all(const Turn *turn, const ProtoDomainStats *stats)
{
    if (!turn->overlaps)
        drop_unplugged(turn, stats);
    read_cpu(turn, stats);
    for (gsize i = 0; i < stats->n_disks; i++) {
        read_disk(turn, &stats->disks[i]);
    }
    for (gsize i = 0; i < stats->n_nics; i++) {
        read_nic(turn, &stats->nics[i]);
    }
}

/* What was not told this time is not zero, and what was in the gap of all counters before
 * still is. */
static void
count_misses(const Turn *turn)
{
    const ProtoCounterRecord *counters = turn->counters;

    for (gsize i = 0; i < counters->n_readings; i++) {
        ProtoReading *reading = &counters->readings[i];

        reading->missed++;
        if (reading->missed == 0 || counters->gap_ms <= counters->at_ms)
            continue;
        reading->missed = MAX(reading->missed, MISSES_MAX);
        reading->gap_ms = MAX(reading->gap_ms, counters->gap_ms);
    }
    book_missing(turn->counters, turn->time.at_ms, turn->rows);
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

/* Whether another process ran before it in the segment: one that was read there, or one
 * that nobody read, if this one began after the segment did. */
static bool
has_other_before(const ProtoCounterRecord *counters,
                 const ProtoDomainStats *stats,
                 gint64 at_ms)
{
    gint64 begun_ms =
        at_ms - (stats->read_boot_ms - stats->epoch.pid_start * MS_PER_CLOCK_TICK);

    return counters->epoch != NULL && counters->segment != 0 &&
           (counters->at_ms >= counters->from_ms ||
            begun_ms > counters->since_ms + HOUR_SLACK_MS);
}

/* One that came late, behind a newer one, tells nothing more. */
static bool
is_stale(const ProtoCounterRecord *counters, const ProtoDomainStats *stats)
{
    return counters->epoch != NULL && counters->has_read_boot_ms &&
           strcmp(counters->epoch->boot_id, stats->epoch.boot_id) == 0 &&
           (stats->epoch.pid_start < counters->epoch->pid_start ||
            stats->read_end_boot_ms < counters->read_boot_ms);
}

/* A record of before readings had an end has none. */
static bool
overlaps(const ProtoCounterRecord *counters, const ProtoDomainStats *stats)
{
    return counters->has_read_end_boot_ms &&
           stats->read_boot_ms <= counters->read_end_boot_ms;
}

/* Between which moments those of this process were read that were taken. */
static void
keep_read_time(const Turn *turn, const ProtoDomainStats *stats)
{
    ProtoCounterRecord *counters = turn->counters;
    gint64 begun_ms = turn->overlaps ? counters->read_boot_ms : 0;
    gint64 ended_ms = turn->overlaps ? counters->read_end_boot_ms : 0;

    counters->has_read_boot_ms = counters->has_read_end_boot_ms = true;
    counters->read_boot_ms = MAX(stats->read_boot_ms, begun_ms);
    counters->read_end_boot_ms = MAX(stats->read_end_boot_ms, ended_ms);
}

void
counters_read(ProtoCounterRecord *counters,
              const ProtoDomainStats *stats,
              gint64 vcpus,
              const CounterTime *time,
              GArray *rows)
{
    bool is_first =
        counters->epoch == NULL || !epoch_is_same(counters->epoch, &stats->epoch);
    Turn turn = {
        .counters = counters,
        .time = *time,
        .vcpus = MAX(vcpus, (gint64) stats->n_vcpus),
        .is_baseline = is_first && counters->adopted,
        .is_other = is_first && has_other_before(counters, stats, time->at_ms),
        .is_late = !is_first && (time->boot_ms - counters->at_boot_ms > LATE_MS ||
                                 counters->gap_ms > counters->at_ms),
        .overlaps = !is_first && overlaps(counters, stats),
        .rows = rows,
    };

    if (is_stale(counters, stats))
        return;
    set_back(counters, MAX(time->at_ms, counters->since_ms));
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
    keep_read_time(&turn, stats);
    end_hour(counters, turn.time.at_ms, rows);
}
