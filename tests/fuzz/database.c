/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/database.h"

#include <string.h>

#include "fuzz.h"
#include "fuzz/inside.h"
#include "store/ledger-table.h"
#include "store/migrations.h"
#include "store/write.h"

/*
 * A database whose file was changed at some places is refused with an error, or gives
 * records that can be printed.  The input begins with where the file is cut, and goes on
 * with changes: an offset, a length, and the bytes.
 */

enum {
    CHANGES_MAX = 16,
    LENGTH_MAX = 16,
    ROWS = 1000,
    CUT_STEP = 512
};

static void
change(FuzzBytes *bytes, guint8 *file, gsize length)
{
    for (int i = 0; i < CHANGES_MAX && bytes->left > 0; i++) {
        gsize offset = fuzz_take_number(bytes, 3) % length;
        gsize count = fuzz_take_byte(bytes) % LENGTH_MAX + 1;

        for (; count > 0 && offset < length; count--)
            file[offset++] = fuzz_take_byte(bytes);
    }
}

static void
check_prints(const WireStruct *type, const void *record)
{
    g_autoptr(GString) text = g_string_new(NULL);

    wire_struct_print(type, record, text);
    g_assert_true(g_utf8_validate(text->str, (gssize) text->len, NULL));
}

static void
check_rows(GArray *rows, const WireStruct *type, const GError *error)
{
    g_assert_true((rows != NULL) == (error == NULL));
    for (guint i = 0; rows != NULL && i < rows->len; i++)
        check_prints(type, rows->data + i * type->size);
    g_clear_pointer(&rows, g_array_unref);
}

static void
check_ledger(Database *database)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(LedgerTable) table = ledger_table_new(database, "", &error);
    g_autoptr(LedgerPage) page = NULL;
    LedgerWalk walk = { 0 };
    ProtoLedgerRow row = { 0 };

    g_assert_true((table != NULL) == (error == NULL));
    if (table != NULL)
        page = ledger_table_read(table, 0, ROWS, STORE_PAGE_BYTES, &error);
    g_assert_true((page != NULL) == (error == NULL));
    while (page != NULL && ledger_page_next(page, &walk, &row)) {
        check_prints(&proto_ledger_row_type, &row);
        proto_ledger_row_clear(&row);
    }
}

/* What the store reads while vmd runs. */
static bool
read_rows(const char *path, GError **error)
{
    g_autoptr(Database) database = database_open(path, error);
    g_autoptr(WriteSet) statements = NULL;
    g_autoptr(GError) events = NULL;
    g_autoptr(GError) check = NULL;
    GArray *rows = NULL;

    if (database == NULL || !migrations_run(database, error))
        return false;
    statements = write_set_new(database, error);
    if (statements == NULL)
        return false;
    rows = write_read_events(statements, 0, ROWS, &events);
    check_rows(rows, &proto_event_type, events);
    check_ledger(database);
    rows = write_check(statements, &check);
    g_assert_true((rows != NULL) == (check == NULL));
    g_clear_pointer(&rows, g_array_unref);
    g_clear_pointer(&statements, write_set_free);
    return true;
}

static void
look(const Controller *controller)
{
    GHashTableIter iter;
    gpointer instance = NULL;

    g_hash_table_iter_init(&iter, controller->rpc.instances->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &instance))
        check_prints(&proto_instance_record_type, &((Instance *) instance)->record);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzBytes bytes = { data, size };
    gsize length = 0;
    const void *whole = g_bytes_get_data(inside_get_database(), &length);
    g_autofree guint8 *file = g_memdup2(whole, length);
    uint8_t cut = fuzz_take_byte(&bytes);
    g_autofree char *path = NULL;
    g_autoptr(GError) error = NULL;
    bool good = false;

    change(&bytes, file, length);
    path = inside_put_database(file, cut == 0 ? length : MIN(length, cut * CUT_STEP));
    good = read_rows(path, &error);
    g_assert_true(good == (error == NULL));
    g_clear_error(&error);
    good = inside_load(look, &error);
    g_assert_true(good == (error == NULL));
    return 0;
}
