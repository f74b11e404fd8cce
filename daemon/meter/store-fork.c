/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "meter/store-private.h"
#include "store/ledger-table.h"
#include "store/ledger-topics.h"
#include "wire/pack.h"

/*
 * A fork is either told by the ledger itself, in a row, or found here: the rows that are
 * held are not in it.  Money may depend on those, so that nothing goes on by itself.
 */

static bool
save_fork(MeterStore *store, gint64 seq, const char *hash, GError **error)
{
    Statement *statement = store->statements[SAVE_FORK];

    statement_bind_int(statement, 1, seq);
    statement_bind_text(statement, 2, hash);
    if (!meter_store_flush(store, error) || !statement_run(statement, error))
        return false;
    g_free(store->fork_hash);
    store->fork_hash = g_strdup(hash);
    store->fork_seq = seq;
    return true;
}

static bool
is_diverged(const MeterStore *store)
{
    return *store->fork_hash != '\0';
}

bool
meter_store_set_fork(MeterStore *store, gint64 seq, const char *hash, GError **error)
{
    if (store->fork_seq == seq && strcmp(store->fork_hash, hash) == 0)
        return true;
    return save_fork(store, seq, hash, error);
}

bool
meter_store_clear_fork(MeterStore *store, GError **error)
{
    return !is_diverged(store) || save_fork(store, 0, "", error);
}

bool
meter_store_has_fork(const MeterStore *store)
{
    return is_diverged(store) || store->cursor.forked_seq != 0;
}

bool
meter_store_check_fork(const MeterStore *store, GError **error)
{
    g_autofree char *held = chain_to_text(&store->cursor.hash);

    if (!meter_store_has_fork(store))
        return true;
    if (is_diverged(store)) {
        proto_error_set_illegal_state(
            error, "fork",
            "The ledger is not the one that was read before: up to row %" G_GINT64_FORMAT
            " it had the hash %s, now row %" G_GINT64_FORMAT
            " has %s. Was it restored from a backup? Nothing is billed until that is "
            "accepted: vmctl usage recover",
            store->cursor.seq, held, store->fork_seq, store->fork_hash);
        return false;
    }
    proto_error_set_illegal_state(
        error, "fork",
        "Row %" G_GINT64_FORMAT " tells that the ledger goes on from an older copy of "
        "itself; it now ends at row %" G_GINT64_FORMAT
        " with the hash %s. Nothing is billed until that is accepted: vmctl usage "
        "recover",
        store->cursor.forked_seq, store->cursor.seq, held);
    return false;
}

/* "9 HASH", as the store of vmd writes it. */
static bool
parse_lost(const char *note, MeterFork *ret_fork)
{
    g_auto(GStrv) words = g_strsplit(note != NULL ? note : "", " ", 2);
    ChainHash hash;

    if (g_strv_length(words) != 2 ||
        !g_ascii_string_to_signed(words[0], 10, 1, G_MAXINT64, &ret_fork->lost_seq,
                                  NULL) ||
        !chain_from_text(words[1], &hash))
        return false;
    ret_fork->lost_hash = chain_to_text(&hash);
    return true;
}

static bool
read_told(MeterStore *store, MeterFork *ret_fork, GError **error)
{
    gint64 seq = store->cursor.forked_seq;
    g_autoptr(GByteArray) packed = g_byte_array_new();
    g_auto(ProtoLedgerRow) row = { 0 };
    gint64 last = 0;
    gsize used = 0;

    if (!meter_store_read_rows(store, seq - 1, seq, packed, &last, error) ||
        !wire_struct_unpack(&proto_ledger_row_type, packed->data, packed->len, &used,
                            &row, error))
        return false;
    ret_fork->told_seq = seq;
    parse_lost(row.note, ret_fork);
    return true;
}

bool
meter_store_read_fork(MeterStore *store, MeterFork *ret_fork, GError **error)
{
    MeterFork fork = { 0 };

    if (!meter_store_has_fork(store)) {
        proto_error_set_illegal_state(
            error, "whole", "The ledger goes on from what was read: there is no fork");
        return false;
    }
    if (is_diverged(store)) {
        fork.lost_seq = store->cursor.seq;
        fork.lost_hash = chain_to_text(&store->cursor.hash);
    } else if (!read_told(store, &fork, error)) {
        return false;
    }
    *ret_fork = fork;
    return true;
}

static bool
is_held(MeterStore *store, gint64 seq, const guint8 *packed, gsize length)
{
    Statement *statement = store->statements[FIND_ROW];
    const guint8 *held = NULL;
    gsize held_length = 0;
    bool has_row = false;
    bool is_same = false;

    statement_bind_int(statement, 1, seq);
    if (statement_step(statement, &has_row, NULL) && has_row)
        held = statement_get_blob(statement, 0, &held_length);
    is_same = held_length == length && held != NULL && memcmp(held, packed, length) == 0;
    statement_reset(statement);
    return is_same;
}

bool
meter_store_is_recovery(MeterStore *store, const guint8 *packed, gsize length)
{
    g_auto(ProtoLedgerRow) row = { 0 };
    gsize used = 0;

    return wire_struct_unpack(&proto_ledger_row_type, packed, length, &used, &row,
                              NULL) &&
           ledger_topic_is(LEDGER_TOPIC_RECOVERED, &row) &&
           !is_held(store, row.seq, packed, used);
}

bool
meter_store_is_kept(const MeterStore *store)
{
    return store->kept.seq == store->taken.seq &&
           (store->taken.seq == 0 ||
            chain_is_equal(&store->kept.hash, &store->taken.hash));
}

/* Nothing else may have what is held. */
static bool
check_kept(const MeterStore *store, GError **error)
{
    if (meter_store_is_kept(store))
        return true;
    proto_error_set_internal(error, "lost",
                             "The rows that are lost are not kept in a file yet");
    return false;
}

bool
meter_store_begin_anew(MeterStore *store, GError **error)
{
    if (!meter_store_flush(store, error) || !check_kept(store, error) ||
        !meter_store_make_anew(store, error))
        return false;
    store->generation++;
    meter_store_forget(store);
    g_hash_table_remove_all(store->gaps);
    g_free(store->service_id);
    store->service_id = g_strdup("");
    g_free(store->fork_hash);
    store->fork_hash = g_strdup("");
    store->fork_seq = 0;
    store->cursor = store->taken = store->kept = (Cursor){ 0 };
    store->known_ms = store->expected_seq = store->careful_seq = 0;
    return true;
}

guint
meter_store_get_generation(const MeterStore *store)
{
    return store->generation;
}
