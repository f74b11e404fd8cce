/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/refuse.h"
#include "meter/rpc-private.h"

/* Rate cards, and who has which. */

/* Setting */

typedef struct {
    WireCall *call;
    gint64 version;
} SetCard;

static void
on_card_noted(gint64 seq, const GError *error, gpointer data)
{
    g_autofree SetCard *set = data;
    const ProtoBillingSetCardReply reply = { .version = set->version, .seq = seq };

    if (error != NULL) {
        wire_call_fail(set->call, g_error_copy(error));
        return;
    }
    wire_call_reply(set->call, &reply);
}

/* Whether it is what the newest version says already. */
static bool
is_newest(const BooksAt *at, const ProtoRateCard *rates)
{
    const Card *newest = books_find_card(at, rates->card, 0);
    g_auto(ProtoRateCard) copy = { 0 };
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *hash = NULL;

    if (newest == NULL ||
        (rates->has_version && rates->version != card_get_rates(newest)->version))
        return false;
    wire_struct_copy(&proto_rate_card_type, rates, &copy);
    copy.has_version = true;
    copy.version = card_get_rates(newest)->version;
    wire_struct_print(&proto_rate_card_type, &copy, text);
    hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str, -1);
    return strcmp(hash, card_get_hash(newest)) == 0;
}

static void
set_card_ready(const Ask *ask)
{
    const ProtoBillingSetCardCall *in = ask->in;
    const BooksAt at = ask_get_books(ask);
    g_auto(ProtoRateCard) rates = { 0 };
    GError *error = NULL;
    SetCard *set = NULL;

    if (is_newest(&at, &in->card)) {
        const Card *newest = books_find_card(&at, in->card.card, 0);
        const ProtoBillingSetCardReply reply = {
            .version = card_get_rates(newest)->version,
            .seq = books_get_card_seq(&at, newest),
        };

        wire_call_reply(ask->call, &reply);
        return;
    }
    wire_struct_copy(&proto_rate_card_type, &in->card, &rates);
    if (!books_check_card(&at, &rates, ask_get_now_ms(ask),
                          in->has_backdate && in->backdate, &error)) {
        wire_call_fail(ask->call, error);
        return;
    }
    set = g_new0(SetCard, 1);
    *set = (SetCard){ ask->call, rates.version };
    bookkeeper_note(ask->meter->bookkeeper, LEDGER_TOPIC_CARD, NULL, &rates,
                    on_card_noted, set);
}

void
meter_set_card(WireCall *call, const ProtoBillingSetCardCall *in)
{
    ask_start(call, in, set_card_ready);
}

/* Looking */

static void
get_card_ready(const Ask *ask)
{
    const ProtoBillingGetCardCall *in = ask->in;
    const BooksAt at = ask_get_books(ask);
    const Card *card = books_find_card(&at, in->card, in->has_version ? in->version : 0);
    ProtoBillingGetCardReply reply = { 0 };
    GError *error = NULL;

    if (card == NULL) {
        proto_error_set_not_found(&error, "card", in->card,
                                  "There is no such rate card or version: %s", in->card);
        wire_call_fail(ask->call, error);
        return;
    }
    reply.card = *card_get_rates(card);
    reply.hash = (char *) (gsize) card_get_hash(card);
    wire_call_reply(ask->call, &reply);
}

void
meter_get_card(WireCall *call, const ProtoBillingGetCardCall *in)
{
    ask_start(call, in, get_card_ready);
}

static ProtoRateCardVersion
describe_card(const Card *card)
{
    const ProtoRateCard *rates = card_get_rates(card);

    return (ProtoRateCardVersion){
        .card = rates->card,
        .version = rates->version,
        .currency = rates->currency,
        .from = rates->from,
        .lines = (gint64) rates->n_lines,
        .hash = (char *) (gsize) card_get_hash(card),
    };
}

static void
list_cards_ready(const Ask *ask)
{
    const BooksAt at = ask_get_books(ask);
    g_autoptr(GPtrArray) cards = books_list_cards(&at);
    g_autoptr(GPtrArray) notes = books_list_assignments(&at);
    g_autofree ProtoRateCardVersion *versions = g_new0(ProtoRateCardVersion, cards->len);
    g_autofree ProtoRateAssignment *assignments = g_new0(ProtoRateAssignment, notes->len);
    const ProtoBillingListCardsReply reply = {
        .cards = versions,
        .n_cards = cards->len,
        .assignments = assignments,
        .n_assignments = notes->len,
    };

    for (guint i = 0; i < cards->len; i++) {
        versions[i] = describe_card(g_ptr_array_index(cards, i));
    }
    for (guint i = 0; i < notes->len; i++) {
        const ProtoAssignmentNote *note = g_ptr_array_index(notes, i);

        assignments[i] = (ProtoRateAssignment){
            .tenant = note->tenant,
            .card = note->card,
            .from = clock_format_time(note->from_ms),
            .discount_ppm = note->discount_ppm,
            .prices = note->prices,
        };
    }
    wire_call_reply(ask->call, &reply);
    for (guint i = 0; i < notes->len; i++) {
        g_free(assignments[i].from);
    }
}

void
meter_list_cards(WireCall *call, const ProtoBillingListCardsCall *in)
{
    ask_start(call, in, list_cards_ready);
}

/* Assigning */

static void
on_assigned(gint64 seq, const GError *error, gpointer data)
{
    const ProtoBillingAssignReply reply = { .seq = seq };
    WireCall *call = data;

    if (error != NULL) {
        wire_call_fail(call, g_error_copy(error));
        return;
    }
    wire_call_reply(call, &reply);
}

static bool
read_from(const Ask *ask, gint64 *ret_from_ms, GError **error)
{
    const ProtoBillingAssignCall *in = ask->in;
    gint64 month = calendar_month_of(calendar_day_of(ask_get_now_ms(ask)));

    if (in->from == NULL) {
        *ret_from_ms = calendar_month_window(month).from_ms;
        return true;
    }
    if (clock_parse_time(in->from, ret_from_ms))
        return true;
    return refuse_parameter(error, "parameters.from", "%s is not a time", in->from);
}

static void
assign_ready(const Ask *ask)
{
    const ProtoBillingAssignCall *in = ask->in;
    const BooksAt at = ask_get_books(ask);
    ProtoAssignmentNote note = {
        .tenant = in->tenant,
        .card = in->card,
        .discount_ppm = in->has_discount_ppm ? in->discount_ppm : 0,
        .prices = in->prices,
    };
    GError *error = NULL;
    gint64 seq = 0;

    if (!read_from(ask, &note.from_ms, &error)) {
        wire_call_fail(ask->call, error);
        return;
    }
    seq = books_find_same_assignment(&at, &note);
    if (seq != 0) {
        on_assigned(seq, NULL, ask->call);
        return;
    }
    if (!books_check_assignment(&at, &note, ask_get_now_ms(ask),
                                in->has_backdate && in->backdate, &error)) {
        wire_call_fail(ask->call, error);
        return;
    }
    bookkeeper_note(ask->meter->bookkeeper, LEDGER_TOPIC_ASSIGNMENT, in->tenant, &note,
                    on_assigned, ask->call);
}

void
meter_assign(WireCall *call, const ProtoBillingAssignCall *in)
{
    ask_start(call, in, assign_ready);
}
