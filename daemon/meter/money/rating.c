/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/money/rating.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/quantity.h"

enum {
    /* Of a tick of CPU time. */
    TICK_NS = 36000000
};

/* A stretch in which prices are the same; never over midnight. */
typedef struct {
    gint64 from_ms;
    gint64 to_ms;
    gint64 day;
    bool has_tariff;
    Tariff tariff;
} Slot;

typedef struct {
    ViewSegment facts;
    /* Of facts.labels, if some card asks for them. */
    char **labels;
} Segment;

/* Usage at a price. */
typedef struct {
    const Segment *segment;
    const Slot *slot;
    const CardLine *line;
    guint tier;
    gint64 from_ms;
    gint64 to_ms;
    /* In the integers that the meter is counted in. */
    __int128 amount;
    __int128 estimated;
    gint64 first_seq;
    gint64 last_seq;
} Piece;

struct Rating {
    const RatingTerms *terms;
    GArray *slots;
    /* Slot: what holds after the period, for what came in late and had no price in it;
     * and Slot *, those of the period with such prices. */
    GArray *later;
    GPtrArray *lent;
    /* Segment *, so that pieces may point to them. */
    GPtrArray *segments;
    GArray *pieces;
    GStringChunk *texts;
    bool asks_for_labels;
};

/* The time */

static void
find_tariff(const Rating *rating, Slot *slot)
{
    static const ProtoAssignmentNote nothing_agreed = { 0 };
    const RatingTerms *terms = rating->terms;

    if (terms->instead != NULL) {
        slot->has_tariff = true;
        slot->tariff = (Tariff){ terms->instead, &nothing_agreed };
        return;
    }
    slot->has_tariff =
        books_find_tariff(&terms->books, terms->tenant, slot->from_ms, &slot->tariff);
}

static GArray *
collect_instants(const RatingTerms *terms)
{
    GArray *instants = g_array_new(FALSE, FALSE, sizeof(gint64));

    books_collect_changes(&terms->books, terms->tenant, instants);
    if (terms->instead != NULL)
        card_collect_changes(terms->instead, instants);
    for (gint64 at_ms = terms->window.from_ms; at_ms <= terms->window.to_ms;
         at_ms += CALENDAR_DAY_MS) {
        g_array_append_val(instants, at_ms);
    }
    g_array_sort(instants, books_compare_instants);
    return instants;
}

/* Whether the card of slot asks for labels is known before there are segments. */
static void
add_slot(Rating *rating, GArray *slots, Slot *slot)
{
    slot->day = calendar_day_of(slot->from_ms);
    find_tariff(rating, slot);
    if (slot->has_tariff && card_asks_for_labels(slot->tariff.card))
        rating->asks_for_labels = true;
    g_array_append_val(slots, *slot);
}

/* The period's end is among the instants. */
static void
make_later(Rating *rating, const GArray *instants)
{
    const RatingTerms *terms = rating->terms;

    for (guint i = 0; i < instants->len; i++) {
        gint64 at_ms = g_array_index(instants, gint64, i);
        Slot slot = { .from_ms = at_ms, .to_ms = at_ms };

        if (at_ms >= terms->window.to_ms && at_ms < terms->late_until_ms)
            add_slot(rating, rating->later, &slot);
    }
}

static void
make_slots(Rating *rating)
{
    g_autoptr(GArray) instants = collect_instants(rating->terms);
    gint64 from_ms = rating->terms->window.from_ms;

    for (guint i = 0; i < instants->len; i++) {
        gint64 at_ms = g_array_index(instants, gint64, i);
        Slot slot = { .from_ms = from_ms, .to_ms = at_ms };

        if (at_ms <= from_ms || at_ms > rating->terms->window.to_ms)
            continue;
        add_slot(rating, rating->slots, &slot);
        from_ms = at_ms;
    }
    make_later(rating, instants);
}

/* The first slot that ends after an instant. */
static guint
find_slot(const Rating *rating, gint64 at_ms)
{
    guint low = 0;
    guint high = rating->slots->len;

    while (low < high) {
        guint middle = (low + high) / 2;

        if (g_array_index(rating->slots, Slot, middle).to_ms > at_ms) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* Facts */

static void
segment_free(gpointer data)
{
    Segment *segment = data;

    g_strfreev(segment->labels);
    g_free(segment);
}

Rating *
rating_new(const RatingTerms *terms)
{
    Rating *rating = g_new0(Rating, 1);

    rating->terms = terms;
    rating->slots = g_array_new(FALSE, FALSE, sizeof(Slot));
    rating->later = g_array_new(FALSE, FALSE, sizeof(Slot));
    rating->lent = g_ptr_array_new_with_free_func(g_free);
    rating->segments = g_ptr_array_new_with_free_func(segment_free);
    rating->pieces = g_array_new(FALSE, FALSE, sizeof(Piece));
    rating->texts = g_string_chunk_new(1024);
    make_slots(rating);
    return rating;
}

void
rating_free(Rating *rating)
{
    if (rating == NULL)
        return;
    g_array_unref(rating->slots);
    g_array_unref(rating->later);
    g_ptr_array_unref(rating->lent);
    g_ptr_array_unref(rating->segments);
    g_array_unref(rating->pieces);
    g_string_chunk_free(rating->texts);
    g_free(rating);
}

static const char *
keep(Rating *rating, const char *text)
{
    return text != NULL ? g_string_chunk_insert_const(rating->texts, text) : NULL;
}

static void
add_label(JsonObject *object, const char *key, JsonNode *node, gpointer data)
{
    if (json_node_get_value_type(node) != G_TYPE_STRING)
        return;
    g_ptr_array_add(data, g_strdup(key));
    g_ptr_array_add(data, json_node_dup_string(node));
}

static char **
read_labels(const char *text)
{
    g_autoptr(JsonNode) node = json_from_string(text, NULL);
    GPtrArray *labels = g_ptr_array_new();

    if (node != NULL && JSON_NODE_HOLDS_OBJECT(node))
        json_object_foreach_member(json_node_get_object(node), add_label, labels);
    g_ptr_array_add(labels, NULL);
    return (char **) g_ptr_array_free(labels, FALSE);
}

void
rating_add_segment(Rating *rating, const ViewSegment *facts)
{
    Segment *segment = g_new0(Segment, 1);

    segment->facts = *facts;
    segment->facts.id = keep(rating, facts->id);
    segment->facts.tenant = rating->terms->tenant;
    segment->facts.name = keep(rating, facts->name);
    segment->facts.labels = keep(rating, facts->labels);
    segment->facts.template = keep(rating, facts->template);
    segment->facts.host = keep(rating, facts->host);
    segment->facts.cause = NULL;
    segment->facts.end_cause = NULL;
    if (rating->asks_for_labels && facts->labels != NULL)
        segment->labels = read_labels(facts->labels);
    g_ptr_array_add(rating->segments, segment);
}

/* Prices */

/* What may be done about it; "" if that is plain. */
static char *
advise(const RatingTerms *terms)
{
    g_autofree char *from = NULL;
    gint64 month = 0;

    if (terms->late_until_ms == 0)
        return g_strdup("");
    month = calendar_month_of(calendar_day_of(terms->late_until_ms - 1));
    from = clock_format_time(calendar_month_window(month).from_ms);
    return g_strdup_printf(
        "; it came in late, and %s is closed: give it a price, or make "
        "it free, from %s on or later, and that is what it costs",
        terms->period, from);
}

static bool
refuse_unpriced(const Rating *rating,
                const Segment *segment,
                MeterId meter,
                const Slot *slot,
                GError **error)
{
    g_autofree char *from = clock_format_time(slot->from_ms);
    g_autofree char *to = clock_format_time(slot->to_ms);
    const ProtoRateCard *rates =
        slot->has_tariff ? card_get_rates(slot->tariff.card) : NULL;
    g_autofree char *advice = advise(rating->terms);
    g_autofree char *why = NULL;

    if (rates == NULL) {
        why = g_strdup("no rate card is assigned then");
    } else {
        why = g_strdup_printf("version %" G_GINT64_FORMAT
                              " of the card %s has no line for it",
                              rates->version, rates->card);
    }
    proto_error_set_illegal_state(error, "unpriced",
                                  "Usage without a price: %s of %s %s (%s) of tenant %s "
                                  "from %s to %s: %s%s",
                                  meter_get_info(meter)->name,
                                  resource_kind_to_string(segment->facts.kind),
                                  segment->facts.name, segment->facts.id,
                                  rating->terms->tenant, from, to, why, advice);
    return false;
}

/* Whether the lines of its day are wanted. */
static bool
is_wanted(const Rating *rating, const Slot *slot)
{
    return slot->day >= rating->terms->from_day && slot->day < rating->terms->to_day;
}

/* Whether it has a price in slot: a line, or none if it costs nothing. */
static bool
has_price(const Segment *segment,
          MeterId meter,
          const Slot *slot,
          const CardLine **ret_line)
{
    const CardSubject subject = { segment->facts.template, segment->facts.host,
                                  segment->labels };

    *ret_line = NULL;
    if (!slot->has_tariff)
        return false;
    *ret_line = card_find_line(slot->tariff.card, meter, slot->from_ms, &subject);
    return *ret_line != NULL || card_is_free(slot->tariff.card, meter);
}

/* The same with the first price after the period, which slot then has. */
static bool
has_later_price(Rating *rating,
                const Segment *segment,
                MeterId meter,
                const Slot **slot,
                const CardLine **ret_line)
{
    for (guint i = 0; i < rating->later->len; i++) {
        const Slot *later = &g_array_index(rating->later, Slot, i);
        Slot *lent = NULL;

        if (!has_price(segment, meter, later, ret_line))
            continue;
        lent = g_memdup2(*slot, sizeof **slot);
        lent->has_tariff = true;
        lent->tariff = later->tariff;
        g_ptr_array_add(rating->lent, lent);
        *slot = lent;
        return true;
    }
    return false;
}

/* Fails if what has no price may not be passed over. */
static bool
pass_unpriced(const Rating *rating,
              const Segment *segment,
              MeterId meter,
              const Slot *slot,
              GError **error)
{
    if (rating->terms->unpriced == NULL)
        return refuse_unpriced(rating, segment, meter, slot, error);
    *rating->terms->unpriced = true;
    return true;
}

/* The line for it; NULL if it costs nothing, or is passed over.  slot is another one then
 * if its price is another's. */
static bool
find_line(Rating *rating,
          const Segment *segment,
          MeterId meter,
          const Slot **slot,
          const CardLine **ret_line,
          GError **error)
{
    return has_price(segment, meter, *slot, ret_line) || !is_wanted(rating, *slot) ||
           has_later_price(rating, segment, meter, slot, ret_line) ||
           pass_unpriced(rating, segment, meter, *slot, error);
}

/* Without a card nothing is known of states: what the default says is asked for. */
static bool
is_billed(const Slot *slot, const Segment *segment, MeterId meter)
{
    if (!slot->has_tariff)
        return segment->facts.state != BILLING_STATE_STOPPED;
    return card_bills(slot->tariff.card, meter, segment->facts.state);
}

/* What a segment holds from one instant to another. */
static bool
add_held(Rating *rating,
         const Segment *segment,
         MeterId meter,
         gint64 from_ms,
         gint64 to_ms,
         GError **error)
{
    const ViewSegment *facts = &segment->facts;
    gint64 each =
        meter_get_held(meter, facts->vcpus, facts->memory_bytes, facts->disk_bytes);

    for (guint i = find_slot(rating, from_ms); i < rating->slots->len; i++) {
        const Slot *slot = &g_array_index(rating->slots, Slot, i);
        Piece piece = { .segment = segment, .slot = slot };

        piece.from_ms = MAX(from_ms, slot->from_ms);
        piece.to_ms = MIN(to_ms, slot->to_ms);
        if (piece.from_ms >= piece.to_ms)
            break;
        piece.amount =
            (__int128) each * (quantity_tick(piece.to_ms) - quantity_tick(piece.from_ms));
        if (piece.amount == 0 || !is_billed(slot, segment, meter))
            continue;
        if (!find_line(rating, segment, meter, &piece.slot, &piece.line, error))
            return false;
        if (piece.line == NULL || !is_billed(piece.slot, segment, meter))
            continue;
        piece.first_seq = segment->facts.seq;
        piece.last_seq = MAX(segment->facts.seq, segment->facts.end_seq);
        g_array_append_val(rating->pieces, piece);
    }
    return true;
}

/* Consumption */

/* Its first segment. */
static guint
find_resource(const Rating *rating, gint64 resource)
{
    guint low = 0;
    guint high = rating->segments->len;

    while (low < high) {
        guint middle = (low + high) / 2;
        const Segment *segment = g_ptr_array_index(rating->segments, middle);

        if (segment->facts.resource >= resource) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* The segments of a resource that touch a day: the last of them, and when they begin and
 * end in it. */
static const Segment *
find_in_day(const Rating *rating, gint64 resource, gint64 day, Window *ret_extent)
{
    gint64 from_ms = calendar_day_start(day);
    gint64 to_ms = from_ms + CALENDAR_DAY_MS;
    const Segment *found = NULL;
    Window extent = { to_ms, from_ms };

    for (guint i = find_resource(rating, resource); i < rating->segments->len; i++) {
        const Segment *segment = g_ptr_array_index(rating->segments, i);

        if (segment->facts.resource != resource || segment->facts.start_ms >= to_ms)
            break;
        if (segment->facts.end_ms <= from_ms)
            continue;
        found = segment;
        extent.from_ms = MIN(extent.from_ms, MAX(from_ms, segment->facts.start_ms));
        extent.to_ms = MAX(extent.to_ms, MIN(to_ms, segment->facts.end_ms));
    }
    if (found != NULL)
        *ret_extent = extent;
    return found;
}

/* A day's first prices; those of the first card, if it came in the course of the day. */
static const Slot *
find_slot_of_day(const Rating *rating, gint64 day)
{
    guint first = find_slot(rating, calendar_day_start(day));

    for (guint i = first; i < rating->slots->len; i++) {
        const Slot *slot = &g_array_index(rating->slots, Slot, i);

        if (slot->day != day)
            break;
        if (slot->has_tariff)
            return slot;
    }
    return first < rating->slots->len ? &g_array_index(rating->slots, Slot, first) : NULL;
}

static __int128
get_used(const ViewUsage *use)
{
    gint64 after = 0;

    if (use->counter != COUNTER_CPU_TIME)
        return use->quantity;
    after = use->before + use->quantity;
    return after / TICK_NS - use->before / TICK_NS;
}

bool
rating_add_use(Rating *rating, const ViewUsage *use, GError **error)
{
    MeterId meter = meter_of_counter(use->counter);
    const Slot *slot = find_slot_of_day(rating, use->day);
    Window extent = { 0 };
    const Segment *segment = find_in_day(rating, use->resource, use->day, &extent);
    Piece piece = { .segment = segment, .slot = slot };

    piece.amount = get_used(use);
    if (slot == NULL || piece.amount == 0)
        return true;
    if (segment == NULL) {
        proto_error_set_internal(error, "usage",
                                 "What row %" G_GINT64_FORMAT
                                 " of the ledger books was used when nothing was there",
                                 use->first_seq);
        return false;
    }
    if (!find_line(rating, segment, meter, &piece.slot, &piece.line, error))
        return false;
    if (piece.line == NULL)
        return true;
    piece.from_ms = extent.from_ms;
    piece.to_ms = extent.to_ms;
    piece.estimated =
        use->counter == COUNTER_CPU_TIME ? use->estimated / TICK_NS : use->estimated;
    piece.estimated = MIN(piece.estimated, piece.amount);
    piece.first_seq = piece.last_seq = use->first_seq;
    g_array_append_val(rating->pieces, piece);
    return true;
}

/* Runs */

/* The prices at an instant of the period or before it, where a run may have ended of
 * which something is charged in it; false after it. */
static bool
get_slot_at(const Rating *rating, gint64 at_ms, Slot *ret_slot)
{
    guint index = find_slot(rating, at_ms);

    if (index == rating->slots->len)
        return false;
    *ret_slot = g_array_index(rating->slots, Slot, index);
    if (at_ms >= ret_slot->from_ms)
        return true;
    *ret_slot = (Slot){ .from_ms = at_ms, .to_ms = at_ms, .day = calendar_day_of(at_ms) };
    find_tariff(rating, ret_slot);
    return true;
}

/* A run of a meter that ended: charges what is missing of the shortest, by what held when
 * it did. */
static bool
end_run(Rating *rating,
        const Segment *last,
        MeterId meter,
        gint64 start_ms,
        gint64 next_ms,
        GError **error)
{
    Slot slot = { 0 };
    const Slot *priced = &slot;
    const CardLine *line = NULL;
    gint64 end_ms = 0;

    if (last->facts.end_seq == 0 || !get_slot_at(rating, last->facts.end_ms, &slot) ||
        !slot.has_tariff)
        return true;
    if (!find_line(rating, last, meter, &priced, &line, error))
        return false;
    if (line == NULL || last->facts.end_ms - start_ms >= line->min_run_ms)
        return true;
    end_ms = MIN(start_ms + line->min_run_ms, next_ms);
    return end_ms <= last->facts.end_ms ||
           add_held(rating, last, meter, last->facts.end_ms, end_ms, error);
}

static bool
is_in_run(const Rating *rating, const Segment *segment, MeterId meter)
{
    Slot slot = { 0 };

    return segment->facts.kind == RESOURCE_KIND_INSTANCE &&
           segment->facts.end_ms > segment->facts.start_ms &&
           get_slot_at(rating, segment->facts.start_ms, &slot) && slot.has_tariff &&
           is_billed(&slot, segment, meter);
}

static bool
add_runs(Rating *rating, MeterId meter, GError **error)
{
    const Segment *last = NULL;
    gint64 start_ms = 0;

    for (guint i = 0; i < rating->segments->len; i++) {
        const Segment *segment = g_ptr_array_index(rating->segments, i);
        bool is_same = false;

        if (!is_in_run(rating, segment, meter))
            continue;
        is_same = last != NULL && last->facts.resource == segment->facts.resource;
        if (!is_same || last->facts.end_ms != segment->facts.start_ms) {
            if (last != NULL &&
                !end_run(rating, last, meter, start_ms,
                         is_same ? segment->facts.start_ms : G_MAXINT64, error))
                return false;
            start_ms = segment->facts.start_ms;
        }
        last = segment;
    }
    return last == NULL || end_run(rating, last, meter, start_ms, G_MAXINT64, error);
}

static bool
has_shortest_run(const Rating *rating)
{
    return books_get_longest_run_ms(&rating->terms->books) > 0 ||
           (rating->terms->instead != NULL &&
            card_get_longest_run_ms(rating->terms->instead) > 0);
}

static bool
add_all_held(Rating *rating, GError **error)
{
    for (guint i = 0; i < rating->segments->len; i++) {
        const Segment *segment = g_ptr_array_index(rating->segments, i);

        for (MeterId meter = METER_INSTANCE_TIME; meter <= METER_ADDRESS; meter++) {
            if (meter_get_info(meter)->kind == segment->facts.kind &&
                !add_held(rating, segment, meter, segment->facts.start_ms,
                          segment->facts.end_ms, error))
                return false;
        }
    }
    if (!has_shortest_run(rating))
        return true;
    return add_runs(rating, METER_INSTANCE_TIME, error) &&
           add_runs(rating, METER_VCPU, error) && add_runs(rating, METER_MEMORY, error);
}

/* Tiers */

static gint
compare_numbers(gint64 a, gint64 b)
{
    return (a > b) - (a < b);
}

static gint
compare_for_tiers(gconstpointer a, gconstpointer b)
{
    const Piece *left = a;
    const Piece *right = b;
    gint order = strcmp(left->line->sku, right->line->sku);

    if (order == 0)
        order = compare_numbers(left->from_ms, right->from_ms);
    if (order == 0)
        order = compare_numbers(left->segment->facts.resource,
                                right->segment->facts.resource);
    if (order == 0)
        order = compare_numbers(left->segment->facts.seq, right->segment->facts.seq);
    if (order == 0)
        order = compare_numbers(left->first_seq, right->first_seq);
    return order;
}

/* Splits a piece where a tier ends, counting on from what was used before. */
static void
split_piece(const Piece *whole, __int128 *before, GArray *out)
{
    const CardLine *line = whole->line;
    Piece rest = *whole;

    for (guint tier = 0; tier < line->n_tiers && rest.amount > 0; tier++) {
        bool is_last = tier + 1 == line->n_tiers;
        Piece part = rest;

        if (!is_last && *before >= line->tiers[tier + 1].from)
            continue;
        if (!is_last)
            part.amount = MIN(rest.amount, line->tiers[tier + 1].from - *before);
        part.tier = tier;
        part.estimated = MIN(rest.estimated, part.amount);
        *before += part.amount;
        rest.amount -= part.amount;
        rest.estimated -= part.estimated;
        g_array_append_val(out, part);
    }
}

/* What is used at one price fills the tiers that the sku has later in the period. */
static void
fill_tiers(Rating *rating, GHashTable *skus)
{
    GArray *out = g_array_new(FALSE, FALSE, sizeof(Piece));
    g_autoptr(GArray) tiered = g_array_new(FALSE, FALSE, sizeof(Piece));
    const char *sku = "";
    __int128 before = 0;

    for (guint i = 0; i < rating->pieces->len; i++) {
        const Piece *piece = &g_array_index(rating->pieces, Piece, i);
        bool has_tiers = g_hash_table_contains(skus, piece->line->sku);

        g_array_append_vals(has_tiers ? tiered : out, piece, 1);
    }
    g_array_sort(tiered, compare_for_tiers);
    for (guint i = 0; i < tiered->len; i++) {
        const Piece *piece = &g_array_index(tiered, Piece, i);

        if (strcmp(piece->line->sku, sku) != 0)
            before = 0;
        sku = piece->line->sku;
        split_piece(piece, &before, out);
    }
    g_array_unref(rating->pieces);
    rating->pieces = out;
}

/* The skus that have tiers at some time. */
static GHashTable *
find_tiered(const Rating *rating)
{
    GHashTable *skus = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < rating->pieces->len; i++) {
        const CardLine *line = g_array_index(rating->pieces, Piece, i).line;

        if (line->n_tiers > 1)
            g_hash_table_add(skus, line->sku);
    }
    return skus;
}

/* Lines */

static gint
compare_for_lines(gconstpointer a, gconstpointer b)
{
    const Piece *left = a;
    const Piece *right = b;
    gint order =
        compare_numbers(left->segment->facts.resource, right->segment->facts.resource);

    if (order == 0)
        order = (gint) left->line->meter - (gint) right->line->meter;
    if (order == 0 && left->line != right->line)
        order = strcmp(left->line->sku, right->line->sku);
    if (order == 0)
        order = compare_numbers(left->slot->day, right->slot->day);
    if (order == 0 && left->line != right->line)
        order = strcmp(left->line->tiers[left->tier].sku_price,
                       right->line->tiers[right->tier].sku_price);
    if (order == 0)
        order = (gint) left->tier - (gint) right->tier;
    if (order == 0)
        order = compare_numbers(left->from_ms, right->from_ms);
    if (order == 0)
        order = compare_numbers(left->first_seq, right->first_seq);
    return order;
}

static gint64
get_contracted_nano(const Piece *piece)
{
    return tariff_get_price_nano(&piece->slot->tariff, &piece->line->tiers[piece->tier]);
}

static const char *
get_currency(const Piece *piece)
{
    return card_get_rates(piece->slot->tariff.card)->currency;
}

/* Texts are kept once, so that the same ones have the same address. */
static bool
is_same_line(const Piece *a, const Piece *b)
{
    const ViewSegment *left = &a->segment->facts;
    const ViewSegment *right = &b->segment->facts;

    if (left->resource != right->resource || a->slot->day != b->slot->day ||
        a->line->meter != b->line->meter || a->tier != b->tier ||
        left->name != right->name || left->labels != right->labels ||
        left->host != right->host)
        return false;
    if (a->slot == b->slot && a->line == b->line)
        return true;
    return strcmp(a->line->sku, b->line->sku) == 0 &&
           strcmp(a->line->tiers[a->tier].sku_price, b->line->tiers[b->tier].sku_price) ==
               0 &&
           a->line->tiers[a->tier].price_nano == b->line->tiers[b->tier].price_nano &&
           get_contracted_nano(a) == get_contracted_nano(b) &&
           strcmp(get_currency(a), get_currency(b)) == 0;
}

static void
merge(Piece *line, const Piece *piece)
{
    line->amount += piece->amount;
    line->estimated += piece->estimated;
    line->from_ms = MIN(line->from_ms, piece->from_ms);
    line->to_ms = MAX(line->to_ms, piece->to_ms);
    line->first_seq = MIN(line->first_seq, piece->first_seq);
    line->last_seq = MAX(line->last_seq, piece->last_seq);
}

static BillLine
describe(const Rating *rating, const Piece *piece)
{
    const RatingTerms *terms = rating->terms;
    const ViewSegment *facts = &piece->segment->facts;
    const CardTier *tier = &piece->line->tiers[piece->tier];

    return (BillLine){
        .category = BILL_CATEGORY_USAGE,
        .tenant = terms->tenant,
        .tenant_name = terms->tenant,
        .kind = facts->kind,
        .resource = facts->id,
        .resource_name = facts->name,
        .labels = facts->labels,
        .host = facts->host,
        .sku = piece->line->sku,
        .sku_price = tier->sku_price,
        .meter = piece->line->meter,
        .tier = piece->tier,
        .from_ms = piece->from_ms,
        .to_ms = piece->to_ms,
        .list_price = { tier->price_nano, CARD_PRICE_PLACES },
        .contracted_price = { get_contracted_nano(piece), CARD_PRICE_PLACES },
        .currency = get_currency(piece),
        .segment = facts->seq,
        .first_seq = piece->first_seq,
        .last_seq = piece->last_seq,
        .period = terms->period,
        .period_from_ms = terms->window.from_ms,
        .period_to_ms = terms->window.to_ms,
        .invoice = terms->invoice,
    };
}

static bool
give(const Rating *rating,
     const Piece *piece,
     BillTake take,
     gpointer data,
     GError **error)
{
    BillLine line = describe(rating, piece);

    return meter_get_quantity(line.meter, piece->amount, &line.quantity, error) &&
           meter_get_quantity(line.meter, piece->estimated, &line.estimated, error) &&
           decimal_multiply(line.quantity, line.list_price, &line.list_cost, error) &&
           decimal_multiply(line.quantity, line.contracted_price, &line.contracted_cost,
                            error) &&
           take(&line, data, error);
}

/* What came in late may have the price of a later month, and that is in its currency. */
static bool
check_currency(const Rating *rating, GError **error)
{
    const char *currency = NULL;

    for (guint i = 0; i < rating->pieces->len && rating->lent->len == 0; i++) {
        const char *next = get_currency(&g_array_index(rating->pieces, Piece, i));

        if (currency != NULL && strcmp(currency, next) != 0) {
            proto_error_set_illegal_state(
                error, "currency", "Tenant %s has usage of %s in both %s and %s",
                rating->terms->tenant, rating->terms->period, currency, next);
            return false;
        }
        currency = next;
    }
    return true;
}

static bool
give_all(const Rating *rating, BillTake take, gpointer data, GError **error)
{
    guint next = 0;

    for (guint i = 0; i < rating->pieces->len; i = next) {
        Piece line = g_array_index(rating->pieces, Piece, i);

        for (next = i + 1; next < rating->pieces->len; next++) {
            const Piece *piece = &g_array_index(rating->pieces, Piece, next);

            if (!is_same_line(&line, piece))
                break;
            merge(&line, piece);
        }
        if (is_wanted(rating, line.slot) && !give(rating, &line, take, data, error))
            return false;
    }
    return true;
}

bool
rating_finish(Rating *rating, BillTake take, gpointer data, GError **error)
{
    g_autoptr(GHashTable) skus = NULL;

    if (!add_all_held(rating, error) || !check_currency(rating, error))
        return false;
    skus = find_tiered(rating);
    if (g_hash_table_size(skus) > 0)
        fill_tiers(rating, skus);
    g_array_sort(rating->pieces, compare_for_lines);
    return give_all(rating, take, data, error);
}

const char *
rating_get_currency(const Rating *rating)
{
    if (rating->pieces->len == 0)
        return NULL;
    return get_currency(&g_array_index(rating->pieces, Piece, 0));
}
