/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "store/anchor.h"
#include "store/backup.h"
#include "store/ballast.h"
#include "store/database.h"
#include "store/migrations.h"
#include "store/thread.h"
#include "store/work.h"
#include "store/write.h"
#include "wire/pack.h"

/*
 * How it works
 *
 * The main loop pushes jobs (transactions and reads) to the thread.  It takes all that
 * wait, runs the transactions of that batch in one SQL transaction, then the reads.  The
 * main loop runs the callbacks in the order of the jobs.  The database belongs to the
 * thread from store_start() on.
 *
 * There is one open transaction at most: were there two, the one within would be on disk
 * before what the one around it wrote earlier, and undone by that.
 */

enum {
    EXIT_STORE = 74,
    ROOM_SECONDS = 5,
    ANCHOR_SECONDS = 3600
};

typedef struct {
    void (*func)(gpointer data);
    gpointer data;
} Callback;

struct StoreTx {
    Store *store;
    /** How often it was begun and not handed over. */
    guint depth;
    GPtrArray *writes;
    GPtrArray *ledger;
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
    /** What was read: ProtoEvent or char *, or a page. */
    GArray *rows;
    LedgerPage *page;
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
    /** Where the ledger stood behind tx. */
    LedgerHead head;
} Job;

struct Store {
    char *directory;
    Database *database;
    WriteSet *statements;
    LedgerTable *ledger;
    char *service_id;
    StoreThread *thread;
    /** What is begun and not handed over, or NULL. */
    StoreTx *open;
    Backup *backup;
    char *anchor;
    guint anchor_source;
    /** The ballast is gone.  Set by the thread. */
    gint is_short;
    guint room_source;
    /** Numbered so far, and on disk. */
    gint64 seq;
    gint64 committed;
    gint64 last_ms;
    gint64 ledger_seq;
    gint64 ledger_ms;
    gint64 note_seq;
    LedgerHead ledger_committed;
    void (*on_event)(const ProtoEvent *event, gpointer data);
    gpointer on_event_data;
    void (*on_ledger)(gpointer data);
    gpointer on_ledger_data;
};

static void
tx_free(StoreTx *tx)
{
    g_ptr_array_unref(tx->writes);
    g_ptr_array_unref(tx->ledger);
    g_array_unref(tx->events);
    g_array_unref(tx->callbacks);
    g_free(tx);
}

static void
job_free(gpointer data)
{
    Job *job = data;

    g_clear_pointer(&job->tx, tx_free);
    if (job->read != NULL) {
        g_clear_pointer(&job->read->rows, g_array_unref);
        ledger_page_free(job->read->page);
    }
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

static bool
run_read(Store *store, Read *read, GError **error)
{
    if (read->ledger != NULL) {
        read->page = ledger_table_read(store->ledger, read->after, read->limit,
                                       STORE_PAGE_BYTES, error);
    } else if (read->events != NULL) {
        read->rows =
            write_read_events(store->statements, read->after, read->limit, error);
    } else {
        read->rows = write_check(store->statements, error);
    }
    return read->rows != NULL || read->page != NULL;
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
write_tx(Store *store, const StoreTx *tx, GError **error)
{
    for (guint i = 0; i < tx->writes->len; i++) {
        if (!write_run(store->statements, tx->writes->pdata[i], error))
            return false;
    }
    for (guint i = 0; i < tx->ledger->len; i++) {
        if (!ledger_table_add(store->ledger, tx->ledger->pdata[i], error))
            return false;
    }
    return true;
}

static bool
write_all(Store *store, GPtrArray *jobs, GError **error)
{
    if (!database_run(store->database, "BEGIN IMMEDIATE", error))
        return false;
    for (guint i = 0; i < jobs->len; i++) {
        Job *job = jobs->pdata[i];

        if (job->tx != NULL && !write_tx(store, job->tx, error))
            return false;
        job->head = ledger_table_get_head(store->ledger);
    }
    if (!commit(store, error))
        return false;
    ledger_table_keep(store->ledger);
    return true;
}

/* What is on disk is let go here: the main loop would be kept by so many rows at once. */
static void
drop_writes(GPtrArray *jobs)
{
    for (guint i = 0; i < jobs->len; i++) {
        const Job *job = jobs->pdata[i];

        if (job->tx != NULL)
            g_ptr_array_set_size(job->tx->writes, 0);
    }
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
    ledger_table_give_up(store->ledger);
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
    if (writes) {
        run_writes(store, jobs);
        drop_writes(jobs);
    }
    for (guint i = 0; i < jobs->len; i++) {
        const Job *job = jobs->pdata[i];

        if (job->work != NULL)
            job->work->run(store, store->database, job->work->data);
        if (job->read == NULL)
            continue;
        check(run_read(store, job->read, &error), &error);
    }
}

/* A disk that does not take the line is tried again: nothing depends on it but the
 * finding of a fork. */
static void
write_anchor(Store *store, Database *database, gpointer data)
{
    LedgerHead head = ledger_table_get_head(store->ledger);
    g_autoptr(GError) error = NULL;

    if (head.seq > 0 && !anchor_write(store->anchor, store->service_id, &head, &error))
        g_warning("%s", error->message);
}

static void
tell_committed(Store *store, const Job *job)
{
    StoreTx *tx = job->tx;

    if (store->anchor != NULL && job->head.note_seq > store->ledger_committed.note_seq)
        store_work(store, write_anchor, NULL, NULL);
    store->ledger_committed = job->head;
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
    if (tx->ledger->len > 0 && store->on_ledger != NULL)
        store->on_ledger(store->on_ledger_data);
}

static void
tell_read(const Read *read)
{
    if (read->events != NULL) {
        read->events((const ProtoEvent *) (gpointer) read->rows->data, read->rows->len,
                     read->data);
    } else if (read->checked != NULL) {
        read->checked((const char *const *) (gpointer) read->rows->data, read->rows->len,
                      read->data);
    } else {
        read->ledger(read->page, read->data);
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

    /* A transaction that somebody forgot would take all that follow with it. */
    g_assert(((Store *) data)->open == NULL);
    if (job->tx != NULL)
        tell_committed(data, job);
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
    if (!write_quick_check(store->statements, error) ||
        !write_load_service_id(store->statements, &store->service_id, error) ||
        !write_load_newest(store->statements, &store->seq, error))
        return false;
    store->ledger = ledger_table_new(store->database, store->service_id, error);
    return store->ledger != NULL;
}

/* Everything that is numbered goes on from where the disk has it. */
static void
set_heads(Store *store)
{
    store->committed = store->seq;
    store->ledger_committed = ledger_table_get_head(store->ledger);
    store->ledger_seq = store->ledger_committed.seq;
    store->ledger_ms = store->last_ms = store->ledger_committed.at_ms;
    store->note_seq = store->ledger_committed.note_seq;
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
    set_heads(store);
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
    g_clear_handle_id(&store->anchor_source, g_source_remove);
    backup_free(store->backup);
    write_set_free(store->statements);
    ledger_table_free(store->ledger);
    database_close(store->database);
    g_free(store->anchor);
    g_free(store->service_id);
    g_free(store->directory);
    g_free(store);
}

bool
store_load(Store *store,
           StoreTable table,
           const WireStruct *type,
           void (*row)(gpointer record, gpointer data),
           gpointer data,
           GError **error)
{
    return write_load(store->statements, table, type, row, data, error);
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

/* The anchor */

static gboolean
on_anchor_time(gpointer data)
{
    store_work(data, write_anchor, NULL, NULL);
    return G_SOURCE_CONTINUE;
}

/* From here on tx is a job's. */
static Job *
make_job(StoreTx *tx)
{
    Job *job = g_new0(Job, 1);

    tx->store->open = NULL;
    job->tx = tx;
    return job;
}

/* The ledger is a copy from before the anchor was written, or not that one at all. */
static void
add_fork(Store *store, const LedgerHead *anchored)
{
    g_autofree char *hash = chain_to_text(&anchored->hash);
    g_auto(ProtoLedgerRow) row = {
        .kind = LEDGER_KIND_FORKED,
        .at_ms = store_ledger_now_ms(store),
        .cause = g_strdup(anchored->seq > store->ledger_seq ? "older" : "other"),
        .note = g_strdup_printf("%" G_GINT64_FORMAT " %s", anchored->seq, hash),
    };
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func(job_free);
    StoreTx *tx = store_begin(store);

    g_critical("The ledger was at row %" G_GINT64_FORMAT ", and is not any more: it was "
               "put back to an older copy. No period can be closed until that is "
               "accepted: vmctl usage recover",
               anchored->seq);
    store_add_ledger(tx, &row);
    g_ptr_array_add(jobs, make_job(tx));
    run_writes(store, jobs);
    set_heads(store);
}

bool
store_keep_anchor(Store *store, const char *path, GError **error)
{
    LedgerHead anchored = { 0 };
    ChainHash hash;
    bool found = false;

    if (!anchor_read(path, store->service_id, &found, &anchored, error))
        return false;
    store->anchor = g_strdup(path);
    store->anchor_source = g_timeout_add_seconds(ANCHOR_SECONDS, on_anchor_time, store);
    if (!found)
        return true;
    if (!ledger_table_find_hash(store->ledger, anchored.seq, &found, &hash, error))
        return false;
    if (!found || !chain_is_equal(&hash, &anchored.hash))
        add_fork(store, &anchored);
    write_anchor(store, store->database, NULL);
    return true;
}

bool
store_is_short(Store *store)
{
    return g_atomic_int_get(&store->is_short) != 0;
}

StoreTx *
store_begin(Store *store)
{
    StoreTx *tx = store->open;

    if (tx != NULL) {
        tx->depth++;
        return tx;
    }
    tx = store->open = g_new0(StoreTx, 1);
    tx->store = store;
    tx->depth = 1;
    tx->writes = g_ptr_array_new_with_free_func((GDestroyNotify) write_free);
    tx->ledger = g_ptr_array_new_with_free_func((GDestroyNotify) ledger_write_free);
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
store_put_packed(StoreTx *tx, const char *key, GByteArray *packed)
{
    g_ptr_array_add(tx->writes,
                    write_new_put_packed(STORE_COUNTER, key, g_byte_array_ref(packed)));
}

void
store_delete(StoreTx *tx, StoreTable table, const char *key)
{
    g_ptr_array_add(tx->writes, write_new_delete(table, key));
}

gint64
store_ledger_now_ms(Store *store)
{
    return MAX(store->ledger_ms, clock_wall_ms());
}

/* Events have a time of their own: one while the clock was wrong for a moment moves no
 * bill. */
static gint64
next_event_ms(Store *store)
{
    store->last_ms = MAX(store->last_ms, clock_wall_ms());
    return store->last_ms;
}

void
store_pass_ledger_ms(Store *store, gint64 at_ms)
{
    store->ledger_ms = MAX(store->ledger_ms, at_ms);
}

gint64
store_get_ledger_ms(Store *store)
{
    return store->ledger_ms;
}

gint64
store_add_event(StoreTx *tx, ProtoEvent *event)
{
    GString *body = g_string_new(NULL);
    ProtoEvent added = *event;

    *event = (ProtoEvent){ 0 };
    added.seq = ++tx->store->seq;
    added.at = clock_format_time(next_event_ms(tx->store));
    wire_struct_print(&proto_event_type, &added, body);
    g_ptr_array_add(tx->writes, write_new_event(added.seq, g_string_free(body, FALSE)));
    g_array_append_val(tx->events, added);
    return added.seq;
}

void
store_add_ledger(StoreTx *tx, ProtoLedgerRow *row)
{
    row->seq = ++tx->store->ledger_seq;
    if (row->kind == LEDGER_KIND_OPENED) {
        row->has_segment = true;
        row->segment = row->seq;
    }
    if (row->kind == LEDGER_KIND_NOTED)
        tx->store->note_seq = row->seq;
    tx->store->ledger_ms = row->at_ms;
    g_ptr_array_add(tx->ledger, ledger_write_new(row));
}

gint64
store_get_note_seq(Store *store)
{
    return store->note_seq;
}

LedgerHead
store_get_ledger_head(Store *store)
{
    return store->ledger_committed;
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
    if (--tx->depth == 0)
        store_thread_push(tx->store->thread, make_job(tx));
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

void
store_on_ledger(Store *store, void (*func)(gpointer data), gpointer data)
{
    store->on_ledger = func;
    store->on_ledger_data = data;
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
