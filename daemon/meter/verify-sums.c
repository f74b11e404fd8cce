/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/calendar.h"
#include "meter/verify-private.h"

/*
 * Sums are compared by a linear fingerprint: each key has a weight, chosen at random for
 * the occasion, and the weighted sums of both sides have to be the same, day by day. Days
 * of a total, and which row was the first of a sum, are no sums: of each counter it is
 * remembered what was seen of it.
 */

/** The weighted sums of what the rows say, less those of what is stored. */
typedef struct {
    guint64 quantity;
    guint64 estimated;
    guint64 rows;
    guint64 first_seq;
} Print;

/** What was seen of a counter: its rows come in the order of time. */
typedef struct {
    /** The weight of its total, of which no two have the same. */
    guint64 weight;
    gint64 first_seq;
    gint64 first_day;
    gint64 last_day;
    gint64 era;
} Seen;

/** Which sums. */
typedef enum {
    SCOPE_DAY,
    SCOPE_MONTH,
    SCOPE_TOTAL,
    SCOPE_N
} Scope;

struct VerifySums {
    MeterStore *store;
    const Undo *undo;
    VerifyNames *names;
    LedgerBlame blame;
    gpointer data;
    guint64 seed;
    /** gint64, a day or a month or 0, to Print. */
    GHashTable *prints[SCOPE_N];
    /** Seen, by its weight. */
    GHashTable *seen;
    /** How far the sums that are held were read. */
    Scope scope;
    RollupKey at;
};

static const RollupKey before_all = { .tenant = G_MININT64 };

VerifySums *
verify_sums_new(MeterStore *store,
                const Undo *undo,
                VerifyNames *names,
                LedgerBlame blame,
                gpointer data)
{
    VerifySums *sums = g_new0(VerifySums, 1);

    *sums = (VerifySums){ store, undo, names, blame, data };
    sums->seed = (guint64) g_random_int() << 32 | g_random_int();
    for (int i = 0; i < SCOPE_N; i++) {
        sums->prints[i] =
            g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    }
    sums->seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    sums->at = before_all;
    return sums;
}

void
verify_sums_free(VerifySums *sums)
{
    if (sums == NULL)
        return;
    for (int i = 0; i < SCOPE_N; i++) {
        g_hash_table_unref(sums->prints[i]);
    }
    g_hash_table_unref(sums->seen);
    g_free(sums);
}

/* Fingerprints */

/* Spreads what goes in over all bits: the finalizer of SplitMix64. */
static guint64
mix(guint64 value)
{
    value = (value ^ value >> 30) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static guint64
get_weight(const VerifySums *sums, const RollupKey *key)
{
    const gint64 parts[] = { key->tenant, key->at,      key->resource,
                             key->device, key->counter, key->era };
    guint64 weight = sums->seed;

    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        weight =
            mix(weight + (guint64) parts[i] + G_GUINT64_CONSTANT(0x9e3779b97f4a7c15));
    }
    return weight;
}

static Print *
get_print(VerifySums *sums, Scope scope, gint64 at)
{
    Print *print = g_hash_table_lookup(sums->prints[scope], &at);

    if (print == NULL) {
        print = g_new0(Print, 1);
        g_hash_table_insert(sums->prints[scope], g_memdup2(&at, sizeof at), print);
    }
    return print;
}

static void
add_print(VerifySums *sums, Scope scope, const RollupSum *sum, guint64 weight)
{
    Print *print = get_print(sums, scope, sum->key.at);

    print->quantity += weight * (guint64) sum->quantity;
    print->estimated += weight * (guint64) sum->estimated;
    print->rows += weight * (guint64) sum->rows;
    print->first_seq += weight * (guint64) sum->first_seq;
}

/* What the rows say */

static void
remember(VerifySums *sums, Seen *seen, const RollupSum *day, guint64 weight)
{
    if (seen == NULL) {
        const Seen first = { weight, day->first_seq, day->first_day, day->last_day,
                             day->key.era };

        seen = g_memdup2(&first, sizeof first);
        g_hash_table_insert(sums->seen, &seen->weight, seen);
        return;
    }
    seen->first_day = MIN(seen->first_day, day->first_day);
    seen->last_day = MAX(seen->last_day, day->last_day);
    seen->era = day->key.era;
}

typedef struct {
    VerifySums *sums;
    const ProtoLedgerRow *row;
} Use;

/* What rows say of days is what they say of months and in total. */
static bool
add_day(const RollupSum *day, gpointer data, GError **error)
{
    const Use *use = data;
    VerifySums *sums = use->sums;
    RollupSum month = *day;
    RollupSum total = *day;
    RollupSum sum = *day;
    Seen *seen = NULL;
    guint64 weight = 0;

    month.key.at = calendar_month_of(day->key.at);
    total.key.at = total.key.era = 0;
    weight = get_weight(sums, &total.key);
    seen = g_hash_table_lookup(sums->seen, &weight);
    if (seen == NULL) {
        verify_names_take(sums->names, use->row, day->key.device);
    } else {
        bool is_old = seen->era == day->key.era;

        total.first_seq = 0;
        if (is_old && day->key.at <= seen->last_day)
            sum.first_seq = 0;
        if (is_old && month.key.at <= calendar_month_of(seen->last_day))
            month.first_seq = 0;
    }
    add_print(sums, SCOPE_DAY, &sum, get_weight(sums, &sum.key));
    add_print(sums, SCOPE_MONTH, &month, get_weight(sums, &month.key));
    add_print(sums, SCOPE_TOTAL, &total, weight);
    remember(sums, seen, day, weight);
    return true;
}

void
verify_sums_take(VerifySums *sums, const ProtoLedgerRow *row, gint64 era)
{
    Use use = { sums, row };
    g_autoptr(GError) error = NULL;

    if (!rollup_is_use(row) ||
        !meter_store_share_out(sums->store, row, era, add_day, &use, &error))
        sums->blame(row->seq, NULL, NULL,
                    error != NULL ? error->message : "has a quantity that cannot be",
                    sums->data);
}

/* What is held */

/* Less what came after the last row, which was not read. */
static RollupSum
take_off(const RollupSum *held, const RollupSum *undo, gint64 last_seq)
{
    RollupSum sum = *held;

    if (undo != NULL) {
        sum.quantity -= undo->quantity;
        sum.estimated -= undo->estimated;
        sum.rows -= undo->rows;
    }
    if (undo != NULL && sum.first_seq > last_seq)
        sum.first_seq = 0;
    return sum;
}

static void
blame_total(const VerifySums *sums, const RollupSum *held, const char *column)
{
    g_autofree char *text = g_strdup_printf(
        "opens what has another %s in table usage_total of meter.db", column);

    sums->blame(held->key.resource, NULL, NULL, text, sums->data);
}

/* What is of no row at all shows in the prints. */
static void
check_total(const VerifySums *sums,
            const RollupSum *held,
            const RollupSum *undo,
            guint64 weight)
{
    const Seen *seen = g_hash_table_lookup(sums->seen, &weight);
    gint64 first_day = undo != NULL ? undo->first_day : G_MAXINT64;
    gint64 last_day = undo != NULL ? undo->last_day : G_MININT64;

    if (seen == NULL && undo == NULL)
        return;
    if (seen != NULL) {
        first_day = MIN(first_day, seen->first_day);
        last_day = MAX(last_day, seen->last_day);
        if (held->first_seq != seen->first_seq)
            blame_total(sums, held, "first_seq");
    }
    if (held->first_day != first_day)
        blame_total(sums, held, "first_day");
    if (held->last_day != last_day)
        blame_total(sums, held, "last_day");
}

static void
take_sum(const RollupSum *held, gpointer data)
{
    VerifySums *sums = data;
    const Rollup *undos[] = {
        [SCOPE_DAY] = sums->undo->days,
        [SCOPE_MONTH] = sums->undo->months,
        [SCOPE_TOTAL] = sums->undo->totals,
    };
    const RollupSum *undo = rollup_find(undos[sums->scope], &held->key);
    guint64 weight = get_weight(sums, &held->key);
    RollupSum sum;

    if (held->key.era > sums->undo->era)
        return;
    sum = take_off(held, undo, sums->undo->seq);
    add_print(sums, sums->scope, &sum, -weight);
    if (sums->scope == SCOPE_TOTAL)
        check_total(sums, held, undo, weight);
}

static char *
print_scope(Scope scope, gint64 at)
{
    g_autofree char *when = NULL;

    if (scope == SCOPE_TOTAL)
        return g_strdup("The sums of all time are not what the rows say");
    when = scope == SCOPE_DAY ? calendar_format_day(at) : calendar_format_month(at);
    return g_strdup_printf("The sums of %s are not what the rows say", when);
}

static void
compare(const VerifySums *sums)
{
    GHashTableIter iter;
    gpointer at = NULL;
    gpointer data = NULL;

    for (int i = 0; i < SCOPE_N; i++) {
        g_hash_table_iter_init(&iter, sums->prints[i]);
        while (g_hash_table_iter_next(&iter, &at, &data)) {
            const Print *print = data;
            g_autofree char *text = print_scope((Scope) i, *(const gint64 *) at);

            if (print->quantity != 0 || print->estimated != 0 || print->rows != 0 ||
                print->first_seq != 0)
                sums->blame(0, NULL, NULL, text, sums->data);
        }
    }
}

bool
verify_sums_step(VerifySums *sums, bool *ret_done, GError **error)
{
    static const StatementId scans[] = {
        [SCOPE_DAY] = SCAN_DAYS,
        [SCOPE_MONTH] = SCAN_MONTHS,
        [SCOPE_TOTAL] = SCAN_TOTALS,
    };
    bool more = false;

    if (!meter_store_scan_sums(sums->store, scans[sums->scope], &sums->at, take_sum, sums,
                               &more, error))
        return false;
    *ret_done = false;
    if (more)
        return true;
    sums->at = before_all;
    sums->scope++;
    if (sums->scope < SCOPE_N)
        return true;
    compare(sums);
    *ret_done = true;
    return true;
}
