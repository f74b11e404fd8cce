/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "proto.h"
#include "wire/pack.h"

static GByteArray *
pack(const WireStruct *type, const void *value)
{
    GByteArray *packed = g_byte_array_new();

    wire_struct_pack(type, value, packed);
    return packed;
}

static void
assert_same(const guint8 *a, gsize a_length, const guint8 *b, gsize b_length)
{
    g_assert_cmpuint(a_length, ==, b_length);
    g_assert_true(memcmp(a, b, a_length) == 0);
}

static void
assert_bytes(const GByteArray *packed, const char *hex)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < packed->len; i++) {
        g_string_append_printf(text, "%02x", packed->data[i]);
    }
    g_assert_cmpstr(text->str, ==, hex);
}

/* The same value comes back, and all bytes are used. */
static void
assert_round_trip(const WireStruct *type, const void *value)
{
    g_autoptr(GByteArray) packed = pack(type, value);
    g_autoptr(GByteArray) again = NULL;
    g_autofree char *copy = g_malloc(type->size);
    g_autoptr(GString) before = g_string_new(NULL);
    g_autoptr(GString) after = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    gsize used = 0;

    wire_struct_unpack(type, packed->data, packed->len, &used, copy, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(used, ==, packed->len);
    again = pack(type, copy);
    assert_same(packed->data, packed->len, again->data, again->len);
    wire_struct_print(type, value, before);
    wire_struct_print(type, copy, after);
    g_assert_cmpstr(before->str, ==, after->str);
    wire_struct_clear(type, copy);
}

static void
assert_refused(const WireStruct *type, const guint8 *data, gsize length)
{
    g_autofree char *value = g_malloc(type->size);
    g_autofree char *zero = g_malloc0(type->size);
    g_autoptr(GError) error = NULL;
    gsize used = 0;

    g_assert_false(wire_struct_unpack(type, data, length, &used, value, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    g_assert_true(memcmp(value, zero, type->size) == 0);
}

static void
a_row_has_the_bytes_that_are_described(void)
{
    const ProtoLedgerRow row = {
        .seq = 3,
        .kind = LEDGER_KIND_NOTED,
        .at_ms = -1,
        .topic = (char *) (gsize) "card",
        .note = (char *) (gsize) "",
    };
    g_autoptr(GByteArray) packed = pack(&proto_ledger_row_type, &row);

    /* Fields 0, 1, 2, 25 and 26; 6; 5; 1; the texts. */
    assert_bytes(packed, "878080300605010463617264"
                         "00");
}

static void
every_int_comes_back(void)
{
    static const gint64 numbers[] = { 0,          1,           -1,           63,
                                      64,         -64,         -65,          8191,
                                      8192,       G_MAXINT32,  G_MININT32,   G_MAXINT64,
                                      G_MININT64, G_MAXUINT32, 1795622229644 };

    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
        const ProtoLedgerRow row = { .seq = 1, .at_ms = numbers[i] };

        assert_round_trip(&proto_ledger_row_type, &row);
    }
}

static void
nested_values_come_back(void)
{
    char *labels[] = { (char *) (gsize) "a", (char *) (gsize) "1", (char *) (gsize) "b",
                       (char *) (gsize) "", NULL };
    ProtoDiskStats disks[] = {
        { .serial = (char *) (gsize) "vda",
          .incarnation = (char *) (gsize) "1",
          .has_read_bytes = true,
          .read_bytes = 5 },
        { .serial = (char *) (gsize) "",
          .incarnation = (char *) (gsize) "",
          .has_write_ops = true,
          .write_ops = G_MAXINT64 },
    };
    ProtoVcpuStats vcpus[] = { { .number = 3, .has_time_ns = true, .time_ns = 9 },
                               { .number = 4 } };
    const ProtoDomainStats stats = {
        .id = (char *) (gsize) "id",
        .state = DOMAIN_STATE_PAUSED,
        .epoch = { .boot_id = (char *) (gsize) "boot", .pid = 7, .pid_start = 8 },
        .read_boot_ms = 1000,
        .read_end_boot_ms = 1001,
        .vcpus = vcpus,
        .n_vcpus = G_N_ELEMENTS(vcpus),
        .disks = disks,
        .n_disks = G_N_ELEMENTS(disks),
    };
    const ProtoLedgerRow row = { .seq = 1, .labels = labels };
    ProtoEpoch epoch = { .boot_id = (char *) (gsize) "b" };
    const ProtoCounterRecord counters = { .instance = (char *) (gsize) "x",
                                          .epoch = &epoch };

    assert_round_trip(&proto_domain_stats_type, &stats);
    assert_round_trip(&proto_ledger_row_type, &row);
    assert_round_trip(&proto_counter_record_type, &counters);
}

static ProtoLedgerRow
make_row(void)
{
    static char *labels[] = { (char *) (gsize) "a", (char *) (gsize) "1",
                              (char *) (gsize) "b", (char *) (gsize) "2", NULL };

    return (ProtoLedgerRow){ .seq = 300,
                             .kind = LEDGER_KIND_OPENED,
                             .at_ms = 1795622229644,
                             .cause = (char *) (gsize) "created",
                             .labels = labels };
}

static void
what_is_cut_is_refused(void)
{
    ProtoLedgerRow row = make_row();
    g_autoptr(GByteArray) packed = pack(&proto_ledger_row_type, &row);

    for (guint length = 0; length < packed->len; length++) {
        assert_refused(&proto_ledger_row_type, packed->data, length);
    }
}

/* A value has one form: whatever is taken is what would be written. */
static void
no_other_form_is_taken(void)
{
    ProtoLedgerRow row = make_row();
    g_autoptr(GByteArray) packed = pack(&proto_ledger_row_type, &row);

    for (guint at = 0; at < packed->len; at++) {
        for (guint flip = 1; flip < 256; flip++) {
            g_autofree guint8 *changed = g_memdup2(packed->data, packed->len);
            g_auto(ProtoLedgerRow) read = { 0 };
            g_autoptr(GByteArray) again = NULL;
            gsize used = 0;

            changed[at] ^= (guint8) flip;
            if (!wire_struct_unpack(&proto_ledger_row_type, changed, packed->len, &used,
                                    &read, NULL))
                continue;
            again = pack(&proto_ledger_row_type, &read);
            assert_same(changed, used, again->data, again->len);
        }
    }
}

static void
hostile_counts_take_no_memory(void)
{
    /* A mask with the labels alone would lack the first fields; with them, 2^60 labels.
     */
    static const guint8 many[] = { 0x87, 0x80, 0x02, 0x02, 0x00, 0x02, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f };
    static const guint8 long_text[] = { 0x47, 0x02, 0x00, 0x02, 0xff,
                                        0xff, 0xff, 0x7f, 'a' };
    static const guint8 endless[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
    static const guint8 padded[] = { 0x87, 0x00, 0x02, 0x00, 0x02 };
    static const guint8 null_byte[] = { 0x47, 0x02, 0x00, 0x02, 0x01, 0x00 };
    static const guint8 no_utf8[] = { 0x47, 0x02, 0x00, 0x02, 0x01, 0xff };

    assert_refused(&proto_ledger_row_type, many, sizeof many);
    assert_refused(&proto_ledger_row_type, long_text, sizeof long_text);
    assert_refused(&proto_ledger_row_type, endless, sizeof endless);
    assert_refused(&proto_ledger_row_type, padded, sizeof padded);
    assert_refused(&proto_ledger_row_type, null_byte, sizeof null_byte);
    assert_refused(&proto_ledger_row_type, no_utf8, sizeof no_utf8);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pack/a-row-has-the-bytes-that-are-described",
                    a_row_has_the_bytes_that_are_described);
    g_test_add_func("/pack/every-int-comes-back", every_int_comes_back);
    g_test_add_func("/pack/nested-values-come-back", nested_values_come_back);
    g_test_add_func("/pack/what-is-cut-is-refused", what_is_cut_is_refused);
    g_test_add_func("/pack/no-other-form-is-taken", no_other_form_is_taken);
    g_test_add_func("/pack/hostile-counts-take-no-memory", hostile_counts_take_no_memory);
    return g_test_run();
}
