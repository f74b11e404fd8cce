/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/money/books-private.h"
#include "meter/refuse.h"

/* 10000-01-01T00:00:00Z */
#define TIME_END_MS G_GINT64_CONSTANT(253402300800000)

enum {
    MILLION = 1000000
};

/* What is closed stays as it is; and what has passed, unless somebody insists. */
static bool
check_from(const BooksAt *at,
           const char *path,
           gint64 from_ms,
           gint64 now_ms,
           bool changes_past,
           GError **error)
{
    gint64 closed_ms = books_get_closed_ms(at);
    g_autofree char *from =
        from_ms < TIME_END_MS ? clock_format_time(MAX(from_ms, 0)) : NULL;
    g_autofree char *closed = clock_format_time(closed_ms);

    if (from == NULL)
        return refuse_parameter(error, path, "is after the year 9999");
    if (from_ms < closed_ms)
        return refuse_parameter(
            error, path,
            "%s lies in a period that is closed: all before %s is; correct its "
            "lines instead",
            from, closed);
    if (changes_past && from_ms < now_ms)
        return refuse_parameter(
            error, path,
            "%s is past and would change what was used at other prices: begin "
            "later, or backdate it",
            from);
    return true;
}

static bool
is_assigned(const BooksAt *at, const char *card)
{
    g_autoptr(GPtrArray) list = books_list_assignments(at);

    for (guint i = 0; i < list->len; i++) {
        const ProtoAssignmentNote *note = g_ptr_array_index(list, i);

        if (strcmp(note->card, card) == 0)
            return true;
    }
    return false;
}

/* What would be noted: either of them. */
typedef struct {
    const ProtoAssignmentNote *assignment;
    const Card *card;
} Next;

static gint64
get_from_ms(const Next *next)
{
    return next->card != NULL ? card_get_from_ms(next->card) : next->assignment->from_ms;
}

static const ProtoAssignmentNote *
find_assignment(const BooksAt *at, const Next *next, const char *tenant, gint64 at_ms)
{
    const ProtoAssignmentNote *note = next->assignment;

    if (note != NULL && note->from_ms <= at_ms && g_strcmp0(note->tenant, tenant) == 0)
        return note;
    return books_find_assignment(at, tenant, at_ms);
}

static const Card *
find_card(const BooksAt *at, const Next *next, const char *name, gint64 at_ms)
{
    if (next->card != NULL && card_get_from_ms(next->card) <= at_ms &&
        strcmp(card_get_rates(next->card)->card, name) == 0)
        return next->card;
    return books_find_card_at(at, name, at_ms);
}

/* In what tenant would pay at an instant if next were noted; NULL: nothing has a price.
 */
static const char *
find_currency(const BooksAt *at, const Next *next, const char *tenant, gint64 at_ms)
{
    const ProtoAssignmentNote *note = NULL;
    const Card *card = NULL;

    if (tenant != NULL)
        note = find_assignment(at, next, tenant, at_ms);
    if (note == NULL)
        note = find_assignment(at, next, NULL, at_ms);
    if (note != NULL)
        card = find_card(at, next, note->card, at_ms);
    return card != NULL ? card_get_rates(card)->currency : NULL;
}

/* From the month on in which next begins: when tenant's prices may change, and when each
 * of those months begins. */
static GArray *
collect_instants(const BooksAt *at, const Next *next, const char *tenant)
{
    g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(gint64));
    GArray *instants = g_array_new(FALSE, FALSE, sizeof(gint64));
    gint64 from_ms = get_from_ms(next);
    gint64 first = calendar_month_of(calendar_day_of(from_ms));

    g_array_append_val(changes, from_ms);
    books_collect_changes(at, tenant, changes);
    for (guint i = 0; i < changes->len; i++) {
        gint64 at_ms = g_array_index(changes, gint64, i);
        gint64 month = calendar_month_of(calendar_day_of(at_ms));
        gint64 start_ms = calendar_month_window(month).from_ms;

        if (month < first)
            continue;
        g_array_append_val(instants, start_ms);
        g_array_append_val(instants, at_ms);
    }
    g_array_sort(instants, books_compare_instants);
    return instants;
}

static bool
refuse_currency(const Next *next,
                const char *tenant,
                const char *one,
                const char *other,
                gint64 month,
                GError **error)
{
    g_autofree char *name = calendar_format_month(month);
    g_autofree char *who = tenant != NULL ? g_strdup_printf("tenant %s", tenant)
                                          : g_strdup("who has no card of its own");

    return refuse_parameter(error, next->card != NULL ? "card.from" : "from",
                            "%s would have prices in %s and in %s in %s: a currency "
                            "changes with the month",
                            who, one, other, name);
}

static bool
check_currency_of(const BooksAt *at, const Next *next, const char *tenant, GError **error)
{
    g_autoptr(GArray) instants = collect_instants(at, next, tenant);
    const char *before = NULL;
    gint64 in_month = 0;

    for (guint i = 0; i < instants->len; i++) {
        gint64 at_ms = g_array_index(instants, gint64, i);
        gint64 month = calendar_month_of(calendar_day_of(at_ms));
        const char *currency = find_currency(at, next, tenant, at_ms);

        if (currency == NULL)
            continue;
        if (before != NULL && month == in_month && strcmp(before, currency) != 0)
            return refuse_currency(next, tenant, before, currency, month, error);
        before = currency;
        in_month = month;
    }
    return true;
}

/* One invoice has one currency.  What all have is also what those have of whom something
 * else was said, before that begins. */
static bool
check_currency(const BooksAt *at, const Next *next, GError **error)
{
    g_autoptr(GPtrArray) list = books_list_assignments(at);
    g_autoptr(GHashTable) checked = g_hash_table_new(g_str_hash, g_str_equal);
    const char *tenant = next->assignment != NULL ? next->assignment->tenant : NULL;

    if (!check_currency_of(at, next, tenant, error))
        return false;
    for (guint i = 0; i < list->len && tenant == NULL; i++) {
        const ProtoAssignmentNote *note = g_ptr_array_index(list, i);

        if (note->tenant != NULL && g_hash_table_add(checked, note->tenant) &&
            !check_currency_of(at, next, note->tenant, error))
            return false;
    }
    return true;
}

bool
books_check_card(
    const BooksAt *at, ProtoRateCard *rates, gint64 now_ms, bool backdate, GError **error)
{
    g_autoptr(Card) card = card_new(rates, "card", error);
    const Next next = { .card = card };
    const Card *before = books_find_card(at, rates->card, 0);
    gint64 version = before != NULL ? card_get_rates(before)->version + 1 : 1;

    if (card == NULL)
        return false;
    if (rates->has_version && rates->version != version)
        return refuse_parameter(error, "card.version",
                                "the next version of %s is %" G_GINT64_FORMAT,
                                rates->card, version);
    if (before != NULL && strcmp(card_get_rates(before)->currency, rates->currency) != 0)
        return refuse_parameter(
            error, "card.currency",
            "%s is in %s, and a card keeps its currency: make another card", rates->card,
            card_get_rates(before)->currency);
    if (!check_from(at, "card.from", card_get_from_ms(card), now_ms,
                    !backdate && is_assigned(at, rates->card), error) ||
        !check_currency(at, &next, error))
        return false;
    rates->has_version = true;
    rates->version = version;
    return true;
}

static bool
check_agreed(const ProtoAssignmentNote *assignment, const Card *card, GError **error)
{
    gint64 price_nano = 0;

    if (assignment->discount_ppm < 0 || assignment->discount_ppm > MILLION)
        return refuse_parameter(error, "discount_ppm", "is not between 0 and a million");
    for (gsize i = 0; assignment->prices != NULL && assignment->prices[i] != NULL;
         i += 2) {
        if (!card_has_sku_price(card, assignment->prices[i]))
            return refuse_parameter(error, "prices", "%s has no sku price %s",
                                    assignment->card, assignment->prices[i]);
        if (!card_read_price(assignment->prices[i + 1], "prices", &price_nano, error))
            return false;
    }
    return true;
}

/* Whether anything had a price: from then on a new assignment counts before all older
 * ones, also where they begin later than it. */
static bool
changes_past(const BooksAt *at, const ProtoAssignmentNote *assignment, gint64 now_ms)
{
    g_autoptr(GArray) instants = g_array_new(FALSE, FALSE, sizeof(gint64));
    Tariff tariff = { 0 };

    g_array_append_val(instants, assignment->from_ms);
    books_collect_changes(at, assignment->tenant, instants);
    for (guint i = 0; i < instants->len; i++) {
        gint64 at_ms = g_array_index(instants, gint64, i);

        if (at_ms >= assignment->from_ms && at_ms < now_ms &&
            books_find_tariff(at, assignment->tenant, at_ms, &tariff))
            return true;
    }
    return false;
}

bool
books_check_assignment(const BooksAt *at,
                       const ProtoAssignmentNote *assignment,
                       gint64 now_ms,
                       bool backdate,
                       GError **error)
{
    const Card *card = books_find_card(at, assignment->card, 0);
    const Next next = { .assignment = assignment };

    if (card == NULL) {
        proto_error_set_not_found(error, "card", assignment->card,
                                  "There is no rate card \"%s\"", assignment->card);
        return false;
    }
    return check_from(at, "from", assignment->from_ms, now_ms,
                      !backdate && changes_past(at, assignment, now_ms), error) &&
           check_currency(at, &next, error) && check_agreed(assignment, card, error);
}
