/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/view-private.h"

/* Readers of segments and of gaps, which both go by tenant, resource and seq. */

/* The statement that reads what place asks for; the first of three. */
static Statement *
get_statement(const Place *place, StatementId all)
{
    guint which = place->resource != 0 ? 2 : place->tenant != NULL ? 1 : 0;

    return place->view->store->statements[all + which];
}

G_STATIC_ASSERT(READ_TENANT_SEGMENTS == READ_SEGMENTS + 1);
G_STATIC_ASSERT(READ_RESOURCE_SEGMENTS == READ_SEGMENTS + 2);
G_STATIC_ASSERT(READ_TENANT_GAPS == READ_GAPS + 1);
G_STATIC_ASSERT(READ_RESOURCE_GAPS == READ_GAPS + 2);

/* Reads the next page: take adds the row that statement is at. */
static bool
read_page(Place *place,
          Page *page,
          StatementId all,
          void (*take)(Place *place, Page *page, Statement *statement),
          GError **error)
{
    Statement *statement = get_statement(place, all);
    bool has_row = true;
    bool good = true;

    if (!view_check(place->view, error))
        return false;
    page_empty(page);
    place_bind(place, statement);
    while ((good = statement_step(statement, &has_row, error)) && has_row) {
        take(place, page, statement);
    }
    statement_reset(statement);
    page->is_last = page->rows->len < place->view->page_rows;
    return good;
}

/* Segments */

struct ViewSegments {
    Place place;
    Page page;
};

ViewSegments *
view_segments_new(View *view, const ViewFilter *filter)
{
    ViewSegments *segments = g_new0(ViewSegments, 1);

    segments->place = place_new(view, filter);
    segments->page = page_new(sizeof(ViewSegment));
    return segments;
}

void
view_segments_free(ViewSegments *segments)
{
    if (segments == NULL)
        return;
    place_clear(&segments->place);
    page_clear(&segments->page);
    g_free(segments);
}

static void
end_segment(const View *view, Page *page, Statement *statement, ViewSegment *segment)
{
    gint64 end_seq = statement_get_int(statement, 16);

    segment->end_ms = MAX(view->head.known_ms, segment->start_ms);
    if (end_seq == 0 || end_seq > view->head.seq)
        return;
    segment->end_seq = end_seq;
    segment->end_ms = statement_get_int(statement, 17);
    segment->end_cause = page_add_text(page, statement_get_text(statement, 18));
    segment->estimated_ms = statement_get_int(statement, 19);
}

static void
take_segment(Place *place, Page *page, Statement *statement)
{
    ViewSegment segment = {
        .seq = statement_get_int(statement, 0),
        .resource = statement_get_int(statement, 1),
        .kind = (ResourceKind) statement_get_int(statement, 2),
        .id = page_add_text(page, statement_get_text(statement, 3)),
        .tenant = page_add_text(page, statement_get_text(statement, 4)),
        .name = page_add_text(page, statement_get_text(statement, 5)),
        .labels = page_add_text(page, statement_get_text(statement, 6)),
        .template = page_add_text(page, statement_get_text(statement, 7)),
        .host = page_add_text(page, statement_get_text(statement, 8)),
        .state = (BillingState) statement_get_int(statement, 9),
        .vcpus = statement_get_int(statement, 10),
        .memory_bytes = statement_get_int(statement, 11),
        .disk_bytes = statement_get_int(statement, 12),
        .generation = statement_get_int(statement, 13),
        .start_ms = statement_get_int(statement, 14),
        .cause = page_add_text(page, statement_get_text(statement, 15)),
    };

    end_segment(place->view, page, statement, &segment);
    place_move(place, segment.tenant, segment.resource, segment.seq);
    g_array_append_val(page->rows, segment);
}

bool
view_segments_next(ViewSegments *segments,
                   bool *ret_has,
                   ViewSegment *ret_segment,
                   GError **error)
{
    Page *page = &segments->page;

    if (page->at == page->rows->len && !page->is_last &&
        !read_page(&segments->place, page, READ_SEGMENTS, take_segment, error))
        return false;
    *ret_has = page->at < page->rows->len;
    if (*ret_has)
        *ret_segment = g_array_index(page->rows, ViewSegment, page->at++);
    return true;
}

bool
view_find_held(View *view,
               const char *tenant,
               gint64 since_ms,
               GStringChunk *texts,
               GArray *held,
               GError **error)
{
    Statement *statement = view->store->statements[FIND_HELD];
    bool has_row = true;
    bool good = true;

    if (!view_check(view, error))
        return false;
    statement_bind_int(statement, 1, view->head.seq);
    statement_bind_int(statement, 2, since_ms);
    statement_bind_text(statement, 3, tenant != NULL ? tenant : "");
    while ((good = statement_step(statement, &has_row, error)) && has_row) {
        const ViewHeld row = {
            .tenant =
                g_string_chunk_insert_const(texts, statement_get_text(statement, 0)),
            .resource = statement_get_int(statement, 1),
        };

        g_array_append_val(held, row);
    }
    statement_reset(statement);
    return good;
}

/* Gaps */

struct ViewGaps {
    Place place;
    Page page;
};

ViewGaps *
view_gaps_new(View *view, const ViewFilter *filter)
{
    ViewGaps *gaps = g_new0(ViewGaps, 1);

    gaps->place = place_new(view, filter);
    gaps->page = page_new(sizeof(ViewGap));
    return gaps;
}

void
view_gaps_free(ViewGaps *gaps)
{
    if (gaps == NULL)
        return;
    place_clear(&gaps->place);
    page_clear(&gaps->page);
    g_free(gaps);
}

static void
take_gap(Place *place, Page *page, Statement *statement)
{
    gint64 filled_seq = statement_get_int(statement, 9);
    ViewGap gap = {
        .seq = statement_get_int(statement, 0),
        .segment = statement_get_int(statement, 1),
        .resource = statement_get_int(statement, 2),
        .tenant = page_add_text(page, statement_get_text(statement, 3)),
        .from_ms = statement_get_int(statement, 4),
        .to_ms = statement_get_int(statement, 5),
        .cause = page_add_text(page, statement_get_text(statement, 6)),
        .has_counter = statement_get_text(statement, 7) != NULL,
        .device = page_add_text(page, statement_get_text(statement, 8)),
        .filled_seq = filled_seq <= place->view->head.seq ? filled_seq : 0,
    };

    if (gap.has_counter)
        gap.counter = (Counter) statement_get_int(statement, 7);
    place_move(place, gap.tenant, gap.resource, gap.seq);
    g_array_append_val(page->rows, gap);
}

bool
view_gaps_next(ViewGaps *gaps, bool *ret_has, ViewGap *ret_gap, GError **error)
{
    Page *page = &gaps->page;

    if (page->at == page->rows->len && !page->is_last &&
        !read_page(&gaps->place, page, READ_GAPS, take_gap, error))
        return false;
    *ret_has = page->at < page->rows->len;
    if (*ret_has)
        *ret_gap = g_array_index(page->rows, ViewGap, page->at++);
    return true;
}

bool
view_sum_gaps(View *view,
              const char *tenant,
              void (*take)(const char *cause, gint64 lost_ms, gpointer data),
              gpointer data,
              GError **error)
{
    Statement *statement = view->store->statements[SUM_GAPS];
    bool has_row = true;
    bool good = true;

    if (!view_check(view, error))
        return false;
    statement_bind_int(statement, 1, view->head.seq);
    statement_bind_text(statement, 2, tenant != NULL ? tenant : "");
    while ((good = statement_step(statement, &has_row, error)) && has_row) {
        take(statement_get_text(statement, 0), statement_get_int(statement, 1), data);
    }
    statement_reset(statement);
    return good;
}
