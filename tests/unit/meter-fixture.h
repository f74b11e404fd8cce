/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "meter/store.h"
#include "proto.h"

/** A meter's store in a folder of its own, and rows of a ledger for it.  Times of rows
 * are milliseconds from METER_FIXTURE_START_MS on. */
typedef struct {
    char *directory;
    MeterStore *store;
} MeterFixture;

#define METER_FIXTURE_SERVICE "1b4e28ba-2fa1-4d2b-883f-0016d3cca427"
/* 2026-10-01T00:00:00Z */
#define METER_FIXTURE_START_MS G_GINT64_CONSTANT(1790812800000)

/** For g_test_add(). */
void meter_fixture_set_up(MeterFixture *fixture, gconstpointer unused);
void meter_fixture_tear_down(MeterFixture *fixture, gconstpointer unused);

/** Opens the store, which was closed. */
void meter_fixture_open(MeterFixture *fixture);

/** Keeps what the store holds, and begins it anew. */
void meter_fixture_begin_anew(MeterFixture *fixture);

/** A running instance with 2 vCPUs, 1 GiB and a disk of 4 GiB, of tenant blue. */
ProtoLedgerRow meter_fixture_opened(gint64 seq, int instance, gint64 at_ms);

ProtoLedgerRow meter_fixture_closed(gint64 seq, gint64 segment, gint64 at_ms);

/** What was used between two times, booked at the second.  device may be NULL. */
ProtoLedgerRow meter_fixture_used(gint64 seq,
                                  gint64 segment,
                                  gint64 from_ms,
                                  gint64 to_ms,
                                  Counter counter,
                                  const char *device,
                                  gint64 quantity);

/** A gap of all counters, booked at its end. */
ProtoLedgerRow
meter_fixture_gap(gint64 seq, gint64 segment, gint64 from_ms, gint64 to_ms);

/** An entry of the books. */
ProtoLedgerRow
meter_fixture_noted(gint64 seq, const char *topic, const char *note, gint64 at_ms);

/** Gives rows to the store as they come from the controller, with the hash of the last.
 */
bool meter_fixture_take(MeterFixture *fixture,
                        const ProtoLedgerRow *rows,
                        gsize n_rows,
                        GError **error);

/** Gives row to the store, which has to take it, and clears it. */
void meter_fixture_apply(MeterFixture *fixture, ProtoLedgerRow row);
