/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/store-private.h"
#include "meter/view.h"

/* What the files of the view share: view.c opens it, view-segments.c, view-marks.c and
 * view-uses.c read. */

struct View {
    MeterStore *store;
    ViewHead head;
    char *service_id;
    /** How many rows a reader holds. */
    guint page_rows;
    guint generation;
    /** What came after it; NULL until it reads sums. */
    Undo *undo;
};

/** Fails if the store was begun anew since: what the view was of is gone. */
bool view_check(const View *view, GError **error);

/** A page of rows of which the texts are in one place. */
typedef struct {
    GArray *rows;
    GStringChunk *texts;
    guint at;
    bool is_last;
} Page;

Page page_new(gsize row_size);
void page_clear(Page *page);

/** Makes room for the next rows. */
void page_empty(Page *page);

/** A copy of text that lives as long as the page's rows; NULL for NULL. */
const char *page_add_text(Page *page, const char *text);

/** What reads rows that a tenant and a resource may be asked of. */
typedef struct {
    View *view;
    char *tenant;
    gint64 resource;
    Window window;
    /** The row that was read last. */
    char *at_tenant;
    gint64 at_resource;
    gint64 at_seq;
} Place;

Place place_new(View *view, const ViewFilter *filter);
void place_clear(Place *place);

/** Binds what READ_SEGMENTS and its likes ask for. */
void place_bind(const Place *place, Statement *statement);

/** The row that was read last. */
void place_move(Place *place, const char *tenant, gint64 resource, gint64 seq);
