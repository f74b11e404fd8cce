/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/process.h"

#include <string.h>

#include "base/clock.h"
#include "meter/closing.h"
#include "meter/rpc-private.h"
#include "sim/bills/ledger.h"
#include "sim/bills/life.h"
#include "sim/bills/prices.h"
#include "sim/bills/vmd.h"
#include "sim/metering/image.h"
#include "sim/world.h"

enum {
    ROWS_AT_ONCE = 40,
    /* In a thousand. */
    AGAIN_RATE = 200,
    EXPECT_RATE = 500,
};

static struct {
    const Facts *facts;
    Meter meter;
} sim;

void
process_begin(Facts *facts)
{
    sim.facts = facts;
    vmd_begin(facts);
    image_begin();
}

void
process_end(void)
{
    process_kill();
    image_end();
    vmd_end();
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

    vmd_expect((Pending){ .prices = *prices });
    prices_write_card(prices, sim.facts->currencies[prices->card / 2].code, &call.card);
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

    vmd_expect((Pending){ .deal = *deal });
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

    vmd_expect((Pending){ .fix = *fix });
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
    } else {
        stop_at_fork(store);
        if (is_accepted(store))
            controller_read_anew(NULL);
    }
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
