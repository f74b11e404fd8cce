/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/metering/oracle.h"

#include <string.h>

#include "base/clock.h"
#include "model/epoch.h"
#include "sim/metering/coverage.h"
#include "sim/metering/guests.h"
#include "sim/metering/tamper.h"
#include "sim/metering/thread.h"
#include "sim/metering/vmd.h"
#include "sim/world.h"
#include "store/ledger-check.h"

enum {
    ROWS = 100000,
    READ_LIMIT_MS = 10000,
    /* By how much a segment may be billed too long: a step that is not seen as one. */
    CLOCKS_MS = 100,
    TICK_SLACK_MS = 5000,
};

/** A reading that vmd took, in the job of that number. */
typedef struct {
    const Guest *guest;
    Life *life;
    gint64 at_ms;
    /** For how long its process had run. */
    gint64 age_ms;
    guint64 job;
    gint64 values[COUNTER_N];
    bool has[COUNTER_N];
    /** What was told of the process before. */
    gint64 before[COUNTER_N];
} Note;

/** What the ledger has of a resource. */
typedef struct {
    ProtoLedgerRow opened;
    bool is_open;
    bool was_open;
    gint64 ended_ms;
    char *cause;
    gint64 billed_ms;
} Bill;

static struct {
    GArray *notes;
    Note *current;
    guint64 n_rows;
} oracle;

void
oracle_begin(void)
{
    oracle.notes = g_array_new(FALSE, TRUE, sizeof(Note));
    coverage_begin();
}

void
oracle_end(void)
{
    g_clear_pointer(&oracle.notes, g_array_unref);
    coverage_end();
}

guint64
oracle_count_rows(void)
{
    return oracle.n_rows;
}

/* Readings */

/* What is on disk by now is kept. */
static void
settle(void)
{
    guint done = 0;

    while (done < oracle.notes->len &&
           g_array_index(oracle.notes, Note, done).job <= thread_count_kept()) {
        const Note *note = &g_array_index(oracle.notes, Note, done++);

        for (int i = 0; i < COUNTER_N; i++) {
            if (note->has[i])
                note->life->kept[i] = note->values[i];
        }
        coverage_add_reading(note->guest, note->life, note->at_ms, note->age_ms);
    }
    if (done > 0)
        g_array_remove_range(oracle.notes, 0, done);
}

static Life *
find_life(const Guest *guest, const ProtoEpoch *epoch)
{
    for (guint i = 0; i < guest->lives->len; i++) {
        Life *life = guest->lives->pdata[i];

        if (epoch_is_same(&life->epoch, epoch))
            return life;
    }
    return NULL;
}

static void
note_value(Note *note, Counter counter, bool is_told, gint64 value)
{
    if (!is_told)
        return;
    note->has[counter] = true;
    note->values[counter] = value;
    note->life->told[counter] = value;
}

/* A guest has one processor that it uses, one disk and one NIC. */
static void
fill_note(Note *note, const ProtoDomainStats *stats)
{
    const ProtoVcpuStats *cpu = &stats->vcpus[0];
    const ProtoDiskStats *disk = &stats->disks[0];
    const ProtoNicStats *nic = &stats->nics[0];

    note_value(note, COUNTER_CPU_TIME, cpu->has_time_ns, cpu->time_ns);
    note_value(note, COUNTER_DISK_READ_BYTES, disk->has_read_bytes, disk->read_bytes);
    note_value(note, COUNTER_DISK_WRITE_BYTES, disk->has_write_bytes, disk->write_bytes);
    note_value(note, COUNTER_DISK_READ_OPS, disk->has_read_ops, disk->read_ops);
    note_value(note, COUNTER_DISK_WRITE_OPS, disk->has_write_ops, disk->write_ops);
    note_value(note, COUNTER_NET_RX_BYTES, nic->has_rx_bytes, nic->rx_bytes);
    note_value(note, COUNTER_NET_TX_BYTES, nic->has_tx_bytes, nic->tx_bytes);
}

/* Whether vmd charges for what the guest uses, and so takes the reading. */
static bool
is_taken(const Instance *instance, const ProtoDomainStats *stats)
{
    return instance != NULL && instance->readings.segment != 0 &&
           (stats->state == DOMAIN_STATE_RUNNING || stats->state == DOMAIN_STATE_PAUSED);
}

static void
add_note(const Instance *instance, const ProtoDomainStats *stats, guint64 job)
{
    Note note = { 0 };

    note.guest = guests_find_ever(stats->id);
    note.life = find_life(note.guest, &stats->epoch);
    note.at_ms = store_ledger_now_ms(instance->book->store);
    note.age_ms = world_now_ms() - note.life->started_ms;
    note.life->told_ms = world_now_ms();
    note.job = job;
    memcpy(note.before, note.life->told, sizeof note.before);
    fill_note(&note, stats);
    world_trace("reading of %s, process %" G_GINT64_FORMAT
                ", in segment %" G_GINT64_FORMAT ": cpu %" G_GINT64_FORMAT,
                instance->record.view.name, stats->epoch.pid, instance->readings.segment,
                stats->vcpus[0].has_time_ns ? stats->vcpus[0].time_ns : -1);
    g_array_append_val(oracle.notes, note);
    oracle.current = &g_array_index(oracle.notes, Note, oracle.notes->len - 1);
}

/* If it is taken, it is the next job of the store, once a step of the clock has been
 * looked after. */
void
oracle_expect_reading(const ProtoDomainStats *stats)
{
    InstanceBook *book = vmd_get()->rpc.instances;
    const Instance *instance = instance_get(book, stats->id);

    settle();
    oracle.current = NULL;
    if (!is_taken(instance, stats))
        return;
    instance_book_follow_clock(book);
    add_note(instance, stats, thread_count_given() + 1);
}

/* Whether what is counted from now on is counted from what that process told. */
static bool
is_of_process(const Instance *instance, const ProtoDomainStats *stats)
{
    g_auto(ProtoCounterRecord) counters = { 0 };
    const ProtoEpoch *epoch = NULL;

    readings_open(&instance->readings, instance->record.view.id, &counters);
    epoch = counters.epoch;
    return epoch != NULL && epoch_is_same(epoch, &stats->epoch);
}

/* A look that shows a guest as on opens the segment that what it read is of: there, it is
 * the newest job.  What is of another process than is known is left, and looked into. */
void
oracle_end_reading(const ProtoDomainStats *stats)
{
    const Instance *instance = instance_get(vmd_get()->rpc.instances, stats->id);
    Note *note = oracle.current;

    if (note == NULL && is_taken(instance, stats)) {
        add_note(instance, stats, thread_count_given());
    } else if (note != NULL &&
               (thread_count_given() < note->job || !is_of_process(instance, stats))) {
        memcpy(note->life->told, note->before, sizeof note->before);
        g_array_set_size(oracle.notes, oracle.notes->len - 1);
    }
    oracle.current = NULL;
}

void
oracle_forget_readings(void)
{
    const GPtrArray *all = guests_get_all();

    settle();
    g_array_set_size(oracle.notes, 0);
    for (guint i = 0; i < all->len; i++) {
        const Guest *guest = all->pdata[i];

        for (guint j = 0; j < guest->lives->len; j++) {
            Life *life = guest->lives->pdata[j];

            memcpy(life->told, life->kept, sizeof life->told);
        }
    }
}

/* Reading the ledger */

/* A row in the record of what happened. */
static void
trace_row(const ProtoLedgerRow *row)
{
    g_autoptr(GString) text = g_string_new(NULL);
    ProtoLedgerRow bare = *row;

    bare.hash = NULL;
    wire_struct_print(&proto_ledger_row_type, &bare, text);
    world_trace("row: %s", text->str);
}

typedef struct {
    GArray *rows;
    LedgerCheck *check;
    Tape tape;
    bool is_done;
} Reading;

static void
on_fault(
    gint64 seq, const char *resource, const char *name, const char *text, gpointer data)
{
    world_blame("row %" G_GINT64_FORMAT " of %s: %s", seq, name != NULL ? name : "-",
                text);
}

static void
on_page(const LedgerPage *page, gpointer data)
{
    Reading *reading = data;
    LedgerWalk walk = { 0 };
    ProtoLedgerRow row = { 0 };
    gsize from = 0;
    gsize end = 0;

    while (ledger_page_next(page, &walk, &row)) {
        ledger_check_take(reading->check, &row, page->rows->data + from, walk.at - from,
                          &g_array_index(page->hashes, ChainHash, walk.index - 1));
        from = walk.at;
        g_array_append_val(reading->tape.hashes,
                           g_array_index(page->hashes, ChainHash, walk.index - 1));
        end = reading->tape.packed->len + walk.at;
        g_array_append_val(reading->tape.ends, end);
        trace_row(&row);
        g_array_append_val(reading->rows, row);
        row = (ProtoLedgerRow){ 0 };
    }
    g_byte_array_append(reading->tape.packed, page->rows->data, page->rows->len);
    reading->is_done = page->hashes->len == 0;
    if (!reading->is_done)
        store_read_ledger(vmd_get()->rpc.store, page->last_seq, ROWS, on_page, reading);
}

static bool
is_read(gpointer data)
{
    return ((const Reading *) data)->is_done;
}

static GArray *
read_ledger(void)
{
    Store *store = vmd_get()->rpc.store;
    g_autoptr(LedgerCheck) check =
        ledger_check_new(store_get_service_id(store), on_fault, NULL);
    Reading reading = { .rows = g_array_new(FALSE, TRUE, sizeof(ProtoLedgerRow)),
                        .check = check };

    tape_init(&reading.tape);
    g_array_set_clear_func(reading.rows, (GDestroyNotify) proto_ledger_row_clear);
    store_read_ledger(store, 0, ROWS, on_page, &reading);
    if (!world_run(is_read, &reading, READ_LIMIT_MS))
        world_blame("the ledger cannot be read");
    tamper_check(&reading.tape, store_get_service_id(store));
    tape_done(&reading.tape);
    oracle.n_rows += reading.rows->len;
    return reading.rows;
}

/* Allocation */

static void
bill_free(gpointer data)
{
    Bill *bill = data;

    proto_ledger_row_clear(&bill->opened);
    g_free(bill->cause);
    g_free(bill);
}

static Bill *
get_bill(GHashTable *bills, const ProtoLedgerRow *row)
{
    g_autofree char *key = g_strdup_printf(
        "%s/%s", resource_kind_to_string(row->resource_kind), row->resource);
    Bill *bill = g_hash_table_lookup(bills, key);

    if (bill == NULL) {
        bill = g_new0(Bill, 1);
        g_hash_table_insert(bills, g_steal_pointer(&key), bill);
    }
    return bill;
}

/* Not billed is what the clock passed over, and what was to be destroyed and was not. */
static bool
may_have_hole(const Bill *bill)
{
    return strcmp(bill->cause, "clock-step") == 0 ||
           strcmp(bill->cause, "destroyed") == 0;
}

/* One segment goes over into the next. */
static void
open_bill(Bill *bill, const ProtoLedgerRow *row)
{
    if (bill->is_open)
        world_blame("%s has two segments at once", row->name);
    if (bill->was_open && row->from_ms != bill->ended_ms && !may_have_hole(bill))
        world_blame("%s is not billed for %" G_GINT64_FORMAT " ms after %s", row->name,
                    row->from_ms - bill->ended_ms, bill->cause);
    proto_ledger_row_clear(&bill->opened);
    proto_ledger_row_copy(row, &bill->opened);
    bill->is_open = bill->was_open = true;
}

static void
close_bill(Bill *bill, const ProtoLedgerRow *row)
{
    gint64 billed_ms = row->to_ms - bill->opened.from_ms;
    gint64 passed_ms = row->boot_ms - bill->opened.boot_ms;

    if (billed_ms < 0)
        world_blame("segment %" G_GINT64_FORMAT " ends before it began", row->segment);
    if (strcmp(row->boot_id, bill->opened.boot_id) == 0 &&
        billed_ms > passed_ms + CLOCKS_MS)
        world_blame("segment %" G_GINT64_FORMAT " of %s is billed %" G_GINT64_FORMAT
                    " ms, and %" G_GINT64_FORMAT " ms passed",
                    row->segment, bill->opened.name, billed_ms, passed_ms);
    bill->billed_ms += billed_ms;
    bill->is_open = false;
    bill->ended_ms = row->to_ms;
    g_free(bill->cause);
    bill->cause = g_strdup(row->cause);
}

static GHashTable *
read_bills(const GArray *rows)
{
    GHashTable *bills = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, bill_free);
    g_autoptr(GHashTable) open =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, NULL);

    for (guint i = 0; i < rows->len; i++) {
        ProtoLedgerRow *row = &g_array_index(rows, ProtoLedgerRow, i);
        Bill *bill = NULL;

        if (row->kind == LEDGER_KIND_OPENED) {
            bill = get_bill(bills, row);
            open_bill(bill, row);
            g_hash_table_insert(open, &row->seq, bill);
        } else if (row->kind == LEDGER_KIND_CLOSED) {
            bill = g_hash_table_lookup(open, &row->segment);
            if (bill == NULL || bill->opened.seq != row->segment)
                world_blame("segment %" G_GINT64_FORMAT " is closed, and not open",
                            row->segment);
            else
                close_bill(bill, row);
        }
    }
    return bills;
}

static bool
is_billed_as(const Bill *bill, const Guest *guest)
{
    static const BillingState states[DOMAIN_STATE_N] = {
        [DOMAIN_STATE_ABSENT] = BILLING_STATE_STOPPED,
        [DOMAIN_STATE_STOPPED] = BILLING_STATE_STOPPED,
        [DOMAIN_STATE_RUNNING] = BILLING_STATE_RUNNING,
        [DOMAIN_STATE_PAUSED] = BILLING_STATE_PAUSED,
        [DOMAIN_STATE_CRASHED] = BILLING_STATE_STOPPED,
    };

    return bill->opened.state == states[guest->state] &&
           (!guest_is_active(guest) ||
            (bill->opened.vcpus == guest->vcpus &&
             bill->opened.memory_bytes == guest->memory_bytes));
}

/* At rest what is billed is what there is. */
static void
check_open(GHashTable *bills)
{
    const GPtrArray *all = guests_get_all();

    for (guint i = 0; i < all->len; i++) {
        const Guest *guest = all->pdata[i];
        g_autofree char *key = g_strdup_printf("instance/%s", guest->id);
        const Bill *bill = g_hash_table_lookup(bills, key);
        bool is_billed = bill != NULL && bill->is_open;

        if (guest_is_active(guest) && !is_billed)
            world_blame("guest %s is on and not billed", guest->name);
        /* One that is gone, but not by our doing, is still charged its disk. */
        if (guest->is_gone && is_billed &&
            (bill->opened.state != BILLING_STATE_STOPPED ||
             instance_get(vmd_get()->rpc.instances, guest->id) == NULL))
            world_blame("guest %s is gone and billed", guest->name);
        if (!guest->is_gone && is_billed && !is_billed_as(bill, guest))
            world_blame("guest %s is %s, and billed as %s with %" G_GINT64_FORMAT
                        " vCPUs",
                        guest->name, domain_state_to_string(guest->state),
                        billing_state_to_string(bill->opened.state), bill->opened.vcpus);
        if (bill != NULL && bill->billed_ms > world_now_ms())
            world_blame("guest %s was billed for more time than there was", guest->name);
    }
}

/* Consumption */

static gint64 *
get_sums(GHashTable *sums, const char *id)
{
    gint64 *sum = g_hash_table_lookup(sums, id);

    if (sum == NULL) {
        sum = g_new0(gint64, COUNTER_N);
        g_hash_table_insert(sums, g_strdup(id), sum);
    }
    return sum;
}

/* By instance, what the rows say. */
static GHashTable *
sum_rows(const GArray *rows)
{
    GHashTable *sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GHashTable) resources =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, NULL);

    for (guint i = 0; i < rows->len; i++) {
        ProtoLedgerRow *row = &g_array_index(rows, ProtoLedgerRow, i);
        const char *id = NULL;

        if (row->kind == LEDGER_KIND_OPENED)
            g_hash_table_insert(resources, &row->seq, row->resource);
        if (row->kind != LEDGER_KIND_USED)
            continue;
        id = g_hash_table_lookup(resources, &row->segment);
        if (row->quantity < 0 || row->estimated < 0 || row->estimated > row->quantity)
            world_blame("row %" G_GINT64_FORMAT " has a quantity that cannot be",
                        row->seq);
        if (id == NULL)
            world_blame("row %" G_GINT64_FORMAT " is of no segment", row->seq);
        else
            get_sums(sums, id)[row->counter] += row->quantity;
    }
    return sums;
}

/* What vmd has counted and not booked yet. */
static void
add_unbooked(GHashTable *sums)
{
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, vmd_get()->rpc.instances->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Instance *instance = value;
        gint64 *sum = get_sums(sums, instance->record.view.id);
        g_auto(ProtoCounterRecord) counters = { 0 };

        readings_open(&instance->readings, instance->record.view.id, &counters);
        for (gsize i = 0; i < counters.n_readings; i++) {
            const ProtoReading *reading = &counters.readings[i];

            sum[reading->counter] += reading->quantity;
        }
    }
}

/* Neither more nor less than it was told of each process. */
static void
check_guest(const Guest *guest, const gint64 *sums)
{
    for (int i = 0; i < COUNTER_N; i++) {
        gint64 told = 0;
        gint64 true_sum = 0;

        for (guint j = 0; j < guest->lives->len; j++) {
            const Life *life = guest->lives->pdata[j];

            told += life->told[i];
            true_sum += life->raw[i];
        }
        if (sums[i] != told || told > true_sum)
            world_blame(
                "guest %s: %s is booked as %" G_GINT64_FORMAT
                ", vmd was told of %" G_GINT64_FORMAT ", and there was %" G_GINT64_FORMAT,
                guest->name, counter_to_string((Counter) i), sums[i], told, true_sum);
    }
}

/* With a host that answers, no tick passes a guest by. */
static void
check_is_read(const Guest *guest)
{
    const Life *life = guest_get_life(guest);

    if (guest_is_active(guest) &&
        world_now_ms() - life->told_ms > vmd_get_tick_ms() + TICK_SLACK_MS)
        world_blame("guest %s was read %" G_GINT64_FORMAT " ms ago", guest->name,
                    world_now_ms() - life->told_ms);
}

static void
check_consumption(const GArray *rows)
{
    const GPtrArray *all = guests_get_all();
    g_autoptr(GHashTable) sums = sum_rows(rows);

    add_unbooked(sums);
    for (guint i = 0; i < all->len; i++) {
        Guest *guest = all->pdata[i];

        guest_advance(guest);
        check_guest(guest, get_sums(sums, guest->id));
        check_is_read(guest);
    }
}

void
oracle_check(void)
{
    g_autoptr(GArray) rows = read_ledger();
    g_autoptr(GHashTable) bills = read_bills(rows);

    check_open(bills);
    check_consumption(rows);
    settle();
    coverage_check(rows);
}

void
oracle_check_chain(void)
{
    g_array_unref(read_ledger());
}
