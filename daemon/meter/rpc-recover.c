/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "meter/lost.h"
#include "meter/rpc-private.h"

/*
 * While there is a fork no view is opened, so that the books cannot be asked: what the
 * entry follows is asked of vmd.  Before it is written the ledger is looked at once more,
 * for a fork may be gone since, when the right database was put back.  If it is not, the
 * rows that are lost are kept in a file: while they cannot be, nothing is accepted.  That
 * takes its time, so that it is looked at again after it.
 */

enum {
    BRANCH_LETTERS = 8
};

typedef struct {
    WireCall *call;
    Meter *meter;
    ProtoRecoveredNote note;
    /* The newest entry of the books. */
    gint64 follows;
    /* The rows that are held are lost, and not only those that somebody else knew. */
    bool is_diverged;
    bool is_kept;
} Recover;

static void
recover_free(Recover *recover)
{
    proto_recovered_note_clear(&recover->note);
    g_free(recover);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Recover, recover_free)

static void
reply(WireCall *call, const Meter *meter, gint64 seq, const ProtoRecoveredNote *note)
{
    g_autofree char *file = lost_find(meter->store, note->lost, note->lost_hash);
    const ProtoBillingRecoverReply out = {
        .seq = seq,
        .branch = note->branch != NULL ? note->branch : (char *) (gsize) "",
        .has_lost = note->has_lost,
        .lost = note->lost,
        .lost_hash = note->lost_hash,
        .lost_file = file,
    };

    wire_call_reply(call, &out);
}

/* Writing the entry */

static void
on_noted(gint64 seq, const GError *error, gpointer data)
{
    g_autoptr(Recover) recover = data;

    if (error != NULL) {
        wire_call_fail(recover->call, g_error_copy(error));
        return;
    }
    reply(recover->call, recover->meter, seq, &recover->note);
    if (recover->is_diverged)
        controller_read_anew(recover->meter->controller);
}

static void
write_note(Recover *recover)
{
    g_autoptr(GString) text = g_string_new(NULL);

    wire_struct_print(ledger_topic_get_type(LEDGER_TOPIC_RECOVERED), &recover->note,
                      text);
    controller_note(recover->meter->controller, recover->follows, LEDGER_TOPIC_RECOVERED,
                    NULL, text->str, on_noted, recover);
}

/* Looking once more */

static void on_kept(const GError *error, gpointer data);

static void
fail_whole(Recover *recover)
{
    GError *error = NULL;

    proto_error_set_illegal_state(
        &error, "whole", "The ledger is again the one that was read: there is no fork");
    wire_call_fail(recover->call, error);
    recover_free(recover);
}

/* What hash the last row that is held has in the ledger now. */
static void
on_hash(const char *hash, const GError *error, gpointer data)
{
    Recover *recover = data;

    if (error != NULL) {
        wire_call_fail(recover->call, g_error_copy(error));
        recover_free(recover);
    } else if (g_strcmp0(hash, recover->note.lost_hash) == 0) {
        fail_whole(recover);
    } else if (!recover->is_kept) {
        controller_keep_lost(recover->meter->controller, on_kept, recover);
    } else {
        write_note(recover);
    }
}

static void
on_head(const ProtoLedgerGetHeadReply *head, const GError *error, gpointer data)
{
    Recover *recover = data;

    if (error != NULL) {
        wire_call_fail(recover->call, g_error_copy(error));
        recover_free(recover);
        return;
    }
    recover->follows = head->note;
    if (head->has_forked) {
        recover->note.has_forked = true;
        recover->note.forked = head->forked;
    }
    if (recover->is_diverged) {
        controller_ask_hash(recover->meter->controller, recover->note.lost, on_hash,
                            recover);
    } else if (head->has_forked) {
        write_note(recover);
    } else {
        fail_whole(recover);
    }
}

static void
on_kept(const GError *error, gpointer data)
{
    Recover *recover = data;

    if (error != NULL) {
        wire_call_fail(recover->call, g_error_copy(error));
        recover_free(recover);
        return;
    }
    recover->is_kept = true;
    controller_ask_head(recover->meter->controller, on_head, recover);
}

/* Accepting */

/* Whoever did not get the answer asks again: the newest entry of the books is his. */
static void
repeat(const Ask *ask, GError *refusal)
{
    const ProtoBillingRecoverCall *in = ask->in;
    bool has_books = bookkeeper_update(ask->meter->bookkeeper, NULL);
    const BooksAt at = ask_get_books(ask);
    const BooksRecovery *newest = has_books ? books_find_recovery(&at) : NULL;

    if (newest == NULL || newest->seq != books_get_note(at.books) ||
        g_strcmp0(newest->note.why, in->why) != 0) {
        wire_call_fail(ask->call, refusal);
        return;
    }
    g_error_free(refusal);
    reply(ask->call, ask->meter, newest->seq, &newest->note);
}

static void
start(const Ask *ask, const MeterFork *fork)
{
    const ProtoBillingRecoverCall *in = ask->in;
    g_autofree char *chance = g_uuid_string_random();
    Recover *recover = g_new0(Recover, 1);

    *recover = (Recover){
        .call = ask->call,
        .meter = ask->meter,
        .is_diverged = fork->told_seq == 0,
        .note = {
            .branch = g_strndup(chance, BRANCH_LETTERS),
            .why = g_strdup(in->why),
            .has_lost = fork->lost_seq > 0,
            .lost = fork->lost_seq,
            .lost_hash = g_strdup(fork->lost_hash),
        },
    };
    controller_ask_head(ask->meter->controller, on_head, recover);
}

static void
recover_ready(const Ask *ask)
{
    const ProtoBillingRecoverCall *in = ask->in;
    MeterFork fork = { 0 };
    GError *error = NULL;

    if (!meter_store_read_fork(ask->meter->store, &fork, &error)) {
        repeat(ask, error);
        return;
    }
    if (in->has_accept_fork && in->accept_fork) {
        start(ask, &fork);
    } else {
        meter_store_check_fork(ask->meter->store, &error);
        wire_call_fail(ask->call, error);
    }
    g_free(fork.lost_hash);
}

void
meter_recover(WireCall *call, const ProtoBillingRecoverCall *in)
{
    ask_start_without_books(call, in, recover_ready);
}
