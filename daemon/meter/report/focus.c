/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/focus.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "meter/calendar.h"
#include "meter/report/focus-split.h"
#include "meter/report/format.h"

/*
 * A column is a row of a table: its name, in which versions it is, its type, and what
 * writes it.  Those of the specification come first, by name, and ours after them.
 */

enum {
    /* Digits of a decimal of ours. */
    PRECISION = 38
};

typedef enum {
    TYPE_STRING,
    TYPE_DECIMAL,
    TYPE_DATETIME,
    TYPE_JSON,
    TYPE_N
} ColumnType;

typedef struct {
    const FocusOptions *options;
    const BillLine *line;
    GString *out;
} Cell;

typedef struct {
    const char *name;
    FocusVersion first;
    FocusVersion last;
    ColumnType type;
    void (*write)(const Cell *cell);
} Column;

static const char *const version_names[] = {
    [FOCUS_1_2] = "1.2",
    [FOCUS_1_3] = "1.3",
    [FOCUS_1_4] = "1.4",
};
G_STATIC_ASSERT(G_N_ELEMENTS(version_names) == FOCUS_VERSION_N);

/* Of these each is another one as soon as the columns of its version change. */
static const char *const schema_ids[] = {
    [FOCUS_1_2] = "5d0b5c5e-2f6b-4d6b-9c57-0b6f1a3c1e12",
    [FOCUS_1_3] = "b1f6a7e0-8d0f-4f0c-8a5e-7c3d2e9f1a13",
    [FOCUS_1_4] = "e9c4d2b7-61aa-4b9e-b5d1-3f8a6c7e2b14",
};
static const char schema_date[] = "2026-11-28T00:00:00Z";
static const char generator_version[] = "1";

/* What a meter's usage is a service of. */
typedef struct {
    const char *name;
    const char *category;
    const char *subcategory;
} Service;

static const Service virtual_machines = { "Virtual Machines", "Compute",
                                          "Virtual Machines" };
static const Service block_volumes = { "Block Volumes", "Storage", "Block Storage" };
static const Service network = { "Network", "Networking", "Network Connectivity" };
static const Service addresses = { "IP Addresses", "Networking",
                                   "Network Infrastructure" };
static const Service billing = { "Billing", "Other", "Other (Other)" };

static const Service *const services[] = {
    [METER_INSTANCE_TIME] = &virtual_machines,
    [METER_VCPU] = &virtual_machines,
    [METER_MEMORY] = &virtual_machines,
    [METER_DISK] = &block_volumes,
    [METER_ADDRESS] = &addresses,
    [METER_CPU_TIME] = &virtual_machines,
    [METER_DISK_READ_BYTES] = &block_volumes,
    [METER_DISK_WRITE_BYTES] = &block_volumes,
    [METER_DISK_READ_OPS] = &block_volumes,
    [METER_DISK_WRITE_OPS] = &block_volumes,
    [METER_NET_RX_BYTES] = &network,
    [METER_NET_TX_BYTES] = &network,
};
G_STATIC_ASSERT(G_N_ELEMENTS(services) == METER_N);

/* Of one unit, as the specification names it; NULL: it has no word for it. */
static const char *const price_details[] = {
    [METER_VCPU] = "{\"CoreCount\":1}",
    [METER_MEMORY] = "{\"MemorySize\":1}",
    [METER_DISK] = "{\"DiskSpace\":1}",
    [METER_N - 1] = NULL,
};
G_STATIC_ASSERT(G_N_ELEMENTS(price_details) == METER_N);

typedef struct {
    const char *type;
    const char *urn;
} Resource;

static const Resource resources[] = {
    [RESOURCE_KIND_INSTANCE] = { "Virtual Machine", "vm" },
    [RESOURCE_KIND_VOLUME] = { "Block Volume", "volume" },
    [RESOURCE_KIND_ADDRESS] = { "IP Address", "ip" },
};
G_STATIC_ASSERT(G_N_ELEMENTS(resources) == RESOURCE_KIND_N);

/* Values */

/* NULL and "" are null: an empty field. */
static void
write_text(GString *out, const char *text)
{
    if (text == NULL || strpbrk(text, "\",\r\n") == NULL) {
        g_string_append(out, text != NULL ? text : "");
        return;
    }
    g_string_append_c(out, '"');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"')
            g_string_append_c(out, '"');
        g_string_append_c(out, *at);
    }
    g_string_append_c(out, '"');
}

static void
write_decimal(GString *out, Decimal value)
{
    char text[DECIMAL_TEXT_SIZE];

    g_string_append_len(out, text, (gssize) decimal_print(value, 1, text));
}

static void
write_integer(GString *out, gint64 value)
{
    write_decimal(out, (Decimal){ value, 0 });
}

static void
write_time(GString *out, gint64 at_ms)
{
    gint64 day = calendar_day_of(at_ms);
    int seconds = (int) ((at_ms - calendar_day_start(day)) / 1000);
    g_autofree char *date = calendar_format_day(day);

    g_string_append_printf(out, "%sT%02d:%02d:%02dZ", date, seconds / 3600,
                           seconds / 60 % 60, seconds % 60);
}

static bool
is_usage(const Cell *cell)
{
    return cell->line->category == BILL_CATEGORY_USAGE;
}

static void
write_usage_text(const Cell *cell, const char *text)
{
    if (is_usage(cell))
        write_text(cell->out, text);
}

static void
write_usage_decimal(const Cell *cell, Decimal value)
{
    if (is_usage(cell))
        write_decimal(cell->out, value);
}

static const Service *
get_service(const Cell *cell)
{
    return is_usage(cell) ? services[cell->line->meter] : &billing;
}

/* Columns */

static void
write_null(const Cell *cell)
{
}

static void
write_billed_cost(const Cell *cell)
{
    write_decimal(cell->out, cell->line->contracted_cost);
}

static void
write_account(const Cell *cell)
{
    write_text(cell->out, cell->line->tenant);
}

static void
write_account_name(const Cell *cell)
{
    write_text(cell->out, cell->line->tenant_name);
}

static void
write_currency(const Cell *cell)
{
    write_text(cell->out, cell->line->currency);
}

static void
write_period_end(const Cell *cell)
{
    write_time(cell->out, cell->line->period_to_ms);
}

static void
write_period_start(const Cell *cell)
{
    write_time(cell->out, cell->line->period_from_ms);
}

static void
write_category(const Cell *cell)
{
    write_text(cell->out, is_usage(cell) ? "Usage" : "Adjustment");
}

static void
write_class(const Cell *cell)
{
    write_text(cell->out, cell->line->is_correction ? "Correction" : NULL);
}

static void
write_description(const Cell *cell)
{
    const BillLine *line = cell->line;
    g_autofree char *text = NULL;

    if (!is_usage(cell)) {
        write_text(cell->out, "Rounding to what can be paid");
        return;
    }
    text = g_strdup_printf("%s%s of %s%s%s", line->is_correction ? "Correction: " : "",
                           meter_get_info(line->meter)->title, line->resource_name,
                           line->why != NULL ? ": " : "",
                           line->why != NULL ? line->why : "");
    write_text(cell->out, text);
}

static void
write_frequency(const Cell *cell)
{
    write_text(cell->out, is_usage(cell) ? "Usage-Based" : "One-Time");
}

static void
write_charge_end(const Cell *cell)
{
    if (is_usage(cell)) {
        write_time(cell->out,
                   calendar_day_start(calendar_day_of(cell->line->from_ms) + 1));
    } else {
        write_time(cell->out, cell->line->to_ms);
    }
}

static void
write_charge_start(const Cell *cell)
{
    if (is_usage(cell)) {
        write_time(cell->out, calendar_day_start(calendar_day_of(cell->line->from_ms)));
    } else {
        write_time(cell->out, cell->line->from_ms);
    }
}

static void
write_quantity(const Cell *cell)
{
    write_usage_decimal(cell, cell->line->quantity);
}

static void
write_unit(const Cell *cell)
{
    write_usage_text(cell,
                     is_usage(cell) ? meter_get_info(cell->line->meter)->unit : NULL);
}

static void
write_contracted_price(const Cell *cell)
{
    write_usage_decimal(cell, cell->line->contracted_price);
}

static void
write_provider(const Cell *cell)
{
    write_text(cell->out, cell->options->provider);
}

/* The part of an invoice that a charge is of: the same in a report of any of its days.
 * A colon is in the name of no tenant, currency or sku: so no two have the same one. */
static void
write_invoice_detail(const Cell *cell)
{
    g_autofree char *text = NULL;

    if (cell->line->invoice == NULL)
        return;
    text = g_strconcat(cell->line->invoice, is_usage(cell) ? ":" : "-",
                       is_usage(cell) ? cell->line->sku_price : "rounding", NULL);
    write_text(cell->out, text);
}

static void
write_invoice(const Cell *cell)
{
    write_text(cell->out, cell->line->invoice);
}

static void
write_list_cost(const Cell *cell)
{
    write_decimal(cell->out,
                  is_usage(cell) ? cell->line->list_cost : cell->line->contracted_cost);
}

static void
write_list_price(const Cell *cell)
{
    write_usage_decimal(cell, cell->line->list_price);
}

static void
write_pricing_category(const Cell *cell)
{
    write_usage_text(cell, "Standard");
}

static void
write_resource(const Cell *cell)
{
    if (is_usage(cell))
        g_string_append_printf(cell->out, "urn:vmctl:%s:%s",
                               resources[cell->line->kind].urn, cell->line->resource);
}

static void
write_resource_name(const Cell *cell)
{
    write_usage_text(cell, cell->line->resource_name);
}

static void
write_resource_type(const Cell *cell)
{
    write_usage_text(cell, is_usage(cell) ? resources[cell->line->kind].type : NULL);
}

static void
write_service_category(const Cell *cell)
{
    write_text(cell->out, get_service(cell)->category);
}

static void
write_service(const Cell *cell)
{
    write_text(cell->out, get_service(cell)->name);
}

static void
write_service_subcategory(const Cell *cell)
{
    write_text(cell->out, get_service(cell)->subcategory);
}

static void
write_sku(const Cell *cell)
{
    write_usage_text(cell, cell->line->sku);
}

static void
write_sku_meter(const Cell *cell)
{
    write_usage_text(cell,
                     is_usage(cell) ? meter_get_info(cell->line->meter)->title : NULL);
}

static void
write_price_details(const Cell *cell)
{
    write_usage_text(cell, is_usage(cell) ? price_details[cell->line->meter] : NULL);
}

static void
write_sku_price(const Cell *cell)
{
    write_usage_text(cell, cell->line->sku_price);
}

static void
write_tags(const Cell *cell)
{
    write_usage_text(cell, cell->line->labels);
}

static void
write_estimated(const Cell *cell)
{
    write_usage_decimal(cell, cell->line->estimated);
}

static void
write_host(const Cell *cell)
{
    write_usage_text(cell, cell->options->shows_hosts ? cell->line->host : NULL);
}

static void
write_first_seq(const Cell *cell)
{
    if (is_usage(cell))
        write_integer(cell->out, cell->line->first_seq);
}

static void
write_last_seq(const Cell *cell)
{
    if (is_usage(cell))
        write_integer(cell->out, cell->line->last_seq);
}

static void
write_meter(const Cell *cell)
{
    write_usage_text(cell,
                     is_usage(cell) ? meter_get_info(cell->line->meter)->name : NULL);
}

/* clang-format off */
static const Column columns[] = {
    { "AvailabilityZone", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_null },
    { "BilledCost", FOCUS_1_2, FOCUS_1_4, TYPE_DECIMAL, write_billed_cost },
    { "BillingAccountId", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_account },
    { "BillingAccountName", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_account_name },
    { "BillingCurrency", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_currency },
    { "BillingPeriodEnd", FOCUS_1_2, FOCUS_1_4, TYPE_DATETIME, write_period_end },
    { "BillingPeriodStart", FOCUS_1_2, FOCUS_1_4, TYPE_DATETIME, write_period_start },
    { "ChargeCategory", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_category },
    { "ChargeClass", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_class },
    { "ChargeDescription", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_description },
    { "ChargeFrequency", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_frequency },
    { "ChargePeriodEnd", FOCUS_1_2, FOCUS_1_4, TYPE_DATETIME, write_charge_end },
    { "ChargePeriodStart", FOCUS_1_2, FOCUS_1_4, TYPE_DATETIME, write_charge_start },
    { "ConsumedQuantity", FOCUS_1_2, FOCUS_1_4, TYPE_DECIMAL, write_quantity },
    { "ConsumedUnit", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_unit },
    { "ContractedCost", FOCUS_1_2, FOCUS_1_4, TYPE_DECIMAL, write_billed_cost },
    { "ContractedUnitPrice", FOCUS_1_2, FOCUS_1_4, TYPE_DECIMAL, write_contracted_price },
    { "EffectiveCost", FOCUS_1_2, FOCUS_1_4, TYPE_DECIMAL, write_billed_cost },
    { "HostProviderName", FOCUS_1_3, FOCUS_1_4, TYPE_STRING, write_provider },
    { "InvoiceDetailId", FOCUS_1_4, FOCUS_1_4, TYPE_STRING, write_invoice_detail },
    { "InvoiceId", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_invoice },
    { "InvoiceIssuerName", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_provider },
    { "ListCost", FOCUS_1_2, FOCUS_1_4, TYPE_DECIMAL, write_list_cost },
    { "ListUnitPrice", FOCUS_1_2, FOCUS_1_4, TYPE_DECIMAL, write_list_price },
    { "PricingCategory", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_pricing_category },
    { "PricingQuantity", FOCUS_1_2, FOCUS_1_4, TYPE_DECIMAL, write_quantity },
    { "PricingUnit", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_unit },
    { "ProviderName", FOCUS_1_2, FOCUS_1_3, TYPE_STRING, write_provider },
    { "PublisherName", FOCUS_1_2, FOCUS_1_3, TYPE_STRING, write_provider },
    { "RegionId", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_null },
    { "RegionName", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_null },
    { "ResourceId", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_resource },
    { "ResourceName", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_resource_name },
    { "ResourceType", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_resource_type },
    { "ServiceCategory", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_service_category },
    { "ServiceName", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_service },
    { "ServiceProviderName", FOCUS_1_3, FOCUS_1_4, TYPE_STRING, write_provider },
    { "ServiceSubcategory", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_service_subcategory },
    { "SkuId", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_sku },
    { "SkuMeter", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_sku_meter },
    { "SkuPriceDetails", FOCUS_1_2, FOCUS_1_4, TYPE_JSON, write_price_details },
    { "SkuPriceId", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_sku_price },
    { "SubAccountId", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_null },
    { "SubAccountName", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_null },
    { "Tags", FOCUS_1_2, FOCUS_1_4, TYPE_JSON, write_tags },
    { "x_EstimatedQuantity", FOCUS_1_2, FOCUS_1_4, TYPE_DECIMAL, write_estimated },
    { "x_HostId", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_host },
    { "x_LedgerSeqFirst", FOCUS_1_2, FOCUS_1_4, TYPE_DECIMAL, write_first_seq },
    { "x_LedgerSeqLast", FOCUS_1_2, FOCUS_1_4, TYPE_DECIMAL, write_last_seq },
    { "x_MeterId", FOCUS_1_2, FOCUS_1_4, TYPE_STRING, write_meter },
};

/* clang-format on */

static bool
has_column(const Column *column, FocusVersion version)
{
    return version >= column->first && version <= column->last;
}

/* The dataset */

bool
focus_parse_version(const char *text, FocusVersion *ret_version, GError **error)
{
    for (guint i = 0; i < FOCUS_VERSION_N; i++) {
        if (text == NULL || strcmp(text, version_names[i]) == 0) {
            *ret_version = (FocusVersion) i;
            return true;
        }
    }
    proto_error_set_invalid_parameter(error, "parameters.focus_version", "is not known",
                                      "There is no FOCUS %s here: 1.2, 1.3 and 1.4 are",
                                      text);
    return false;
}

void
focus_begin(const FocusOptions *options, GString *out)
{
    const char *comma = "";

    for (gsize i = 0; i < G_N_ELEMENTS(columns); i++) {
        if (!has_column(&columns[i], options->version))
            continue;
        g_string_append(out, comma);
        g_string_append(out, columns[i].name);
        comma = ",";
    }
    g_string_append(out, "\r\n");
}

static bool
has_price(const BillLine *line)
{
    return line->category != BILL_CATEGORY_USAGE ||
           (line->sku != NULL && line->sku_price != NULL);
}

bool
focus_add(const FocusOptions *options, const BillLine *line, GString *out, GError **error)
{
    const Cell cell = { options, line, out };
    const char *comma = "";

    if (!has_price(line)) {
        proto_error_set_illegal_state(
            error, "unpriced", "%s of %s has no price, and FOCUS knows no such usage",
            meter_get_info(line->meter)->title, line->resource);
        return false;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(columns); i++) {
        if (!has_column(&columns[i], options->version))
            continue;
        g_string_append(out, comma);
        columns[i].write(&cell);
        comma = ",";
    }
    g_string_append(out, "\r\n");
    return true;
}

static void
begin(const ReportContext *context, GString *out)
{
    focus_begin(&context->focus, out);
}

static bool
add_line(const ReportContext *context,
         ReportFold *fold,
         const BillLine *line,
         GString *out,
         GError **error)
{
    BillLine parts[2];

    if (!context->focus.is_float_safe || !focus_split(line, parts))
        return focus_add(&context->focus, line, out, error);
    return focus_add(&context->focus, &parts[0], out, error) &&
           focus_add(&context->focus, &parts[1], out, error);
}

static void
end_tenant(const ReportContext *context,
           const GArray *rows,
           const BillTotal *total,
           GString *out)
{
}

static void
end(const ReportContext *context, const GArray *rows, GString *out)
{
}

const ReportFormat report_focus = { "focus", begin, add_line, end_tenant, end };

/* What describes it */

static const char *const type_names[] = {
    [TYPE_STRING] = "STRING",
    [TYPE_DECIMAL] = "DECIMAL",
    [TYPE_DATETIME] = "DATETIME",
    [TYPE_JSON] = "JSON",
};
G_STATIC_ASSERT(G_N_ELEMENTS(type_names) == TYPE_N);

static void
add_text(JsonBuilder *builder, const char *name, const char *text)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, text);
}

static void
add_integer(JsonBuilder *builder, const char *name, gint64 value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, value);
}

static void
describe_column(JsonBuilder *builder, const Column *column, FocusVersion version)
{
    json_builder_begin_object(builder);
    add_text(builder, "ColumnName", column->name);
    add_text(builder, "DataType", type_names[column->type]);
    if (column->type == TYPE_DECIMAL) {
        add_integer(builder, "NumericPrecision", PRECISION);
        add_integer(builder, "NumberScale", DECIMAL_PLACES_MAX);
    } else if (column->type != TYPE_DATETIME) {
        add_text(builder, "StringEncoding", "UTF-8");
    }
    if (version == FOCUS_1_3 && column->last == FOCUS_1_3) {
        json_builder_set_member_name(builder, "Deprecated");
        json_builder_add_boolean_value(builder, TRUE);
    }
    json_builder_end_object(builder);
}

static void
describe_schema(JsonBuilder *builder, FocusVersion version)
{
    json_builder_begin_object(builder);
    add_text(builder, "SchemaId", schema_ids[version]);
    add_text(builder, "FocusVersion", version_names[version]);
    add_text(builder, "CreationDate", schema_date);
    add_text(builder, "DataGeneratorVersion", generator_version);
    json_builder_set_member_name(builder, "ColumnDefinition");
    json_builder_begin_array(builder);
    for (gsize i = 0; i < G_N_ELEMENTS(columns); i++) {
        if (has_column(&columns[i], version))
            describe_column(builder, &columns[i], version);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
}

char *
focus_format_metadata(FocusVersion version)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "DataGenerator");
    json_builder_begin_object(builder);
    add_text(builder, "DataGenerator", "vmctl");
    json_builder_end_object(builder);
    json_builder_set_member_name(builder, "Schema");
    describe_schema(builder, version);
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    text = json_to_string(root, TRUE);
    return g_strconcat(text, "\n", NULL);
}

/* Periods */

void
focus_begin_periods(GString *out)
{
    g_string_append(out, "BillingPeriodCreated,BillingPeriodEnd,BillingPeriodLastUpdated,"
                         "BillingPeriodStart,BillingPeriodStatus,InvoiceIssuerName\r\n");
}

void
focus_add_period(const FocusPeriod *period, const char *provider, GString *out)
{
    const gint64 times[] = { period->created_ms, period->to_ms, period->updated_ms,
                             period->from_ms };

    for (gsize i = 0; i < G_N_ELEMENTS(times); i++) {
        write_time(out, times[i]);
        g_string_append_c(out, ',');
    }
    g_string_append(out, period->is_closed ? "Closed," : "Open,");
    write_text(out, provider);
    g_string_append(out, "\r\n");
}
