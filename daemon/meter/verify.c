/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/verify.h"

#include "meter/verify-private.h"
#include "store/ledger-topics.h"
#include "wire/pack.h"

enum {
    FAULTS_MAX = 100
};

struct Verify {
    MeterStore *store;
    LedgerCheck *check;
    Undo *undo;
    /** Where it begins and ends: the store's newest row at the start. */
    Cursor end;
    gint64 era;
    guint generation;
    VerifyTables *tables;
    VerifyNames *names;
    VerifySums *sums;
    GByteArray *rows;
    /** When the last row was booked that was read. */
    gint64 at_ms;
    bool is_read;
    bool is_summed;
    bool is_compared;
    bool is_same;
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
    verify->check = ledger_check_new(store->service_id, on_blame, verify);
    verify->tables = verify_tables_new(store, on_blame, verify);
    verify->names = verify_names_new(store, verify->end.seq, on_blame, verify);
    verify->undo = undo_new(store, store->cursor.seq, error);
    if (verify->undo == NULL)
        return NULL;
    verify->sums = verify_sums_new(store, verify->undo, verify->names, on_blame, verify);
    return g_steal_pointer(&verify);
}

void
verify_free(Verify *verify)
{
    if (verify == NULL)
        return;
    verify_sums_free(verify->sums);
    verify_names_free(verify->names);
    verify_tables_free(verify->tables);
    undo_free(verify->store, verify->undo);
    ledger_check_free(verify->check);
    g_byte_array_unref(verify->rows);
    g_array_unref(verify->faults);
    g_array_unref(verify->breaks);
    g_free(verify);
}

/* Rows */

/* The next row of those that were read; false in ret_readable if they cannot be read
 * further. */
static bool
take_row(Verify *verify, gsize at, gsize *ret_used, bool *ret_readable, GError **error)
{
    g_auto(ProtoLedgerRow) row = { 0 };
    const guint8 *packed = verify->rows->data + at;
    ChainHash hash;

    *ret_readable = wire_struct_unpack(&proto_ledger_row_type, packed,
                                       verify->rows->len - at, ret_used, &row, NULL);
    if (!*ret_readable) {
        add_fault(verify, ledger_check_get_seq(verify->check) + 1, NULL,
                  "cannot be read");
        return true;
    }
    ledger_check_take(verify->check, &row, packed, *ret_used, NULL);
    hash = ledger_check_get_hash(verify->check);
    verify->at_ms = row.at_ms;
    add_break(verify, &row);
    if (!verify_tables_take(verify->tables, &row, &hash, error))
        return false;
    if (row.kind == LEDGER_KIND_GAP)
        verify_names_take(verify->names, &row, 0);
    if (row.kind == LEDGER_KIND_USED)
        verify_sums_take(verify->sums, &row, verify->era);
    if (ledger_topic_is(LEDGER_TOPIC_CLOSED, &row))
        verify->era++;
    return true;
}

static bool
end_rows(Verify *verify, GError **error)
{
    ChainHash hash = ledger_check_get_hash(verify->check);

    verify->is_read = true;
    if (ledger_check_get_seq(verify->check) != verify->end.seq)
        add_fault(verify, ledger_check_get_seq(verify->check) + 1, NULL, "is missing");
    else if (!chain_is_equal(&hash, &verify->end.hash))
        add_fault(verify, verify->end.seq, NULL,
                  "has not the hash that was kept: it or a row before it was changed");
    else if (verify->at_ms != verify->end.at_ms)
        add_fault(verify, verify->end.seq, NULL,
                  "has another time in table cursor of meter.db");
    return verify_tables_finish(verify->tables, error);
}

static bool
take_rows(Verify *verify, GError **error)
{
    bool is_readable = true;
    gsize used = 0;

    for (gsize at = 0; at < verify->rows->len; at += used) {
        if (!take_row(verify, at, &used, &is_readable, error))
            return false;
        if (!is_readable) {
            verify->is_read = true;
            return true;
        }
    }
    return true;
}

static bool
read_rows(Verify *verify, GError **error)
{
    gint64 from = ledger_check_get_seq(verify->check);
    gint64 last = from;

    if (from == verify->end.seq)
        return end_rows(verify, error);
    if (!meter_store_read_rows(verify->store, from, verify->end.seq, verify->rows, &last,
                               error))
        return false;
    if (last == from)
        return end_rows(verify, error);
    if (!verify_tables_begin(verify->tables, last, error))
        return false;
    if (take_rows(verify, error) && !verify->is_read)
        return verify_tables_end(verify->tables, error);
    verify_tables_stop(verify->tables);
    return verify->is_read;
}

bool
verify_step(Verify *verify, bool *ret_done, GError **error)
{
    *ret_done = false;
    if (verify->generation != verify->store->generation) {
        proto_error_set_illegal_state(error, "fork",
                                      "The ledger was read anew meanwhile: ask again");
        return false;
    }
    if (!verify->is_read)
        return read_rows(verify, error);
    /* What is missing at the end is missing from the sums. */
    if (ledger_check_get_seq(verify->check) != verify->end.seq) {
        *ret_done = true;
        return true;
    }
    if (!verify->is_summed)
        return verify_sums_step(verify->sums, &verify->is_summed, error);
    return verify_names_step(verify->names, ret_done, error);
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
