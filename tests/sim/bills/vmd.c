/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/vmd.h"

#include <string.h>

#include "meter/lost.h"
#include "meter/rpc-private.h"
#include "sim/bills/ledger.h"
#include "sim/bills/life.h"
#include "sim/bills/process.h"
#include "sim/metering/image.h"
#include "sim/world.h"
#include "store/ledger-file.h"

/*
 * How it works
 *
 * What stands between vmd-meter and others is here in place of the daemon's own: the way
 * to vmd, which answers at once or is away, who asks, and the answer.  A process that is
 * dead goes on to the end of its call, and nobody hears of it: what it writes is taken
 * back when it is cleared away, and vmd has no ear for it.
 */

enum {
    /* In a thousand. */
    AWAY_RATE = 30,
    MEANWHILE_RATE = 100,
    DEAF_RATE = 40,
};

static struct {
    Facts *facts;
    Pending pending;
    /** The numbers of invoices, also of those that are in no ledger any more. */
    GHashTable *invoices;
} vmd;

void
vmd_begin(Facts *facts)
{
    vmd.facts = facts;
    vmd.invoices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void
vmd_end(void)
{
    g_clear_pointer(&vmd.invoices, g_hash_table_unref);
}

void
vmd_expect(Pending pending)
{
    vmd.pending = pending;
}

/* Rows and notes */

void
controller_refresh(Controller *controller, void (*done)(gpointer data), gpointer data)
{
    g_autoptr(GError) error = NULL;
    bool is_away = world_chance(AWAY_RATE);

    if (!is_away)
        process_follow(process_get()->store, ledger_count());
    if (!meter_store_flush(process_get()->store, &error))
        world_blame("I13: writing: %s", error->message);
    if (!is_away)
        meter_store_set_known_ms(process_get()->store, life_now_ms());
    done(data);
}

/* None is issued twice, whatever became of the ledger that the first was in. */
static void
take_invoice(const char *note)
{
    g_auto(GStrv) parts = g_strsplit(note, "\"", -1);
    guint i = 0;

    while (parts[i] != NULL && strcmp(parts[i], "invoice") != 0) {
        i++;
    }
    if (parts[i] == NULL || !g_hash_table_add(vmd.invoices, g_strdup(parts[i + 2])))
        world_blame("I25: an invoice is issued twice: %s", note);
}

/* What a note that is in the ledger made true. */
static void
take_note(const char *topic, gint64 seq)
{
    Pending *pending = &vmd.pending;
    Facts *facts = vmd.facts;

    pending->prices.seq = pending->deal.seq = pending->fix.seq = seq;
    if (strcmp(topic, "card") == 0)
        g_array_append_val(facts->prices, pending->prices);
    if (strcmp(topic, "assignment") == 0)
        g_array_append_val(facts->deals, pending->deal);
    if (strcmp(topic, "correction") == 0)
        g_array_append_val(facts->fixes, pending->fix);
    if (strcmp(topic, "closed") == 0)
        facts->closed_seq[facts_count_closed(facts, seq)] = seq;
}

static gint64
add_note(const char *topic, const char *tenant, const char *text)
{
    ProtoLedgerRow row = { .kind = LEDGER_KIND_NOTED };
    gint64 seq = 0;

    row.topic = g_strdup(topic);
    row.tenant = g_strdup(tenant);
    row.note = g_strdup(text);
    seq = ledger_add(&row, life_now_ms());
    world_trace("row %" G_GINT64_FORMAT " is noted: %s %.200s", seq, topic, text);
    take_note(topic, seq);
    if (strcmp(topic, "invoice") == 0)
        take_invoice(text);
    return seq;
}

void
controller_note(Controller *controller,
                gint64 follows,
                LedgerTopic topic,
                const char *tenant,
                const char *note,
                ControllerNoted done,
                gpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 seq = 0;

    if (world_chance(MEANWHILE_RATE))
        life_act();
    if (image_is_dead() || world_chance(AWAY_RATE)) {
        proto_error_set_host_unreachable(&error, "", "vmd is away");
    } else if (follows != ledger_get_note()) {
        proto_error_set_conflict(&error, "note", ledger_topic_get_name(topic), NULL,
                                 "There is a newer one");
    } else {
        seq = add_note(ledger_topic_get_name(topic), tenant, note);
        if (world_chance(DEAF_RATE))
            image_kill();
    }
    if (image_is_dead() && error == NULL)
        proto_error_set_host_unreachable(&error, "", "Nobody hears");
    done(error == NULL ? seq : 0, error, data);
}

/* Forks */

/* What vmd says of where it stands. */
void
controller_ask_head(Controller *controller, ControllerHead done, gpointer data)
{
    g_autofree char *hash = ledger_get_hash(ledger_count());
    const ProtoLedgerGetHeadReply head = {
        .service_id = (char *) (gsize) ledger_get_service_id(),
        .seq = ledger_count(),
        .hash = hash,
        .note = ledger_get_note(),
        .has_forked = ledger_get_fork() != 0,
        .forked = ledger_get_fork(),
    };

    done(&head, NULL, data);
}

void
controller_ask_hash(Controller *controller,
                    gint64 seq,
                    ControllerHash done,
                    gpointer data)
{
    g_autofree char *hash = seq <= ledger_count() ? ledger_get_hash(seq) : NULL;

    done(hash, NULL, data);
}

/* Keeping what is lost */

static bool
keep(MeterStore *store, GError **error)
{
    g_autoptr(Lost) lost = lost_new(store, error);
    bool done = false;

    while (lost != NULL && !done) {
        if (!lost_step(lost, &done, error))
            return false;
    }
    return done;
}

/* All that is held, as others find it who know the last row. */
static void
check_kept(MeterStore *store)
{
    g_autofree char *hash = meter_store_get_hash(store);
    LedgerFileHead known = { .seq = meter_store_get_cursor(store) };
    g_autofree char *path = lost_find(store, known.seq, hash);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    g_autoptr(LedgerFile) file = NULL;

    if (path == NULL || !chain_from_text(hash, &known.hash) ||
        !g_file_get_contents(path, &text, NULL, NULL)) {
        world_blame("I25: the rows that are lost are kept nowhere");
        return;
    }
    file = ledger_file_new(&known);
    lines = g_strsplit(g_strchomp(text), "\n", 0);
    for (gsize i = 0; lines[i] != NULL; i++)
        ledger_file_take(file, lines[i], strlen(lines[i]));
    if (ledger_file_end(file)->n_faults > 0)
        world_blame("I25: the rows that are lost are not kept as they were");
}

void
controller_keep_lost(Controller *controller, ControllerKept done, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (!keep(process_get()->store, &error))
        world_blame("I25: keeping: %s", error->message);
    done(error, data);
}

void
controller_read_anew(Controller *controller)
{
    MeterStore *store = process_get()->store;
    g_autoptr(GError) error = NULL;

    if (!meter_store_is_kept(store) && !keep(store, &error)) {
        world_blame("I25: keeping: %s", error->message);
        return;
    }
    check_kept(store);
    if (!meter_store_begin_anew(store, &error) ||
        !meter_store_bind(store, ledger_get_service_id(), &error))
        world_blame("I25: beginning anew: %s", error->message);
}

/* Who asks, and the answer */

void
ask_start(WireCall *call, const void *in, AskReady ready)
{
    const Ask ask = { .call = call, .meter = process_get(), .in = in, .is_admin = true };

    if (process_refresh())
        ready(&ask);
}

BooksAt
ask_get_books(const Ask *ask)
{
    return (BooksAt){ bookkeeper_get_books(ask->meter->bookkeeper), G_MAXINT64 };
}

gint64
ask_get_now_ms(const Ask *ask)
{
    return meter_store_get_known_ms(ask->meter->store);
}

void
wire_call_reply(WireCall *call, const void *out)
{
    ((Answer *) (gpointer) call)->is_good = true;
}

void
wire_call_fail(WireCall *call, GError *error)
{
    world_trace("refused: %s", error->message);
    g_error_free(error);
}

void
ask_start_without_books(WireCall *call, const void *in, AskReady ready)
{
    const Ask ask = { .call = call, .meter = process_get(), .in = in, .is_admin = true };

    ready(&ask);
}
