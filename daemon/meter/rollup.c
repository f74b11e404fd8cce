/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/rollup.h"

#include <string.h>

#include "meter/calendar.h"

/* Splitting */

/* The year 10000. */
static const gint64 end_ms = G_GINT64_CONSTANT(253402300800000);

bool
rollup_is_use(const ProtoLedgerRow *row)
{
    return row->has_counter && row->has_from_ms && row->has_to_ms && row->from_ms >= 0 &&
           row->from_ms <= row->to_ms && row->to_ms < end_ms && row->quantity >= 0 &&
           row->estimated >= 0 && row->estimated <= row->quantity &&
           calendar_day_of(row->to_ms) - calendar_day_of(row->from_ms) <= ROLLUP_DAYS_MAX;
}

RollupSplit
rollup_split(const ProtoLedgerRow *row)
{
    return (RollupSplit){
        .from_ms = row->from_ms,
        .to_ms = row->to_ms,
        .certain = row->quantity - row->estimated,
        .estimated = row->estimated,
        .next_day = calendar_day_of(row->from_ms),
    };
}

/* How much of quantity was used up to at_ms. */
static gint64
share(const RollupSplit *split, gint64 quantity, gint64 at_ms)
{
    if (at_ms >= split->to_ms)
        return quantity;
    return (gint64) ((__int128) quantity * (at_ms - split->from_ms) /
                     (split->to_ms - split->from_ms));
}

bool
rollup_next(RollupSplit *split, RollupPart *ret_part)
{
    gint64 starts_ms = calendar_day_start(split->next_day);
    gint64 certain = 0;
    gint64 estimated = 0;

    if (starts_ms >= split->to_ms && split->next_day > calendar_day_of(split->from_ms))
        return false;
    certain = share(split, split->certain, starts_ms + CALENDAR_DAY_MS);
    estimated = share(split, split->estimated, starts_ms + CALENDAR_DAY_MS);
    *ret_part = (RollupPart){
        .day = split->next_day,
        .quantity = certain - split->certain_before + estimated - split->estimated_before,
        .estimated = estimated - split->estimated_before,
    };
    split->certain_before = certain;
    split->estimated_before = estimated;
    split->next_day++;
    return true;
}

/* Sums */

struct Rollup {
    /* RollupSum, by its key. */
    GHashTable *sums;
};

static guint
hash_key(gconstpointer data)
{
    const RollupKey *key = data;
    guint64 hash = (guint64) key->resource * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);

    hash ^= (guint64) key->device * G_GUINT64_CONSTANT(0xc2b2ae3d27d4eb4f);
    hash += (guint64) (key->at * 64 + key->counter * 8 + key->era + key->tenant * 4096);
    hash *= G_GUINT64_CONSTANT(0xff51afd7ed558ccd);
    return (guint) (hash >> 32);
}

static int
compare(gint64 a, gint64 b)
{
    return a < b ? -1 : a > b ? 1 : 0;
}

static int
compare_keys(const RollupKey *a, const RollupKey *b)
{
    int result = compare(a->tenant, b->tenant);

    result = result != 0 ? result : compare(a->at, b->at);
    result = result != 0 ? result : compare(a->resource, b->resource);
    result = result != 0 ? result : compare(a->device, b->device);
    result = result != 0 ? result : compare(a->counter, b->counter);
    return result != 0 ? result : compare(a->era, b->era);
}

static gboolean
is_same_key(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(RollupKey)) == 0;
}

Rollup *
rollup_new(void)
{
    Rollup *rollup = g_new0(Rollup, 1);

    rollup->sums = g_hash_table_new_full(hash_key, is_same_key, NULL, g_free);
    return rollup;
}

void
rollup_free(Rollup *rollup)
{
    if (rollup == NULL)
        return;
    g_hash_table_unref(rollup->sums);
    g_free(rollup);
}

void
rollup_clear(Rollup *rollup)
{
    g_hash_table_remove_all(rollup->sums);
}

guint
rollup_size(const Rollup *rollup)
{
    return g_hash_table_size(rollup->sums);
}

bool
rollup_add(Rollup *rollup, const RollupSum *sum, GError **error)
{
    RollupSum *held = g_hash_table_lookup(rollup->sums, &sum->key);
    RollupSum result = *sum;

    if (held == NULL) {
        held = g_memdup2(sum, sizeof *sum);
        g_hash_table_insert(rollup->sums, &held->key, held);
        return true;
    }
    if (__builtin_add_overflow(held->quantity, sum->quantity, &result.quantity) ||
        __builtin_add_overflow(held->estimated, sum->estimated, &result.estimated)) {
        proto_error_set_internal(error, "usage", "The usage is too large to be counted");
        return false;
    }
    result.rows = held->rows + sum->rows;
    result.first_seq = MIN(held->first_seq, sum->first_seq);
    result.first_day = MIN(held->first_day, sum->first_day);
    result.last_day = MAX(held->last_day, sum->last_day);
    *held = result;
    return true;
}

const RollupSum *
rollup_find(const Rollup *rollup, const RollupKey *key)
{
    return g_hash_table_lookup(rollup->sums, key);
}

static int
compare_sums(gconstpointer a, gconstpointer b)
{
    const RollupSum *const *left = a;
    const RollupSum *const *right = b;

    return compare_keys(&(*left)->key, &(*right)->key);
}

GPtrArray *
rollup_sort(const Rollup *rollup)
{
    GPtrArray *sums = g_ptr_array_sized_new(rollup_size(rollup));
    GHashTableIter iter;
    gpointer sum = NULL;

    g_hash_table_iter_init(&iter, rollup->sums);
    while (g_hash_table_iter_next(&iter, NULL, &sum)) {
        g_ptr_array_add(sums, sum);
    }
    g_ptr_array_sort(sums, compare_sums);
    return sums;
}
