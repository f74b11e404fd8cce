/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/money/meters.h"
#include "model/decimal.h"
#include "proto.h"

/**
 * A version of a rate card, read and checked: what a unit of a meter costs, for which
 * usage, and when.  It never changes.  Pure.
 */
typedef struct Card Card;

enum {
    CARD_PRICE_PLACES = 9
};

/** A price of a line, from an amount on. */
typedef struct {
    /** In the integers that the meter is counted in. */
    __int128 from;
    /** Of a unit, in 10^-9 of the currency. */
    gint64 price_nano;
    /** Names it: the line's sku price, and with tiers the number of it. */
    char *sku_price;
} CardTier;

typedef struct {
    char *sku;
    MeterId meter;
    gint64 from_ms;
    /** Exclusive; G_MAXINT64 if it has no end. */
    gint64 to_ms;
    gint64 min_run_ms;
    CardTier *tiers;
    guint n_tiers;
    /** The conditions; NULL if it has none. */
    const ProtoRateMatch *match;
} CardLine;

/** What the conditions of lines are held against. */
typedef struct {
    /** name:version, or NULL. */
    const char *template;
    const char *host;
    /** Key, value, key, value, NULL; or NULL. */
    char *const *labels;
} CardSubject;

/**
 * Reads what was written of a card.  Fails with PROTO_ERROR_INVALID_PARAMETER, whose path
 * begins with path: no such meter, currency or time, another unit than the meter's, a
 * price that is none, tiers that do not begin at 0, a sku price of two skus, and two
 * lines that a piece of usage could fit equally.
 */
Card *card_new(const ProtoRateCard *rates, const char *path, GError **error);
void card_free(Card *card);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Card, card_free)

/** What it was read of; owned by the card. */
const ProtoRateCard *card_get_rates(const Card *card);
gint64 card_get_from_ms(const Card *card);
/** SHA-256 of the card as JSON. */
const char *card_get_hash(const Card *card);
/** The longest min_run_ms of a line. */
gint64 card_get_longest_run_ms(const Card *card);
/** Whether a line asks for labels. */
bool card_asks_for_labels(const Card *card);

/** The line for such usage at an instant: of those that fit the one that asks for most.
 * NULL if there is none. */
const CardLine *
card_find_line(const Card *card, MeterId meter, gint64 at_ms, const CardSubject *subject);

/** Whether the card says that the meter costs nothing. */
bool card_is_free(const Card *card, MeterId meter);

/** Whether a meter that is held for a time is charged in the state. */
bool card_bills(const Card *card, MeterId meter, BillingState state);

/** Whether some line has that sku price. */
bool card_has_sku_price(const Card *card, const char *sku_price);

/** Appends the instants, gint64, at which a line begins or ends. */
void card_collect_changes(const Card *card, GArray *instants);

/** Reads a price, as 10^-9.  Fails as card_new() does. */
bool card_read_price(const char *text,
                     const char *path,
                     gint64 *ret_price_nano,
                     GError **error);
