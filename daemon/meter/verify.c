/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/verify.h"

#include <string.h>

#include "meter/calendar.h"
#include "meter/store-private.h"
#include "store/ledger-check.h"
#include "store/ledger-topics.h"
#include "wire/pack.h"

enum {
    FAULTS_MAX = 100
};

/** The weighted sums of what the rows say, less those of what is stored. */
typedef struct {
    guint64 quantity;
    guint64 estimated;
    guint64 rows;
} Print;

/** Which sums. */
typedef enum {
    SCOPE_DAY,
    SCOPE_MONTH,
    SCOPE_TOTAL,
    SCOPE_N
} Scope;

struct Verify {
    MeterStore *store;
    LedgerCheck *check;
    Undo *undo;
    /** Where it begins and ends: the store's newest row at the start. */
    Cursor end;
    gint64 era;
    guint generation;
    guint64 seed;
    /** gint64, a day or a month or 0, to Print. */
    GHashTable *prints[SCOPE_N];
    GByteArray *rows;
    Rollup *days;
    bool is_read;
    bool is_compared;
    bool is_same;
    gint64 at_tenant;
    GArray *faults;
    guint told;
    GArray *breaks;
};

static void
fault_clear(gpointer data)
{
    VerifyFault *fault = data;

    g_free(fault->text);
    g_free(fault->resource);
}

static GArray *
new_faults(void)
{
    GArray *faults = g_array_new(FALSE, FALSE, sizeof(VerifyFault));

    g_array_set_clear_func(faults, fault_clear);
    return faults;
}

static void
break_clear(gpointer data)
{
    g_free(((VerifyBreak *) data)->text);
}

static GArray *
new_breaks(void)
{
    GArray *breaks = g_array_new(FALSE, FALSE, sizeof(VerifyBreak));

    g_array_set_clear_func(breaks, break_clear);
    return breaks;
}

static void
add_break(Verify *verify, const ProtoLedgerRow *row)
{
    const VerifyBreak found = { row->seq, ledger_check_describe_break(row) };

    if (found.text != NULL)
        g_array_append_val(verify->breaks, found);
}

static void
add_fault(Verify *verify, gint64 row, const char *resource, const char *text)
{
    VerifyFault fault = { row, g_strdup(text), g_strdup(resource) };

    if (verify->told + verify->faults->len >= FAULTS_MAX)
        fault_clear(&fault);
    else
        g_array_append_val(verify->faults, fault);
}

static void
on_blame(
    gint64 seq, const char *resource, const char *name, const char *text, gpointer data)
{
    add_fault(data, seq, resource, text);
}

Verify *
verify_new(MeterStore *store, GError **error)
{
    g_autoptr(Verify) verify = g_new0(Verify, 1);

    verify->store = store;
    verify->end = store->cursor;
    verify->generation = store->generation;
    verify->faults = new_faults();
    verify->breaks = new_breaks();
    verify->rows = g_byte_array_new();
    verify->days = rollup_new();
    verify->check = ledger_check_new(store->service_id, on_blame, verify);
    verify->seed = (guint64) g_random_int() << 32 | g_random_int();
    for (int i = 0; i < SCOPE_N; i++) {
        verify->prints[i] =
            g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    }
    verify->undo = undo_new(store, store->cursor.seq, error);
    return verify->undo != NULL ? g_steal_pointer(&verify) : NULL;
}

void
verify_free(Verify *verify)
{
    if (verify == NULL)
        return;
    undo_free(verify->store, verify->undo);
    ledger_check_free(verify->check);
    for (int i = 0; i < SCOPE_N; i++) {
        g_hash_table_unref(verify->prints[i]);
    }
    g_byte_array_unref(verify->rows);
    rollup_free(verify->days);
    g_array_unref(verify->faults);
    g_array_unref(verify->breaks);
    g_free(verify);
}

/* Fingerprints */

/* Spreads what goes in over all bits: the finalizer of SplitMix64. */
static guint64
mix(guint64 value)
{
    value = (value ^ value >> 30) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static guint64
get_weight(const Verify *verify, const RollupKey *key)
{
    const gint64 parts[] = { key->tenant, key->at,      key->resource,
                             key->device, key->counter, key->era };
    guint64 weight = verify->seed;

    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        weight =
            mix(weight + (guint64) parts[i] + G_GUINT64_CONSTANT(0x9e3779b97f4a7c15));
    }
    return weight;
}

static void
add_print(Verify *verify, Scope scope, const RollupSum *sum, bool is_stored)
{
    Print *print = g_hash_table_lookup(verify->prints[scope], &sum->key.at);
    guint64 weight = get_weight(verify, &sum->key);

    if (print == NULL) {
        print = g_new0(Print, 1);
        g_hash_table_insert(verify->prints[scope],
                            g_memdup2(&sum->key.at, sizeof sum->key.at), print);
    }
    weight = is_stored ? -weight : weight;
    print->quantity += weight * (guint64) sum->quantity;
    print->estimated += weight * (guint64) sum->estimated;
    print->rows += weight * (guint64) sum->rows;
}

/* What rows say of days is what they say of months and in total. */
static void
add_prints(Verify *verify, const RollupSum *day)
{
    RollupSum sum = *day;

    add_print(verify, SCOPE_DAY, &sum, false);
    sum.key.at = calendar_month_of(day->key.at);
    add_print(verify, SCOPE_MONTH, &sum, false);
    sum.key.at = sum.key.era = 0;
    add_print(verify, SCOPE_TOTAL, &sum, false);
}

/* Rows */

static void
add_use(Verify *verify, const ProtoLedgerRow *row)
{
    g_autoptr(GPtrArray) sums = NULL;
    g_autoptr(GError) error = NULL;

    rollup_clear(verify->days);
    if (!rollup_is_use(row) ||
        !meter_store_roll_up(verify->store, row, verify->era, verify->days, &error)) {
        add_fault(verify, row->seq, NULL,
                  error != NULL ? error->message : "has a quantity that cannot be");
        return;
    }
    sums = rollup_sort(verify->days);
    for (guint i = 0; i < sums->len; i++) {
        add_prints(verify, g_ptr_array_index(sums, i));
    }
}

/* The hash that is kept of every so many rows tells where the chain is broken. */
static void
check_checkpoint(Verify *verify, gint64 seq)
{
    Statement *statement = verify->store->statements[FIND_CHECKPOINT];
    ChainHash hash = ledger_check_get_hash(verify->check);
    const guint8 *kept = NULL;
    gsize length = 0;
    bool has_row = false;
    bool is_same = false;

    if (seq % CHECKPOINT_ROWS != 0)
        return;
    statement_bind_int(statement, 1, seq);
    if (statement_step(statement, &has_row, NULL) && has_row)
        kept = statement_get_blob(statement, 1, &length);
    is_same = length == sizeof hash.bytes && memcmp(kept, hash.bytes, length) == 0 &&
              statement_get_int(statement, 0) == seq;
    statement_reset(statement);
    if (!is_same)
        add_fault(verify, seq, NULL,
                  "has not the hash that was kept: it or a row before it was changed");
}

/* The next row of those that were read; false if they cannot be read further. */
static bool
take_row(Verify *verify, gsize at, gsize *ret_used)
{
    g_auto(ProtoLedgerRow) row = { 0 };
    const guint8 *packed = verify->rows->data + at;

    if (!wire_struct_unpack(&proto_ledger_row_type, packed, verify->rows->len - at,
                            ret_used, &row, NULL)) {
        add_fault(verify, ledger_check_get_seq(verify->check) + 1, NULL,
                  "cannot be read");
        return false;
    }
    ledger_check_take(verify->check, &row, packed, *ret_used, NULL);
    check_checkpoint(verify, row.seq);
    add_break(verify, &row);
    if (row.kind == LEDGER_KIND_USED)
        add_use(verify, &row);
    if (ledger_topic_is(LEDGER_TOPIC_CLOSED, &row))
        verify->era++;
    return true;
}

static void
end_rows(Verify *verify)
{
    ChainHash hash = ledger_check_get_hash(verify->check);

    verify->is_read = true;
    if (ledger_check_get_seq(verify->check) != verify->end.seq)
        add_fault(verify, ledger_check_get_seq(verify->check) + 1, NULL, "is missing");
    else if (!chain_is_equal(&hash, &verify->end.hash))
        add_fault(verify, verify->end.seq, NULL,
                  "has not the hash that was kept: it or a row before it was changed");
}

static bool
read_rows(Verify *verify, GError **error)
{
    gint64 from = ledger_check_get_seq(verify->check);
    gint64 last = from;
    gsize used = 0;

    if (from == verify->end.seq) {
        end_rows(verify);
        return true;
    }
    if (!meter_store_read_rows(verify->store, from, verify->end.seq, verify->rows, &last,
                               error))
        return false;
    for (gsize at = 0; at < verify->rows->len; at += used) {
        if (!take_row(verify, at, &used)) {
            verify->is_read = true;
            return true;
        }
    }
    if (last == from)
        end_rows(verify);
    return true;
}

/* Sums */

typedef struct {
    Verify *verify;
    Scope scope;
} Take;

static void
take_sum(const RollupSum *sum, gpointer data)
{
    const Take *take = data;

    if (sum->key.era <= take->verify->undo->era)
        add_print(take->verify, take->scope, sum, true);
}

/* What came after the last row is in the sums, and was not read. */
static void
take_off(Verify *verify, Scope scope, const Rollup *undo, gint64 tenant)
{
    g_autoptr(GPtrArray) sums = rollup_sort(undo);

    for (guint i = 0; i < sums->len; i++) {
        const RollupSum *sum = g_ptr_array_index(sums, i);

        if (sum->key.tenant == tenant)
            add_print(verify, scope, sum, false);
    }
}

static bool
take_tenant(Verify *verify, gint64 tenant, GError **error)
{
    static const StatementId scans[] = {
        [SCOPE_DAY] = SCAN_DAYS,
        [SCOPE_MONTH] = SCAN_MONTHS,
        [SCOPE_TOTAL] = SCAN_TOTALS,
    };
    const Rollup *undos[] = {
        [SCOPE_DAY] = verify->undo->days,
        [SCOPE_MONTH] = verify->undo->months,
        [SCOPE_TOTAL] = verify->undo->totals,
    };

    for (int i = 0; i < SCOPE_N; i++) {
        Take take = { verify, (Scope) i };

        if (!meter_store_scan_sums(verify->store, scans[i], tenant, take_sum, &take,
                                   error))
            return false;
        take_off(verify, (Scope) i, undos[i], tenant);
    }
    return true;
}

static char *
print_scope(Scope scope, gint64 at)
{
    g_autofree char *when = NULL;

    if (scope == SCOPE_TOTAL)
        return g_strdup("The sums of all time are not what the rows say");
    when = scope == SCOPE_DAY ? calendar_format_day(at) : calendar_format_month(at);
    return g_strdup_printf("The sums of %s are not what the rows say", when);
}

static void
compare_sums(Verify *verify)
{
    GHashTableIter iter;
    gpointer at = NULL;
    gpointer data = NULL;

    for (int i = 0; i < SCOPE_N; i++) {
        g_hash_table_iter_init(&iter, verify->prints[i]);
        while (g_hash_table_iter_next(&iter, &at, &data)) {
            const Print *print = data;
            g_autofree char *text = print_scope((Scope) i, *(const gint64 *) at);

            if (print->quantity != 0 || print->estimated != 0 || print->rows != 0)
                add_fault(verify, 0, NULL, text);
        }
    }
}

bool
verify_step(Verify *verify, bool *ret_done, GError **error)
{
    gint64 tenant = 0;

    *ret_done = false;
    if (verify->generation != verify->store->generation) {
        proto_error_set_illegal_state(error, "fork",
                                      "The ledger was read anew meanwhile: ask again");
        return false;
    }
    if (!verify->is_read)
        return read_rows(verify, error);
    if (!meter_store_next_tenant(verify->store, verify->at_tenant, &tenant, error))
        return false;
    verify->at_tenant = tenant;
    if (tenant != 0)
        return take_tenant(verify, tenant, error);
    if (ledger_check_get_seq(verify->check) == verify->end.seq)
        compare_sums(verify);
    *ret_done = true;
    return true;
}

void
verify_add_break(Verify *verify, gint64 row, const char *text)
{
    const VerifyBreak added = { row, g_strdup(text) };

    g_array_append_val(verify->breaks, added);
}

void
verify_compare(Verify *verify, const char *hash)
{
    g_autofree char *held = chain_to_text(&verify->end.hash);

    verify->is_compared = true;
    verify->is_same = g_strcmp0(hash, held) == 0;
    if (!verify->is_same)
        add_fault(verify, verify->end.seq, NULL, "is not the same in the ledger of vmd");
}

bool
verify_get_same(const Verify *verify, bool *ret_same)
{
    *ret_same = verify->is_same;
    return verify->is_compared;
}

gint64
verify_get_checked(const Verify *verify)
{
    return ledger_check_count(verify->check);
}

gint64
verify_get_rows(const Verify *verify)
{
    return verify->end.seq;
}

char *
verify_get_hash(const Verify *verify)
{
    ChainHash hash = ledger_check_get_hash(verify->check);

    return chain_to_text(&hash);
}

GArray *
verify_take_faults(Verify *verify)
{
    GArray *faults = verify->faults;

    verify->told += faults->len;
    verify->faults = new_faults();
    return faults;
}

GArray *
verify_take_breaks(Verify *verify)
{
    GArray *breaks = verify->breaks;

    verify->breaks = new_breaks();
    return breaks;
}
