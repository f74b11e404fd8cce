/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"

/**
 * From rows of use to sums a day.  Pure: no I/O, no clock.
 *
 * Use that spans midnight is shared out in proportion to time: up to an instant t, of a
 * quantity q used in [from, to), floor(q (t - from) / (to - from)) was used.  So the days
 * of a row always add up to it.  What is estimated of it and what is not are shared out
 * apart, and a day has the sum of both.
 */

/** A part of a row: what of it falls into a day. */
typedef struct {
    gint64 day;
    gint64 quantity;
    gint64 estimated;
} RollupPart;

/** A row that is shared out; begin with rollup_split(). */
typedef struct {
    gint64 from_ms;
    gint64 to_ms;
    gint64 certain;
    gint64 estimated;
    gint64 next_day;
    gint64 certain_before;
    gint64 estimated_before;
} RollupSplit;

enum {
    /* Use that spans more days than this cannot be. */
    ROLLUP_DAYS_MAX = 36525
};

/** Whether row is use that can be: a time that does not end before it begins nor lasts
 * for a century, and a quantity of which no more is estimated than there is. */
bool rollup_is_use(const ProtoLedgerRow *row);

/** Shares out row, which rollup_is_use(). */
RollupSplit rollup_split(const ProtoLedgerRow *row);

/** The next part; false at the end. */
bool rollup_next(RollupSplit *split, RollupPart *ret_part);

/** What a sum is of.  at is a day, a month or 0; era tells how many closings of the books
 * came before the rows. */
typedef struct {
    gint64 tenant;
    gint64 at;
    gint64 resource;
    gint64 device;
    gint64 counter;
    gint64 era;
} RollupKey;

typedef struct {
    RollupKey key;
    gint64 quantity;
    gint64 estimated;
    /** How many rows there are, and the first of them. */
    gint64 rows;
    gint64 first_seq;
    /** The days of the first and of the last. */
    gint64 first_day;
    gint64 last_day;
} RollupSum;

/** Sums by their key. */
typedef struct Rollup Rollup;

Rollup *rollup_new(void);
void rollup_free(Rollup *rollup);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rollup, rollup_free)
void rollup_clear(Rollup *rollup);
guint rollup_size(const Rollup *rollup);

/** Adds sum to that of its key.  Fails when it does not fit. */
bool rollup_add(Rollup *rollup, const RollupSum *sum, GError **error);

/** The sum of key; NULL if there is none. */
const RollupSum *rollup_find(const Rollup *rollup, const RollupKey *key);

/** All sums in the order of their keys, field by field.  Release with
 * g_ptr_array_unref(); they belong to rollup. */
GPtrArray *rollup_sort(const Rollup *rollup);
