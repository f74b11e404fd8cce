/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/operation.h"

#include <string.h>

#include "rpc/identity.h"
#include "rpc/rpc.h"

enum {
    WAIT_MS = 300000
};

static Operation *
find(WireCall *call, const char *id, GError **error)
{
    Operation *operation = operation_find(rpc_of(call)->engine, id);

    if (operation == NULL || !identity_may_see(call, operation->record.view.tenant)) {
        proto_error_set_not_found(error, "operation", id, "There is no operation \"%s\"",
                                  id);
        return NULL;
    }
    return identity_check(call, operation->record.view.tenant, error) ? operation : NULL;
}

static void
get(WireCall *call, const ProtoOperationGetCall *in)
{
    GError *error = NULL;
    const Operation *operation = find(call, in->operation, &error);
    ProtoOperationGetReply reply = { 0 };

    if (operation == NULL) {
        wire_call_fail(call, error);
        return;
    }
    reply.operation = operation->record.view;
    wire_call_reply(call, &reply);
}

static bool
matches(const Operation *operation, const ProtoOperationListCall *in, const char *tenant)
{
    const ProtoOperation *view = &operation->record.view;

    return (tenant == NULL || strcmp(view->tenant, tenant) == 0) &&
           (!in->has_state || view->state == in->state) &&
           (in->target == NULL || strcmp(view->target, in->target) == 0);
}

static void
list(WireCall *call, const ProtoOperationListCall *in)
{
    const GQueue *all = operation_engine_get_all(rpc_of(call)->engine);
    guint limit = rpc_get_limit(in->has_limit, in->limit);
    g_autofree ProtoOperation *rows = g_new0(ProtoOperation, limit);
    ProtoOperationListReply reply = { .operations = rows };
    bool past = in->after == NULL;
    const char *tenant = NULL;
    GError *error = NULL;

    if ((in->tenant != NULL || !rpc_is_admin(call)) &&
        !rpc_get_tenant(call, in->tenant, &tenant, &error)) {
        wire_call_fail(call, error);
        return;
    }
    for (GList *item = all->tail; item != NULL; item = item->prev) {
        const Operation *operation = item->data;

        if (past && matches(operation, in, tenant)) {
            if (reply.n_operations == limit) {
                reply.next = rows[limit - 1].id;
                break;
            }
            rows[reply.n_operations++] = operation->record.view;
        }
        past = past || strcmp(operation->record.view.id, in->after) == 0;
    }
    wire_call_reply(call, &reply);
}

/* One that only waits has done what it does when it is accepted: what was asked of a
 * group goes on without it, and a removal has nobody else to end it. */
static bool
take_back(Operation *operation, GError **error)
{
    if (!operation->workflow->only_waits || operation_is_over(operation))
        return operation_cancel(operation, error);
    proto_error_set_illegal_state(
        error, operation_state_to_string(operation->record.view.state),
        "The operation cannot be taken back: what it waits for goes on without it");
    return false;
}

static void
cancel(WireCall *call, const ProtoOperationCancelCall *in)
{
    GError *error = NULL;
    Operation *operation = find(call, in->operation, &error);
    StoreTx *tx = NULL;

    if (operation == NULL ||
        !rpc_may_change(call, operation->record.view.tenant, &error)) {
        wire_call_fail(call, error);
        return;
    }
    /* What it writes is a part of this. */
    tx = store_begin(rpc_of(call)->store);
    if (take_back(operation, &error)) {
        rpc_reply_operation(call, tx, operation);
    } else {
        store_commit(tx);
        wire_call_fail(call, error);
    }
}

/* Wait */

typedef struct {
    WireCall *call;
    Operation *operation;
    guint timeout;
} Wait;

static void
wait_free(Wait *wait)
{
    g_clear_handle_id(&wait->timeout, g_source_remove);
    g_free(wait);
}

static void
reply_ended(WireCall *call, const Operation *operation)
{
    ProtoOperationWaitReply reply = { .operation = operation->record.view };

    wire_call_reply(call, &reply);
}

static void
on_ended(Operation *operation, gpointer data)
{
    Wait *wait = data;
    WireCall *call = wait->call;

    wait_free(wait);
    reply_ended(call, operation);
}

static void
on_gone(WireCall *call, gpointer data)
{
    Wait *wait = data;

    operation_remove_waiter(wait->operation, wait);
    wait_free(wait);
}

static gboolean
on_timeout(gpointer data)
{
    Wait *wait = data;
    WireCall *call = wait->call;
    GError *error = NULL;

    proto_error_set_deadline(
        &error, "operation", "The operation is still %s, at step %s",
        operation_state_to_string(wait->operation->record.view.state),
        wait->operation->record.view.step != NULL ? wait->operation->record.view.step
                                                  : "none");
    operation_remove_waiter(wait->operation, wait);
    wait->timeout = 0;
    wait_free(wait);
    wire_call_fail(call, error);
    return G_SOURCE_REMOVE;
}

static void
wait_for(WireCall *call, const ProtoOperationWaitCall *in)
{
    GError *error = NULL;
    Operation *operation = find(call, in->operation, &error);
    Wait *wait = NULL;

    if (operation == NULL) {
        wire_call_fail(call, error);
        return;
    }
    if (operation->has_ended) {
        reply_ended(call, operation);
        return;
    }
    wait = g_new0(Wait, 1);
    *wait = (Wait){ .call = call, .operation = operation };
    wait->timeout = g_timeout_add((guint) (in->has_timeout_ms ? in->timeout_ms : WAIT_MS),
                                  on_timeout, wait);
    operation_add_waiter(operation, on_ended, wait);
    wire_call_park(call, on_gone, wait);
}

const ProtoOperationHandlers rpc_operation_handlers = {
    .get = get,
    .list = list,
    .cancel = cancel,
    .wait = wait_for,
};
