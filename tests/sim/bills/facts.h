/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * What truly was: who held and used what, which prices were made, what was closed and
 * corrected, each with the row of the ledger that tells of it.  Nothing of vmd-meter's is
 * in it.
 *
 * Instance n is tenant n modulo FACTS_TENANTS's.  Meters are in the order in which
 * vmd-meter's own documentation lists them.
 */

enum {
    FACTS_TENANTS = 3,
    FACTS_INSTANCES = 6,
    FACTS_MONTHS = 3,
    /** Of the months together. */
    FACTS_DAYS = 92,
    FACTS_METERS = 12,
    /** The meters before are held, those from here on used, in the order of counters. */
    FACTS_FIRST_USED = 5,
    FACTS_TIERS = 3,
    /** Two cards are in each, one after the other. */
    FACTS_CURRENCIES = 2,
    FACTS_CARDS = 2 * FACTS_CURRENCIES,
    FACTS_DAY_MS = 86400000
};

/** A quantity or an amount of money, in 10^-24. */
typedef __int128 Exact;

enum {
    EXACT_PLACES = 24
};

/** A stretch of a resource; what is not of its kind is 0. */
typedef struct {
    gint64 seq;
    /** 0 while it is open. */
    gint64 end_seq;
    guint instance;
    ResourceKind kind;
    BillingState state;
    gint64 vcpus;
    gint64 memory_mib;
    gint64 disk_mib;
    gint64 start_ms;
    gint64 end_ms;
    /** Stands for a name and labels. */
    guint look;
} Stretch;

typedef struct {
    gint64 seq;
    guint instance;
    Counter counter;
    gint64 from_ms;
    gint64 to_ms;
    gint64 certain;
    gint64 estimated;
} Use;

/** What a meter costs on a card. */
typedef struct {
    bool is_free;
    guint n_tiers;
    /** From so many units on, so many 10^-9 a unit. */
    gint64 from[FACTS_TIERS];
    gint64 nano[FACTS_TIERS];
    /** Without tiers: from an instant on another price; 0: never. */
    gint64 change_ms;
    gint64 later_nano;
    /** A run that is shorter is charged as if it had gone on, but not into the next. */
    gint64 min_run_ms;
} Price;

/** A version of a card. */
typedef struct {
    gint64 seq;
    guint card;
    gint64 from_ms;
    Price of[FACTS_METERS];
} Prices;

/** Who has which card from when on. */
typedef struct {
    gint64 seq;
    /** -1: all that have none of their own. */
    gint tenant;
    guint card;
    gint64 from_ms;
    gint64 discount_ppm;
    /** What was agreed on of a meter, -1: of none; of a price without tiers if tier is 0,
     * else of the tier'th. */
    gint meter;
    guint tier;
    gint64 nano;
} Deal;

/** A line of a closed month that somebody corrected. */
typedef struct {
    gint64 seq;
    guint tenant;
    guint month;
    guint instance;
    guint meter;
    guint tier;
    guint day;
    /** What stands there now, and what it changed. */
    Exact quantity;
    Exact price;
    Exact more_quantity;
    Exact more_cost;
} Fix;

/** What is paid in, and the places of that. */
typedef struct {
    const char *code;
    guint places;
} Currency;

typedef struct {
    GArray *stretches;
    GArray *uses;
    GArray *prices;
    GArray *deals;
    GArray *fixes;
    /** The row that closed a month; 0 while it is open. */
    gint64 closed_seq[FACTS_MONTHS];
    Currency currencies[FACTS_CURRENCIES];
} Facts;

extern const char *const facts_tenants[FACTS_TENANTS];
extern const char *const facts_months[FACTS_MONTHS];
extern const char *const facts_meters[FACTS_METERS];

void facts_init(Facts *facts);
void facts_done(Facts *facts);

/** Forgets what rows after one tell of. */
void facts_cut(Facts *facts, gint64 seq);

/** The first instant of a month, and of a day of all the months. */
gint64 facts_month_start(guint month);
gint64 facts_day_start(guint day);

/** The first day of a month; FACTS_MONTHS has the day after the last. */
guint facts_first_day(guint month);

/** How many months are closed as of a row. */
guint facts_count_closed(const Facts *facts, gint64 as_of);

/** The rows that a month is billed by, as of a row: those up to its closing, if that is
 * known by then. */
gint64 facts_resolve(const Facts *facts, guint month, gint64 as_of);

/** When a stretch ends, as far as is known as of a row; at known_ms if it is open. */
gint64 facts_get_end(const Stretch *stretch, gint64 as_of, gint64 known_ms);

/** The number of a currency by its code. */
guint facts_find_currency(const Facts *facts, const char *code);

/** The newest correction of the line that fix is of, or NULL. */
const Fix *facts_find_fix(const Facts *facts, const Fix *fix);

/** Of a quantity and a price, which have fifteen and nine places at most. */
Exact facts_get_cost(Exact quantity, Exact price);

/** 10 to a power. */
Exact exact_ten_to(guint power);
