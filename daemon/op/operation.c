/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/operation.h"

#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "op/admission.h"
#include "op/turns.h"

/*
 * How it works
 *
 * advance() looks at an operation's record and does the next thing; whatever ends (a
 * step, a retry's wait, a transaction) calls it again.  The record is all that counts, so
 * after a crash advance() is called with the record as it was read, and the step that was
 * under way runs once more.
 *
 * steps_done counts forward while steps are applied.  When they are taken back it starts
 * at the number of steps and counts down: the journal may lag behind by a step, so every
 * step is undone, also those that seem not to have run. Only two transactions are waited
 * for: the admission, before the first side effect, and the end, before anybody is told.
 * The ones between run beside the steps.
 *
 * An operation that makes the process crash would do so at every start.  So its record
 * counts the processes that took it up, on disk before they do: a step that is done and a
 * process that ends in good order begin the count again.  What was under way at the end
 * of ATTEMPTS_MAX processes in a row is parked: it fails, and the others go on.  The last
 * attempts are made one operation after another, so that a crash tells which it was and
 * those that only stood beside it are not parked with it.
 */

enum {
    RETRY_FIRST_MS = 250,
    RETRY_LAST_MS = 5000,
    RETRY_DOUBLINGS = 5,
    ATTEMPTS_MAX = 3,
    /** What is in one step for longer waits for something, and is not work. */
    STEP_MS = 2000,
    LOOK_MS = 500
};

typedef struct {
    const Workflow *workflow;
    gpointer owner;
} Registration;

struct OperationEngine {
    Store *store;
    guint keep;
    Registration kinds[OPERATION_KIND_N];
    GQueue *all;
    /** Those of them that have ended, the longest ago first. */
    GQueue *ended;
    GHashTable *by_id;
    /** Target to a GQueue of operations that have not ended, the first of which is at
     * work. */
    GHashTable *by_target;
    /** Tenant to how many of its operations have not ended. */
    GHashTable *n_active;
    /** "uid token request_id" to a GPtrArray of operations. */
    GHashTable *by_request;
    /** Those that make their last attempt; the first of them is at work. */
    GQueue *suspects;
    /** Who is at work, and who waits for it. */
    Turns *turns;
    GQueue *at_work;
    guint look_source;
    bool is_giving_turns;
    AdmissionGate gate;
    gpointer gate_data;
    bool is_stopped;
};

typedef struct {
    void (*func)(Operation *operation, gpointer data);
    gpointer data;
} Waiter;

static void advance(Operation *operation);
static void clear_suspect(Operation *operation);

static void
operation_free(Operation *operation)
{
    g_clear_handle_id(&operation->retry_source, g_source_remove);
    g_slist_free_full(operation->waiters, g_free);
    g_clear_error(&operation->held_up);
    proto_operation_record_clear(&operation->record);
    g_free(operation);
}

OperationEngine *
operation_engine_new(Store *store, guint keep, guint width)
{
    OperationEngine *engine = g_new0(OperationEngine, 1);

    engine->store = store;
    engine->keep = keep;
    engine->all = g_queue_new();
    engine->ended = g_queue_new();
    engine->suspects = g_queue_new();
    engine->turns = turns_new(width);
    engine->at_work = g_queue_new();
    engine->by_id = g_hash_table_new(g_str_hash, g_str_equal);
    engine->by_target = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                              (GDestroyNotify) g_queue_free);
    engine->n_active = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    engine->by_request = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                               (GDestroyNotify) g_ptr_array_unref);
    return engine;
}

void
operation_engine_free(OperationEngine *engine)
{
    if (engine == NULL)
        return;
    g_hash_table_unref(engine->by_request);
    g_hash_table_unref(engine->n_active);
    g_hash_table_unref(engine->by_target);
    g_hash_table_unref(engine->by_id);
    g_queue_free(engine->suspects);
    g_clear_handle_id(&engine->look_source, g_source_remove);
    turns_free(engine->turns);
    g_queue_free(engine->at_work);
    g_queue_free(engine->ended);
    g_queue_free_full(engine->all, (GDestroyNotify) operation_free);
    g_free(engine);
}

void
operation_engine_add(OperationEngine *engine, const Workflow *workflow, gpointer owner)
{
    /* One that does not say what it takes would pass by every quota. */
    if (workflow->takes == NULL)
        g_error("The workflow %s has no takes", operation_kind_to_string(workflow->kind));
    engine->kinds[workflow->kind] = (Registration){ workflow, owner };
}

const Workflow *
operation_engine_get_workflow(OperationEngine *engine, OperationKind kind)
{
    return engine->kinds[kind].workflow;
}

gpointer
operation_engine_get_owner(OperationEngine *engine, OperationKind kind)
{
    return engine->kinds[kind].owner;
}

void
operation_engine_set_gate(OperationEngine *engine, AdmissionGate gate, gpointer data)
{
    engine->gate = gate;
    engine->gate_data = data;
}

bool
operation_engine_pass_gate(OperationEngine *engine,
                           const AdmissionAsk *ask,
                           GError **error)
{
    return engine->gate(ask, engine->gate_data, error);
}

gpointer
operation_get_owner(Operation *operation)
{
    return operation->engine->kinds[operation->record.view.kind].owner;
}

static char *
request_key(gint64 uid, const char *token, const char *request_id)
{
    return g_strdup_printf("%" G_GINT64_FORMAT " %s %s", uid, token != NULL ? token : "",
                           request_id);
}

static void
index_request(OperationEngine *engine, Operation *operation)
{
    const ProtoOperation *view = &operation->record.view;
    g_autofree char *key = NULL;
    GPtrArray *batch = NULL;

    if (view->request_id == NULL)
        return;
    key = request_key(view->uid, view->token, view->request_id);
    batch = g_hash_table_lookup(engine->by_request, key);
    if (batch == NULL) {
        batch = g_ptr_array_new();
        g_hash_table_insert(engine->by_request, g_steal_pointer(&key), batch);
    }
    g_ptr_array_add(batch, operation);
}

static GQueue *
get_target_queue(OperationEngine *engine, const char *target)
{
    GQueue *queue = g_hash_table_lookup(engine->by_target, target);

    if (queue == NULL) {
        queue = g_queue_new();
        g_hash_table_insert(engine->by_target, g_strdup(target), queue);
    }
    return queue;
}

static void
count_active(OperationEngine *engine, const char *tenant, int change)
{
    guint count = GPOINTER_TO_UINT(g_hash_table_lookup(engine->n_active, tenant));

    g_hash_table_replace(engine->n_active, g_strdup(tenant),
                         GUINT_TO_POINTER(count + (guint) change));
}

static void
index_operation(OperationEngine *engine, Operation *operation)
{
    const ProtoOperation *view = &operation->record.view;

    operation->engine = engine;
    operation->workflow = engine->kinds[view->kind].workflow;
    g_queue_push_tail(engine->all, operation);
    operation->link = engine->all->tail;
    g_hash_table_insert(engine->by_id, view->id, operation);
    index_request(engine, operation);
    if (operation->has_ended) {
        g_queue_push_tail(engine->ended, operation);
    } else {
        g_queue_push_tail(get_target_queue(engine, view->target), operation);
        count_active(engine, view->tenant, 1);
    }
}

static bool
is_final(OperationState state)
{
    return state == OPERATION_STATE_SUCCEEDED || state == OPERATION_STATE_FAILED ||
           state == OPERATION_STATE_CANCELLED;
}

/* A deadline of an earlier boot goes on by the wall clock: the other one began again. */
static void
restore_deadline(Operation *operation)
{
    ProtoOperationRecord *record = &operation->record;
    gint64 deadline_ms = 0;

    if (strcmp(record->boot_id, clock_boot_id()) == 0)
        return;
    if (!clock_parse_time(record->view.deadline_at, &deadline_ms))
        deadline_ms = clock_wall_ms();
    record->deadline_boot_ms = clock_boot_ms() + (deadline_ms - clock_wall_ms());
    g_free(record->boot_id);
    record->boot_id = g_strdup(clock_boot_id());
}

static void
load_row(gpointer record, gpointer data)
{
    Operation *operation = g_new0(Operation, 1);
    g_autofree ProtoOperationRecord *owned = record;

    operation->record = *owned;
    operation->is_durable = true;
    operation->has_ended = is_final(operation->record.view.state);
    operation->has_begun = operation->record.view.state == OPERATION_STATE_RUNNING;
    operation->may_have_begun = !operation->has_ended;
    restore_deadline(operation);
    index_operation(data, operation);
}

bool
operation_engine_load(OperationEngine *engine, GError **error)
{
    return store_load(engine->store, STORE_OPERATION, &proto_operation_record_type,
                      load_row, engine, error);
}

static void
put(Operation *operation, StoreTx *tx)
{
    ProtoOperation *view = &operation->record.view;

    g_free(view->updated_at);
    view->updated_at = clock_format_time(clock_wall_ms());
    store_put(tx, STORE_OPERATION, view->id, view->target,
              operation_state_to_string(view->state), &proto_operation_record_type,
              &operation->record);
}

static void
journal(Operation *operation)
{
    StoreTx *tx = store_begin(operation->engine->store);

    put(operation, tx);
    store_commit(tx);
}

static void
add_event(Operation *operation, StoreTx *tx, EventKind kind)
{
    const ProtoOperation *view = &operation->record.view;
    ProtoEvent event = {
        .kind = kind,
        .tenant = g_strdup(view->tenant),
        .subject = g_strdup(view->id),
        .name = g_strdup(view->target_name),
        .state = g_strdup(operation_state_to_string(view->state)),
        .detail = view->failure != NULL ? g_strdup(view->failure->message)
                                        : g_strdup(operation_kind_to_string(view->kind)),
        .has_uid = true,
        .uid = view->uid,
        .token = g_strdup(view->token),
    };

    store_add_event(tx, &event);
}

static void
set_failure(Operation *operation, const GError *error)
{
    ProtoOperation *view = &operation->record.view;

    if (view->failure != NULL)
        return;
    view->failure = g_new0(ProtoFailure, 1);
    view->failure->error = g_strdup(wire_error_get_name(error));
    view->failure->message = g_strdup(error->message);
}

static void
set_attempts(Operation *operation, gint64 attempts)
{
    operation->record.has_attempts = true;
    operation->record.attempts = attempts;
}

/* The error that a step is to fail with, or NULL. */
static GError *
pass_failpoint(const Operation *operation, const char *step, const char *side)
{
    const char *kind = operation_kind_to_string(operation->record.view.kind);
    GError *error = NULL;

    if (failpoint_pass(kind, step, side))
        proto_error_set_host_failed(&error, "failpoint", "Failpoint %s.%s.%s", kind, step,
                                    side);
    return error;
}

/* Start */

static void
begin(Operation *operation)
{
    StoreTx *tx = store_begin(operation->engine->store);

    operation->has_begun = true;
    operation->record.view.state = OPERATION_STATE_RUNNING;
    if (operation->workflow->begin != NULL)
        operation->workflow->begin(operation, tx);
    put(operation, tx);
    store_commit(tx);
    advance(operation);
}

/* Turns */

static void
go_on(Operation *operation)
{
    if (operation->has_begun) {
        advance(operation);
    } else {
        begin(operation);
    }
}

static void
give_turns(OperationEngine *engine)
{
    Operation *operation = NULL;

    /* What ends at once while it is given its turn comes here again. */
    if (engine->is_giving_turns || engine->is_stopped)
        return;
    engine->is_giving_turns = true;
    while ((operation = turns_take(engine->turns)) != NULL) {
        operation->is_waiting = false;
        operation->has_turn = true;
        g_queue_push_tail(engine->at_work, operation);
        go_on(operation);
    }
    engine->is_giving_turns = false;
}

static void
end_turn(Operation *operation)
{
    OperationEngine *engine = operation->engine;

    if (operation->is_waiting)
        turns_remove(engine->turns, operation->record.view.tenant, operation);
    operation->is_waiting = false;
    if (!operation->has_turn)
        return;
    operation->has_turn = false;
    g_queue_remove(engine->at_work, operation);
    turns_release(engine->turns);
}

/* A guest that is asked to power off, or a domain that does not answer, holds up nobody:
 * its turn is another's meanwhile. */
static gboolean
look_at_work(gpointer data)
{
    OperationEngine *engine = data;
    GList *next = NULL;

    for (GList *item = engine->at_work->head; item != NULL; item = next) {
        Operation *operation = item->data;

        next = item->next;
        if (operation->is_in_step &&
            clock_boot_ms() - operation->step_started_ms > STEP_MS)
            end_turn(operation);
    }
    give_turns(engine);
    if (turns_is_anybody_waiting(engine->turns))
        return G_SOURCE_CONTINUE;
    engine->look_source = 0;
    return G_SOURCE_REMOVE;
}

static void
wait_for_turn(Operation *operation)
{
    OperationEngine *engine = operation->engine;

    if (operation->is_waiting || operation->has_turn)
        return;
    if (operation->workflow->only_waits) {
        go_on(operation);
        return;
    }
    operation->is_waiting = true;
    turns_add(engine->turns, operation->record.view.tenant, operation,
              operation->workflow->gives_back);
    give_turns(engine);
    if (operation->is_waiting && engine->look_source == 0)
        engine->look_source = g_timeout_add(LOOK_MS, look_at_work, engine);
}

/* Begins the first operation of a target, if it may.  One that was cancelled before its
 * turn stays the first until it is on disk that it ended. */
static void
start_next(OperationEngine *engine, const char *target)
{
    GQueue *queue = g_hash_table_lookup(engine->by_target, target);
    Operation *operation = queue != NULL ? g_queue_peek_head(queue) : NULL;

    if (operation == NULL || !operation->is_durable || operation->has_begun ||
        is_final(operation->record.view.state) || engine->is_stopped)
        return;
    wait_for_turn(operation);
}

/* What it is about to do is on disk: its admission, or one more attempt. */
static void
take_up(gpointer data)
{
    Operation *operation = data;

    operation->is_durable = true;
    if (operation->has_begun || operation->record.cancelling) {
        advance(operation);
    } else {
        start_next(operation->engine, operation->record.view.target);
    }
}

static guint
count_steps(const Workflow *workflow)
{
    guint count = 0;

    while (workflow->steps[count].name != NULL) {
        count++;
    }
    return count;
}

static ProtoSize *
copy_size(const ProtoSize *size)
{
    return size != NULL ? g_memdup2(size, sizeof *size) : NULL;
}

static void
fill_record(ProtoOperationRecord *record,
            const OperationRequest *request,
            const Workflow *workflow)
{
    gint64 timeout_ms =
        request->timeout_ms > 0 ? request->timeout_ms : workflow->deadline_ms;
    gint64 now_ms = clock_wall_ms();

    *record = (ProtoOperationRecord){
        .view = { .id = g_uuid_string_random(),
                  .kind = request->kind,
                  .tenant = g_strdup(request->tenant),
                  .uid = request->uid,
                  .token = g_strdup(request->token),
                  .target = g_strdup(request->target),
                  .target_name = g_strdup(request->target_name),
                  .state = OPERATION_STATE_QUEUED,
                  .steps = count_steps(workflow),
                  .request_id = g_strdup(request->request_id),
                  .created_at = clock_format_time(now_ms),
                  .deadline_at = clock_format_time(now_ms + timeout_ms) },
        .request_hash = g_strdup(request->request_hash),
        .batch = g_strdup(request->batch),
        .deadline_boot_ms = clock_boot_ms() + timeout_ms,
        .boot_id = g_strdup(clock_boot_id()),
        .has_attempts = true,
        .attempts = 1,
        .force = request->force,
        .has_timeout_ms = request->timeout_ms > 0,
        .timeout_ms = request->timeout_ms,
        .old_size = copy_size(request->old_size),
        .new_size = copy_size(request->new_size),
    };
}

Operation *
operation_admit(Admission *admission, StoreTx *tx, const OperationRequest *request)
{
    OperationEngine *engine = admission_get_engine(admission);
    Operation *operation = g_new0(Operation, 1);

    admission_use(admission, request);
    fill_record(&operation->record, request, engine->kinds[request->kind].workflow);
    index_operation(engine, operation);
    put(operation, tx);
    add_event(operation, tx, EVENT_KIND_OPERATION_STARTED);
    store_on_commit(tx, take_up, operation);
    return operation;
}

/* End */

static void
tell_waiters(Operation *operation)
{
    GSList *waiters = g_steal_pointer(&operation->waiters);

    for (GSList *item = waiters; item != NULL; item = item->next) {
        Waiter *waiter = item->data;

        waiter->func(operation, waiter->data);
    }
    g_slist_free_full(waiters, g_free);
}

static void
forget_request(OperationEngine *engine, Operation *operation)
{
    const ProtoOperation *view = &operation->record.view;
    g_autofree char *key = NULL;
    GPtrArray *batch = NULL;

    if (view->request_id == NULL)
        return;
    key = request_key(view->uid, view->token, view->request_id);
    batch = g_hash_table_lookup(engine->by_request, key);
    g_ptr_array_remove(batch, operation);
    if (batch->len == 0)
        g_hash_table_remove(engine->by_request, key);
}

/* What ended the longest ago goes, whatever else is still under way since before that. */
static void
forget_oldest(OperationEngine *engine)
{
    Operation *oldest = g_queue_peek_head(engine->ended);
    StoreTx *tx = NULL;

    if (engine->ended->length <= engine->keep)
        return;
    tx = store_begin(engine->store);
    while (engine->ended->length > engine->keep && oldest->waiters == NULL) {
        store_delete(tx, STORE_OPERATION, oldest->record.view.id);
        forget_request(engine, oldest);
        g_hash_table_remove(engine->by_id, oldest->record.view.id);
        g_queue_delete_link(engine->all, oldest->link);
        g_queue_pop_head(engine->ended);
        operation_free(oldest);
        oldest = g_queue_peek_head(engine->ended);
    }
    store_commit(tx);
}

static void
on_ended(gpointer data)
{
    Operation *operation = data;
    OperationEngine *engine = operation->engine;
    g_autofree char *target = g_strdup(operation->record.view.target);
    GQueue *queue = g_hash_table_lookup(engine->by_target, target);

    operation->has_ended = true;
    g_queue_push_tail(engine->ended, operation);
    count_active(engine, operation->record.view.tenant, -1);
    clear_suspect(operation);
    g_queue_remove(queue, operation);
    if (operation->workflow->ended != NULL)
        operation->workflow->ended(operation);
    tell_waiters(operation);
    start_next(engine, target);
    queue = g_hash_table_lookup(engine->by_target, target);
    if (queue != NULL && g_queue_is_empty(queue))
        g_hash_table_remove(engine->by_target, target);
    forget_oldest(engine);
}

static void
finish(Operation *operation, OperationState state)
{
    ProtoOperation *view = &operation->record.view;
    StoreTx *tx = store_begin(operation->engine->store);

    g_clear_handle_id(&operation->retry_source, g_source_remove);
    end_turn(operation);
    view->state = state;
    view->ended_at = clock_format_time(clock_wall_ms());
    operation->workflow->finish(operation, tx);
    put(operation, tx);
    add_event(operation, tx, EVENT_KIND_OPERATION_ENDED);
    store_on_commit(tx, on_ended, operation);
    store_commit(tx);
    give_turns(operation->engine);
}

/* Steps */

static bool
has_undo(const Workflow *workflow)
{
    for (guint i = 0; workflow->steps[i].name != NULL; i++) {
        if (workflow->steps[i].undo != NULL)
            return true;
    }
    return false;
}

static OperationState
get_bad_end(const Operation *operation)
{
    const ProtoFailure *failure = operation->record.view.failure;

    return failure != NULL && g_str_has_suffix(failure->error, ".Cancelled")
               ? OPERATION_STATE_CANCELLED
               : OPERATION_STATE_FAILED;
}

/* Gives up going forward: takes back what was done, or ends. */
static void
turn_back(Operation *operation, const GError *error)
{
    ProtoOperation *view = &operation->record.view;

    set_failure(operation, error);
    if ((!operation->has_begun && !operation->may_have_begun) ||
        !has_undo(operation->workflow)) {
        finish(operation, get_bad_end(operation));
        return;
    }
    /* One that another process may have begun is not begun any more. */
    operation->has_begun = true;
    view->state = OPERATION_STATE_RUNNING;
    view->undoing = true;
    view->steps_done = view->steps;
    operation->retries = 0;
    journal(operation);
    advance(operation);
}

static void
run_step(Operation *operation,
         const WorkflowStep *step,
         void (*func)(Operation *operation))
{
    ProtoOperation *view = &operation->record.view;
    GError *error = NULL;

    g_free(view->step);
    view->step = g_strdup(step->name);
    if (operation->retries == 0)
        operation->step_started_ms = clock_boot_ms();
    operation->is_in_step = true;
    error =
        pass_failpoint(operation, step->name, view->undoing ? "undo-before" : "before");
    if (func == NULL || error != NULL) {
        operation_step_done(operation, error);
    } else {
        func(operation);
    }
}

static void
advance(Operation *operation)
{
    ProtoOperation *view = &operation->record.view;
    const WorkflowStep *steps = operation->workflow->steps;
    g_autoptr(GError) error = NULL;

    if (is_final(view->state) || operation->is_in_step || operation->retry_source != 0 ||
        operation->engine->is_stopped)
        return;
    if (view->undoing) {
        if (view->steps_done == 0) {
            finish(operation, get_bad_end(operation));
        } else {
            const WorkflowStep *step = &steps[view->steps_done - 1];

            run_step(operation, step, step->undo);
        }
        return;
    }
    if (steps[view->steps_done].name == NULL) {
        finish(operation, OPERATION_STATE_SUCCEEDED);
        return;
    }
    if (operation->record.cancelling) {
        proto_error_set_cancelled(&error, "It was cancelled");
        turn_back(operation, error);
        return;
    }
    if (operation_get_time_left_ms(operation) == 0 && operation->held_up != NULL) {
        turn_back(operation, operation->held_up);
        return;
    }
    if (operation_get_time_left_ms(operation) == 0) {
        proto_error_set_deadline(&error, steps[view->steps_done].name,
                                 "It was not done in time, at step %s",
                                 steps[view->steps_done].name);
        turn_back(operation, error);
        return;
    }
    run_step(operation, &steps[view->steps_done], steps[view->steps_done].apply);
}

static gboolean
retry(gpointer data)
{
    Operation *operation = data;

    operation->retry_source = 0;
    wait_for_turn(operation);
    return G_SOURCE_REMOVE;
}

static void
retry_later(Operation *operation)
{
    guint wait_ms = (guint) RETRY_FIRST_MS << MIN(operation->retries, RETRY_DOUBLINGS);

    operation->retries++;
    wait_ms = MIN(wait_ms, RETRY_LAST_MS);
    if (!operation->record.view.undoing)
        wait_ms = MIN(wait_ms, (guint) operation_get_time_left_ms(operation) + 1);
    operation->retry_source = g_timeout_add(wait_ms, retry, operation);
    end_turn(operation);
    give_turns(operation->engine);
}

static void
add_phase(ProtoOperation *view, gint64 duration_ms)
{
    view->phases = g_renew(ProtoPhase, view->phases, view->n_phases + 1);
    view->phases[view->n_phases++] = (ProtoPhase){ g_strdup(view->step), duration_ms };
}

static void
step_failed(Operation *operation, const GError *error)
{
    ProtoOperation *view = &operation->record.view;

    if (g_error_matches(error, PROTO_ERROR, PROTO_ERROR_HOST_UNREACHABLE) &&
        (view->undoing || operation_get_time_left_ms(operation) > 0)) {
        g_clear_error(&operation->held_up);
        operation->held_up = g_error_copy(error);
        retry_later(operation);
        return;
    }
    g_message("%s of %s: step %s%s: %s", operation_kind_to_string(view->kind),
              view->target_name, view->undoing ? "back from " : "", view->step,
              error->message);
    if (!view->undoing) {
        turn_back(operation, error);
        return;
    }
    operation->undo_failed = true;
    operation->retries = 0;
    view->steps_done--;
    advance(operation);
}

void
operation_step_done(Operation *operation, GError *error)
{
    ProtoOperation *view = &operation->record.view;
    g_autoptr(GError) owned = error;

    operation->is_in_step = false;
    if (operation->engine->is_stopped)
        return;
    if (owned == NULL)
        owned =
            pass_failpoint(operation, view->step, view->undoing ? "undo-after" : "after");
    if (owned != NULL) {
        step_failed(operation, owned);
        return;
    }
    operation->retries = 0;
    g_clear_error(&operation->held_up);
    set_attempts(operation, 1);
    if (view->undoing) {
        view->steps_done--;
    } else {
        add_phase(view, clock_boot_ms() - operation->step_started_ms);
        view->steps_done++;
    }
    if (view->steps_done > 0 && view->steps_done < view->steps)
        journal(operation);
    advance(operation);
    /* After that: the next suspect may crash before anything later is on disk, and this
     * one would stand there as one that was at work. */
    clear_suspect(operation);
}

gint64
operation_get_time_left_ms(Operation *operation)
{
    return MAX(operation->record.deadline_boot_ms - clock_boot_ms(), 0);
}

bool
operation_cancel(Operation *operation, GError **error)
{
    ProtoOperation *view = &operation->record.view;

    if (is_final(view->state) ||
        (operation->has_begun && !operation->workflow->can_cancel)) {
        proto_error_set_illegal_state(
            error, operation_state_to_string(view->state), "The operation %s",
            is_final(view->state) ? "has ended" : "cannot be taken back");
        return false;
    }
    if (operation->record.cancelling || view->undoing)
        return true;
    operation->record.cancelling = true;
    journal(operation);
    if (operation->is_durable) {
        g_clear_handle_id(&operation->retry_source, g_source_remove);
        advance(operation);
    }
    return true;
}

/* After a crash, and after an end in good order */

/* The first operation of each target: those that are under way or about to be. */
static GPtrArray *
list_heads(OperationEngine *engine)
{
    GPtrArray *heads = g_ptr_array_new();
    GHashTableIter iter;
    gpointer queue = NULL;

    g_hash_table_iter_init(&iter, engine->by_target);
    while (g_hash_table_iter_next(&iter, NULL, &queue)) {
        if (g_queue_peek_head(queue) != NULL)
            g_ptr_array_add(heads, g_queue_peek_head(queue));
    }
    return heads;
}

static void
attempt(Operation *operation, StoreTx *tx)
{
    set_attempts(operation, operation->record.attempts + 1);
    put(operation, tx);
    store_on_commit(tx, take_up, operation);
}

static void
attempt_next_suspect(OperationEngine *engine)
{
    Operation *operation = g_queue_peek_head(engine->suspects);
    StoreTx *tx = NULL;

    if (operation == NULL || engine->is_stopped)
        return;
    tx = store_begin(engine->store);
    attempt(operation, tx);
    store_commit(tx);
}

/* It did not crash: whose turn it was lets the next one try. */
static void
clear_suspect(Operation *operation)
{
    OperationEngine *engine = operation->engine;
    bool was_first = g_queue_peek_head(engine->suspects) == operation;

    g_queue_remove(engine->suspects, operation);
    if (was_first)
        attempt_next_suspect(engine);
}

static void
forget_failure(ProtoOperation *view)
{
    if (view->failure != NULL)
        proto_failure_clear(view->failure);
    g_clear_pointer(&view->failure, g_free);
}

static void
park(Operation *operation)
{
    g_autoptr(GError) error = NULL;

    proto_error_set_quarantined(
        &error, "The service ended %d times in a row while it worked on this",
        ATTEMPTS_MAX);
    g_warning("Operation %s, %s of %s, is given up: %s", operation->record.view.id,
              operation_kind_to_string(operation->record.view.kind),
              operation->record.view.target_name, error->message);
    /* More than what it failed by before, if it was being taken back. */
    forget_failure(&operation->record.view);
    set_failure(operation, error);
    operation->undo_failed = true;
    finish(operation, OPERATION_STATE_FAILED);
}

void
operation_engine_resume(OperationEngine *engine)
{
    g_autoptr(GPtrArray) heads = list_heads(engine);
    StoreTx *tx = store_begin(engine->store);

    for (guint i = 0; i < heads->len; i++) {
        Operation *operation = heads->pdata[i];

        operation->is_durable = false;
        if (operation->workflow->only_waits) {
            put(operation, tx);
            store_on_commit(tx, take_up, operation);
        } else if (operation->record.attempts >= ATTEMPTS_MAX) {
            park(operation);
        } else if (operation->record.attempts == ATTEMPTS_MAX - 1) {
            g_queue_push_tail(engine->suspects, operation);
        } else {
            attempt(operation, tx);
        }
    }
    store_commit(tx);
    attempt_next_suspect(engine);
}

void
operation_engine_stop(OperationEngine *engine)
{
    g_autoptr(GPtrArray) heads = list_heads(engine);
    StoreTx *tx = store_begin(engine->store);

    engine->is_stopped = true;
    for (guint i = 0; i < heads->len; i++) {
        set_attempts(heads->pdata[i], 0);
        put(heads->pdata[i], tx);
    }
    store_commit(tx);
}

/* Look-ups */

bool
operation_is_over(const Operation *operation)
{
    return is_final(operation->record.view.state);
}

Operation *
operation_find(OperationEngine *engine, const char *id)
{
    return g_hash_table_lookup(engine->by_id, id);
}

Operation *
operation_find_active(OperationEngine *engine, const char *target)
{
    GQueue *queue = g_hash_table_lookup(engine->by_target, target);

    return queue != NULL ? g_queue_peek_head(queue) : NULL;
}

Operation *
operation_find_newest(OperationEngine *engine, const char *target)
{
    GQueue *queue = g_hash_table_lookup(engine->by_target, target);

    return queue != NULL ? g_queue_peek_tail(queue) : NULL;
}

GPtrArray *
operation_find_request(OperationEngine *engine,
                       gint64 uid,
                       const char *token,
                       const char *request_id)
{
    g_autofree char *key = request_key(uid, token, request_id);
    GPtrArray *batch = g_hash_table_lookup(engine->by_request, key);

    return batch != NULL ? g_ptr_array_ref(batch) : g_ptr_array_new();
}

const GQueue *
operation_engine_get_all(OperationEngine *engine)
{
    return engine->all;
}

guint
operation_engine_count_active(OperationEngine *engine)
{
    return engine->all->length - engine->ended->length;
}

guint
operation_engine_count_active_of(OperationEngine *engine, const char *tenant)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(engine->n_active, tenant));
}

bool
operation_engine_is_counted(OperationEngine *engine)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GHashTableIter iter;
    gpointer tenant = NULL;
    gpointer count = NULL;
    bool good = true;

    for (GList *item = engine->all->head; item != NULL; item = item->next) {
        const Operation *operation = item->data;
        char *name = operation->record.view.tenant;
        guint found = GPOINTER_TO_UINT(g_hash_table_lookup(seen, name));

        if (!operation->has_ended)
            g_hash_table_replace(seen, name, GUINT_TO_POINTER(found + 1));
    }
    g_hash_table_iter_init(&iter, engine->n_active);
    while (g_hash_table_iter_next(&iter, &tenant, &count)) {
        good = good && g_hash_table_lookup(seen, tenant) == count;
        g_hash_table_remove(seen, tenant);
    }
    return good && g_hash_table_size(seen) == 0;
}

void
operation_engine_kick(OperationEngine *engine)
{
    g_autoptr(GPtrArray) waiting = g_ptr_array_new();

    for (GList *item = engine->all->head; item != NULL; item = item->next) {
        if (((Operation *) item->data)->retry_source != 0)
            g_ptr_array_add(waiting, item->data);
    }
    for (guint i = 0; i < waiting->len; i++) {
        Operation *operation = waiting->pdata[i];

        g_clear_handle_id(&operation->retry_source, g_source_remove);
        wait_for_turn(operation);
    }
}

void
operation_add_waiter(Operation *operation,
                     void (*func)(Operation *operation, gpointer data),
                     gpointer data)
{
    Waiter *waiter = g_new0(Waiter, 1);

    *waiter = (Waiter){ func, data };
    operation->waiters = g_slist_prepend(operation->waiters, waiter);
}

void
operation_remove_waiter(Operation *operation, gpointer data)
{
    for (GSList *item = operation->waiters; item != NULL; item = item->next) {
        Waiter *waiter = item->data;

        if (waiter->data == data) {
            operation->waiters = g_slist_delete_link(operation->waiters, item);
            g_free(waiter);
            return;
        }
    }
}
