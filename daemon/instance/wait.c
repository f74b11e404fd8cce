/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/book.h"
#include "wire/server.h"

/** A parked call of Wait. */
typedef struct {
    Instance *instance;
    WireCall *call;
    Until until;
    guint timeout;
} Wait;

static void
wait_free(Wait *wait)
{
    g_clear_handle_id(&wait->timeout, g_source_remove);
    g_free(wait);
}

static void
unlink_wait(Wait *wait)
{
    wait->instance->waits = g_slist_remove(wait->instance->waits, wait);
}

static bool
is_over(const ProtoInstance *view, Until until)
{
    switch (until) {
    case UNTIL_RUNNING:
        return view->state == INSTANCE_STATE_RUNNING;
    case UNTIL_READY:
        return view->state == INSTANCE_STATE_RUNNING && view->ready;
    case UNTIL_STOPPED:
        return view->state == INSTANCE_STATE_STOPPED;
    case UNTIL_DESTROYED:
        return view->state == INSTANCE_STATE_DESTROYED;
    case UNTIL_N:
        return false;
    }
    return false;
}

/* Whether it will not come to be by itself; no operation works on it. */
static bool
is_hopeless(Instance *instance, Until until)
{
    const ProtoInstance *view = &instance->record.view;

    if (view->state == INSTANCE_STATE_DESTROYED)
        return true;
    if (operation_find_active(instance->book->engine, view->id) != NULL)
        return false;
    return view->state == INSTANCE_STATE_ERROR ||
           (view->state == INSTANCE_STATE_STOPPED &&
            (until == UNTIL_RUNNING || until == UNTIL_READY));
}

static void
answer(Instance *instance, WireCall *call)
{
    ProtoInstanceWaitReply reply = { .instance = instance->record.view };

    reply.instance.seen_at = instance_get_seen_at(instance);
    wire_call_reply(call, &reply);
}

static void
give_up(Instance *instance, WireCall *call)
{
    const ProtoInstance *view = &instance->record.view;
    GError *error = NULL;

    proto_error_set_illegal_state(
        &error, instance_state_to_string(view->state), "Instance \"%s\" is %s%s%s",
        view->name, instance_state_to_string(view->state),
        view->reason != NULL ? ": " : "", view->reason != NULL ? view->reason : "");
    wire_call_fail(call, error);
}

static void
on_gone(WireCall *call, gpointer data)
{
    unlink_wait(data);
    wait_free(data);
}

static gboolean
on_timeout(gpointer data)
{
    Wait *wait = data;
    WireCall *call = wait->call;
    GError *error = NULL;

    proto_error_set_deadline(&error, until_to_string(wait->until),
                             "Instance \"%s\" is %s, not %s, when the time was up",
                             wait->instance->record.view.name,
                             instance_state_to_string(wait->instance->record.view.state),
                             until_to_string(wait->until));
    wait->timeout = 0;
    unlink_wait(wait);
    wait_free(wait);
    wire_call_fail(call, error);
    return G_SOURCE_REMOVE;
}

void
instance_wait(Instance *instance, WireCall *call, Until until, gint64 timeout_ms)
{
    Wait *wait = NULL;

    if (is_over(&instance->record.view, until)) {
        answer(instance, call);
        return;
    }
    if (is_hopeless(instance, until)) {
        give_up(instance, call);
        return;
    }
    wait = g_new0(Wait, 1);
    *wait = (Wait){ .instance = instance, .call = call, .until = until };
    wait->timeout = g_timeout_add((guint) timeout_ms, on_timeout, wait);
    instance->waits = g_slist_prepend(instance->waits, wait);
    wire_call_park(call, on_gone, wait);
}

void
instance_tell_waits(Instance *instance)
{
    g_autoptr(GSList) waits = g_slist_copy(instance->waits);

    for (GSList *item = waits; item != NULL; item = item->next) {
        Wait *wait = item->data;
        WireCall *call = wait->call;
        bool over = is_over(&instance->record.view, wait->until);

        if (!over && !is_hopeless(instance, wait->until))
            continue;
        unlink_wait(wait);
        wait_free(wait);
        if (over) {
            answer(instance, call);
        } else {
            give_up(instance, call);
        }
    }
}

void
instance_waits_free(Instance *instance)
{
    g_slist_free_full(g_steal_pointer(&instance->waits), (GDestroyNotify) wait_free);
}
