/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "meter/calendar.h"
#include "meter/report/focus-split.h"
#include "meter/report/focus.h"

/* 2026-10-01T00:00:00Z */
#define OCTOBER_MS G_GINT64_CONSTANT(1790812800000)
#define DAY_MS ((gint64) CALENDAR_DAY_MS)
#define ID "8a1c0f0e-3a55-4f0e-9a51-0c8d1b6d7f11"

static Decimal
decimal(const char *text)
{
    Decimal value = { 0 };

    g_assert_true(decimal_parse(text, &value));
    return value;
}

static BillLine
make_line(MeterId meter, const char *quantity, const char *price)
{
    BillLine line = {
        .category = BILL_CATEGORY_USAGE,
        .tenant = "acme",
        .tenant_name = "Acme, \"the\" works",
        .kind = meter_get_info(meter)->kind,
        .resource = ID,
        .resource_name = "web",
        .labels = "{\"env\":\"prod\",\"team\":\"a,b\"}",
        .host = "local",
        .sku = "vm.sku",
        .sku_price = "vm.sku",
        .meter = meter,
        .from_ms = OCTOBER_MS + 5 * DAY_MS + 1234,
        .to_ms = OCTOBER_MS + 6 * DAY_MS,
        .quantity = decimal(quantity),
        .estimated = decimal("0"),
        .list_price = decimal(price),
        .contracted_price = decimal(price),
        .currency = "EUR",
        .first_seq = 7,
        .last_seq = 11,
        .period = "2026-10",
        .period_from_ms = OCTOBER_MS,
        .period_to_ms = OCTOBER_MS + 31 * DAY_MS,
        .invoice = "INV-2026-10-acme",
    };

    g_assert_true(
        decimal_multiply(line.quantity, line.list_price, &line.list_cost, NULL));
    line.contracted_cost = line.list_cost;
    return line;
}

static void
add(const FocusOptions *options, GString *out, const BillLine *line)
{
    g_autoptr(GError) error = NULL;

    focus_add(options, line, out, &error);
    g_assert_no_error(error);
}

/* A line of an earlier month that was wrong, and what stands in its place. */
static void
add_correction(const FocusOptions *options, GString *out)
{
    BillLine back = make_line(METER_VCPU, "-48.0", "0.01");
    BillLine right = make_line(METER_VCPU, "24.0", "0.01");

    back.is_correction = right.is_correction = true;
    back.why = right.why = "counted twice";
    back.from_ms = right.from_ms = OCTOBER_MS - 3 * DAY_MS;
    back.to_ms = right.to_ms = OCTOBER_MS - 2 * DAY_MS;
    back.sku = back.sku_price = right.sku = right.sku_price = "vm.vcpu";
    add(options, out, &back);
    add(options, out, &right);
}

/* Makes the sum of the invoice of acme what can be paid. */
static void
add_rounding(const FocusOptions *options, GString *out)
{
    BillLine line = make_line(METER_VCPU, "0", "0");

    line.category = BILL_CATEGORY_ADJUSTMENT;
    line.contracted_cost = decimal("0.00060547327325");
    line.from_ms = line.period_from_ms;
    line.to_ms = line.period_to_ms;
    add(options, out, &line);
}

static void
add_used(const FocusOptions *options, GString *out, MeterId meter, const char *sku)
{
    static const char *const quantities[METER_N] = {
        [METER_INSTANCE_TIME] = "23.99966", [METER_VCPU] = "48.0",
        [METER_MEMORY] = "95.99862890625",  [METER_DISK] = "240.0",
        [METER_ADDRESS] = "24.0",           [METER_CPU_TIME] = "0.1",
        [METER_DISK_READ_BYTES] = "0.5",    [METER_DISK_WRITE_BYTES] = "1.000000001",
        [METER_DISK_READ_OPS] = "12",       [METER_DISK_WRITE_OPS] = "3",
        [METER_NET_RX_BYTES] = "0.25",      [METER_NET_TX_BYTES] = "0.000000001",
    };
    BillLine line = make_line(meter, quantities[meter], "0.004");

    line.sku = line.sku_price = sku;
    if (meter == METER_MEMORY)
        line.contracted_price = decimal("0.003");
    g_assert_true(decimal_multiply(line.quantity, line.contracted_price,
                                   &line.contracted_cost, NULL));
    add(options, out, &line);
}

static void
add_open(const FocusOptions *options, GString *out)
{
    BillLine line = make_line(METER_VCPU, "2.5", "0.01");

    line.tenant = "zeta";
    line.tenant_name = "zeta";
    line.sku = line.sku_price = "vm.vcpu";
    line.labels = NULL;
    line.invoice = NULL;
    add(options, out, &line);
}

static char *
print_bill(const FocusOptions *options)
{
    GString *out = g_string_new(NULL);

    focus_begin(options, out);
    for (guint i = 0; i < METER_N; i++) {
        add_used(options, out, (MeterId) i, meter_get_info((MeterId) i)->name);
    }
    add_correction(options, out);
    add_rounding(options, out);
    add_open(options, out);
    return g_string_free(out, FALSE);
}

/* Against tests/golden/focus/NAME; REGENERATE=1 writes it. */
static void
check_golden(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(g_getenv("GOLDEN"), "focus", name, NULL);
    g_autofree char *expected = NULL;

    if (g_getenv("REGENERATE") != NULL)
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_true(g_file_get_contents(path, &expected, NULL, NULL));
    g_assert_cmpstr(text, ==, expected);
}

static void
writes_the_columns_of_each_version(void)
{
    static const char *const names[] = { "1.2", "1.3", "1.4" };

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        FocusOptions options = { .provider = "Example, Inc.", .shows_hosts = true };
        g_autofree char *csv = NULL;
        g_autofree char *metadata = NULL;
        g_autofree char *csv_name = g_strdup_printf("%s.csv", names[i]);
        g_autofree char *metadata_name = g_strdup_printf("%s.json", names[i]);

        g_assert_true(focus_parse_version(names[i], &options.version, NULL));
        csv = print_bill(&options);
        metadata = focus_format_metadata(options.version);
        check_golden(csv_name, csv);
        check_golden(metadata_name, metadata);
    }
}

static void
writes_periods(void)
{
    GString *out = g_string_new(NULL);
    const FocusPeriod closed = { OCTOBER_MS, OCTOBER_MS + 31 * DAY_MS, OCTOBER_MS,
                                 OCTOBER_MS + 33 * DAY_MS, true };
    const FocusPeriod open = { OCTOBER_MS + 31 * DAY_MS, OCTOBER_MS + 61 * DAY_MS,
                               OCTOBER_MS + 31 * DAY_MS, OCTOBER_MS + 40 * DAY_MS + 61001,
                               false };

    focus_begin_periods(out);
    focus_add_period(&closed, "Example, Inc.", out);
    focus_add_period(&open, "Example, Inc.", out);
    check_golden("BillingPeriod.csv", out->str);
    g_string_free(out, TRUE);
}

static void
hides_hosts_from_who_may_not_see_them(void)
{
    const FocusOptions options = { .provider = "x" };
    g_autofree char *csv = print_bill(&options);

    g_assert_null(strstr(csv, "local"));
}

/* The column, which is of 1.4 and before that of the invoice. */
static char *
print_detail(const char *invoice, const char *sku_price)
{
    const FocusOptions options = { .version = FOCUS_1_4, .provider = "x" };
    GString *out = g_string_new(NULL);
    BillLine line = make_line(METER_VCPU, "1.0", "0.01");
    g_autofree char *end = g_strdup_printf(",%s,x,", invoice);
    const char *from = NULL;
    char *detail = NULL;

    if (sku_price == NULL)
        line.category = BILL_CATEGORY_ADJUSTMENT;
    line.invoice = invoice;
    line.sku = line.sku_price = sku_price;
    add(&options, out, &line);
    from = strstr(out->str, ",x,") + strlen(",x,");
    detail = g_strndup(from, (gsize) (strstr(from, end) - from));
    g_string_free(out, TRUE);
    return detail;
}

static void
tells_the_parts_of_invoices_apart(void)
{
    static const struct {
        const char *invoice;
        const char *sku_price;
    } parts[] = { { "INV-2026-10-a", "b-x" },  { "INV-2026-10-a-b", "x" },
                  { "INV-2026-10-a", "b" },    { "INV-2026-10-a", "b-rounding" },
                  { "INV-2026-10-a", NULL },   { "INV-2026-10-a", "rounding" },
                  { "INV-2026-10-a-b", NULL }, { "INV-2026-10-a-EUR", "x" },
                  { "INV-2026-10-a", "EUR-x" } };

    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        char *detail = print_detail(parts[i].invoice, parts[i].sku_price);

        g_assert_true(g_str_has_prefix(detail, parts[i].invoice));
        g_assert_true(g_hash_table_add(seen, detail));
    }
}

static void
refuses_usage_without_a_price(void)
{
    const FocusOptions options = { .provider = "x" };
    g_autoptr(GError) error = NULL;
    GString *out = g_string_new(NULL);
    BillLine line = make_line(METER_MEMORY, "1.0", "0");

    line.sku_price = NULL;
    g_assert_false(focus_add(&options, &line, out, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_ILLEGAL_STATE);
    g_assert_cmpstr(error->message, ==,
                    "Memory allocation of " ID
                    " has no price, and FOCUS knows no such usage");
    g_assert_cmpuint(out->len, ==, 0);
    g_string_free(out, TRUE);
}

static void
knows_three_versions(void)
{
    static const char *const wrong[] = {
        "", "1", "1.1", "1.5", "1.20", " 1.2", "latest"
    };
    FocusVersion version = FOCUS_1_4;

    g_assert_true(focus_parse_version(NULL, &version, NULL));
    g_assert_cmpint(version, ==, FOCUS_1_2);
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(focus_parse_version(wrong[i], &version, &error));
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    }
}

/* Binary fractions */

static void
set_contracted(BillLine *line, Decimal price)
{
    line->contracted_price = price;
    g_assert_true(decimal_multiply(price, line->quantity, &line->contracted_cost, NULL));
}

static void
assert_sum(Decimal a, Decimal b, Decimal sum)
{
    Decimal both = { 0 };

    g_assert_true(decimal_add(a, b, &both, NULL));
    g_assert_cmpint(decimal_compare(both, sum), ==, 0);
}

static void
assert_parts(const BillLine *line, const BillLine parts[2])
{
    const Decimal none = { 0, 0 };

    for (int i = 0; i < 2; i++) {
        g_assert_true(focus_is_float_safe(&parts[i]));
        g_assert_cmpint(decimal_compare(parts[i].quantity, none), >, 0);
        g_assert_cmpint(decimal_compare(parts[i].estimated, parts[i].quantity), <=, 0);
        g_assert_cmpint(decimal_compare(parts[i].estimated, none), >=, 0);
    }
    assert_sum(parts[0].quantity, parts[1].quantity, line->quantity);
    assert_sum(parts[0].estimated, parts[1].estimated, line->estimated);
    assert_sum(parts[0].list_cost, parts[1].list_cost, line->list_cost);
    assert_sum(parts[0].contracted_cost, parts[1].contracted_cost, line->contracted_cost);
}

static void
splits_what_is_no_product_in_binary_fractions(void)
{
    int unsafe = 0;
    int split = 0;

    for (int i = 0; i < 2000; i++) {
        g_autofree char *quantity = g_strdup_printf(
            "%d.%05d", g_test_rand_int_range(0, 2000), g_test_rand_int_range(2, 100000));
        g_autofree char *price =
            g_strdup_printf("0.%09d", g_test_rand_int_range(1, 1000000000));
        BillLine line = make_line(METER_VCPU, quantity, price);
        BillLine parts[2];

        set_contracted(&line, (Decimal){ g_test_rand_int_range(1, 1000000000), 9 });
        line.estimated = line.quantity;
        unsafe += focus_is_float_safe(&line) ? 0 : 1;
        if (!focus_split(&line, parts))
            continue;
        split++;
        assert_parts(&line, parts);
    }
    /* A third and more are not safe, of which nearly all can be split. */
    g_assert_cmpint(unsafe, >, 300);
    g_assert_cmpint(split, >=, unsafe - 20);
}

static void
leaves_what_is_safe_and_what_is_corrected_as_it_is(void)
{
    BillLine safe = make_line(METER_VCPU, "48.0", "0.5");
    BillLine corrected = make_line(METER_VCPU, "0.00007", "0.012345678");
    BillLine parts[2];

    corrected.is_correction = true;
    g_assert_true(focus_is_float_safe(&safe));
    g_assert_false(focus_split(&safe, parts));
    g_assert_false(focus_split(&corrected, parts));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/focus/writes-the-columns-of-each-version",
                    writes_the_columns_of_each_version);
    g_test_add_func("/focus/writes-periods", writes_periods);
    g_test_add_func("/focus/hides-hosts-from-who-may-not-see-them",
                    hides_hosts_from_who_may_not_see_them);
    g_test_add_func("/focus/tells-the-parts-of-invoices-apart",
                    tells_the_parts_of_invoices_apart);
    g_test_add_func("/focus/refuses-usage-without-a-price",
                    refuses_usage_without_a_price);
    g_test_add_func("/focus/knows-three-versions", knows_three_versions);
    g_test_add_func("/focus/splits-what-is-no-product-in-binary-fractions",
                    splits_what_is_no_product_in_binary_fractions);
    g_test_add_func("/focus/leaves-what-is-safe-and-what-is-corrected-as-it-is",
                    leaves_what_is_safe_and_what_is_corrected_as_it_is);
    return g_test_run();
}
