/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/store.h"
#include "meter/window.h"
#include "proto.h"
#include "store/chain.h"

/**
 * What the ledger says up to one of its rows: all that bills, reports and metrics are
 * made from.
 *
 * A view is as of a row and stays so, however long it is read and whatever comes in
 * meanwhile.  A row that was booked later does not exist for it: a segment that a later
 * row closes is open, a gap that a later row makes up for is a gap, and use that was
 * booked late is not there.  What a view as of a row says is the same for ever, on every
 * machine; but for known_ms of the newest.
 *
 * Readers go through rows in the order of a key that is theirs alone.  They hold a page
 * of rows and nothing of the database, so that a turn of the main loop may end between
 * any two rows.  What they give lives until the next row is asked for.  They must not
 * outlive their view, nor a view its store.  All calls from the store's thread.
 */
typedef struct View View;

typedef struct {
    const char *service_id;
    /** The row, 0 for a ledger without one, its hash, and when it was booked. */
    gint64 seq;
    ChainHash hash;
    gint64 at_ms;
    /**
     * Up to when all is known: open segments count up to here.  at_ms of a view as of a
     * given row; of the newest it may be later, when vmd has said that there is nothing
     * more.
     */
    gint64 known_ms;
} ViewHead;

/** A view as of a row, or as of the newest if seq is 0.  Fails with
 * PROTO_ERROR_INVALID_PARAMETER on a row that is not held. */
View *view_open(MeterStore *store, gint64 seq, GError **error);
void view_free(View *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(View, view_free)

/** Owned by the view. */
const ViewHead *view_get_head(const View *view);

/** How many rows a reader holds at a time: 256 unless told otherwise. */
void view_set_page_rows(View *view, guint rows);

/** Whether tenant ever had a segment. */
bool view_has_tenant(View *view, const char *tenant, bool *ret_has, GError **error);

/* Segments */

/** A stretch of the life of a resource.  Texts are never NULL but where it is said. */
typedef struct {
    /** The row that opened it. */
    gint64 seq;
    /** The resource: the row that opened its first segment.  Numbers follow the order in
     * which resources came to be. */
    gint64 resource;
    ResourceKind kind;
    const char *id;
    const char *tenant;
    const char *name;
    /** A JSON object of strings; NULL if it had none. */
    const char *labels;
    /** NULL if it has none. */
    const char *template;
    const char *host;
    BillingState state;
    gint64 vcpus;
    gint64 memory_bytes;
    gint64 disk_bytes;
    gint64 generation;
    gint64 start_ms;
    const char *cause;
    /** The row that closed it and why; 0 and NULL while it is open: it then ends at
     * known_ms of the view. */
    gint64 end_seq;
    gint64 end_ms;
    const char *end_cause;
    /** By how much the end may have been later. */
    gint64 estimated_ms;
} ViewSegment;

/** Which rows a reader gives: those of a tenant and of a resource, or of all where it is
 * NULL and 0, that touch window. */
typedef struct {
    const char *tenant;
    gint64 resource;
    Window window;
} ViewFilter;

typedef struct ViewSegments ViewSegments;

/** Segments of all kinds by tenant, resource and seq. */
ViewSegments *view_segments_new(View *view, const ViewFilter *filter);
void view_segments_free(ViewSegments *segments);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViewSegments, view_segments_free)

/** The next one; ret_has is false at the end. */
bool view_segments_next(ViewSegments *segments,
                        bool *ret_has,
                        ViewSegment *ret_segment,
                        GError **error);

/** The number of a resource by its id; 0 if there is none, or not of tenant (NULL:
 * anybody's). */
bool view_find_resource(View *view,
                        ResourceKind kind,
                        const char *id,
                        const char *tenant,
                        gint64 *ret_resource,
                        GError **error);

/* Gaps */

/** A time in which what an instance consumed was not measured. */
typedef struct {
    gint64 seq;
    gint64 segment;
    /** The resource of the segment, and its tenant. */
    gint64 resource;
    const char *tenant;
    gint64 from_ms;
    gint64 to_ms;
    const char *cause;
    /** Of one counter of a device, or of all. */
    bool has_counter;
    Counter counter;
    const char *device;
    /** The row of a use that makes up for it; 0 if there is none. */
    gint64 filled_seq;
} ViewGap;

typedef struct ViewGaps ViewGaps;

/** Gaps by tenant, resource and seq. */
ViewGaps *view_gaps_new(View *view, const ViewFilter *filter);
void view_gaps_free(ViewGaps *gaps);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViewGaps, view_gaps_free)
bool view_gaps_next(ViewGaps *gaps, bool *ret_has, ViewGap *ret_gap, GError **error);

/* Entries of the books, steps of the clock, forks */

typedef struct ViewMarks ViewMarks;

/** Rows of kind LEDGER_KIND_NOTED, _CLOCK or _FORKED by seq; of a topic, or of all if it
 * is NULL. */
ViewMarks *view_marks_new(View *view, LedgerKind kind, const char *topic);
void view_marks_free(ViewMarks *marks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViewMarks, view_marks_free)

/** The next row, whole; its hash is set.  NULL at the end. */
bool view_marks_next(ViewMarks *marks, const ProtoLedgerRow **ret_row, GError **error);
