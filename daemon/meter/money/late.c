/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/money/late.h"

#include <string.h>

#include "meter/calendar.h"
#include "meter/money/correction.h"

/*
 * A period is billed twice: by what was known when the period before this one was
 * closed, up to where all corrections of it are on a bill, and by what is known now.
 * Prices of a closed period stay; what had none in it has the first one after it, which
 * does not change either once the bill that it is on is closed.  What came in too late
 * for prices to be checked, and before the period was closed, is late like that.
 *
 * A line that somebody corrected is what he said, whatever comes in after that; what had
 * come in before and was on a bill was taken back with it (late_rate()).
 */

/* A closed period, and who may have something late in it. */
typedef struct {
    const BooksPeriod *period;
    GPtrArray *tenants;
} Month;

struct Late {
    View *now;
    View *before;
    BooksAt books_now;
    BooksAt books_before;
    GArray *months;
};

typedef struct {
    /* ProtoCorrectedLine, and the key of each. */
    GPtrArray *lines;
    GPtrArray *keys;
    /* Key to line. */
    GHashTable *index;
    /* What was corrected, which is passed over. */
    GHashTable *corrected;
} Lines;

static void
month_clear(gpointer data)
{
    Month *month = data;

    g_ptr_array_unref(month->tenants);
}

/* Who has something that had no price on the newest bill. */
static void
add_unpriced(const BooksPeriod *newest, const char *tenant, GPtrArray *tenants)
{
    for (gsize i = 0; newest->unpriced != NULL && newest->unpriced[i] != NULL; i++) {
        if (tenant == NULL || strcmp(tenant, newest->unpriced[i]) == 0)
            g_ptr_array_add(tenants, g_strdup(newest->unpriced[i]));
    }
}

static bool
find_tenants(Late *late,
             const BooksPeriod *period,
             const BooksPeriod *newest,
             const char *tenant,
             GError **error)
{
    gint64 number = calendar_month_of(calendar_day_of(period->window.from_ms));
    Month month = { period, g_ptr_array_new_with_free_func(g_free) };
    bool good =
        view_find_late(late->now, newest->seq, number, tenant, month.tenants, error);

    if (newest->sealed_seq <= late->books_now.seq)
        add_unpriced(newest, tenant, month.tenants);
    g_array_append_val(late->months, month);
    return good;
}

static bool
prepare(Late *late,
        MeterStore *store,
        const GPtrArray *periods,
        guint closed,
        const char *tenant,
        GError **error)
{
    const BooksPeriod *newest = NULL;

    if (closed == 0)
        return true;
    newest = g_ptr_array_index(periods, closed - 1);
    late->books_before = (BooksAt){ late->books_now.books, newest->seq };
    late->before = view_open(store, newest->seq, error);
    for (guint i = 0; late->before != NULL && i < closed; i++) {
        if (!find_tenants(late, g_ptr_array_index(periods, i), newest, tenant, error))
            return false;
    }
    return late->before != NULL;
}

Late *
late_new(MeterStore *store,
         View *view,
         const Books *books,
         guint closed,
         const char *tenant,
         GError **error)
{
    g_autoptr(Late) late = g_new0(Late, 1);
    g_autoptr(GPtrArray) periods = NULL;

    late->now = view;
    late->books_now = (BooksAt){ books, view_get_head(view)->seq };
    late->months = g_array_new(FALSE, FALSE, sizeof(Month));
    g_array_set_clear_func(late->months, month_clear);
    periods = books_list_periods(&late->books_now);
    return prepare(late, store, periods, closed, tenant, error) ? g_steal_pointer(&late)
                                                                : NULL;
}

void
late_free(Late *late)
{
    if (late == NULL)
        return;
    g_array_unref(late->months);
    view_free(late->before);
    g_free(late);
}

void
late_collect_tenants(const Late *late, GPtrArray *names)
{
    for (guint i = 0; i < late->months->len; i++) {
        const Month *month = &g_array_index(late->months, Month, i);

        for (guint j = 0; j < month->tenants->len; j++) {
            g_ptr_array_add(names, g_ptr_array_index(month->tenants, j));
        }
    }
}

/* Billing a period by a view */

static void
kept_free(gpointer data)
{
    proto_corrected_line_clear(data);
    g_free(data);
}

static Lines
lines_new(GHashTable *corrected)
{
    return (Lines){
        .lines = g_ptr_array_new_with_free_func(kept_free),
        .keys = g_ptr_array_new_with_free_func(g_free),
        .index = g_hash_table_new(g_str_hash, g_str_equal),
        .corrected = corrected,
    };
}

static void
lines_clear(Lines *lines)
{
    g_ptr_array_unref(lines->lines);
    g_hash_table_unref(lines->index);
    g_ptr_array_unref(lines->keys);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Lines, lines_clear)

/* What makes two lines the same one.  A price that comes back within a day has several
 * that are alike: the first is that which was the first, and so on. */
static char *
make_key(const ProtoCorrectedLine *line, GHashTable *index)
{
    const char *labels = line->labels != NULL ? line->labels : "";

    for (guint number = 0;; number++) {
        g_autofree char *key = g_strdup_printf(
            "%s %s %s %s %s %s %" G_GINT64_FORMAT " %u %s %s", line->resource,
            line->sku_price, line->list_price, line->contracted_price, line->currency,
            line->host, calendar_day_of(line->from_ms), number, line->name, labels);

        if (!g_hash_table_contains(index, key))
            return g_steal_pointer(&key);
    }
}

/* What a correction is of. */
static char *
make_place(const char *resource, const char *sku_price, gint64 from_ms)
{
    return g_strdup_printf("%s %s %" G_GINT64_FORMAT, resource, sku_price,
                           calendar_day_of(from_ms));
}

static GHashTable *
find_corrected(const BooksAt *books, const BooksPeriod *period, const char *tenant)
{
    g_autoptr(GPtrArray) list = books_list_corrections(books, tenant);
    GHashTable *corrected = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < list->len; i++) {
        const ProtoCorrectionNote *note =
            &((const BooksCorrection *) g_ptr_array_index(list, i))->note;
        const ProtoCorrectedLine *line = &note->replacement;

        if (strcmp(note->period, period->name) == 0)
            g_hash_table_add(corrected,
                             make_place(line->resource, line->sku_price, line->from_ms));
    }
    return corrected;
}

static bool
keep_line(const BillLine *line, gpointer data, GError **error)
{
    Lines *lines = data;
    g_autofree char *place = make_place(line->resource, line->sku_price, line->from_ms);
    ProtoCorrectedLine *kept = NULL;
    char *key = NULL;

    if (g_hash_table_contains(lines->corrected, place))
        return true;
    kept = g_new0(ProtoCorrectedLine, 1);
    correction_keep_line(line, kept);
    key = make_key(kept, lines->index);
    g_ptr_array_add(lines->lines, kept);
    g_ptr_array_add(lines->keys, key);
    g_hash_table_insert(lines->index, key, kept);
    return true;
}

static bool
read_segments(View *view, const RatingTerms *terms, Rating *rating, GError **error)
{
    ViewFilter filter = { .tenant = terms->tenant, .window = terms->window };
    g_autoptr(ViewSegments) segments = NULL;
    ViewSegment segment;
    bool has = true;

    filter.window.from_ms -= books_get_longest_run_ms(&terms->books);
    segments = view_segments_new(view, &filter);
    for (;;) {
        if (!view_segments_next(segments, &has, &segment, error))
            return false;
        if (!has)
            return true;
        rating_add_segment(rating, &segment);
    }
}

static bool
read_uses(View *view, const RatingTerms *terms, Rating *rating, GError **error)
{
    const ViewDays days = { .tenant = terms->tenant,
                            .from_day = terms->from_day,
                            .to_day = terms->to_day };
    g_autoptr(ViewUses) uses = view_uses_new(view, &days, VIEW_BY_DAY, error);
    ViewUsage use;
    bool has = true;

    while (uses != NULL) {
        if (!view_uses_next(uses, &has, &use, error))
            return false;
        if (!has)
            return true;
        if (!rating_add_use(rating, &use, error))
            return false;
    }
    return false;
}

static bool
rate(View *view,
     const BooksAt *books,
     const BooksPeriod *period,
     const char *tenant,
     gint64 until_ms,
     bool *unpriced,
     BillTake take,
     gpointer data,
     GError **error)
{
    const RatingTerms terms = {
        .tenant = tenant,
        .period = period->name,
        .window = period->window,
        .from_day = calendar_day_of(period->window.from_ms),
        .to_day = calendar_day_of(period->window.to_ms),
        .books = *books,
        .late_until_ms = until_ms,
        .unpriced = unpriced,
    };
    g_autoptr(Rating) rating = rating_new(&terms);

    return read_segments(view, &terms, rating, error) &&
           read_uses(view, &terms, rating, error) &&
           rating_finish(rating, take, data, error);
}

/* Comparing */

/* Those of lines that others have not, or not with the same quantity. */
static bool
give_changed(const RatingTerms *terms,
             const Lines *lines,
             const Lines *others,
             bool takes_back,
             BillTake take,
             gpointer data,
             GError **error)
{
    for (guint i = 0; i < lines->lines->len; i++) {
        const ProtoCorrectedLine *line = g_ptr_array_index(lines->lines, i);
        const ProtoCorrectedLine *other =
            g_hash_table_lookup(others->index, g_ptr_array_index(lines->keys, i));

        if (other != NULL && strcmp(other->quantity, line->quantity) == 0)
            continue;
        if (!correction_give(terms, line, NULL, takes_back, take, data, error))
            return false;
    }
    return true;
}

static bool
bill_month(Late *late,
           const Month *month,
           const RatingTerms *terms,
           BillTake take,
           gpointer data,
           GError **error)
{
    g_autoptr(GHashTable) corrected =
        find_corrected(&late->books_now, month->period, terms->tenant);
    g_auto(Lines) before = lines_new(corrected);
    g_auto(Lines) now = lines_new(corrected);

    gint64 before_ms = books_get_closed_ms(&late->books_before);
    bool unpriced = false;

    return rate(late->before, &late->books_before, month->period, terms->tenant,
                before_ms, &unpriced, keep_line, &before, error) &&
           rate(late->now, &late->books_now, month->period, terms->tenant,
                terms->window.to_ms, terms->unpriced, keep_line, &now, error) &&
           give_changed(terms, &before, &now, true, take, data, error) &&
           give_changed(terms, &now, &before, false, take, data, error);
}

bool
late_bill(
    Late *late, const RatingTerms *terms, BillTake take, gpointer data, GError **error)
{
    for (guint i = 0; i < late->months->len; i++) {
        const Month *month = &g_array_index(late->months, Month, i);
        bool is_late = g_ptr_array_find_with_equal_func(month->tenants, terms->tenant,
                                                        g_str_equal, NULL);

        if (is_late && !bill_month(late, month, terms, take, data, error))
            return false;
    }
    return true;
}

bool
late_rate(MeterStore *store,
          const BooksAt *books,
          const BooksPeriod *period,
          const char *tenant,
          BillTake take,
          gpointer data,
          GError **error)
{
    g_autoptr(GPtrArray) periods = books_list_periods(books);
    const BooksPeriod *newest = g_ptr_array_index(periods, periods->len - 1);
    const BooksAt then = { books->books, newest->seq };
    g_autoptr(View) view = view_open(store, newest->seq, error);
    bool unpriced = false;

    return view != NULL && rate(view, &then, period, tenant, books_get_closed_ms(&then),
                                &unpriced, take, data, error);
}
