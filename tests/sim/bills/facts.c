/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/facts.h"

#include <string.h>

/* 2026-10-01T00:00:00Z */
static const gint64 start_ms = 1790812800000;

static const guint first_days[FACTS_MONTHS + 1] = { 0, 31, 61, FACTS_DAYS };

const char *const facts_tenants[FACTS_TENANTS] = { "blue", "green", "red" };
const char *const facts_months[FACTS_MONTHS] = { "2026-10", "2026-11", "2026-12" };
const char *const facts_meters[FACTS_METERS] = {
    "instance.time", "vcpu.alloc",     "memory.alloc",    "disk.alloc",
    "ip.alloc",      "cpu.time",       "disk.read.bytes", "disk.write.bytes",
    "disk.read.ops", "disk.write.ops", "net.rx.bytes",    "net.tx.bytes",
};

void
facts_init(Facts *facts)
{
    *facts = (Facts){
        .stretches = g_array_new(FALSE, FALSE, sizeof(Stretch)),
        .uses = g_array_new(FALSE, FALSE, sizeof(Use)),
        .prices = g_array_new(FALSE, FALSE, sizeof(Prices)),
        .deals = g_array_new(FALSE, FALSE, sizeof(Deal)),
        .fixes = g_array_new(FALSE, FALSE, sizeof(Fix)),
    };
}

void
facts_done(Facts *facts)
{
    g_array_unref(facts->stretches);
    g_array_unref(facts->uses);
    g_array_unref(facts->prices);
    g_array_unref(facts->deals);
    g_array_unref(facts->fixes);
}

/* Every element begins with the row that tells of it, and they are in its order. */
static void
cut(GArray *array, gint64 seq)
{
    guint size = g_array_get_element_size(array);

    while (array->len > 0 &&
           *(const gint64 *) (gpointer) (array->data + (gsize) (array->len - 1) * size) >
               seq) {
        g_array_set_size(array, array->len - 1);
    }
}

void
facts_cut(Facts *facts, gint64 seq)
{
    cut(facts->stretches, seq);
    cut(facts->uses, seq);
    cut(facts->prices, seq);
    cut(facts->deals, seq);
    cut(facts->fixes, seq);
    for (guint i = 0; i < facts->stretches->len; i++) {
        Stretch *stretch = &g_array_index(facts->stretches, Stretch, i);

        if (stretch->end_seq > seq)
            stretch->end_seq = stretch->end_ms = 0;
    }
    for (guint i = 0; i < FACTS_MONTHS; i++) {
        if (facts->closed_seq[i] > seq)
            facts->closed_seq[i] = 0;
    }
}

gint64
facts_day_start(guint day)
{
    return start_ms + (gint64) day * FACTS_DAY_MS;
}

guint
facts_first_day(guint month)
{
    return first_days[month];
}

gint64
facts_month_start(guint month)
{
    return facts_day_start(first_days[month]);
}

guint
facts_count_closed(const Facts *facts, gint64 as_of)
{
    guint count = 0;

    while (count < FACTS_MONTHS && facts->closed_seq[count] != 0 &&
           facts->closed_seq[count] <= as_of) {
        count++;
    }
    return count;
}

gint64
facts_resolve(const Facts *facts, guint month, gint64 as_of)
{
    return month < facts_count_closed(facts, as_of) ? facts->closed_seq[month] : as_of;
}

gint64
facts_get_end(const Stretch *stretch, gint64 as_of, gint64 known_ms)
{
    bool has_ended = stretch->end_seq != 0 && stretch->end_seq <= as_of;

    return has_ended ? stretch->end_ms : known_ms;
}

guint
facts_find_currency(const Facts *facts, const char *code)
{
    guint i = 0;

    while (strcmp(facts->currencies[i].code, code) != 0) {
        i++;
    }
    return i;
}

const Fix *
facts_find_fix(const Facts *facts, const Fix *fix)
{
    for (guint i = facts->fixes->len; i > 0; i--) {
        const Fix *other = &g_array_index(facts->fixes, Fix, i - 1);

        if (other->tenant == fix->tenant && other->month == fix->month &&
            other->instance == fix->instance && other->meter == fix->meter &&
            other->tier == fix->tier && other->day == fix->day)
            return other;
    }
    return NULL;
}

Exact
facts_get_cost(Exact quantity, Exact price)
{
    return quantity / exact_ten_to(9) * (price / exact_ten_to(15));
}

Exact
exact_ten_to(guint power)
{
    Exact value = 1;

    while (power-- > 0) {
        value *= 10;
    }
    return value;
}
