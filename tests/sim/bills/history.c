/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/history.h"

#include <glib/gstdio.h>
#include <string.h>
#include <time.h>

#include "sim/bills/bill.h"
#include "sim/bills/invariants.h"
#include "sim/bills/ledger.h"
#include "sim/bills/life.h"
#include "sim/bills/orders.h"
#include "sim/bills/prices.h"
#include "sim/bills/process.h"
#include "sim/metering/image.h"
#include "sim/world.h"

/*
 * A seed's life: prices are made; for three months instances live, much or little, and
 * meanwhile vmd-meter follows, is killed, put back to an older copy, asked for bills,
 * prices, corrections; months are closed.  Then all bills that were looked at are asked
 * for again, of it and of one that begins anew.
 */

enum {
    /* Of so many seeds one after another the first ones are long lives. */
    SEEDS_A_TURN = 4000,
    SEEDS_LONG = 500,
    ACTS_LEAST = 10,
    ACTS = 20,
    /* What happens in a month of a short one. */
    ACTS_LEAST_SHORT = 4,
    ACTS_SHORT = 4,
    GRACE_DAYS = 2,
    LAST_DAYS = 20,
    DEATH_WRITES = 200,
    TRIES = 20,
    SOON_MS = 1800000,
    /* In a thousand. */
    REMOVE_RATE = 300,
    ABROAD_RATE = 500,
    NEWEST_RATE = 500,
    WINDOW_RATE = 300,
    TOLD_RATE = 500,
    SPLIT_RATE = 500,
    MEANWHILE_RATE = 500,
    SOON_RATE = 200,
    ROWS_MEANWHILE = 4,
};

/** A bill as it was once shown. */
typedef struct {
    BillWish wish;
    guint format;
    char *text;
} Shown;

/** The ledger and the instances, to be put back to. */
typedef struct {
    gint64 seq;
    gpointer life;
} Backup;

static struct {
    Facts facts;
    Counts *counts;
    GArray *shown;
    /** From here on everything has a price. */
    gint64 first_seq;
    Backup backup;
    /** The files of vmd-meter, from before; NULL if they are not to be put back. */
    GHashTable *copy;
    bool is_long;
} fate;

/* Life and death */

static void
start(void)
{
    process_start();
    while (!process_recover() && world_count_faults() == 0) {
        process_kill();
        process_start();
    }
}

static void
die(void)
{
    fate.counts->deaths++;
    world_trace("vmd-meter dies");
    process_kill();
    if (fate.copy != NULL && world_chance(300)) {
        world_trace("and is put back to an older copy");
        image_put_back(g_steal_pointer(&fate.copy));
    }
    start();
}

/* A death that is waiting does not come any more, and all that there is is known. */
static void
settle(void)
{
    image_die_at(0);
    do {
        if (process_is_dead())
            die();
    } while (world_count_faults() == 0 &&
             (!process_refresh() ||
              meter_store_get_cursor(process_get()->store) != ledger_count()));
}

/* Asking for bills */

/* Of a month that had begun by then. */
static void
choose_time(BillWish *wish, gint64 now_ms)
{
    guint begun = 1;
    guint first = 0;
    guint last = 0;

    while (begun < FACTS_MONTHS && facts_month_start(begun) <= now_ms) {
        begun++;
    }
    wish->month = world_random(begun);
    first = facts_first_day(wish->month);
    last = facts_first_day(wish->month + 1);
    if (world_chance(WINDOW_RATE)) {
        wish->from_day = first + world_random(last - first);
        wish->to_day = wish->from_day + 1 + world_random(last - wish->from_day);
    }
    /* All days are the month, which is paid. */
    if (wish->from_day == first && wish->to_day == last)
        wish->from_day = wish->to_day = 0;
}

/* As of the newest row that is there, which may be older than what was taken, or as of
 * any. */
static bool
choose_wish(MeterStore *store, BillWish *wish)
{
    g_autoptr(View) view = view_open(store, 0, NULL);
    const ViewHead *head = view != NULL ? view_get_head(view) : NULL;

    if (head == NULL || head->seq <= fate.first_seq)
        return false;
    *wish = (BillWish){ .as_of = head->seq,
                        .is_newest = world_chance(NEWEST_RATE),
                        .known_ms = head->known_ms };
    if (!wish->is_newest) {
        wish->as_of = fate.first_seq + world_random((guint) (head->seq - fate.first_seq));
        wish->known_ms = ledger_get_time(wish->as_of);
    }
    choose_time(wish, wish->known_ms);
    return true;
}

/* What the newest row comes to is the same later, unless more was known than it says. */
static void
show(const BillWish *wish, guint format)
{
    Shown shown = { *wish, format, bill_write(process_get()->store, wish, format) };

    shown.wish.is_newest = false;
    if (wish->known_ms == ledger_get_time(wish->as_of))
        g_array_append_val(fate.shown, shown);
    else
        g_free(shown.text);
}

/* A bill stays as it was asked for while rows come in. */
static void
go_on(MeterStore *store)
{
    for (guint i = 0; store == process_get()->store && i < ROWS_MEANWHILE; i++) {
        life_act();
    }
    process_follow(store, ledger_count());
    if (world_chance(500))
        meter_store_flush(store, NULL);
}

static void
look(void)
{
    MeterStore *store = process_get()->store;
    BillWish wish = { 0 };

    if (!choose_wish(store, &wish))
        return;
    world_trace("the bill of month %u as of row %" G_GINT64_FORMAT " is looked at",
                wish.month, wish.as_of);
    fate.counts->bills++;
    show(&wish, world_random(BILL_FORMATS));
    if (world_chance(MEANWHILE_RATE))
        wish.meanwhile = go_on;
    invariants_check_bill(store, &fate.facts, &wish);
}

static void
check_shown(MeterStore *store, const char *what)
{
    for (guint i = 0; i < fate.shown->len; i++) {
        const Shown *shown = &g_array_index(fate.shown, Shown, i);
        g_autofree char *text = bill_write(store, &shown->wish, shown->format);
        bool is_closed =
            shown->wish.month < facts_count_closed(&fate.facts, shown->wish.as_of);

        if (strcmp(text, shown->text) != 0)
            world_blame("%s: %s, the bill of %s as of row %" G_GINT64_FORMAT
                        " is not what it was",
                        is_closed ? "I18, I20" : "I14", what,
                        facts_months[shown->wish.month], shown->wish.as_of);
    }
}

/* Backups */

static void
back_up(void)
{
    g_free(fate.backup.life);
    fate.backup = (Backup){ ledger_count(), life_copy() };
}

static void
tell_fork(gint64 lost, const char *hash)
{
    ProtoLedgerRow row = { .kind = LEDGER_KIND_FORKED };

    row.cause = g_strdup("older");
    row.note = g_strdup_printf("%" G_GINT64_FORMAT " %s", lost, hash);
    ledger_add(&row, life_now_ms());
}

/* What was shown of rows that are lost is shown no more. */
static void
forget_shown(gint64 seq)
{
    for (guint i = fate.shown->len; i > 0; i--) {
        if (g_array_index(fate.shown, Shown, i - 1).wish.as_of > seq)
            g_array_remove_index_fast(fate.shown, i - 1);
    }
}

static void
put_back_ledger(void)
{
    gint64 lost = ledger_count();
    g_autofree char *hash = NULL;

    if (fate.backup.life == NULL || fate.backup.seq < fate.first_seq)
        return;
    world_trace("the ledger is put back from row %" G_GINT64_FORMAT
                " to %" G_GINT64_FORMAT,
                lost, fate.backup.seq);
    fate.counts->forks++;
    hash = ledger_get_hash(lost);
    ledger_cut(fate.backup.seq);
    facts_cut(&fate.facts, fate.backup.seq);
    life_put_back(fate.backup.life);
    forget_shown(fate.backup.seq);
    /* One of both has to know. */
    if (process_is_whole() || world_chance(TOLD_RATE))
        tell_fork(lost, hash);
    process_kill();
    start();
}

static void
copy_files(void)
{
    g_clear_pointer(&fate.copy, g_hash_table_unref);
    fate.copy = image_copy();
}

static void
arm(void)
{
    image_die_at(1 + world_random(DEATH_WRITES));
}

static void
follow(void)
{
    gint64 cursor = meter_store_get_cursor(process_get()->store);

    if (cursor < ledger_count())
        process_follow(process_get()->store,
                       cursor + 1 + world_random((guint) (ledger_count() - cursor)));
}

/* Acts */

static void
correct(void)
{
    settle();
    if (orders_correct(&fate.facts))
        fate.counts->corrections++;
}

/** What may happen, and how often in a thousand. */
static const struct {
    guint rate;
    void (*act)(void);
} acts[] = {
    { 635, life_act },  { 90, follow },  { 50, look },
    { 60, arm },        { 30, die },     { 40, orders_change_prices },
    { 40, correct },    { 25, back_up }, { 10, put_back_ledger },
    { 20, copy_files },
};

static void
act(void)
{
    guint left = world_random(1000);

    for (gsize i = 0; i < G_N_ELEMENTS(acts); i++) {
        if (left < acts[i].rate) {
            acts[i].act();
            break;
        }
        left -= acts[i].rate;
    }
    if (process_is_dead())
        die();
}

/* Something happens now and then until an instant. */
static void
pass(gint64 until_ms)
{
    guint count = fate.is_long ? ACTS_LEAST + world_random(ACTS)
                               : ACTS_LEAST_SHORT + world_random(ACTS_SHORT);
    gint64 step_ms = (until_ms - life_now_ms()) / count * 2;

    while (life_now_ms() < until_ms && world_count_faults() == 0) {
        bool is_soon = world_chance(SOON_RATE);
        gint64 wait_ms = 1 + (gint64) world_random(is_soon ? SOON_MS : (guint) step_ms);

        life_wait(MIN(wait_ms, until_ms - life_now_ms()));
        act();
    }
}

static void
close_month(guint month)
{
    BillWish wish = { .month = month };

    for (guint i = 0; !process_ask_closing(month); i++) {
        settle();
        invariants_check_store(process_get()->store);
        if (i == TRIES) {
            world_blame("I20: %s is not closed", facts_months[month]);
            return;
        }
    }
    settle();
    world_trace("%s is closed", facts_months[month]);
    wish.as_of = ledger_count();
    wish.known_ms = ledger_get_time(wish.as_of);
    invariants_check_invoices(process_get()->store, &fate.facts, month);
    show(&wish, world_random(BILL_FORMATS));
}

/* Prices are there before anything else. */
static void
make_prices(void)
{
    gint64 start_ms = facts_month_start(0);

    for (guint card = 0; card < FACTS_CARDS; card++) {
        const Prices prices = prices_choose(card, start_ms);
        const Deal deal = {
            .tenant = -1, .card = card, .from_ms = start_ms, .meter = -1
        };

        while (!process_ask_card(&prices, true)) {
            settle();
        }
        while (card < 2 && !process_ask_deal(&deal, true)) {
            settle();
        }
    }
    fate.first_seq = ledger_count();
}

static void
live(void)
{
    make_prices();
    for (guint month = 0; month < FACTS_MONTHS; month++) {
        bool is_last = month + 1 == FACTS_MONTHS;

        if (!is_last && world_chance(ABROAD_RATE))
            orders_go_abroad(month + 1);
        pass(is_last ? facts_month_start(month) + LAST_DAYS * (gint64) FACTS_DAY_MS
                     : facts_month_start(month + 1) + GRACE_DAYS * (gint64) FACTS_DAY_MS);
        for (guint i = 0; !is_last && i <= month; i++) {
            if (facts_count_closed(&fate.facts, ledger_count()) == i)
                close_month(i);
        }
        if (world_chance(REMOVE_RATE))
            life_remove_tenant(world_random(FACTS_TENANTS));
    }
}

/* The end */

/* In the midst of many rows, of which only the first are in views. */
static void
look_midway(MeterStore *store)
{
    gint64 middle =
        fate.first_seq + world_random((guint) (ledger_count() - fate.first_seq));
    BillWish wish = { .as_of = middle,
                      .is_newest = true,
                      .known_ms = ledger_get_time(middle),
                      .meanwhile = go_on };

    process_follow(store, middle);
    if (!meter_store_flush(store, NULL))
        world_blame("I14: writing");
    meter_store_expect(store, ledger_count());
    process_follow(store, middle + world_random((guint) (ledger_count() - middle)));
    choose_time(&wish, wish.known_ms);
    if (!meter_store_has_fork(store))
        invariants_check_bill(store, &fate.facts, &wish);
}

static MeterStore *
begin_elsewhere(void)
{
    g_autofree char *folder = g_build_filename(image_get_folder(), "anew", NULL);
    g_autoptr(GError) error = NULL;
    MeterStore *store = meter_store_open(folder, &error);

    if (store == NULL || !meter_store_bind(store, ledger_get_service_id(), &error))
        g_error("The store: %s", error->message);
    look_midway(store);
    process_follow(store, ledger_count());
    if (!meter_store_flush(store, &error))
        world_blame("I14: writing: %s", error->message);
    return store;
}

static void
check_all(MeterStore *store)
{
    const Prices prices = prices_choose(0, facts_month_start(0));
    BillWish wish = { .as_of = ledger_count() };

    invariants_check_store(store);
    invariants_check_fixes(store, &fate.facts);
    for (wish.month = 0; wish.month < FACTS_MONTHS; wish.month++) {
        invariants_check_bill(store, &fate.facts, &wish);
        fate.counts->bills++;
    }
    wish.month = world_random(FACTS_MONTHS);
    if (world_chance(SPLIT_RATE))
        invariants_check_split(store, &fate.facts, &wish);
    else
        invariants_check_double(store, &fate.facts, &wish, &prices);
}

static void
set_zone(const char *zone)
{
    g_setenv("TZ", zone, TRUE);
    tzset();
}

/* Neither who reads them nor where has a part in what bills say. */
static void
look_back(void)
{
    g_autoptr(MeterStore) anew = begin_elsewhere();

    check_shown(process_get()->store, "later");
    set_zone("Asia/Kolkata");
    check_shown(anew, "elsewhere");
    set_zone("UTC");
}

static void
shown_clear(gpointer data)
{
    g_free(((Shown *) data)->text);
}

static void
begin(void)
{
    static const Currency currencies[] = { { "EUR", 2 }, { "JPY", 0 }, { "KWD", 3 } };
    guint choice = world_random(G_N_ELEMENTS(currencies));

    ledger_begin();
    facts_init(&fate.facts);
    for (guint i = 0; i < FACTS_CURRENCIES; i++) {
        fate.facts.currencies[i] = currencies[(choice + i) % G_N_ELEMENTS(currencies)];
    }
    fate.shown = g_array_new(FALSE, FALSE, sizeof(Shown));
    g_array_set_clear_func(fate.shown, shown_clear);
    life_begin(&fate.facts);
    process_begin(&fate.facts);
    start();
}

static void
end(void)
{
    g_clear_pointer(&fate.copy, g_hash_table_unref);
    g_clear_pointer(&fate.backup.life, g_free);
    process_end();
    g_array_unref(fate.shown);
    facts_done(&fate.facts);
    ledger_end();
}

bool
history_run(guint32 seed, bool verbose, Counts *counts, guint64 *ret_hash)
{
    bool good = false;

    world_begin(seed, verbose);
    fate.counts = counts;
    fate.is_long = seed % SEEDS_A_TURN < SEEDS_LONG;
    begin();
    live();
    settle();
    if (world_count_faults() == 0)
        check_all(process_get()->store);
    if (world_count_faults() == 0)
        look_back();
    counts->rows += (guint64) ledger_count();
    end();
    good = world_count_faults() == 0;
    *ret_hash = world_hash();
    world_end();
    return good;
}
