/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/process.h"

#include <string.h>

#include "base/clock.h"
#include "meter/closing.h"
#include "meter/rpc-private.h"
#include "sim/bills/ledger.h"
#include "sim/bills/life.h"
#include "sim/bills/prices.h"
#include "sim/metering/image.h"
#include "sim/world.h"

/*
 * How it works
 *
 * What stands between vmd-meter and others is here in place of the daemon's own: the way
 * to vmd, which answers at once or is away, who asks, and the answer.  A process that is
 * dead goes on to the end of its call, and nobody hears of it: what it writes is taken
 * back when it is cleared away, and vmd has no ear for it.
 */

enum {
    ROWS_AT_ONCE = 40,
    /* In a thousand. */
    AGAIN_RATE = 200,
    EXPECT_RATE = 500,
    AWAY_RATE = 30,
    MEANWHILE_RATE = 100,
    DEAF_RATE = 40,
};

static struct {
    Facts *facts;
    Meter meter;
    Pending pending;
    /** The numbers of invoices, also of those that are in no ledger any more. */
    GHashTable *invoices;
} sim;

/** The answer to a call, which is an Answer. */
typedef struct {
    bool is_good;
} Answer;

void
process_begin(Facts *facts)
{
    sim.facts = facts;
    sim.invoices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    image_begin();
}

void
process_end(void)
{
    process_kill();
    image_end();
    g_clear_pointer(&sim.invoices, g_hash_table_unref);
}

/* Life and death */

void
process_start(void)
{
    g_autoptr(GError) error = NULL;

    sim.meter = (Meter){ .grace_hours = 48, .operator_name = "Operator" };
    sim.meter.store = meter_store_open(image_get_folder(), &error);
    if (sim.meter.store == NULL ||
        !meter_store_bind(sim.meter.store, ledger_get_service_id(), &error))
        g_error("The store: %s", error->message);
    sim.meter.bookkeeper = bookkeeper_new(sim.meter.store, NULL);
}

void
process_kill(void)
{
    image_kill();
    g_clear_pointer(&sim.meter.bookkeeper, bookkeeper_free);
    g_clear_pointer(&sim.meter.store, meter_store_close);
    image_revive();
}

bool
process_is_dead(void)
{
    return image_is_dead();
}

Meter *
process_get(void)
{
    return &sim.meter;
}

/* Following */

static void
give(MeterStore *store, gint64 after, gint64 until)
{
    gsize length = 0;
    const guint8 *packed = ledger_read(after, until, &length);
    g_autofree char *hash = ledger_get_hash(until);
    g_autoptr(GError) error = NULL;

    if (!meter_store_apply(store, packed, length, hash, &error))
        world_blame("I13: rows %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT ": %s",
                    after + 1, until, error->message);
}

/* What it holds is the ledger up to its cursor. */
static bool
check_cursor(MeterStore *store)
{
    gint64 cursor = meter_store_get_cursor(store);
    g_autofree char *held = meter_store_get_hash(store);
    g_autofree char *hash = NULL;

    if (cursor > ledger_count())
        return false;
    hash = ledger_get_hash(cursor);
    return strcmp(held, hash) == 0;
}

void
process_follow(MeterStore *store, gint64 until)
{
    gint64 at = meter_store_get_cursor(store);

    if (!check_cursor(store))
        world_blame("I13: what is held up to row %" G_GINT64_FORMAT " is not the ledger",
                    at);
    if (world_chance(EXPECT_RATE))
        meter_store_expect(store, ledger_count());
    while (at < until) {
        gint64 again = world_chance(AGAIN_RATE) ? world_random(ROWS_AT_ONCE) : 0;
        gint64 next = at + 1 + world_random(ROWS_AT_ONCE);

        next = MIN(next, until);
        give(store, MAX(at - again, 0), next);
        at = next;
    }
}

/* The way to vmd */

void
controller_refresh(Controller *controller, void (*done)(gpointer data), gpointer data)
{
    g_autoptr(GError) error = NULL;
    bool is_away = world_chance(AWAY_RATE);

    if (!is_away)
        process_follow(sim.meter.store, ledger_count());
    if (!meter_store_flush(sim.meter.store, &error))
        world_blame("I13: writing: %s", error->message);
    if (!is_away)
        meter_store_set_known_ms(sim.meter.store, life_now_ms());
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
    if (parts[i] == NULL || !g_hash_table_add(sim.invoices, g_strdup(parts[i + 2])))
        world_blame("I25: an invoice is issued twice: %s", note);
}

/* What a note that is in the ledger made true. */
static void
take_note(const char *topic, gint64 seq)
{
    Pending *pending = &sim.pending;
    Facts *facts = sim.facts;

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
                const char *topic,
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
        proto_error_set_conflict(&error, "note", topic, NULL, "There is a newer one");
    } else {
        seq = add_note(topic, tenant, note);
        if (world_chance(DEAF_RATE))
            image_kill();
    }
    if (image_is_dead() && error == NULL)
        proto_error_set_host_unreachable(&error, "", "Nobody hears");
    done(error == NULL ? seq : 0, error, data);
}

/* Who asks, and the answer */

void
ask_start(WireCall *call, const void *in, AskReady ready)
{
    const Ask ask = { .call = call, .meter = &sim.meter, .in = in, .is_admin = true };

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

/* Asking */

static void
on_refreshed(gpointer data)
{
}

bool
process_refresh(void)
{
    g_autoptr(GError) error = NULL;

    controller_refresh(NULL, on_refreshed, NULL);
    if (!bookkeeper_update(sim.meter.bookkeeper, &error))
        world_blame("I20: the books: %s", error->message);
    return !image_is_dead() && error == NULL;
}

bool
process_ask_card(const Prices *prices, bool backdate)
{
    ProtoBillingSetCardCall call = { .has_backdate = true, .backdate = backdate };
    Answer answer = { 0 };

    sim.pending.prices = *prices;
    prices_write_card(prices, sim.facts->currency, &call.card);
    meter_set_card((WireCall *) (gpointer) &answer, &call);
    proto_rate_card_clear(&call.card);
    return answer.is_good;
}

bool
process_ask_deal(const Deal *deal, bool backdate)
{
    bool is_agreed = deal->meter >= 0;
    g_autofree char *from = clock_format_time(deal->from_ms);
    g_autofree char *sku =
        is_agreed ? prices_name_sku((guint) deal->meter, deal->tier) : NULL;
    g_autofree char *price = prices_format(deal->nano);
    char *prices[] = { sku, price, NULL };
    const ProtoBillingAssignCall call = {
        .card = (char *) (gsize) prices_name_card(deal->card),
        .tenant = deal->tenant >= 0 ? (char *) (gsize) facts_tenants[deal->tenant] : NULL,
        .from = from,
        .has_discount_ppm = true,
        .discount_ppm = deal->discount_ppm,
        .prices = is_agreed ? prices : NULL,
        .has_backdate = true,
        .backdate = backdate,
    };
    Answer answer = { 0 };

    sim.pending.deal = *deal;
    meter_assign((WireCall *) (gpointer) &answer, &call);
    return answer.is_good;
}

bool
process_ask_fix(const Fix *fix, const char *quantity, const char *price)
{
    g_autofree char *id = life_make_id(fix->instance);
    g_autofree char *sku = prices_name_sku(fix->meter, fix->tier);
    g_autofree char *day = clock_format_time(facts_day_start(fix->day));
    const ProtoBillingCorrectCall call = {
        .tenant = (char *) (gsize) facts_tenants[fix->tenant],
        .period = (char *) (gsize) facts_months[fix->month],
        .resource = id,
        .sku_price = sku,
        .day = day,
        .quantity = (char *) (gsize) quantity,
        .price = (char *) (gsize) price,
        .why = (char *) (gsize) "It was wrong",
    };
    Answer answer = { 0 };

    sim.pending.fix = *fix;
    meter_correct((WireCall *) (gpointer) &answer, &call);
    return answer.is_good;
}

static void
on_closing(const BooksPeriod *period, const GError *error, gpointer data)
{
    if (error != NULL)
        world_trace("not closed: %s", error->message);
    *(bool *) data = error == NULL;
}

bool
process_ask_closing(guint month)
{
    bool is_closed = false;

    if (process_refresh())
        closing_start(&sim.meter, facts_months[month], on_closing, &is_closed);
    return is_closed && !image_is_dead();
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

void
controller_read_anew(Controller *controller)
{
    MeterStore *store = sim.meter.store;
    g_autoptr(GError) error = NULL;

    if (!meter_store_begin_anew(store, &error) ||
        !meter_store_bind(store, ledger_get_service_id(), &error))
        world_blame("I25: beginning anew: %s", error->message);
}

static bool
is_accepted(MeterStore *store)
{
    gint64 note = ledger_get_note();
    gsize length = 0;
    const guint8 *packed = ledger_read(MAX(note - 1, 0), note, &length);

    return note > 0 && meter_store_is_recovery(store, packed, length);
}

static void
stop_at_fork(MeterStore *store)
{
    gint64 seq = MIN(ledger_count(), meter_store_get_cursor(store));
    g_autofree char *hash = ledger_get_hash(seq);
    g_autoptr(GError) error = NULL;

    if (!meter_store_set_fork(store, seq, hash, &error))
        world_blame("I25: writing: %s", error->message);
}

/* As the way to vmd does when it is opened. */
static void
connect_anew(MeterStore *store)
{
    g_autoptr(GError) error = NULL;

    if (process_is_whole()) {
        if (!meter_store_clear_fork(store, &error))
            world_blame("I25: writing: %s", error->message);
        process_follow(store, ledger_count());
        if (!meter_store_flush(store, &error))
            world_blame("I25: writing: %s", error->message);
    } else if (is_accepted(store)) {
        controller_read_anew(NULL);
    } else {
        stop_at_fork(store);
    }
}

void
ask_start_without_books(WireCall *call, const void *in, AskReady ready)
{
    const Ask ask = { .call = call, .meter = &sim.meter, .in = in, .is_admin = true };

    ready(&ask);
}

static void
check_silence(MeterStore *store)
{
    g_autoptr(View) view = view_open(store, 0, NULL);

    if (view != NULL)
        world_blame("I25: bills are made of a ledger that was put back");
}

bool
process_is_whole(void)
{
    return check_cursor(sim.meter.store);
}

bool
process_recover(void)
{
    const ProtoBillingRecoverCall call = { .has_accept_fork = true,
                                           .accept_fork = true,
                                           .why = (char *) (gsize) "There was a backup" };
    Answer answer = { 0 };

    connect_anew(sim.meter.store);
    if (!meter_store_has_fork(sim.meter.store))
        return !image_is_dead();
    check_silence(sim.meter.store);
    meter_recover((WireCall *) (gpointer) &answer, &call);
    if (answer.is_good)
        connect_anew(sim.meter.store);
    return answer.is_good && !image_is_dead();
}
