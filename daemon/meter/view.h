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
 * PROTO_ERROR_INVALID_PARAMETER on a row that is not held, and with
 * PROTO_ERROR_ILLEGAL_STATE while there is a fork, see meter_store_check_fork(). */
View *view_open(MeterStore *store, gint64 seq, GError **error);

/** A view of all that is held, also while there is a fork: for keeping it, and for no
 * bill. */
View *view_open_held(MeterStore *store);

void view_free(View *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(View, view_free)

/** Owned by the view. */
const ViewHead *view_get_head(const View *view);

/** How many rows a reader holds at a time: 256 unless told otherwise. */
void view_set_page_rows(View *view, guint rows);

/** Whether tenant ever had a segment. */
bool view_has_tenant(View *view, const char *tenant, bool *ret_has, GError **error);

/**
 * Appends the names of tenants, some perhaps twice, of whom something was booked that
 * lies in the month or before it, and that a view as of closing, a row that closed the
 * books, does not know.  Before it, as what is rounded down is what was used since the
 * resource was there.  tenant: only that one, or NULL.  There may be more of them than
 * need be, and never fewer.
 */
bool view_find_late(View *view,
                    gint64 closing,
                    gint64 month,
                    const char *tenant,
                    GPtrArray *names,
                    GError **error);

/** The rows themselves, see meter_store_read_rows(). */
bool view_read_rows(
    View *view, gint64 after, GByteArray *rows, gint64 *ret_last, GError **error);

/** The tenant whose segment is; NULL with an error.  Owned by the store until the next
 * call. */
const char *view_find_owner(View *view, gint64 segment, GError **error);

/** The resource that segment is of. */
bool view_find_segment_resource(View *view,
                                gint64 segment,
                                gint64 *ret_resource,
                                GError **error);

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

/** A resource that a tenant holds, or held. */
typedef struct {
    const char *tenant;
    gint64 resource;
} ViewHeld;

/** Appends what is held, or was at since_ms or later, in the order of segments: ViewHeld,
 * with texts of texts.  Of tenant, or of all if that is NULL. */
bool view_find_held(View *view,
                    const char *tenant,
                    gint64 since_ms,
                    GStringChunk *texts,
                    GArray *held,
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

/** Tells how long all gaps of a cause were, by cause: those of tenant, or all if that is
 * NULL.  take must not use the view. */
bool view_sum_gaps(View *view,
                   const char *tenant,
                   void (*take)(const char *cause, gint64 lost_ms, gpointer data),
                   gpointer data,
                   GError **error);

/* Consumption */

/** What one counter of a device counted for a tenant. */
typedef struct {
    const char *tenant;
    gint64 resource;
    /** Of the instance. */
    const char *id;
    /** "" if the counter is of no device. */
    const char *device;
    Counter counter;
    /** The first day that it is of. */
    gint64 day;
    gint64 quantity;
    /** How much of it is not known to lie just there. */
    gint64 estimated;
    /**
     * What was counted before, since the tenant had the resource.  What is rounded down
     * is before, and before + quantity: so that the parts of a time add up to the whole.
     */
    gint64 before;
    /** How many rows say so, and the first of them. */
    gint64 rows;
    gint64 first_seq;
} ViewUsage;

typedef enum {
    /** A row a day. */
    VIEW_BY_DAY,
    /** A row for all days that are asked for. */
    VIEW_AT_ONCE,
    /** A row for all that was ever counted, whatever days are asked for. */
    VIEW_EVER
} ViewGrain;

/** Which use a reader gives: of a tenant and of a resource, or of all where it is NULL
 * and 0; in days of UTC, see calendar.h, from one on and before another. */
typedef struct {
    const char *tenant;
    gint64 resource;
    gint64 from_day;
    gint64 to_day;
} ViewDays;

typedef struct ViewUses ViewUses;

/**
 * Use by tenant, resource, device, counter (in the order of the schema) and day; rows in
 * which nothing was counted are there if the ledger has any.  Use that spans midnight is
 * shared out in proportion to time, see rollup.h.
 *
 * A view as of a row far from a closing of the books reads many rows of the ledger the
 * first time: 1 million in a second or so.
 */
ViewUses *
view_uses_new(View *view, const ViewDays *days, ViewGrain grain, GError **error);
void view_uses_free(ViewUses *uses);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViewUses, view_uses_free)
bool view_uses_next(ViewUses *uses, bool *ret_has, ViewUsage *ret_use, GError **error);

/* Entries of the books, steps of the clock, forks */

typedef struct ViewMarks ViewMarks;

/** Rows of kind LEDGER_KIND_NOTED, _CLOCK or _FORKED by seq; of a topic, or of all if it
 * is NULL. */
ViewMarks *view_marks_new(View *view, LedgerKind kind, const char *topic);
/** Passes over all rows up to one; before the first is asked for. */
void view_marks_skip(ViewMarks *marks, gint64 seq);
void view_marks_free(ViewMarks *marks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViewMarks, view_marks_free)

/** The next row, whole; its hash is set.  NULL at the end. */
bool view_marks_next(ViewMarks *marks, const ProtoLedgerRow **ret_row, GError **error);
