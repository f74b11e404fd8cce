/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/controller.h"

#include "base/clock.h"
#include "meter/lost.h"
#include "wire/link.h"

/*
 * Two links: a call that follows never ends, and calls of one link are answered in turn.
 * The stream brings rows as they are made.  The other one asks: who somebody is, where
 * its ledger stands (first thing), and whether there are rows after the cursor. Whichever
 * link brings a row first, the store takes it once.
 *
 * What the stream brings may have more behind it, so it says nothing of "now".  Only an
 * answer without rows does: all that happened until then is known, and segments that are
 * open may be counted up to it.
 */
enum {
    WAIT_FIRST_MS = 100,
    WAIT_LAST_MS = 5000,
    ANSWER_MS = 3000,
    ROWS = 10000,
    /* So many answers full of rows are waited for before an old state has to do. */
    REFRESH_ROUNDS = 8,
    /* What was read is in reports after this time at the latest. */
    FLUSH_SECONDS = 2,
    /* So often it looks whether a fork was accepted. */
    WATCH_SECONDS = 1,
    /* Well below the time after which vmd closes a connection that is idle. */
    REFRESH_SECONDS = 60
};

typedef struct Request Request;

struct Controller {
    char *path;
    MeterStore *store;
    WireLink *asking;
    WireLink *stream;
    GQueue requests;
    guint retry;
    guint refresh;
    guint flush;
    guint watch;
    /* What is being kept, and whether all is to be read anew then. */
    Lost *lost;
    guint keeping;
    bool is_renewing;
    gint64 note_seq;
    /* The newest row, when it was connected. */
    guint wait_ms;
    gint64 since_ms;
    bool is_told;
    bool is_fork_told;
    bool is_loss_told;
    bool is_current;
};

/* A question that somebody waits for. */
struct Request {
    Controller *controller;
    ControllerWho who;
    ControllerNoted noted;
    void (*refreshed)(gpointer data);
    ControllerHash hash;
    ControllerHead head;
    ControllerKept kept;
    gpointer data;
    guint rounds;
};

static void connect_now(Controller *controller);
static gboolean watch_fork(gpointer data);

/* Requests */

static Request *
request_new(Controller *controller, gpointer data)
{
    Request *request = g_new0(Request, 1);

    request->controller = controller;
    request->data = data;
    g_queue_push_tail(&controller->requests, request);
    return request;
}

/* Tells who waits.  Anything may happen in there. */
static void
end_request(Request *request, const ProtoVmctlWhoAmIReply *who, const GError *error)
{
    g_autofree Request *ended = request;

    g_queue_remove(&ended->controller->requests, ended);
    if (ended->who != NULL) {
        ended->who(who, error, ended->data);
    } else if (ended->noted != NULL) {
        ended->noted(0, error, ended->data);
    } else if (ended->hash != NULL) {
        ended->hash(NULL, error, ended->data);
    } else if (ended->head != NULL) {
        ended->head(NULL, error, ended->data);
    } else if (ended->kept != NULL) {
        ended->kept(error, ended->data);
    } else {
        ended->refreshed(ended->data);
    }
}

static void
end_all(Controller *controller)
{
    g_autoptr(GError) error = NULL;

    proto_error_set_host_unreachable(&error, "", "vmd does not answer on %s",
                                     controller->path);
    while (controller->requests.length > 0) {
        end_request(g_queue_peek_head(&controller->requests), NULL, error);
    }
}

/* Coming and going */

static gboolean
connect_again(gpointer data)
{
    Controller *controller = data;

    controller->retry = 0;
    connect_now(controller);
    return G_SOURCE_REMOVE;
}

/* Whoever connects again asks where the ledger stands: that is not to be asked twice. */
static void
disconnect(Controller *controller)
{
    g_clear_handle_id(&controller->watch, g_source_remove);
    g_clear_handle_id(&controller->keeping, g_source_remove);
    g_clear_pointer(&controller->lost, lost_free);
    controller->is_renewing = false;
    g_clear_pointer(&controller->asking, wire_link_free);
    g_clear_pointer(&controller->stream, wire_link_free);
}

/* Gives up both links and tries again later; says why the first time. */
static void
lose(Controller *controller, const GError *error)
{
    disconnect(controller);
    if (!controller->is_told)
        g_warning("No ledger from %s: %s", controller->path, error->message);
    controller->is_told = true;
    if (clock_boot_ms() - controller->since_ms > WAIT_LAST_MS)
        controller->wait_ms = WAIT_FIRST_MS;
    if (controller->retry == 0)
        controller->retry = g_timeout_add(controller->wait_ms, connect_again, controller);
    controller->wait_ms = MIN(controller->wait_ms * 2, WAIT_LAST_MS);
    end_all(controller);
}

static void
on_closed(WireLink *link, gpointer data)
{
    g_autoptr(GError) error = NULL;

    proto_error_set_host_unreachable(&error, "", "The connection has ended");
    lose(data, error);
}

/* Rows do not wait for ever for those that should have come. */
static gboolean
flush_now(gpointer data)
{
    Controller *controller = data;
    g_autoptr(GError) error = NULL;

    controller->flush = 0;
    if (!meter_store_flush(controller->store, &error))
        lose(controller, error);
    return G_SOURCE_REMOVE;
}

static bool
apply(Controller *controller, const ProtoLedgerReadReply *reply, GError **error)
{
    gsize length = 0;
    g_autofree guint8 *packed =
        g_base64_decode(reply->packed != NULL ? reply->packed : "", &length);

    if (controller->flush == 0)
        controller->flush = g_timeout_add_seconds(FLUSH_SECONDS, flush_now, controller);
    return meter_store_apply(controller->store, packed, length, reply->hash, error);
}

static void
on_rows(const void *out, bool continues, const GError *error, gpointer data)
{
    Controller *controller = data;
    const ProtoLedgerReadReply *reply = out;
    g_autoptr(GError) refusal = NULL;

    if (error != NULL) {
        lose(controller, error);
        return;
    }
    if (!apply(controller, reply, &refusal)) {
        lose(controller, refusal);
        return;
    }
    if (!continues) {
        proto_error_set_host_unreachable(&refusal, "", "The ledger's stream has ended");
        lose(controller, refusal);
    }
}

static bool
follow(Controller *controller, GError **error)
{
    const ProtoLedgerReadCall call = {
        .has_after = true,
        .after = meter_store_get_cursor(controller->store),
        .has_follow = true,
        .follow = true,
        .has_limit = true,
        .limit = ROWS,
        .has_packed = true,
        .packed = true,
    };

    controller->stream =
        wire_link_connect(controller->path, on_closed, controller, error);
    if (controller->stream == NULL)
        return false;
    wire_link_call(controller->stream, &proto_ledger_read, &call, true, 0, on_rows,
                   controller);
    return true;
}

static void
on_refreshed(gpointer data)
{
}

/* Forks */

static void
go_on(Controller *controller)
{
    g_autoptr(GError) refusal = NULL;

    /* It was told twice where the ledger stands. */
    if (controller->stream != NULL)
        return;
    if (!meter_store_clear_fork(controller->store, &refusal) ||
        !follow(controller, &refusal)) {
        lose(controller, refusal);
        return;
    }
    g_message("Following the ledger of %s from row %" G_GINT64_FORMAT " on",
              controller->path, meter_store_get_cursor(controller->store));
    controller->is_told = controller->is_fork_told = controller->is_loss_told = false;
    controller->is_renewing = false;
    controller_refresh(controller, on_refreshed, NULL);
}

/* The rows that are held are not those of the ledger any more. */
static void
stop_at_fork(Controller *controller, gint64 seq, const char *hash)
{
    g_autoptr(GError) error = NULL;

    if (!meter_store_set_fork(controller->store, seq, hash, &error)) {
        lose(controller, error);
        return;
    }
    meter_store_check_fork(controller->store, &error);
    if (!controller->is_fork_told)
        g_warning("%s", error->message);
    controller->is_fork_told = true;
    if (controller->watch == 0)
        controller->watch = g_timeout_add_seconds(WATCH_SECONDS, watch_fork, controller);
}

/* Who waits for an answer on the old connections is told that there is none. */
static void
begin_anew(Controller *controller)
{
    g_autoptr(GError) refusal = NULL;

    g_message("The fork was accepted: reading the ledger of %s anew", controller->path);
    if (!meter_store_begin_anew(controller->store, &refusal)) {
        lose(controller, refusal);
        return;
    }
    disconnect(controller);
    end_all(controller);
    connect_now(controller);
}

static Request *
find_keeper(Controller *controller)
{
    for (GList *link = controller->requests.head; link != NULL; link = link->next) {
        Request *request = link->data;

        if (request->kept != NULL)
            return request;
    }
    return NULL;
}

/* While the fork is there, it is looked at again and again: so is this. */
static void
end_keeping(Controller *controller, const GError *error)
{
    bool renews = controller->is_renewing;
    Request *request = NULL;

    controller->is_renewing = false;
    g_clear_pointer(&controller->lost, lost_free);
    while ((request = find_keeper(controller)) != NULL) {
        end_request(request, NULL, error);
    }
    if (renews && error == NULL) {
        begin_anew(controller);
    } else if (renews && !controller->is_loss_told) {
        g_warning("The fork was accepted, but the ledger is not read anew yet: %s",
                  error->message);
        controller->is_loss_told = true;
    }
}

static gboolean
keep_on(gpointer data)
{
    Controller *controller = data;
    g_autoptr(GError) error = NULL;
    bool done = false;

    if (lost_step(controller->lost, &done, &error) && !done)
        return G_SOURCE_CONTINUE;
    controller->keeping = 0;
    end_keeping(controller, error);
    return G_SOURCE_REMOVE;
}

static void
keep(Controller *controller)
{
    g_autoptr(GError) error = NULL;

    if (controller->lost != NULL)
        return;
    controller->lost = lost_new(controller->store, &error);
    if (controller->lost == NULL) {
        end_keeping(controller, error);
        return;
    }
    controller->keeping = g_idle_add_full(G_PRIORITY_DEFAULT, keep_on, controller, NULL);
}

void
controller_keep_lost(Controller *controller, ControllerKept done, gpointer data)
{
    Request *request = request_new(controller, data);

    request->kept = done;
    keep(controller);
}

void
controller_read_anew(Controller *controller)
{
    if (meter_store_is_kept(controller->store)) {
        begin_anew(controller);
        return;
    }
    controller->is_renewing = true;
    keep(controller);
}

/* The newest entry of the books came while there is a fork. */
static void
on_entry(const void *out, bool continues, const GError *error, gpointer data)
{
    Controller *controller = data;
    const ProtoLedgerReadReply *reply = out;
    g_autofree guint8 *packed = NULL;
    gsize length = 0;

    if (error != NULL) {
        lose(controller, error);
        return;
    }
    packed = g_base64_decode(reply->packed != NULL ? reply->packed : "", &length);
    if (meter_store_is_recovery(controller->store, packed, length))
        controller_read_anew(controller);
}

static void
ask_row(Controller *controller, gint64 seq, WireLinkReply done, gpointer data)
{
    const ProtoLedgerReadCall call = {
        .has_after = true,
        .after = seq - 1,
        .has_limit = true,
        .limit = 1,
        .has_packed = true,
        .packed = true,
    };

    wire_link_call(controller->asking, &proto_ledger_read, &call, false, ANSWER_MS, done,
                   data);
}

/* The row that is held last came, as the ledger has it. */
static void
on_own_row(const void *out, bool continues, const GError *error, gpointer data)
{
    Controller *controller = data;
    const ProtoLedgerReadReply *reply = out;
    gint64 cursor = meter_store_get_cursor(controller->store);
    g_autofree char *held = meter_store_get_hash(controller->store);

    if (error != NULL) {
        lose(controller, error);
        return;
    }
    if (reply->next == cursor && g_strcmp0(reply->hash, held) == 0) {
        go_on(controller);
        return;
    }
    stop_at_fork(controller, cursor, reply->hash != NULL ? reply->hash : "none");
    if (controller->asking != NULL && controller->note_seq > 0)
        ask_row(controller, controller->note_seq, on_entry, controller);
}

/* Whether the ledger goes on from what is held. */
static void
compare(Controller *controller, const ProtoLedgerGetHeadReply *head)
{
    gint64 cursor = meter_store_get_cursor(controller->store);

    controller->note_seq = head->note;
    if (cursor == 0) {
        go_on(controller);
    } else if (head->seq >= cursor) {
        ask_row(controller, cursor, on_own_row, controller);
    } else {
        stop_at_fork(controller, head->seq, head->hash);
        if (controller->asking != NULL && head->note > 0)
            ask_row(controller, head->note, on_entry, controller);
    }
}

static void
on_head(const void *out, bool continues, const GError *error, gpointer data)
{
    Controller *controller = data;
    const ProtoLedgerGetHeadReply *head = out;
    g_autoptr(GError) refusal = NULL;

    if (error != NULL) {
        lose(controller, error);
        return;
    }
    if (!meter_store_bind(controller->store, head->service_id, &refusal)) {
        lose(controller, refusal);
        return;
    }
    meter_store_expect(controller->store, head->seq);
    compare(controller, head);
}

static void
ask_head(Controller *controller)
{
    wire_link_call(controller->asking, &proto_ledger_get_head, NULL, false, ANSWER_MS,
                   on_head, controller);
}

/* Looks again whether the fork was accepted. */
static gboolean
watch_fork(gpointer data)
{
    Controller *controller = data;

    controller->watch = 0;
    if (controller->asking != NULL && controller->stream == NULL)
        ask_head(controller);
    return G_SOURCE_REMOVE;
}

static void
connect_now(Controller *controller)
{
    g_autoptr(GError) error = NULL;

    controller->since_ms = clock_boot_ms();
    controller->asking =
        wire_link_connect(controller->path, on_closed, controller, &error);
    if (controller->asking == NULL) {
        lose(controller, error);
        return;
    }
    ask_head(controller);
}

/* What is known stays young, should vmd go away. */
static gboolean
refresh_now_and_then(gpointer data)
{
    controller_refresh(data, on_refreshed, NULL);
    return G_SOURCE_CONTINUE;
}

Controller *
controller_new(const char *path, MeterStore *store)
{
    Controller *controller = g_new0(Controller, 1);

    controller->path = g_strdup(path);
    controller->store = store;
    controller->wait_ms = WAIT_FIRST_MS;
    g_queue_init(&controller->requests);
    controller->refresh =
        g_timeout_add_seconds(REFRESH_SECONDS, refresh_now_and_then, controller);
    connect_now(controller);
    return controller;
}

void
controller_free(Controller *controller)
{
    if (controller == NULL)
        return;
    g_clear_handle_id(&controller->retry, g_source_remove);
    g_clear_handle_id(&controller->refresh, g_source_remove);
    g_clear_handle_id(&controller->flush, g_source_remove);
    disconnect(controller);
    end_all(controller);
    g_free(controller->path);
    g_free(controller);
}

bool
controller_is_following(const Controller *controller)
{
    return controller->stream != NULL;
}

bool
controller_is_current(const Controller *controller)
{
    return controller->is_current;
}

/* Asking */

/* Ends the request if there is nobody to ask. */
static bool
check_answers(Request *request)
{
    Controller *controller = request->controller;
    g_autoptr(GError) error = NULL;

    if (controller->asking != NULL)
        return true;
    proto_error_set_host_unreachable(&error, "", "vmd does not answer on %s",
                                     controller->path);
    end_request(request, NULL, error);
    return false;
}

static void
on_who(const void *out, bool continues, const GError *error, gpointer data)
{
    end_request(data, out, error);
}

void
controller_ask_who(Controller *controller,
                   uid_t uid,
                   const char *secret,
                   ControllerWho done,
                   gpointer data)
{
    const ProtoVmctlWhoAmICall call = {
        .has_uid = secret == NULL,
        .uid = uid,
        .secret = (char *) (gsize) secret,
    };
    Request *request = request_new(controller, data);

    request->who = done;
    if (!check_answers(request))
        return;
    wire_link_call(controller->asking, &proto_vmctl_who_am_i, &call, false, ANSWER_MS,
                   on_who, request);
}

static void
on_head_asked(const void *out, bool continues, const GError *error, gpointer data)
{
    g_autofree Request *request = data;

    g_queue_remove(&request->controller->requests, request);
    request->head(error == NULL ? out : NULL, error, request->data);
}

void
controller_ask_head(Controller *controller, ControllerHead done, gpointer data)
{
    Request *request = request_new(controller, data);

    request->head = done;
    if (!check_answers(request))
        return;
    wire_link_call(controller->asking, &proto_ledger_get_head, NULL, false, ANSWER_MS,
                   on_head_asked, request);
}

static void
on_hash(const void *out, bool continues, const GError *error, gpointer data)
{
    Request *request = data;
    const ProtoLedgerReadReply *reply = out;
    ControllerHash done = request->hash;
    gpointer asker = request->data;

    if (error != NULL) {
        end_request(request, NULL, error);
        return;
    }
    g_queue_remove(&request->controller->requests, request);
    g_free(request);
    done(reply->hash, NULL, asker);
}

void
controller_ask_hash(Controller *controller,
                    gint64 seq,
                    ControllerHash done,
                    gpointer data)
{
    Request *request = request_new(controller, data);

    request->hash = done;
    if (!check_answers(request))
        return;
    ask_row(controller, seq, on_hash, request);
}

static void on_newer(const void *out, bool continues, const GError *error, gpointer data);

static void
ask_newer(Request *request)
{
    Controller *controller = request->controller;
    const ProtoLedgerReadCall call = {
        .has_after = true,
        .after = meter_store_get_cursor(controller->store),
        .has_limit = true,
        .limit = ROWS,
        .has_packed = true,
        .packed = true,
    };

    wire_link_call(controller->asking, &proto_ledger_read, &call, false, ANSWER_MS,
                   on_newer, request);
}

static void
on_newer(const void *out, bool continues, const GError *error, gpointer data)
{
    Request *request = data;
    Controller *controller = request->controller;
    const ProtoLedgerReadReply *reply = out;
    g_autoptr(GError) refusal = NULL;

    if (error != NULL ||
        (controller->stream == NULL && meter_store_has_fork(controller->store))) {
        end_request(request, NULL, NULL);
        return;
    }
    if (controller->stream == NULL) {
        /* Whether these rows go on from what is held will be known by the next time. */
        ask_newer(request);
        return;
    }
    if (!apply(controller, reply, &refusal)) {
        lose(controller, refusal);
        return;
    }
    if (reply->hash != NULL && ++request->rounds < REFRESH_ROUNDS) {
        ask_newer(request);
        return;
    }
    if (!meter_store_flush(controller->store, &refusal)) {
        lose(controller, refusal);
        return;
    }
    if (reply->hash == NULL) {
        meter_store_set_known_ms(controller->store, reply->now_ms);
        controller->is_current = true;
    }
    end_request(request, NULL, NULL);
}

void
controller_refresh(Controller *controller, void (*done)(gpointer data), gpointer data)
{
    Request *request = request_new(controller, data);

    request->refreshed = done;
    if (controller->asking == NULL ||
        (controller->stream == NULL && meter_store_has_fork(controller->store))) {
        end_request(request, NULL, NULL);
        return;
    }
    ask_newer(request);
}

/* Noting */

static void
on_noted(const void *out, bool continues, const GError *error, gpointer data)
{
    Request *request = data;
    const ProtoLedgerNoteReply *reply = out;
    g_autofree Request *ended = NULL;

    if (error != NULL) {
        end_request(request, NULL, error);
        return;
    }
    ended = request;
    g_queue_remove(&ended->controller->requests, ended);
    ended->noted(reply->seq, NULL, ended->data);
}

void
controller_note(Controller *controller,
                gint64 follows,
                LedgerTopic topic,
                const char *tenant,
                const char *note,
                ControllerNoted done,
                gpointer data)
{
    const ProtoLedgerNoteCall call = {
        .follows = follows,
        .topic = (char *) (gsize) ledger_topic_get_name(topic),
        .tenant = (char *) (gsize) tenant,
        .note = (char *) (gsize) note,
    };
    Request *request = request_new(controller, data);

    request->noted = done;
    if (!check_answers(request))
        return;
    wire_link_call(controller->asking, &proto_ledger_note, &call, false, ANSWER_MS,
                   on_noted, request);
}
