/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "meter/store.h"
#include "store/ledger-check.h"
#include "store/ledger-table.h"
#include "store/migrations.h"

/*
 * The ledger of a fleet that is busy, and how quickly it is written, checked and taken in
 * by a meter.  What was measured is printed as one JSON object.
 *
 * ledger-speed make FILE INSTANCES HOURS     makes the database of a controller
 * ledger-speed check FILE                    checks its ledger, the chain included
 * ledger-speed take FILE DIRECTORY           takes it into DIRECTORY/meter.db
 */

#define SERVICE "1b4e28ba-2fa1-4d2b-883f-0016d3cca427"
#define HOUR_MS G_GINT64_CONSTANT(3600000)
/* 2026-10-01T00:00:00Z */
#define START_MS G_GINT64_CONSTANT(1790812800000)
#define GIB G_GINT64_CONSTANT(1073741824)

enum {
    TENANTS = 1000,
    /* As vmd reads them for a meter. */
    PAGE_ROWS = 10000,
    PAGE_BYTES = 256 * 1024
};

static void
die_of(const GError *error)
{
    g_printerr("ledger-speed: %s\n", error->message);
    exit(EXIT_FAILURE);
}

static void
print_speed(gint64 rows, gint64 since_us, gint64 bytes)
{
    double seconds = (double) (g_get_monotonic_time() - since_us) / 1e6;
    double cpu_seconds = (double) clock() / CLOCKS_PER_SEC;

    g_print("{\"rows\": %" G_GINT64_FORMAT
            ", \"seconds\": %.3f, \"cpu_seconds\": %.3f, \"bytes_per_row\": %.1f}\n",
            rows, seconds, cpu_seconds, (double) bytes / (double) rows);
}

/* Making */

typedef struct {
    LedgerTable *table;
    gint64 seq;
    gint64 at_ms;
} Ledger;

static void
add_row(Ledger *ledger, ProtoLedgerRow *row)
{
    g_autoptr(GError) error = NULL;
    LedgerWrite *write = NULL;

    row->seq = ++ledger->seq;
    row->at_ms = ledger->at_ms;
    if (row->kind == LEDGER_KIND_OPENED)
        row->segment = row->seq;
    write = ledger_write_new(row);
    if (!ledger_table_add(ledger->table, write, &error))
        die_of(error);
    ledger_write_free(write);
    proto_ledger_row_clear(row);
}

static void
open_instance(Ledger *ledger, int instance)
{
    ProtoLedgerRow row = {
        .kind = LEDGER_KIND_OPENED,
        .has_segment = true,
        .has_from_ms = true,
        .from_ms = START_MS,
        .cause = g_strdup("started"),
        .has_resource_kind = true,
        .resource_kind = RESOURCE_KIND_INSTANCE,
        .resource = g_strdup_printf("%08x-1111-4111-8111-111111111111", instance),
        .tenant = g_strdup_printf("tenant-%d", instance % TENANTS),
        .name = g_strdup_printf("web-%d", instance),
        .template = g_strdup("debian:12"),
        .host = g_strdup("local"),
        .has_state = true,
        .has_vcpus = true,
        .vcpus = 2,
        .has_memory_bytes = true,
        .memory_bytes = 4 * GIB,
        .has_disk_bytes = true,
        .disk_bytes = 20 * GIB,
        .has_generation = true,
        .generation = 1,
    };

    add_row(ledger, &row);
}

static void
close_instance(Ledger *ledger, int instance)
{
    ProtoLedgerRow row = {
        .kind = LEDGER_KIND_CLOSED,
        .has_segment = true,
        .segment = instance + 1,
        .has_to_ms = true,
        .to_ms = ledger->at_ms,
        .cause = g_strdup("destroyed"),
    };

    add_row(ledger, &row);
}

static const char *
get_device(Counter counter, const char *serial, const char *mac)
{
    switch (counter) {
    case COUNTER_CPU_TIME:
    case COUNTER_N:
        return NULL;
    case COUNTER_DISK_READ_BYTES:
    case COUNTER_DISK_WRITE_BYTES:
    case COUNTER_DISK_READ_OPS:
    case COUNTER_DISK_WRITE_OPS:
        return serial;
    case COUNTER_NET_RX_BYTES:
    case COUNTER_NET_TX_BYTES:
        return mac;
    }
    return NULL;
}

/* What an instance used in an hour. */
static void
add_hour(Ledger *ledger, int instance)
{
    g_autofree char *serial = g_strdup_printf("%08x111141118111", instance);
    g_autofree char *mac =
        g_strdup_printf("52:54:00:%02x:%02x:%02x", instance >> 16 & 255,
                        instance >> 8 & 255, instance & 255);

    for (int counter = 0; counter < COUNTER_N; counter++) {
        ProtoLedgerRow row = {
            .kind = LEDGER_KIND_USED,
            .has_segment = true,
            .segment = instance + 1,
            .has_from_ms = true,
            .from_ms = ledger->at_ms - HOUR_MS,
            .has_to_ms = true,
            .to_ms = ledger->at_ms,
            .has_counter = true,
            .counter = (Counter) counter,
            .device = g_strdup(get_device((Counter) counter, serial, mac)),
            .has_quantity = true,
            .quantity = 123456789 + (gint64) instance * 1000003 + counter * 77777,
        };

        add_row(ledger, &row);
    }
}

static void
run_sql_begin(Database *database)
{
    g_autoptr(GError) error = NULL;

    if (!database_run(database, "BEGIN IMMEDIATE", &error))
        die_of(error);
}

static void
run_sql_commit(Database *database)
{
    g_autoptr(GError) error = NULL;

    if (!database_run(database, "COMMIT", &error))
        die_of(error);
}

static LedgerTable *
open_table(Database *database, const char *service_id)
{
    g_autoptr(GError) error = NULL;
    LedgerTable *table = ledger_table_new(database, service_id, &error);

    if (table == NULL)
        die_of(error);
    return table;
}

static Database *
open_database(const char *path)
{
    g_autoptr(GError) error = NULL;
    Database *database = database_open(path, &error);

    if (database == NULL || !migrations_run(database, &error))
        die_of(error);
    return database;
}

static void
make(const char *path, int instances, int hours)
{
    Database *database = open_database(path);
    Ledger ledger = { .table = open_table(database, SERVICE), .at_ms = START_MS };
    gint64 since_us = g_get_monotonic_time();
    GStatBuf file;

    run_sql_begin(database);
    for (int i = 0; i < instances; i++) {
        open_instance(&ledger, i);
    }
    run_sql_commit(database);
    for (int hour = 0; hour < hours; hour++) {
        ledger.at_ms += HOUR_MS;
        run_sql_begin(database);
        for (int i = 0; i < instances; i++) {
            add_hour(&ledger, i);
        }
        run_sql_commit(database);
    }
    run_sql_begin(database);
    for (int i = 0; i < instances; i++) {
        close_instance(&ledger, i);
    }
    run_sql_commit(database);
    ledger_table_free(ledger.table);
    database_close(database);
    if (g_stat(path, &file) != 0)
        g_error("%s: %s", path, g_strerror(errno));
    print_speed(ledger.seq, since_us, file.st_size);
}

/* Reading */

static LedgerPage *
read_page(LedgerTable *table, gint64 after)
{
    g_autoptr(GError) error = NULL;
    LedgerPage *page = ledger_table_read(table, after, PAGE_ROWS, PAGE_BYTES, &error);

    if (page == NULL)
        die_of(error);
    return page;
}

static void
blame(gint64 seq, const char *resource, const char *name, const char *text, gpointer data)
{
    g_error("Row %" G_GINT64_FORMAT " %s", seq, text);
}

static void
check_page(LedgerCheck *check, const LedgerPage *page)
{
    LedgerWalk walk = { 0 };

    for (;;) {
        g_auto(ProtoLedgerRow) row = { 0 };
        gsize from = walk.at;
        guint index = walk.index;

        if (!ledger_page_next(page, &walk, &row))
            return;
        ledger_check_take(check, &row, page->rows->data + from, walk.at - from,
                          &g_array_index(page->hashes, ChainHash, index));
    }
}

static void
check_ledger(const char *path)
{
    Database *database = open_database(path);
    LedgerTable *table = open_table(database, SERVICE);
    LedgerCheck *check = ledger_check_new(SERVICE, blame, NULL);
    gint64 since_us = g_get_monotonic_time();

    for (;;) {
        g_autoptr(LedgerPage) page = read_page(table, ledger_check_get_seq(check));

        if (page->hashes->len == 0)
            break;
        check_page(check, page);
    }
    print_speed(ledger_check_count(check), since_us, 0);
    ledger_check_free(check);
    ledger_table_free(table);
    database_close(database);
}

static void
take_page(MeterStore *store, const LedgerPage *page)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *hash =
        chain_to_text(&g_array_index(page->hashes, ChainHash, page->hashes->len - 1));

    if (!meter_store_apply(store, page->rows->data, page->rows->len, hash, &error))
        die_of(error);
}

static void
take_ledger(const char *path, const char *directory)
{
    g_autoptr(GError) error = NULL;
    Database *database = open_database(path);
    LedgerTable *table = open_table(database, SERVICE);
    MeterStore *store = meter_store_open(directory, &error);
    gint64 since_us = g_get_monotonic_time();

    if (store == NULL || !meter_store_bind(store, SERVICE, &error))
        die_of(error);
    meter_store_expect(store, ledger_table_get_head(table).seq);
    for (;;) {
        g_autoptr(LedgerPage) page = read_page(table, meter_store_get_cursor(store));

        if (page->hashes->len == 0)
            break;
        take_page(store, page);
    }
    print_speed(meter_store_get_cursor(store), since_us, 0);
    meter_store_close(store);
    ledger_table_free(table);
    database_close(database);
}

int
main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "make") == 0) {
        make(argv[2], (int) g_ascii_strtoll(argv[3], NULL, 10),
             (int) g_ascii_strtoll(argv[4], NULL, 10));
    } else if (argc == 3 && strcmp(argv[1], "check") == 0) {
        check_ledger(argv[2]);
    } else if (argc == 4 && strcmp(argv[1], "take") == 0) {
        take_ledger(argv[2], argv[3]);
    } else {
        g_printerr(
            "usage: ledger-speed make FILE INSTANCES HOURS | check FILE | take FILE "
            "DIRECTORY\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
