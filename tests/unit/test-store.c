/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <glib/gstdio.h>

#include "store/store.h"

/** A store in a folder of its own, and the events that it told of. */
typedef struct {
    char *directory;
    Store *store;
    GArray *seqs;
    guint n_on_disk;
    guint n_rows;
} Fixture;

static void
on_event(const ProtoEvent *event, gpointer data)
{
    Fixture *fixture = data;

    g_array_append_val(fixture->seqs, event->seq);
}

static void
on_disk(gpointer data)
{
    ((Fixture *) data)->n_on_disk++;
}

static void
open_store(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    fixture->store = store_open(fixture->directory, false, &error);
    g_assert_no_error(error);
}

static void
set_up(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    fixture->directory = g_dir_make_tmp("vmctl-store.XXXXXX", &error);
    g_assert_no_error(error);
    fixture->seqs = g_array_new(FALSE, FALSE, sizeof(gint64));
    open_store(fixture);
    store_on_event(fixture->store, on_event, fixture);
    store_start(fixture->store);
}

static void
remove_folder(const char *path)
{
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    const char *name = NULL;

    while ((name = g_dir_read_name(folder)) != NULL) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        g_assert_cmpint(g_unlink(file), ==, 0);
    }
    g_assert_cmpint(g_rmdir(path), ==, 0);
}

static void
tear_down(Fixture *fixture, gconstpointer unused)
{
    store_close(fixture->store);
    g_array_unref(fixture->seqs);
    remove_folder(fixture->directory);
    g_free(fixture->directory);
}

static void
wait_for(const Fixture *fixture, guint n_on_disk)
{
    while (fixture->n_on_disk < n_on_disk) {
        g_main_context_iteration(NULL, TRUE);
    }
}

static void
put(StoreTx *tx)
{
    const ProtoTenantRecord record = { .name = (char *) (gsize) "red" };

    store_put(tx, STORE_TENANT, "red", NULL, NULL, &proto_tenant_record_type, &record);
}

static void
count_row(gpointer record, gpointer data)
{
    ((Fixture *) data)->n_rows++;
    proto_tenant_record_clear(record);
    g_free(record);
}

/* What is deleted within a transaction that wrote it before stays deleted. */
static void
test_the_order_of_calls_is_that_on_disk(Fixture *fixture, gconstpointer unused)
{
    StoreTx *outer = store_begin(fixture->store);
    StoreTx *inner = NULL;

    put(outer);
    inner = store_begin(fixture->store);
    store_delete(inner, STORE_TENANT, "red");
    store_on_commit(inner, on_disk, fixture);
    store_commit(inner);
    store_on_commit(outer, on_disk, fixture);
    store_commit(outer);
    wait_for(fixture, 2);
    store_close(fixture->store);
    open_store(fixture);
    g_assert_true(store_load(fixture->store, STORE_TENANT, &proto_tenant_record_type,
                             count_row, fixture, NULL));
    g_assert_cmpuint(fixture->n_rows, ==, 0);
}

static void
test_events_are_told_in_their_order(Fixture *fixture, gconstpointer unused)
{
    ProtoEvent first = { .kind = EVENT_KIND_HOST_STATE, .subject = g_strdup("first") };
    ProtoEvent second = { .kind = EVENT_KIND_HOST_STATE, .subject = g_strdup("second") };
    StoreTx *outer = store_begin(fixture->store);
    StoreTx *inner = NULL;

    store_add_event(outer, &first);
    inner = store_begin(fixture->store);
    store_add_event(inner, &second);
    store_commit(inner);
    store_on_commit(outer, on_disk, fixture);
    store_commit(outer);
    wait_for(fixture, 1);
    g_assert_cmpuint(fixture->seqs->len, ==, 2);
    g_assert_cmpint(g_array_index(fixture->seqs, gint64, 0), ==, 1);
    g_assert_cmpint(g_array_index(fixture->seqs, gint64, 1), ==, 2);
    g_assert_cmpint(store_get_seq(fixture->store), ==, 2);
}

int
main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/store/the-order-of-calls-is-that-on-disk", Fixture, NULL, set_up,
               test_the_order_of_calls_is_that_on_disk, tear_down);
    g_test_add("/store/events-are-told-in-their-order", Fixture, NULL, set_up,
               test_events_are_told_in_their_order, tear_down);
    return g_test_run();
}
