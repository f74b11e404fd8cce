/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/money/books.h"

#include <string.h>

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/money/books-private.h"
#include "meter/money/correction.h"
#include "meter/refuse.h"
#include "store/ledger-topics.h"

/*
 * Lists in the order of the rows.  There are few cards and assignments, and a search
 * that goes from the newest on ends soon.
 */

static void
assignment_free(gpointer data)
{
    Assignment *assignment = data;

    proto_assignment_note_clear(&assignment->note);
    g_free(assignment);
}

static void
version_free(gpointer data)
{
    Version *version = data;

    card_free(version->card);
    g_free(version);
}

static void
invoice_free(gpointer data)
{
    proto_invoice_note_clear(data);
    g_free(data);
}

static void
period_free(gpointer data)
{
    BooksPeriod *period = data;

    g_ptr_array_unref(period->invoices);
    g_free(period->name);
    g_free(period->hash);
    g_strfreev(period->unpriced);
    g_free(period);
}

static void
correction_free(gpointer data)
{
    BooksCorrection *correction = data;

    proto_correction_note_clear(&correction->note);
    g_free(correction);
}

static void
recovery_free(gpointer data)
{
    BooksRecovery *recovery = data;

    proto_recovered_note_clear(&recovery->note);
    g_free(recovery);
}

static void
passed_free(gpointer data)
{
    BooksPassed *passed = data;

    g_free(passed->why);
    g_free(passed);
}

Books *
books_new(void)
{
    Books *books = g_rc_box_new0(Books);

    books->cards = g_ptr_array_new_with_free_func(version_free);
    books->assignments = g_ptr_array_new_with_free_func(assignment_free);
    books->periods = g_ptr_array_new_with_free_func(period_free);
    books->corrections = g_ptr_array_new_with_free_func(correction_free);
    books->recoveries = g_ptr_array_new_with_free_func(recovery_free);
    books->passed = g_ptr_array_new_with_free_func(passed_free);
    return books;
}

static void
books_clear(gpointer data)
{
    Books *books = data;

    g_ptr_array_unref(books->cards);
    g_ptr_array_unref(books->assignments);
    g_ptr_array_unref(books->periods);
    g_ptr_array_unref(books->corrections);
    g_ptr_array_unref(books->recoveries);
    g_ptr_array_unref(books->passed);
}

Books *
books_ref(Books *books)
{
    return g_rc_box_acquire(books);
}

void
books_unref(Books *books)
{
    if (books != NULL)
        g_rc_box_release_full(books, books_clear);
}

gint64
books_get_note(const Books *books)
{
    return books->note;
}

/* Taking notes */

static bool
read_note(const ProtoLedgerRow *row, LedgerTopic topic, void *ret_note, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (row->note == NULL)
        return refuse_row(error, row, "is a note without a text");
    if (!wire_struct_read(ledger_topic_get_type(topic), row->note, strlen(row->note),
                          row->topic, WIRE_PARSE_STRICT, ret_note, &why))
        return refuse_row(error, row, "is no entry of the books: %s", why->message);
    return true;
}

static bool
can_be_read(const ProtoLedgerRow *row, LedgerTopic topic, GError **error)
{
    const WireStruct *type = ledger_topic_get_type(topic);
    g_autofree gpointer note = g_malloc0(type->size);
    bool good = read_note(row, topic, note, error);

    wire_struct_clear(type, note);
    return good;
}

/* Why an entry is passed over, after "it". */
G_GNUC_PRINTF(2, 3)

static bool
refuse_entry(GError **error, const char *format, ...)
{
    g_autofree char *why = NULL;
    va_list arguments;

    va_start(arguments, format);
    why = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    proto_error_set_internal(error, "ledger", "%s", why);
    return false;
}

static bool
add_card(Books *books, const ProtoLedgerRow *row, GError **error)
{
    const BooksAt at = { books, row->seq };
    g_auto(ProtoRateCard) rates = { 0 };
    g_autoptr(GError) why = NULL;
    Version *version = NULL;

    if (!read_note(row, LEDGER_TOPIC_CARD, &rates, error))
        return false;
    if (!rates.has_version)
        return refuse_entry(error, "has no version");
    if (!books_check_card(&at, &rates, row->at_ms, true, &why))
        return refuse_entry(error, "is no card that may be: %s", why->message);
    version = g_new0(Version, 1);
    *version = (Version){ card_new(&rates, "card", NULL), row->seq };
    g_ptr_array_add(books->cards, version);
    return true;
}

static bool
add_assignment(Books *books, const ProtoLedgerRow *row, GError **error)
{
    const BooksAt at = { books, row->seq };
    Assignment *assignment = g_new0(Assignment, 1);
    g_autoptr(GError) why = NULL;

    assignment->seq = row->seq;
    if (!read_note(row, LEDGER_TOPIC_ASSIGNMENT, &assignment->note, error)) {
        assignment_free(assignment);
        return false;
    }
    if (!books_check_assignment(&at, &assignment->note, row->at_ms, true, &why)) {
        assignment_free(assignment);
        return refuse_entry(error, "is no assignment that may be: %s", why->message);
    }
    g_ptr_array_add(books->assignments, assignment);
    return true;
}

static bool
add_closed(Books *books, const ProtoLedgerRow *row, GError **error)
{
    const BooksAt at = { books, row->seq };
    g_auto(ProtoClosedNote) note = { 0 };
    gint64 month = 0;
    Window window = { 0 };
    BooksPeriod *period = NULL;

    if (!read_note(row, LEDGER_TOPIC_CLOSED, &note, error))
        return false;
    if (!calendar_parse_month(note.period, &month))
        return refuse_entry(error, "closes %s, which is no period", note.period);
    window = calendar_month_window(month);
    if (window.from_ms != note.from_ms || window.to_ms != note.to_ms ||
        (books->periods->len > 0 && window.from_ms != books_get_closed_ms(&at)))
        return refuse_entry(error, "closes %s at the wrong time", note.period);
    if (row->at_ms < window.to_ms)
        return refuse_entry(error, "closes %s, which had not ended", note.period);
    period = g_new0(BooksPeriod, 1);
    *period = (BooksPeriod){
        .name = g_strdup(note.period),
        .window = window,
        .seq = row->seq,
        .invoices = g_ptr_array_new_with_free_func(invoice_free),
    };
    g_ptr_array_add(books->periods, period);
    return true;
}

/* The period that is being closed. */
static BooksPeriod *
find_closing(Books *books, const char *name)
{
    BooksPeriod *newest = NULL;

    if (books->periods->len > 0)
        newest = g_ptr_array_index(books->periods, books->periods->len - 1);
    if (newest == NULL || strcmp(newest->name, name) != 0 || newest->sealed_seq != 0)
        return NULL;
    return newest;
}

static bool
add_invoice(Books *books, const ProtoLedgerRow *row, GError **error)
{
    ProtoInvoiceNote *note = g_new0(ProtoInvoiceNote, 1);
    BooksPeriod *period = NULL;

    if (!read_note(row, LEDGER_TOPIC_INVOICE, note, error)) {
        invoice_free(note);
        return false;
    }
    period = find_closing(books, note->period);
    if (period == NULL) {
        refuse_entry(error, "is an invoice for %s, which is not being closed",
                     note->period);
        invoice_free(note);
        return false;
    }
    g_ptr_array_add(period->invoices, note);
    return true;
}

static bool
add_sealed(Books *books, const ProtoLedgerRow *row, GError **error)
{
    g_auto(ProtoSealedNote) note = { 0 };
    BooksPeriod *period = NULL;

    if (!read_note(row, LEDGER_TOPIC_SEALED, &note, error))
        return false;
    period = find_closing(books, note.period);
    if (period == NULL || note.invoices != (gint64) period->invoices->len)
        return refuse_entry(error, "seals %s, which has not that many invoices",
                            note.period);
    period->sealed_seq = row->seq;
    period->hash = g_strdup(note.hash);
    period->unpriced = g_strdupv(note.unpriced);
    return true;
}

/* What it says is in every bill of its tenant from then on. */
static bool
check_correction(const ProtoCorrectionNote *note,
                 const BooksPeriod *period,
                 GError **error)
{
    g_autoptr(GError) why = NULL;

    if (correction_check_line(&note->reversal, &period->window, &why) &&
        correction_check_line(&note->replacement, &period->window, &why))
        return true;
    return refuse_entry(error, "is no correction that may be: %s", why->message);
}

static bool
add_correction(Books *books, const ProtoLedgerRow *row, GError **error)
{
    const BooksAt at = { books, row->seq };
    BooksCorrection *correction = g_new0(BooksCorrection, 1);
    const BooksPeriod *period = NULL;

    correction->seq = row->seq;
    correction->booked_ms = books_get_closed_ms(&at);
    if (!read_note(row, LEDGER_TOPIC_CORRECTION, &correction->note, error)) {
        correction_free(correction);
        return false;
    }
    period = books_find_period(&at, correction->note.period);
    if (period == NULL)
        refuse_entry(error, "corrects %s, which is open", correction->note.period);
    if (period == NULL || !check_correction(&correction->note, period, error)) {
        correction_free(correction);
        return false;
    }
    g_ptr_array_add(books->corrections, correction);
    return true;
}

static bool
add_recovered(Books *books, const ProtoLedgerRow *row, GError **error)
{
    BooksRecovery *recovery = g_new0(BooksRecovery, 1);

    recovery->seq = row->seq;
    if (!read_note(row, LEDGER_TOPIC_RECOVERED, &recovery->note, error)) {
        recovery_free(recovery);
        return false;
    }
    g_ptr_array_add(books->recoveries, recovery);
    return true;
}

static bool (*const adders[])(Books *books, const ProtoLedgerRow *row, GError **error) = {
    [LEDGER_TOPIC_CARD] = add_card,           [LEDGER_TOPIC_ASSIGNMENT] = add_assignment,
    [LEDGER_TOPIC_CLOSED] = add_closed,       [LEDGER_TOPIC_INVOICE] = add_invoice,
    [LEDGER_TOPIC_SEALED] = add_sealed,       [LEDGER_TOPIC_CORRECTION] = add_correction,
    [LEDGER_TOPIC_RECOVERED] = add_recovered,
};

G_STATIC_ASSERT(G_N_ELEMENTS(adders) == LEDGER_TOPIC_N);

static void
pass_over(Books *books, const ProtoLedgerRow *row, const char *why)
{
    BooksPassed *passed = g_new0(BooksPassed, 1);

    *passed = (BooksPassed){ row->seq, g_strdup_printf("it %s", why) };
    g_ptr_array_add(books->passed, passed);
}

bool
books_add(Books *books, const ProtoLedgerRow *row, GError **error)
{
    LedgerTopic topic = LEDGER_TOPIC_N;
    g_autoptr(GError) why = NULL;

    if (row->seq <= books->note)
        return true;
    if (!ledger_topic_find(row->topic, &topic))
        return refuse_row(error, row, "is a note on \"%s\", which nobody knows",
                          row->topic != NULL ? row->topic : "");
    if (!can_be_read(row, topic, error))
        return false;
    if (!adders[topic](books, row, &why))
        pass_over(books, row, why->message);
    books->note = row->seq;
    return true;
}

GPtrArray *
books_list_passed(const BooksAt *at)
{
    GPtrArray *list = g_ptr_array_new();

    for (guint i = 0; i < at->books->passed->len; i++) {
        BooksPassed *passed = g_ptr_array_index(at->books->passed, i);

        if (passed->seq <= at->seq)
            g_ptr_array_add(list, passed);
    }
    return list;
}

const char *
books_get_passed(const Books *books)
{
    const BooksPassed *last =
        books->passed->len > 0 ? g_ptr_array_index(books->passed, books->passed->len - 1)
                               : NULL;

    return last != NULL && last->seq == books->note ? last->why : NULL;
}

/* Prices */

const Card *
books_find_card(const BooksAt *at, const char *name, gint64 version)
{
    for (guint i = at->books->cards->len; i > 0; i--) {
        const Version *row = g_ptr_array_index(at->books->cards, i - 1);
        const ProtoRateCard *rates = card_get_rates(row->card);

        if (row->seq <= at->seq && strcmp(rates->card, name) == 0 &&
            (version == 0 || rates->version == version))
            return row->card;
    }
    return NULL;
}

gint64
books_get_card_seq(const BooksAt *at, const Card *card)
{
    for (guint i = 0; i < at->books->cards->len; i++) {
        const Version *row = g_ptr_array_index(at->books->cards, i);

        if (row->card == card)
            return row->seq;
    }
    return 0;
}

GPtrArray *
books_list_cards(const BooksAt *at)
{
    GPtrArray *list = g_ptr_array_new();

    for (guint i = 0; i < at->books->cards->len; i++) {
        const Version *row = g_ptr_array_index(at->books->cards, i);

        if (row->seq <= at->seq)
            g_ptr_array_add(list, row->card);
    }
    return list;
}

GPtrArray *
books_list_assignments(const BooksAt *at)
{
    GPtrArray *list = g_ptr_array_new();

    for (guint i = 0; i < at->books->assignments->len; i++) {
        Assignment *row = g_ptr_array_index(at->books->assignments, i);

        if (row->seq <= at->seq)
            g_ptr_array_add(list, &row->note);
    }
    return list;
}

gint64
books_get_longest_run_ms(const BooksAt *at)
{
    gint64 longest_ms = 0;

    for (guint i = 0; i < at->books->cards->len; i++) {
        const Version *row = g_ptr_array_index(at->books->cards, i);

        if (row->seq <= at->seq)
            longest_ms = MAX(longest_ms, card_get_longest_run_ms(row->card));
    }
    return longest_ms;
}

static bool
is_same_prices(char *const *a, char *const *b)
{
    static char *const none[] = { NULL };

    return g_strv_equal((const char *const *) (a != NULL ? a : none),
                        (const char *const *) (b != NULL ? b : none));
}

gint64
books_find_same_assignment(const BooksAt *at, const ProtoAssignmentNote *note)
{
    for (guint i = at->books->assignments->len; i > 0; i--) {
        const Assignment *row = g_ptr_array_index(at->books->assignments, i - 1);

        if (row->seq > at->seq || g_strcmp0(row->note.tenant, note->tenant) != 0)
            continue;
        if (strcmp(row->note.card, note->card) != 0 ||
            row->note.from_ms != note->from_ms ||
            row->note.discount_ppm != note->discount_ppm ||
            !is_same_prices(row->note.prices, note->prices))
            return 0;
        return row->seq;
    }
    return 0;
}

const Card *
books_find_card_at(const BooksAt *at, const char *name, gint64 at_ms)
{
    for (guint i = at->books->cards->len; i > 0; i--) {
        const Version *row = g_ptr_array_index(at->books->cards, i - 1);

        if (row->seq <= at->seq && strcmp(card_get_rates(row->card)->card, name) == 0 &&
            card_get_from_ms(row->card) <= at_ms)
            return row->card;
    }
    return NULL;
}

const ProtoAssignmentNote *
books_find_assignment(const BooksAt *at, const char *tenant, gint64 at_ms)
{
    for (guint i = at->books->assignments->len; i > 0; i--) {
        const Assignment *row = g_ptr_array_index(at->books->assignments, i - 1);

        if (row->seq <= at->seq && g_strcmp0(row->note.tenant, tenant) == 0 &&
            row->note.from_ms <= at_ms)
            return &row->note;
    }
    return NULL;
}

bool
books_find_tariff(const BooksAt *at, const char *tenant, gint64 at_ms, Tariff *ret_tariff)
{
    Tariff tariff = { 0 };

    if (tenant != NULL)
        tariff.assignment = books_find_assignment(at, tenant, at_ms);
    if (tariff.assignment == NULL)
        tariff.assignment = books_find_assignment(at, NULL, at_ms);
    if (tariff.assignment == NULL)
        return false;
    tariff.card = books_find_card_at(at, tariff.assignment->card, at_ms);
    if (tariff.card == NULL)
        return false;
    *ret_tariff = tariff;
    return true;
}

gint64
tariff_get_price_nano(const Tariff *tariff, const CardTier *tier)
{
    const ProtoAssignmentNote *note = tariff->assignment;
    const Decimal kept = { 1000000 - note->discount_ppm, 6 };
    Decimal price = { tier->price_nano, CARD_PRICE_PLACES };
    gint64 agreed_nano = 0;

    for (gsize i = 0; note->prices != NULL && note->prices[i] != NULL; i += 2) {
        if (strcmp(note->prices[i], tier->sku_price) == 0 &&
            card_read_price(note->prices[i + 1], "prices", &agreed_nano, NULL))
            return agreed_nano;
    }
    /* A price is bounded, so that it fits. */
    if (!decimal_multiply(price, kept, &price, NULL) ||
        !decimal_round(price, CARD_PRICE_PLACES, &price, NULL))
        g_assert_not_reached();
    return (gint64) price.value;
}

void
books_collect_changes(const BooksAt *at, const char *tenant, GArray *instants)
{
    for (guint i = 0; i < at->books->cards->len; i++) {
        const Version *row = g_ptr_array_index(at->books->cards, i);

        if (row->seq <= at->seq)
            card_collect_changes(row->card, instants);
    }
    for (guint i = 0; i < at->books->assignments->len; i++) {
        const Assignment *row = g_ptr_array_index(at->books->assignments, i);

        if (row->seq <= at->seq &&
            (row->note.tenant == NULL || g_strcmp0(row->note.tenant, tenant) == 0))
            g_array_append_val(instants, row->note.from_ms);
    }
}

gint
books_compare_instants(gconstpointer a, gconstpointer b)
{
    gint64 left = *(const gint64 *) a;
    gint64 right = *(const gint64 *) b;

    return (left > right) - (left < right);
}

/* Periods */

const BooksPeriod *
books_find_period(const BooksAt *at, const char *name)
{
    for (guint i = 0; i < at->books->periods->len; i++) {
        const BooksPeriod *period = g_ptr_array_index(at->books->periods, i);

        if (period->seq <= at->seq && strcmp(period->name, name) == 0)
            return period;
    }
    return NULL;
}

GPtrArray *
books_list_periods(const BooksAt *at)
{
    GPtrArray *list = g_ptr_array_new();

    for (guint i = 0; i < at->books->periods->len; i++) {
        BooksPeriod *period = g_ptr_array_index(at->books->periods, i);

        if (period->seq <= at->seq)
            g_ptr_array_add(list, period);
    }
    return list;
}

gint64
books_get_closed_ms(const BooksAt *at)
{
    gint64 closed_ms = 0;

    for (guint i = 0; i < at->books->periods->len; i++) {
        const BooksPeriod *period = g_ptr_array_index(at->books->periods, i);

        if (period->seq <= at->seq)
            closed_ms = MAX(closed_ms, period->window.to_ms);
    }
    return closed_ms;
}

GPtrArray *
books_list_corrections(const BooksAt *at, const char *tenant)
{
    GPtrArray *list = g_ptr_array_new();

    for (guint i = 0; i < at->books->corrections->len; i++) {
        BooksCorrection *row = g_ptr_array_index(at->books->corrections, i);

        if (row->seq <= at->seq &&
            (tenant == NULL || strcmp(row->note.tenant, tenant) == 0))
            g_ptr_array_add(list, row);
    }
    return list;
}

/* Recoveries */

GPtrArray *
books_list_recoveries(const BooksAt *at)
{
    GPtrArray *list = g_ptr_array_new();

    for (guint i = 0; i < at->books->recoveries->len; i++) {
        BooksRecovery *recovery = g_ptr_array_index(at->books->recoveries, i);

        if (recovery->seq <= at->seq)
            g_ptr_array_add(list, recovery);
    }
    return list;
}

const BooksRecovery *
books_find_recovery(const BooksAt *at)
{
    g_autoptr(GPtrArray) list = books_list_recoveries(at);

    return list->len > 0 ? g_ptr_array_index(list, list->len - 1) : NULL;
}

/* No name has a full stop or a capital letter in it, and all of a currency are capital
 * ones: so no two have the same number. */
char *
books_make_invoice_id(const BooksAt *at,
                      const char *period,
                      const char *tenant,
                      const char *currency)
{
    const BooksRecovery *recovery = books_find_recovery(at);
    bool has_branch = recovery != NULL && recovery->note.branch != NULL;

    return g_strconcat("INV-", period, has_branch ? "." : "",
                       has_branch ? recovery->note.branch : "", "-", tenant,
                       currency != NULL ? "-" : "", currency, NULL);
}
