/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "store/backup.h"
#include "store/ballast.h"
#include "store/database.h"
#include "store/migrations.h"
#include "store/thread.h"
#include "store/work.h"
#include "store/write.h"

/*
 * How it works
 *
 * The main loop pushes jobs (transactions and reads) to the thread.  It takes all that
 * wait, runs the transactions of that batch in one SQL transaction, then the reads.  The
 * main loop runs the callbacks in the order of the jobs.  The database belongs to the
 * thread from store_start() on.
 */

enum {
    EXIT_STORE = 74,
    ROOM_SECONDS = 5
};

typedef struct {
    void (*func)(gpointer data);
    gpointer data;
} Callback;

struct StoreTx {
    Store *store;
    GPtrArray *writes;
    GArray *events;
    GArray *callbacks;
};

typedef struct {
    gint64 after;
    guint limit;
    StoreEvents events;
    StoreLedger ledger;
    StoreChecked checked;
    gpointer data;
    /** ProtoEvent, ProtoLedgerRow or char *, as read. */
    GArray *rows;
} Read;

typedef struct {
    StoreWork run;
    void (*done)(gpointer data);
    gpointer data;
} Work;

/** One of these. */
typedef struct {
    StoreTx *tx;
    Read *read;
    Work *work;
} Job;

struct Store {
    char *directory;
    Database *database;
    WriteSet *statements;
    char *service_id;
    StoreThread *thread;
    Backup *backup;
    /** The ballast is gone.  Set by the thread. */
    gint is_short;
    guint room_source;
    /** Numbered so far, and on disk. */
    gint64 seq;
    gint64 committed;
    gint64 last_ms;
    void (*on_event)(const ProtoEvent *event, gpointer data);
    gpointer on_event_data;
};

static void
tx_free(StoreTx *tx)
{
    g_ptr_array_unref(tx->writes);
    g_array_unref(tx->events);
    g_array_unref(tx->callbacks);
    g_free(tx);
}

static void
job_free(gpointer data)
{
    Job *job = data;

    g_clear_pointer(&job->tx, tx_free);
    if (job->read != NULL)
        g_clear_pointer(&job->read->rows, g_array_unref);
    g_free(job->read);
    g_free(job->work);
    g_free(job);
}

/* What SQLite could not take must not be acknowledged: see store.h.  error is read only
 * when good is false: the call that sets it may be evaluated after the pointer is. */
static void
check(bool good, GError *const *error)
{
    if (good)
        return;
    g_critical("The store failed, ending: %s", (*error)->message);
    _exit(EXIT_STORE);
}

static GArray *
run_read(Store *store, const Read *read, GError **error)
{
    if (read->events != NULL)
        return write_read_events(store->statements, read->after, read->limit, error);
    if (read->ledger != NULL)
        return write_read_ledger(store->statements, read->after, read->limit, error);
    return write_check(store->statements, error);
}

static bool
commit(Store *store, GError **error)
{
    bool good = false;

    failpoint_pass("store", "commit", "before");
    good = database_run(store->database, "COMMIT", error);
    failpoint_pass("store", "commit", "after");
    return good;
}

static bool
write_all(Store *store, GPtrArray *jobs, GError **error)
{
    if (!database_run(store->database, "BEGIN IMMEDIATE", error))
        return false;
    for (guint i = 0; i < jobs->len; i++) {
        StoreTx *tx = ((Job *) jobs->pdata[i])->tx;

        for (guint j = 0; tx != NULL && j < tx->writes->len; j++) {
            if (!write_run(store->statements, tx->writes->pdata[j], error))
                return false;
        }
    }
    return commit(store, error);
}

/* After a failure for want of room: whether there is more now. */
static bool
make_room(Store *store)
{
    if (!database_is_full(store->database) || !ballast_drop(store->directory))
        return false;
    g_warning("The disk of %s is full: until there is room, only what gives something "
              "back is done",
              store->directory);
    g_atomic_int_set(&store->is_short, 1);
    database_run(store->database, "ROLLBACK", NULL);
    return true;
}

static void
run_writes(Store *store, GPtrArray *jobs)
{
    g_autoptr(GError) error = NULL;

    if (write_all(store, jobs, &error))
        return;
    if (make_room(store)) {
        g_clear_error(&error);
        check(write_all(store, jobs, &error), &error);
    } else {
        check(false, &error);
    }
}

static void
look_for_room(Store *store)
{
    bool was_short = g_atomic_int_get(&store->is_short) != 0;
    bool is_short = !ballast_ensure(store->directory);

    if (was_short && !is_short)
        g_message("The disk of %s has room again", store->directory);
    g_atomic_int_set(&store->is_short, is_short ? 1 : 0);
}

static void
run_batch(GPtrArray *jobs, gpointer data)
{
    Store *store = data;
    g_autoptr(GError) error = NULL;
    bool writes = false;

    for (guint i = 0; i < jobs->len; i++) {
        writes |= ((Job *) jobs->pdata[i])->tx != NULL;
    }
    if (writes)
        run_writes(store, jobs);
    for (guint i = 0; i < jobs->len; i++) {
        const Job *job = jobs->pdata[i];

        if (job->work != NULL)
            job->work->run(store, store->database, job->work->data);
        if (job->read == NULL)
            continue;
        job->read->rows = run_read(store, job->read, &error);
        check(job->read->rows != NULL, &error);
    }
}

static void
tell_committed(Store *store, StoreTx *tx)
{
    for (guint i = 0; i < tx->events->len; i++) {
        const ProtoEvent *event = &g_array_index(tx->events, ProtoEvent, i);

        store->committed = event->seq;
        if (store->on_event != NULL)
            store->on_event(event, store->on_event_data);
    }
    for (guint i = 0; i < tx->callbacks->len; i++) {
        Callback *callback = &g_array_index(tx->callbacks, Callback, i);

        callback->func(callback->data);
    }
}

static void
tell_read(Read *read)
{
    if (read->events != NULL) {
        read->events((const ProtoEvent *) (gpointer) read->rows->data, read->rows->len,
                     read->data);
    } else if (read->checked != NULL) {
        read->checked((const char *const *) (gpointer) read->rows->data, read->rows->len,
                      read->data);
    } else {
        read->ledger((const ProtoLedgerRow *) (gpointer) read->rows->data,
                     read->rows->len, read->data);
    }
}

static void
find_room(Store *store, Database *database, gpointer data)
{
    look_for_room(store);
}

static gboolean
ask_for_room(gpointer data)
{
    Store *store = data;

    store->room_source = 0;
    store_work(store, find_room, NULL, NULL);
    return G_SOURCE_REMOVE;
}

static void
watch_room(Store *store)
{
    if (store_is_short(store) && store->room_source == 0)
        store->room_source = g_timeout_add_seconds(ROOM_SECONDS, ask_for_room, store);
}

static void
tell_done(gpointer done, gpointer data)
{
    Job *job = done;

    if (job->tx != NULL)
        tell_committed(data, job->tx);
    if (job->read != NULL)
        tell_read(job->read);
    if (job->work != NULL && job->work->done != NULL)
        job->work->done(job->work->data);
    job_free(job);
    watch_room(data);
}

static bool
load_state(Store *store, GError **error)
{
    store->statements = write_set_new(store->database, error);
    if (store->statements == NULL)
        return false;
    return write_quick_check(store->statements, error) &&
           write_load_service_id(store->statements, &store->service_id, error) &&
           write_load_newest(store->statements, &store->seq, &store->last_ms, error);
}

/* A database that is missing or empty beside what only a database leaves behind was lost:
 * to begin a new one in silence would hide that. */
static bool
refuse_lost(const char *directory, const char *path, GError **error)
{
    g_autofree char *backups = g_build_filename(directory, "backups", NULL);
    struct stat status;

    if ((lstat(path, &status) == 0 && status.st_size > 0) ||
        (!ballast_is_there(directory) && !g_file_test(backups, G_FILE_TEST_IS_DIR)))
        return true;
    proto_error_set_internal(error, "database",
                             "The database %s is missing or empty, and was not", path);
    return false;
}

Store *
store_open(const char *directory, bool anew, GError **error)
{
    g_autofree char *path = g_build_filename(directory, "vmd.db", NULL);
    g_autoptr(Store) store = NULL;

    if (g_mkdir_with_parents(directory, 0700) != 0) {
        proto_error_set_internal(error, "store", "Making the state folder %s: %s",
                                 directory, g_strerror(errno));
        return NULL;
    }
    if (!anew && !refuse_lost(directory, path, error))
        return NULL;
    store = g_new0(Store, 1);
    store->directory = g_strdup(directory);
    store->database = database_open(path, error);
    if (store->database == NULL || !migrations_run(store->database, error) ||
        !load_state(store, error))
        return NULL;
    store->committed = store->seq;
    look_for_room(store);
    return g_steal_pointer(&store);
}

void
store_close(Store *store)
{
    if (store == NULL)
        return;
    store_thread_free(store->thread);
    g_clear_handle_id(&store->room_source, g_source_remove);
    backup_free(store->backup);
    write_set_free(store->statements);
    database_close(store->database);
    g_free(store->service_id);
    g_free(store->directory);
    g_free(store);
}

typedef struct {
    const WireStruct *type;
    void (*row)(gpointer record, gpointer data);
    gpointer data;
} Load;

static bool
load_body(const char *body, gpointer data, GError **error)
{
    const Load *load = data;
    g_autofree gpointer record = g_malloc0(load->type->size);

    if (!write_parse_body(load->type, body, record, error))
        return false;
    load->row(g_steal_pointer(&record), load->data);
    return true;
}

bool
store_load(Store *store,
           StoreTable table,
           const WireStruct *type,
           void (*row)(gpointer record, gpointer data),
           gpointer data,
           GError **error)
{
    Load load = { type, row, data };

    return write_load(store->statements, table, load_body, &load, error);
}

const char *
store_get_service_id(Store *store)
{
    return store->service_id;
}

void
store_start(Store *store)
{
    const StoreThreadWork work = { run_batch, tell_done, job_free, store };

    store->thread = store_thread_new(&work);
    watch_room(store);
}

void
store_keep_backups(Store *store, guint keep, guint seconds)
{
    store->backup = backup_new(store, store->directory, keep, seconds);
}

bool
store_is_short(Store *store)
{
    return g_atomic_int_get(&store->is_short) != 0;
}

StoreTx *
store_begin(Store *store)
{
    StoreTx *tx = g_new0(StoreTx, 1);

    tx->store = store;
    tx->writes = g_ptr_array_new_with_free_func((GDestroyNotify) write_free);
    tx->events = g_array_new(FALSE, TRUE, sizeof(ProtoEvent));
    g_array_set_clear_func(tx->events, (GDestroyNotify) proto_event_clear);
    tx->callbacks = g_array_new(FALSE, TRUE, sizeof(Callback));
    return tx;
}

void
store_put(StoreTx *tx,
          StoreTable table,
          const char *key,
          const char *a,
          const char *b,
          const WireStruct *type,
          const void *record)
{
    GString *body = g_string_new(NULL);

    wire_struct_print(type, record, body);
    g_ptr_array_add(tx->writes,
                    write_new_put(table, key, a, b, g_string_free(body, FALSE)));
}

void
store_delete(StoreTx *tx, StoreTable table, const char *key)
{
    g_ptr_array_add(tx->writes, write_new_delete(table, key));
}

gint64
store_now_ms(Store *store)
{
    store->last_ms = MAX(store->last_ms, clock_wall_ms());
    return store->last_ms;
}

gint64
store_add_event(StoreTx *tx, ProtoEvent *event)
{
    GString *body = g_string_new(NULL);
    ProtoEvent added = *event;

    *event = (ProtoEvent){ 0 };
    added.seq = ++tx->store->seq;
    added.at = clock_format_time(store_now_ms(tx->store));
    wire_struct_print(&proto_event_type, &added, body);
    g_ptr_array_add(tx->writes, write_new_event(added.seq, g_string_free(body, FALSE)));
    g_array_append_val(tx->events, added);
    return added.seq;
}

void
store_add_ledger(StoreTx *tx, const ProtoLedgerRow *row, gint64 at_ms)
{
    g_ptr_array_add(tx->writes, write_new_ledger(row, at_ms));
}

void
store_on_commit(StoreTx *tx, void (*func)(gpointer data), gpointer data)
{
    Callback callback = { func, data };

    g_array_append_val(tx->callbacks, callback);
}

void
store_commit(StoreTx *tx)
{
    Job *job = g_new0(Job, 1);
    Store *store = tx->store;

    job->tx = tx;
    store_thread_push(store->thread, job);
}

gint64
store_get_seq(Store *store)
{
    return store->committed;
}

void
store_on_event(Store *store,
               void (*func)(const ProtoEvent *event, gpointer data),
               gpointer data)
{
    store->on_event = func;
    store->on_event_data = data;
}

static void
push_read(Store *store, const Read *read)
{
    Job *job = g_new0(Job, 1);

    job->read = g_memdup2(read, sizeof *read);
    store_thread_push(store->thread, job);
}

void
store_read_events(
    Store *store, gint64 after, guint limit, StoreEvents func, gpointer data)
{
    push_read(store, &(Read){ after, limit, .events = func, .data = data });
}

void
store_read_ledger(
    Store *store, gint64 after, guint limit, StoreLedger func, gpointer data)
{
    push_read(store, &(Read){ after, limit, .ledger = func, .data = data });
}

void
store_check(Store *store, StoreChecked func, gpointer data)
{
    push_read(store, &(Read){ .checked = func, .data = data });
}

void
store_work(Store *store, StoreWork run, void (*done)(gpointer data), gpointer data)
{
    Job *job = g_new0(Job, 1);
    const Work work = { run, done, data };

    job->work = g_memdup2(&work, sizeof work);
    store_thread_push(store->thread, job);
}
