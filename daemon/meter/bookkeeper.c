/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/bookkeeper.h"

#include "meter/view.h"

enum {
    /* What io.vmctl.Ledger.Note takes. */
    NOTE_BYTES_MAX = 40000
};

struct Bookkeeper {
    MeterStore *store;
    Controller *controller;
    Books *books;
    /* Of the store, when they were begun. */
    guint generation;
};

typedef struct {
    Bookkeeper *bookkeeper;
    gint64 seq;
    BookkeeperDone done;
    gpointer data;
} Entry;

Bookkeeper *
bookkeeper_new(MeterStore *store, Controller *controller)
{
    Bookkeeper *bookkeeper = g_new0(Bookkeeper, 1);

    bookkeeper->store = store;
    bookkeeper->controller = controller;
    bookkeeper->books = books_new();
    bookkeeper->generation = meter_store_get_generation(store);
    return bookkeeper;
}

void
bookkeeper_free(Bookkeeper *bookkeeper)
{
    if (bookkeeper == NULL)
        return;
    books_unref(bookkeeper->books);
    g_free(bookkeeper);
}

Books *
bookkeeper_get_books(const Bookkeeper *bookkeeper)
{
    return bookkeeper->books;
}

/* What was noted in a ledger that is not the one any more is not in the books. */
static void
begin_anew(Bookkeeper *bookkeeper)
{
    guint generation = meter_store_get_generation(bookkeeper->store);

    if (bookkeeper->generation == generation)
        return;
    books_unref(bookkeeper->books);
    bookkeeper->books = books_new();
    bookkeeper->generation = generation;
}

bool
bookkeeper_update(Bookkeeper *bookkeeper, GError **error)
{
    g_autoptr(View) view = view_open(bookkeeper->store, 0, error);
    g_autoptr(ViewMarks) marks = NULL;
    const ProtoLedgerRow *row = NULL;

    if (view == NULL)
        return false;
    begin_anew(bookkeeper);
    marks = view_marks_new(view, LEDGER_KIND_NOTED, NULL);
    view_marks_skip(marks, books_get_note(bookkeeper->books));
    for (;;) {
        if (!view_marks_next(marks, &row, error))
            return false;
        if (row == NULL)
            return true;
        if (!books_add(bookkeeper->books, row, error))
            return false;
        if (books_get_passed(bookkeeper->books) != NULL)
            g_message("Row %" G_GINT64_FORMAT
                      " of the ledger, an entry of the books, is passed over: %s",
                      row->seq, books_get_passed(bookkeeper->books));
    }
}

/* Writing */

static void
end_entry(Entry *entry, gint64 seq, const GError *error)
{
    entry->done(seq, error, entry->data);
    g_free(entry);
}

/* Whoever noted it has checked it; should it not fit yet, he is not told that it counts.
 */
static bool
check_taken(const Entry *entry, GError **error)
{
    const BooksAt at = { entry->bookkeeper->books, entry->seq };
    g_autoptr(GPtrArray) list = books_list_passed(&at);
    const BooksPassed *last =
        list->len > 0 ? g_ptr_array_index(list, list->len - 1) : NULL;

    if (last == NULL || last->seq != entry->seq)
        return true;
    proto_error_set_internal(error, "books",
                             "Row %" G_GINT64_FORMAT " of the ledger is passed over: %s",
                             last->seq, last->why);
    return false;
}

static void
on_back(gpointer data)
{
    Entry *entry = data;
    g_autoptr(GError) error = NULL;

    if (!bookkeeper_update(entry->bookkeeper, &error)) {
        end_entry(entry, 0, error);
        return;
    }
    if (books_get_note(entry->bookkeeper->books) < entry->seq) {
        proto_error_set_host_unreachable(
            &error, "", "Row %" G_GINT64_FORMAT " of the ledger has not come back yet",
            entry->seq);
        end_entry(entry, 0, error);
        return;
    }
    if (!check_taken(entry, &error)) {
        end_entry(entry, 0, error);
        return;
    }
    end_entry(entry, entry->seq, NULL);
}

static void
on_noted(gint64 seq, const GError *error, gpointer data)
{
    Entry *entry = data;

    if (error != NULL) {
        end_entry(entry, 0, error);
        return;
    }
    entry->seq = seq;
    controller_refresh(entry->bookkeeper->controller, on_back, entry);
}

void
bookkeeper_note(Bookkeeper *bookkeeper,
                LedgerTopic topic,
                const char *tenant,
                const void *note,
                BookkeeperDone done,
                gpointer data)
{
    g_autoptr(GString) text = g_string_new(NULL);
    Entry *entry = g_new0(Entry, 1);

    *entry = (Entry){ .bookkeeper = bookkeeper, .done = done, .data = data };
    wire_struct_print(ledger_topic_get_type(topic), note, text);
    if (text->len > NOTE_BYTES_MAX) {
        g_autoptr(GError) error = NULL;

        proto_error_set_too_large(&error, ledger_topic_get_name(topic), NOTE_BYTES_MAX,
                                  "The note has %" G_GSIZE_FORMAT
                                  " bytes, and %d are the most",
                                  text->len, NOTE_BYTES_MAX);
        end_entry(entry, 0, error);
        return;
    }
    controller_note(bookkeeper->controller, books_get_note(bookkeeper->books), topic,
                    tenant, text->str, on_noted, entry);
}
