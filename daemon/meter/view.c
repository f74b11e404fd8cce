/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/view.h"

#include <string.h>

#include "meter/calendar.h"
#include "meter/view-private.h"
#include "wire/pack.h"

enum {
    PAGE_ROWS = 256
};

/* Opening */

static bool
get_hash(Statement *statement, int column, ChainHash *ret_hash)
{
    gsize length = 0;
    const guint8 *bytes = statement_get_blob(statement, column, &length);

    if (length != sizeof ret_hash->bytes)
        return false;
    memcpy(ret_hash->bytes, bytes, length);
    return true;
}

/* The newest row up to seq of which the hash is kept. */
static bool
find_checkpoint(MeterStore *store, gint64 seq, ViewHead *head, GError **error)
{
    Statement *statement = store->statements[FIND_CHECKPOINT];
    bool has_row = false;
    bool good = false;

    statement_bind_int(statement, 1, seq);
    good = statement_step(statement, &has_row, error);
    if (good && has_row) {
        head->seq = statement_get_int(statement, 0);
        good = get_hash(statement, 1, &head->hash);
        if (!good)
            proto_error_set_internal(error, "database", "meter.db has a damaged hash");
    }
    statement_reset(statement);
    return good;
}

static bool
add_row(Statement *statement, ViewHead *head, GError **error)
{
    g_auto(ProtoLedgerRow) row = { 0 };
    gsize length = 0;
    gsize used = 0;
    const guint8 *body = statement_get_blob(statement, 1, &length);
    ChainHash leaf = chain_leaf(body, length);

    if (!wire_struct_unpack(&proto_ledger_row_type, body, length, &used, &row, error))
        return false;
    head->seq = statement_get_int(statement, 0);
    head->hash = chain_next(&head->hash, &leaf);
    head->at_ms = head->known_ms = row.at_ms;
    return true;
}

/* From the checkpoint before it on to the row. */
static bool
find_head(MeterStore *store, gint64 seq, ViewHead *head, GError **error)
{
    Statement *statement = store->statements[READ_ROWS];
    bool has_row = true;
    bool good = true;

    /* Of the row itself, its time is wanted too. */
    if (!find_checkpoint(store, seq - 1, head, error))
        return false;
    statement_bind_int(statement, 1, head->seq);
    statement_bind_int(statement, 2, seq);
    statement_bind_int(statement, 3, CHECKPOINT_ROWS);
    while (good && (good = statement_step(statement, &has_row, error)) && has_row) {
        good = add_row(statement, head, error);
    }
    statement_reset(statement);
    if (good && head->seq != seq)
        proto_error_set_internal(
            error, "database", "meter.db has lost row %" G_GINT64_FORMAT, head->seq + 1);
    return good && head->seq == seq;
}

View *
view_open_held(MeterStore *store)
{
    const Cursor *cursor = &store->cursor;
    View *view = g_new0(View, 1);

    view->store = store;
    view->page_rows = PAGE_ROWS;
    view->generation = store->generation;
    view->service_id = g_strdup(store->service_id);
    view->head = (ViewHead){
        .service_id = view->service_id,
        .seq = cursor->seq,
        .hash = cursor->hash,
        .at_ms = cursor->at_ms,
        .known_ms = store->known_ms,
    };
    return view;
}

View *
view_open(MeterStore *store, gint64 seq, GError **error)
{
    g_autoptr(View) view = NULL;
    const Cursor *cursor = &store->cursor;

    if (!meter_store_check_fork(store, error))
        return NULL;
    if (seq < 0 || seq > cursor->seq) {
        proto_error_set_invalid_parameter(error, "parameters.as_of", "is not there",
                                          "There is no row %" G_GINT64_FORMAT
                                          " in the ledger, which ends at "
                                          "%" G_GINT64_FORMAT,
                                          seq, cursor->seq);
        return NULL;
    }
    view = view_open_held(store);
    if (seq == 0)
        return g_steal_pointer(&view);
    view->head = (ViewHead){
        .service_id = view->service_id,
        .hash = chain_begin(store->service_id),
    };
    return find_head(store, seq, &view->head, error) ? g_steal_pointer(&view) : NULL;
}

void
view_free(View *view)
{
    if (view == NULL)
        return;
    undo_free(view->store, view->undo);
    g_free(view->service_id);
    g_free(view);
}

bool
view_check(const View *view, GError **error)
{
    if (view->generation == view->store->generation)
        return true;
    proto_error_set_illegal_state(error, "fork",
                                  "The ledger was read anew meanwhile: ask again");
    return false;
}

void
view_set_page_rows(View *view, guint rows)
{
    view->page_rows = rows;
}

const ViewHead *
view_get_head(const View *view)
{
    return &view->head;
}

bool
view_has_tenant(View *view, const char *tenant, bool *ret_has, GError **error)
{
    Statement *statement = view->store->statements[FIND_TENANT];
    bool good = false;

    statement_bind_text(statement, 1, tenant);
    statement_bind_int(statement, 2, view->head.seq);
    good = statement_step(statement, ret_has, error);
    statement_reset(statement);
    return good;
}

bool
view_find_resource(View *view,
                   ResourceKind kind,
                   const char *id,
                   const char *tenant,
                   gint64 *ret_resource,
                   GError **error)
{
    Statement *statement = view->store->statements[FIND_RESOURCE];
    bool has_row = false;
    bool good = false;

    statement_bind_int(statement, 1, kind);
    statement_bind_text(statement, 2, id);
    statement_bind_int(statement, 3, view->head.seq);
    statement_bind_text(statement, 4, tenant);
    good = statement_step(statement, &has_row, error);
    if (good)
        *ret_resource = has_row ? statement_get_int(statement, 0) : 0;
    statement_reset(statement);
    return good;
}

bool
view_read_rows(
    View *view, gint64 after, GByteArray *rows, gint64 *ret_last, GError **error)
{
    return view_check(view, error) &&
           meter_store_read_rows(view->store, after, view->head.seq, rows, ret_last,
                                 error);
}

const char *
view_find_owner(View *view, gint64 segment, GError **error)
{
    const Owner *owner = meter_store_find_owner(view->store, segment, error);

    return owner != NULL ? owner->tenant : NULL;
}

bool
view_find_segment_resource(View *view,
                           gint64 segment,
                           gint64 *ret_resource,
                           GError **error)
{
    const Owner *owner = meter_store_find_owner(view->store, segment, error);

    if (owner == NULL)
        return false;
    *ret_resource = owner->resource;
    return true;
}

/* Pages */

Page
page_new(gsize row_size)
{
    return (Page){ .rows = g_array_new(FALSE, FALSE, (guint) row_size),
                   .texts = g_string_chunk_new(4096) };
}

void
page_clear(Page *page)
{
    g_clear_pointer(&page->rows, g_array_unref);
    g_clear_pointer(&page->texts, g_string_chunk_free);
}

void
page_empty(Page *page)
{
    g_array_set_size(page->rows, 0);
    g_string_chunk_clear(page->texts);
    page->at = 0;
}

const char *
page_add_text(Page *page, const char *text)
{
    return text != NULL ? g_string_chunk_insert(page->texts, text) : NULL;
}

/* Places */

Place
place_new(View *view, const ViewFilter *filter)
{
    const char *tenant = filter->tenant != NULL ? filter->tenant : "";

    return (Place){ .view = view,
                    .tenant = g_strdup(filter->tenant),
                    .resource = filter->resource,
                    .window = filter->window,
                    .at_tenant = g_strdup(tenant),
                    .at_resource = filter->resource };
}

void
place_clear(Place *place)
{
    g_free(place->tenant);
    g_free(place->at_tenant);
    *place = (Place){ 0 };
}

void
place_bind(const Place *place, Statement *statement)
{
    bool is_one = place->resource != 0;
    const char *tenant = place->tenant != NULL ? place->tenant : "";

    statement_bind_text(statement, 1, is_one ? tenant : place->at_tenant);
    statement_bind_int(statement, 2, place->at_resource);
    statement_bind_int(statement, 3, place->at_seq);
    statement_bind_int(statement, 4, place->view->head.seq);
    statement_bind_int(statement, 5, place->window.to_ms);
    statement_bind_int(statement, 6, place->window.from_ms);
    statement_bind_int(statement, 7, place->view->page_rows);
}

void
place_move(Place *place, const char *tenant, gint64 resource, gint64 seq)
{
    if (strcmp(place->at_tenant, tenant) != 0) {
        g_free(place->at_tenant);
        place->at_tenant = g_strdup(tenant);
    }
    place->at_resource = resource;
    place->at_seq = seq;
}

/* Late facts */

static bool
add_names(Statement *statement, GPtrArray *names, GError **error)
{
    bool has_row = true;
    bool good = true;

    while (good && (good = statement_step(statement, &has_row, error)) && has_row) {
        g_ptr_array_add(names, g_strdup(statement_get_text(statement, 0)));
    }
    statement_reset(statement);
    return good;
}

bool
view_find_late(View *view,
               gint64 closing,
               gint64 month,
               const char *tenant,
               GPtrArray *names,
               GError **error)
{
    Statement *segments = view->store->statements[FIND_LATE_SEGMENTS];
    Statement *use = view->store->statements[FIND_LATE_USE];
    gint64 era = 0;
    gint64 last_era = 0;

    /* Entries that close and do not fit are counted too, here and in the sums. */
    if (!view_check(view, error) ||
        !meter_store_count_closings(view->store, closing + 1, &era, error) ||
        !meter_store_count_closings(view->store, view->head.seq, &last_era, error))
        return false;
    statement_bind_int(segments, 1, closing);
    statement_bind_int(segments, 2, view->head.seq);
    statement_bind_int(segments, 3, calendar_month_window(month).to_ms);
    statement_bind_text(segments, 4, tenant != NULL ? tenant : "");
    statement_bind_int(use, 1, month);
    statement_bind_int(use, 2, era);
    statement_bind_text(use, 3, tenant != NULL ? tenant : "");
    statement_bind_int(use, 4, last_era);
    return add_names(segments, names, error) && add_names(use, names, error);
}
