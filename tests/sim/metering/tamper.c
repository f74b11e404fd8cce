/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/metering/tamper.h"

#include "sim/world.h"
#include "store/ledger-check.h"
#include "wire/pack.h"

typedef enum {
    FORGE_BODY,
    FORGE_HASH,
    FORGE_WITHOUT,
    FORGE_SWAPPED,
    FORGE_TWICE,
    FORGE_CUT,
    FORGERIES,
} Forgery;

static const char *const names[FORGERIES] = {
    [FORGE_BODY] = "a bit of a row turned over",
    [FORGE_HASH] = "a bit of a hash turned over",
    [FORGE_WITHOUT] = "a row left out",
    [FORGE_SWAPPED] = "two rows swapped",
    [FORGE_TWICE] = "a row put in again",
    [FORGE_CUT] = "the end cut off",
};

void
tape_init(Tape *tape)
{
    *tape = (Tape){ g_byte_array_new(), g_array_new(FALSE, FALSE, sizeof(gsize)),
                    g_array_new(FALSE, FALSE, sizeof(ChainHash)) };
}

void
tape_done(Tape *tape)
{
    g_clear_pointer(&tape->packed, g_byte_array_unref);
    g_clear_pointer(&tape->ends, g_array_unref);
    g_clear_pointer(&tape->hashes, g_array_unref);
}

static void
copy_row(const Tape *tape, guint index, Tape *target)
{
    gsize begin = index > 0 ? g_array_index(tape->ends, gsize, index - 1) : 0;
    gsize end = g_array_index(tape->ends, gsize, index);

    g_byte_array_append(target->packed, tape->packed->data + begin,
                        (guint) (end - begin));
    end = target->packed->len;
    g_array_append_val(target->ends, end);
    g_array_append_val(target->hashes, g_array_index(tape->hashes, ChainHash, index));
}

static void
turn_bit(guint8 *bytes, gsize length)
{
    bytes[world_random((guint) length)] ^= (guint8) (1 << world_random(8));
}

/* Copies the tape with the fault at the row of that index. */
static void
forge(const Tape *tape, Forgery how, guint at, Tape *target)
{
    for (guint i = 0; i < tape->ends->len; i++) {
        gsize begin = target->packed->len;

        if (how == FORGE_CUT && i >= at)
            break;
        if (how == FORGE_WITHOUT && i == at)
            continue;
        if (how == FORGE_SWAPPED && i == at) {
            copy_row(tape, i + 1, target);
        } else if (how == FORGE_SWAPPED && i == at + 1) {
            copy_row(tape, i - 1, target);
        } else {
            copy_row(tape, i, target);
        }
        if (how == FORGE_BODY && i == at)
            turn_bit(target->packed->data + begin, target->packed->len - begin);
        if (how == FORGE_HASH && i == at)
            turn_bit(g_array_index(target->hashes, ChainHash, i).bytes, CHAIN_HASH_BYTES);
        if (how == FORGE_TWICE && i == at)
            copy_row(tape, i, target);
    }
}

static void
on_blame(
    gint64 seq, const char *resource, const char *name, const char *text, gpointer data)
{
    *(bool *) data = true;
}

/* The index of the first row that is found to be wrong, or how many there are. */
static guint
find_fault(const Tape *tape, LedgerCheck *check, const bool *blamed)
{
    gsize begin = 0;
    guint i = 0;

    for (i = 0; i < tape->ends->len; i++) {
        gsize end = g_array_index(tape->ends, gsize, i);
        gsize used = 0;
        g_auto(ProtoLedgerRow) row = { 0 };

        if (!wire_struct_unpack(&proto_ledger_row_type, tape->packed->data + begin,
                                end - begin, &used, &row, NULL) ||
            used != end - begin)
            break;
        ledger_check_take(check, &row, tape->packed->data + begin, used,
                          &g_array_index(tape->hashes, ChainHash, i));
        if (*blamed)
            break;
        begin = end;
    }
    return i;
}

void
tamper_check(const Tape *tape, const char *service_id)
{
    Forgery how = (Forgery) world_random(FORGERIES);
    g_auto(Tape) forged = { 0 };
    bool blamed = false;
    g_autoptr(LedgerCheck) check = ledger_check_new(service_id, on_blame, &blamed);
    guint at = 0;
    guint found = 0;

    if (tape->ends->len < 2)
        return;
    at = world_random(tape->ends->len - 1);
    tape_init(&forged);
    forge(tape, how, at, &forged);
    found = find_fault(&forged, check, &blamed);
    /* What was put in again is behind the row itself; what was cut off is only missed. */
    if (how == FORGE_TWICE)
        at++;
    if (found != at ||
        (how == FORGE_CUT && ledger_check_get_seq(check) == (gint64) tape->ends->len))
        world_blame("%s at row %u of %u: found at row %u", names[how], at + 1,
                    tape->ends->len, found + 1);
}
