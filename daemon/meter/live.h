/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/quantity.h"
#include "meter/view.h"

/**
 * What is held now, or was until a while ago, with all that it was ever held for and all
 * that it used: what metrics tell of resources.  Whoever looks now and then has to find
 * what has ended in the meantime once more, so resources stay for LIVE_KEPT_MS after
 * their end.  What ended before is not even read.
 */
#define LIVE_KEPT_MS (G_GINT64_CONSTANT(3600) * 1000)

typedef enum {
    /** Milliseconds that an instance ran. */
    LIVE_RUNNING,
    /** Of an instance that ran or was paused: virtual CPUs, and bytes of memory, times
     * milliseconds. */
    LIVE_VCPUS,
    LIVE_MEMORY,
    /** Of a volume: bytes times milliseconds. */
    LIVE_DISK,
    /** Of an address: milliseconds. */
    LIVE_ADDRESS,
    LIVE_AMOUNT_N
} LiveAmount;

/** What amount is of. */
ResourceKind live_get_kind(LiveAmount amount);

/** A resource as it is, or last was.  The texts are owned by its reading. */
typedef struct {
    gint64 resource;
    ResourceKind kind;
    const char *tenant;
    const char *id;
    const char *name;
    const char *host;
    const char *template;
    bool is_open;
    BillingState state;
    Quantity amounts[LIVE_AMOUNT_N];
} LiveResource;

/**
 * What was told of resources before.  A segment that is open counts up to what is known;
 * should it turn out later that it had ended earlier, what is told stands still until it
 * is true again, and never falls.
 */
typedef struct LiveMarks LiveMarks;

LiveMarks *live_marks_new(void);
void live_marks_free(LiveMarks *marks);

/** A reading of view, which has to outlive it: of tenant, or of all if that is NULL. */
typedef struct LiveReading LiveReading;

LiveReading *live_reading_new(View *view, const char *tenant);
void live_reading_free(LiveReading *reading);

/** Reads on for a moment; ret_done: that was all. */
bool live_reading_turn(LiveReading *reading, bool *ret_done, GError **error);

/** LiveResource by tenant and resource, once all is read; at least what marks has, which
 * then has this. Owned by reading. */
const GArray *live_reading_finish(LiveReading *reading, LiveMarks *marks);

/** ViewUsage of them, VIEW_EVER, by tenant, resource, device and counter; complete once
 * all is read. Owned by reading. */
const GArray *live_reading_get_uses(const LiveReading *reading);
