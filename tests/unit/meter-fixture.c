/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter-fixture.h"

#include <glib/gstdio.h>

#include "meter/lost.h"
#include "store/chain.h"
#include "wire/pack.h"

#define GIB G_GINT64_CONSTANT(1073741824)

void
meter_fixture_open(MeterFixture *fixture)
{
    g_autoptr(GError) error = NULL;

    fixture->store = meter_store_open(fixture->directory, &error);
    g_assert_no_error(error);
}

void
meter_fixture_set_up(MeterFixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *directory = g_dir_make_tmp("test-meter-XXXXXX", &error);

    g_assert_no_error(error);
    fixture->directory = g_build_filename(directory, "state", NULL);
    meter_fixture_open(fixture);
    g_assert_true(meter_store_bind(fixture->store, METER_FIXTURE_SERVICE, &error));
}

void
meter_fixture_tear_down(MeterFixture *fixture, gconstpointer unused)
{
    g_autofree char *parent = g_path_get_dirname(fixture->directory);
    g_autoptr(GDir) directory = g_dir_open(fixture->directory, 0, NULL);
    const char *name = NULL;

    meter_store_close(fixture->store);
    while ((name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *path = g_build_filename(fixture->directory, name, NULL);

        g_assert_cmpint(g_unlink(path), ==, 0);
    }
    g_assert_cmpint(g_rmdir(fixture->directory), ==, 0);
    g_assert_cmpint(g_rmdir(parent), ==, 0);
    g_free(fixture->directory);
}

void
meter_fixture_begin_anew(MeterFixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Lost) lost = lost_new(fixture->store, &error);
    bool done = false;

    while (error == NULL && !done)
        lost_step(lost, &done, &error);
    g_assert_no_error(error);
    g_assert_true(meter_store_begin_anew(fixture->store, &error));
    g_assert_true(meter_store_bind(fixture->store, METER_FIXTURE_SERVICE, &error));
}

/* Rows */

ProtoLedgerRow
meter_fixture_opened(gint64 seq, int instance, gint64 at_ms)
{
    return (ProtoLedgerRow){
        .seq = seq,
        .kind = LEDGER_KIND_OPENED,
        .at_ms = METER_FIXTURE_START_MS + at_ms,
        .has_segment = true,
        .segment = seq,
        .has_from_ms = true,
        .from_ms = METER_FIXTURE_START_MS + at_ms,
        .cause = g_strdup("started"),
        .has_resource_kind = true,
        .resource_kind = RESOURCE_KIND_INSTANCE,
        .resource = g_strdup_printf("%08d-1111-4111-8111-111111111111", instance),
        .tenant = g_strdup("blue"),
        .name = g_strdup("web"),
        .host = g_strdup("local"),
        .has_state = true,
        .state = BILLING_STATE_RUNNING,
        .has_vcpus = true,
        .vcpus = 2,
        .has_memory_bytes = true,
        .memory_bytes = GIB,
        .has_disk_bytes = true,
        .disk_bytes = 4 * GIB,
    };
}

ProtoLedgerRow
meter_fixture_closed(gint64 seq, gint64 segment, gint64 at_ms)
{
    return (ProtoLedgerRow){
        .seq = seq,
        .kind = LEDGER_KIND_CLOSED,
        .at_ms = METER_FIXTURE_START_MS + at_ms,
        .has_segment = true,
        .segment = segment,
        .has_to_ms = true,
        .to_ms = METER_FIXTURE_START_MS + at_ms,
        .cause = g_strdup("stopped"),
    };
}

static ProtoLedgerRow
make_row(gint64 seq, LedgerKind kind, gint64 at_ms)
{
    return (ProtoLedgerRow){ .seq = seq,
                             .kind = kind,
                             .at_ms = METER_FIXTURE_START_MS + at_ms };
}

static ProtoLedgerRow
make_stretch(gint64 seq, LedgerKind kind, gint64 segment, gint64 from_ms, gint64 to_ms)
{
    ProtoLedgerRow row = make_row(seq, kind, to_ms);

    row.has_segment = row.has_from_ms = row.has_to_ms = true;
    row.segment = segment;
    row.from_ms = METER_FIXTURE_START_MS + from_ms;
    row.to_ms = METER_FIXTURE_START_MS + to_ms;
    return row;
}

ProtoLedgerRow
meter_fixture_used(gint64 seq,
                   gint64 segment,
                   gint64 from_ms,
                   gint64 to_ms,
                   Counter counter,
                   const char *device,
                   gint64 quantity)
{
    ProtoLedgerRow row = make_stretch(seq, LEDGER_KIND_USED, segment, from_ms, to_ms);

    row.has_counter = row.has_quantity = true;
    row.counter = counter;
    row.device = g_strdup(device);
    row.quantity = quantity;
    return row;
}

ProtoLedgerRow
meter_fixture_gap(gint64 seq, gint64 segment, gint64 from_ms, gint64 to_ms)
{
    ProtoLedgerRow row = make_stretch(seq, LEDGER_KIND_GAP, segment, from_ms, to_ms);

    row.cause = g_strdup("unreachable");
    return row;
}

ProtoLedgerRow
meter_fixture_noted(gint64 seq, const char *topic, const char *note, gint64 at_ms)
{
    ProtoLedgerRow row = make_row(seq, LEDGER_KIND_NOTED, at_ms);

    row.topic = g_strdup(topic);
    row.note = g_strdup(note);
    return row;
}

bool
meter_fixture_take(MeterFixture *fixture,
                   const ProtoLedgerRow *rows,
                   gsize n_rows,
                   GError **error)
{
    g_autoptr(GByteArray) packed = g_byte_array_new();
    g_autofree char *held = meter_store_get_hash(fixture->store);
    g_autofree char *last = NULL;
    ChainHash hash;

    g_assert_true(chain_from_text(held, &hash));
    for (gsize i = 0; i < n_rows; i++) {
        guint from = packed->len;
        ChainHash leaf;

        wire_struct_pack(&proto_ledger_row_type, &rows[i], packed);
        leaf = chain_leaf(packed->data + from, packed->len - from);
        hash = chain_next(&hash, &leaf);
    }
    last = chain_to_text(&hash);
    return meter_store_apply(fixture->store, packed->data, packed->len, last, error);
}

void
meter_fixture_apply(MeterFixture *fixture, ProtoLedgerRow row)
{
    g_autoptr(GError) error = NULL;

    meter_fixture_take(fixture, &row, 1, &error);
    g_assert_no_error(error);
    proto_ledger_row_clear(&row);
}
