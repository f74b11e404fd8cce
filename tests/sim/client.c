/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/client.h"

#include <string.h>

#include "sim/groups.h"
#include "sim/machine.h"
#include "sim/process.h"
#include "sim/world.h"
#include "wire/link.h"

/** Who is not a tenant. */
enum {
    ADMIN,
    WAITER,
    FIRST_TENANT,
};

enum {
    FIRST_UID = 100001,
    NAMES = 5,
    CLIENTS = 8,
    TENANTS = 2,
    /** Of the newest operations one is chosen. */
    RECENT = 5,
    WAIT_MS = 5000,
};

static const gint64 mebibyte = 1048576;

/** A connection; three of each tenant's, and two of an admin, one of which only waits. */
struct Client {
    guint uid;
    WireLink *link;
};

/** One thing that was asked for. */
typedef struct {
    Client *client;
    const WireMethod *method;
    gpointer in;
    /** Points into in; NULL if it has none: then it is not asked again. */
    const char *request_id;
    bool is_waiting;
    bool is_answered;
    /** The ids of its operations; none if it was refused. */
    GPtrArray *operations;
} Request;

static struct {
    Client clients[CLIENTS];
    GPtrArray *requests;
    /** Operation to the state in which it was told to have ended. */
    GHashTable *ends;
    /** The set of operations that were told to be taken back. */
    GHashTable *cancels;
    guint n_ids;
    guint n_accepted;
} all;

static struct {
    WireLink *link;
    gint64 seen;
} follower;

/* Answers */

static void
request_free(gpointer data)
{
    Request *request = data;

    if (request->in != NULL)
        wire_struct_clear(request->method->call, request->in);
    g_free(request->in);
    g_ptr_array_unref(request->operations);
    g_free(request);
}

static bool
makes_operations(const WireMethod *method)
{
    return method != &proto_operation_wait && method != &proto_instance_wait &&
           method != &proto_audit_run && method != &proto_audit_collect &&
           method != &proto_host_drain && method != &proto_host_undrain &&
           method != &proto_group_autoscale && method != &proto_group_metric;
}

static GPtrArray *
read_operations(const WireMethod *method, const void *out)
{
    GPtrArray *operations = g_ptr_array_new_with_free_func(g_free);
    const ProtoInstanceCreateReply *created = out;
    const ProtoInstanceStartReply *changed = out;

    if (!makes_operations(method))
        return operations;
    if (method != &proto_instance_create) {
        g_ptr_array_add(operations, g_strdup(changed->operation));
        return operations;
    }
    for (gsize i = 0; i < created->n_instances; i++) {
        g_ptr_array_add(operations, g_strdup(created->instances[i].operation));
    }
    return operations;
}

static bool
is_same(const GPtrArray *a, const GPtrArray *b)
{
    bool same = a->len == b->len;

    for (guint i = 0; same && i < a->len; i++) {
        same = strcmp(a->pdata[i], b->pdata[i]) == 0;
    }
    return same;
}

static void
take_answer(Request *request, GPtrArray *operations)
{
    if (request->is_answered && request->operations->len > 0 && !process_forgets() &&
        !is_same(request->operations, operations))
        world_blame("request %s was answered in two ways", request->request_id);
    if (!request->is_answered && operations->len > 0)
        all.n_accepted++;
    request->is_answered = true;
    g_ptr_array_unref(request->operations);
    request->operations = operations;
}

/* What was told to have ended has ended so for good. */
static void
take_end(const ProtoOperation *operation)
{
    gpointer state = GINT_TO_POINTER((int) operation->state);

    g_hash_table_insert(all.ends, g_strdup(operation->id), state);
}

static bool
is_broken_link(const GError *error)
{
    return g_str_has_prefix(error->message, "The connection has ended");
}

static void
on_reply(const void *out, bool continues, const GError *error, gpointer data)
{
    Request *request = data;
    const char *id = request->request_id != NULL ? request->request_id : "-";

    request->is_waiting = false;
    if (error == NULL) {
        world_trace("client: %s is accepted", id);
        if (request->method == &proto_operation_wait)
            take_end(&((const ProtoOperationWaitReply *) out)->operation);
        if (request->method == &proto_operation_cancel)
            g_hash_table_add(
                all.cancels,
                g_strdup(((const ProtoOperationCancelReply *) out)->operation));
        take_answer(request, read_operations(request->method, out));
    } else if (!is_broken_link(error)) {
        world_trace("client: %s is refused: %s", id, error->message);
        if (request->is_answered && !process_forgets())
            world_blame("request %s was accepted, and refused when repeated: %s", id,
                        error->message);
        if (!request->is_answered)
            take_answer(request, g_ptr_array_new());
    } else if (request->request_id == NULL) {
        request->is_answered = true;
    }
}

/* Asking */

static void
send_request(Request *request)
{
    if (request->client->link == NULL || request->is_waiting)
        return;
    request->is_waiting = true;
    wire_link_call(request->client->link, request->method, request->in, false, 0,
                   on_reply, request);
}

static char *
make_certain_id(void)
{
    return g_strdup_printf("request-%u", ++all.n_ids);
}

char *
client_make_id(void)
{
    return world_chance(900) ? make_certain_id() : NULL;
}

bool
client_is_of(const Client *client, const char *tenant)
{
    g_autofree char *own = g_strdup_printf("u%u", client->uid);

    return strcmp(own, tenant) == 0;
}

void
client_ask(Client *client,
           const WireMethod *method,
           gconstpointer in,
           const char *request_id)
{
    Request *request = g_new0(Request, 1);

    *request = (Request){
        .client = client,
        .method = method,
        .in = method->call->size > 0 ? g_memdup2(in, method->call->size) : NULL,
        .request_id = request_id,
        .operations = g_ptr_array_new(),
    };
    g_ptr_array_add(all.requests, request);
    world_trace("client: u%u asks for %s as %s", client->uid, method->full_name,
                request_id != NULL ? request_id : "-");
    send_request(request);
}

static char *
choose_name(void)
{
    if (groups_are_on() && world_chance(500))
        return groups_choose_member();
    return g_strdup_printf("vm-%u", world_random(NAMES));
}

/* Some are to be kept apart from others of their like. */
static char **
choose_labels(void)
{
    char **labels = g_new0(char *, 3);

    labels[0] = g_strdup("app");
    labels[1] = g_strdup(world_chance(500) ? "web" : "db");
    return labels;
}

/* By its request id it is told from one that a group asked for. */
static void
ask_destroy_of(Client *client, const char *name)
{
    ProtoInstanceDestroyCall in = {
        .instance = g_strdup(name),
        .request_id = groups_are_on() ? make_certain_id() : client_make_id(),
    };

    client_ask(client, &proto_instance_destroy, &in, in.request_id);
}

/* Some are destroyed before the create had its turn. */
static void
ask_create(Client *client)
{
    ProtoInstanceCreateCall in = {
        .name = world_chance(900) ? choose_name() : NULL,
        .has_count = world_chance(200),
        .count = 1 + world_random(3),
        .has_vcpus = world_chance(500),
        .vcpus = 1 + world_random(4),
        .user_data = world_chance(200) ? g_strdup("#!/bin/true") : NULL,
        .labels = world_chance(600) ? choose_labels() : NULL,
        .anti_affinity = world_chance(150) ? choose_labels() : NULL,
        .request_id = client_make_id(),
    };

    client_ask(client, &proto_instance_create, &in, in.request_id);
    if (in.name != NULL && world_chance(150))
        ask_destroy_of(client, in.name);
}

/* All of these begin with the instance and its tenant. */
static void
ask_start(Client *client)
{
    ProtoInstanceStartCall in = { .instance = choose_name(),
                                  .request_id = client_make_id() };

    client_ask(client, &proto_instance_start, &in, in.request_id);
}

static void
ask_stop(Client *client)
{
    ProtoInstanceStopCall in = {
        .instance = choose_name(),
        .has_force = true,
        .force = world_chance(300),
        .has_timeout_ms = world_chance(500),
        .timeout_ms = 1000 + world_random(30000),
        .request_id = client_make_id(),
    };

    client_ask(client, &proto_instance_stop, &in, in.request_id);
}

static void
ask_restart(Client *client)
{
    ProtoInstanceRestartCall in = {
        .instance = choose_name(),
        .has_force = true,
        .force = world_chance(300),
        .request_id = client_make_id(),
    };

    client_ask(client, &proto_instance_restart, &in, in.request_id);
}

static void
ask_pause(Client *client)
{
    ProtoInstancePauseCall in = { .instance = choose_name(),
                                  .request_id = client_make_id() };

    client_ask(client, &proto_instance_pause, &in, in.request_id);
}

static void
ask_resume(Client *client)
{
    ProtoInstanceResumeCall in = { .instance = choose_name(),
                                   .request_id = client_make_id() };

    client_ask(client, &proto_instance_resume, &in, in.request_id);
}

static void
ask_resize(Client *client)
{
    ProtoInstanceResizeCall in = {
        .instance = choose_name(),
        .has_vcpus = world_chance(600),
        .vcpus = 1 + world_random(6),
        .has_memory_bytes = world_chance(500),
        .memory_bytes = (256 + world_random(8) * 256) * mebibyte,
        .has_disk_bytes = world_chance(300),
        .disk_bytes = (1024 + world_random(8) * 1024) * mebibyte,
        .request_id = client_make_id(),
    };

    client_ask(client, &proto_instance_resize, &in, in.request_id);
}

static void
ask_destroy(Client *client)
{
    g_autofree char *name = choose_name();

    ask_destroy_of(client, name);
}

static void
ask_import(Client *client)
{
    ProtoTemplateImportCall in = {
        .source = g_strdup(world_chance(700) ? "tiny" : "other"),
        .request_id = client_make_id(),
    };

    client_ask(&all.clients[ADMIN], &proto_template_import, &in, in.request_id);
}

static void
ask_removal(Client *client)
{
    ProtoTemplateRemoveCall in = {
        .template = g_strdup(world_chance(300) ? "tiny" : "other"),
        .request_id = client_make_id(),
    };

    client_ask(&all.clients[ADMIN], &proto_template_remove, &in, in.request_id);
}

static void
ask_drain(Client *client)
{
    guint index = world_random(3);
    const char *name =
        machine_get_name(index) != NULL ? machine_get_name(index) : machine_get_name(0);
    ProtoHostDrainCall in = { .host = g_strdup(name) };

    client_ask(&all.clients[ADMIN],
               world_chance(300) ? &proto_host_drain : &proto_host_undrain, &in, NULL);
}

static char *
choose_operation(void)
{
    const GQueue *operations = operation_engine_get_all(process_get()->rpc.engine);
    guint back = 0;
    const Operation *operation = NULL;

    if (operations->length == 0)
        return NULL;
    back = world_random(MIN(operations->length, RECENT));
    operation =
        g_queue_peek_nth((GQueue *) (gsize) operations, operations->length - 1 - back);
    return g_strdup(operation->record.view.id);
}

/* An admin takes back whatever is under way. */
static void
ask_cancel(Client *client)
{
    ProtoOperationCancelCall in = { .operation = choose_operation() };

    if (in.operation != NULL)
        client_ask(&all.clients[ADMIN], &proto_operation_cancel, &in, NULL);
}

static void
ask_wait(Client *client)
{
    ProtoOperationWaitCall in = {
        .operation = choose_operation(),
        .has_timeout_ms = true,
        .timeout_ms = world_random(WAIT_MS),
    };

    if (in.operation != NULL)
        client_ask(&all.clients[WAITER], &proto_operation_wait, &in, NULL);
}

static void
ask_instance_wait(Client *client)
{
    ProtoInstanceWaitCall in = {
        .instance = choose_name(),
        .until = (Until) world_random(UNTIL_N),
        .has_timeout_ms = true,
        .timeout_ms = world_random(WAIT_MS),
    };

    client_ask(client, &proto_instance_wait, &in, NULL);
}

/* An admin looks whether all is well, or cleans up, in the midst of it. */
static void
ask_audit(Client *client)
{
    ProtoAuditRunCall in = { 0 };

    client_ask(&all.clients[WAITER], &proto_audit_run, &in, NULL);
}

static void
ask_collect(Client *client)
{
    ProtoAuditCollectCall in = { 0 };

    client_ask(&all.clients[WAITER], &proto_audit_collect, &in, NULL);
}

/* One that was answered is asked again: by a script that was started twice. */
static void
ask_again(Client *client)
{
    Request *request = NULL;

    if (all.requests->len == 0)
        return;
    request = all.requests->pdata[world_random(all.requests->len)];
    if (request->request_id == NULL)
        return;
    world_trace("client: %s is repeated", request->request_id);
    /* What was refused may be accepted now. */
    request->is_answered = request->is_answered && request->operations->len > 0;
    send_request(request);
}

static bool
has_template(const char *name)
{
    return template_find_ready(process_get()->rpc.templates, name, NULL) != NULL;
}

/* What is missing is not missing for long. */
static bool
wants_import(void)
{
    return (!has_template("tiny") && world_chance(500)) ||
           (groups_are_on() && !has_template("other") && world_chance(200));
}

void
client_act(void)
{
    static const struct {
        guint weight;
        void (*ask)(Client *client);
    } acts[] = {
        { 25, ask_create }, { 12, ask_start },        { 12, ask_stop },
        { 8, ask_restart }, { 6, ask_pause },         { 6, ask_resume },
        { 10, ask_resize }, { 10, ask_destroy },      { 2, ask_import },
        { 1, ask_removal }, { 4, ask_cancel },        { 4, ask_again },
        { 2, ask_wait },    { 2, ask_instance_wait }, { 1, ask_audit },
        { 1, ask_collect }, { 2, ask_drain },
    };

    guint number = 0;
    Client *client = &all.clients[FIRST_TENANT + world_random(CLIENTS - FIRST_TENANT)];

    if (wants_import()) {
        ask_import(client);
        return;
    }
    if (groups_are_on() && world_chance(450)) {
        groups_act(client);
        return;
    }

    for (gsize i = 0; i < G_N_ELEMENTS(acts); i++) {
        number += acts[i].weight;
    }
    number = world_random(number);
    for (gsize i = 0; i < G_N_ELEMENTS(acts); i++) {
        if (number < acts[i].weight) {
            acts[i].ask(client);
            return;
        }
        number -= acts[i].weight;
    }
}

/* The follower: an admin who reads every event, and reads on where it was when the
 * connection ends. */

static void
on_events(const void *out, bool continues, const GError *error, gpointer data)
{
    const ProtoEventReadReply *reply = out;

    for (gsize i = 0; reply != NULL && i < reply->n_events; i++) {
        if (reply->events[i].seq != follower.seen + 1)
            world_blame("event %" G_GINT64_FORMAT " was read after %" G_GINT64_FORMAT,
                        reply->events[i].seq, follower.seen);
        follower.seen = reply->events[i].seq;
    }
}

static void
on_follower_closed(WireLink *link, gpointer data)
{
    follower.link = NULL;
    wire_link_free(link);
}

static void
follow(void)
{
    ProtoEventReadCall in = {
        .has_after = true,
        .after = follower.seen,
        .has_follow = true,
        .follow = true,
    };

    if (follower.link != NULL)
        return;
    follower.link = wire_link_new(process_connect(0), on_follower_closed, NULL);
    wire_link_call(follower.link, &proto_event_read, &in, true, 0, on_events, NULL);
}

/* Connections */

static void
on_closed(WireLink *link, gpointer data)
{
    Client *client = data;

    client->link = NULL;
    wire_link_free(link);
}

/* What was told to be taken back is, also by the next process. */
static void
check_cancels(OperationEngine *engine)
{
    GHashTableIter iter;
    gpointer id = NULL;

    g_hash_table_iter_init(&iter, all.cancels);
    while (g_hash_table_iter_next(&iter, &id, NULL)) {
        const Operation *operation = operation_find(engine, id);

        if (operation != NULL && !operation_is_over(operation) &&
            !operation->record.cancelling && !operation->record.view.undoing)
            world_blame("operation %s was to be taken back, and goes on", (char *) id);
    }
}

void
client_connect(void)
{
    check_cancels(process_get()->rpc.engine);
    for (guint i = 0; i < CLIENTS; i++) {
        Client *client = &all.clients[i];

        if (client->link == NULL)
            client->link = wire_link_new(process_connect(client->uid), on_closed, client);
    }
    follow();
    for (guint i = 0; i < all.requests->len; i++) {
        Request *request = all.requests->pdata[i];

        if (!request->is_answered)
            send_request(request);
    }
}

/* Looking back */

bool
client_is_content(void)
{
    for (guint i = 0; i < all.requests->len; i++) {
        const Request *request = all.requests->pdata[i];

        if (!request->is_answered || request->is_waiting)
            return false;
    }
    return true;
}

static void
check_request(OperationEngine *engine, const Request *request)
{
    g_autoptr(GPtrArray) made =
        operation_find_request(engine, request->client->uid, NULL, request->request_id);

    if (made->len != request->operations->len)
        world_blame("request %s made %u operations, and was told of %u",
                    request->request_id, made->len, request->operations->len);
    for (guint i = 0; i < request->operations->len; i++) {
        const Operation *operation =
            operation_find(engine, request->operations->pdata[i]);

        if (operation == NULL)
            world_blame("operation %s of request %s is lost",
                        (char *) request->operations->pdata[i], request->request_id);
        else if (!operation->has_ended)
            world_blame("operation %s has not ended", operation->record.view.id);
    }
}

static void
check_ends(OperationEngine *engine)
{
    GHashTableIter iter;
    gpointer id = NULL;
    gpointer state = NULL;

    g_hash_table_iter_init(&iter, all.ends);
    while (g_hash_table_iter_next(&iter, &id, &state)) {
        const Operation *operation = operation_find(engine, id);

        if (operation == NULL ||
            (int) operation->record.view.state != GPOINTER_TO_INT(state))
            world_blame("operation %s was told to have ended, and ended otherwise",
                        (char *) id);
    }
}

void
client_check(void)
{
    if (!process_forgets())
        check_ends(process_get()->rpc.engine);
    if (follower.seen != store_get_seq(process_get()->rpc.store))
        world_blame("events were read up to %" G_GINT64_FORMAT
                    ", there are %" G_GINT64_FORMAT,
                    follower.seen, store_get_seq(process_get()->rpc.store));
    for (guint i = 0; i < all.requests->len && !process_forgets(); i++) {
        const Request *request = all.requests->pdata[i];

        if (request->request_id != NULL)
            check_request(process_get()->rpc.engine, request);
    }
}

guint
client_count_accepted(void)
{
    return all.n_accepted;
}

/* Life */

void
client_begin(void)
{
    all.requests = g_ptr_array_new_with_free_func(request_free);
    all.ends = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    all.cancels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    all.n_ids = all.n_accepted = 0;
    for (guint i = 0; i < CLIENTS; i++) {
        all.clients[i].uid = i < FIRST_TENANT ? 0 : FIRST_UID + i % TENANTS;
    }
}

void
client_end(void)
{
    for (guint i = 0; i < CLIENTS; i++) {
        g_clear_pointer(&all.clients[i].link, wire_link_free);
    }
    g_clear_pointer(&follower.link, wire_link_free);
    follower.seen = 0;
    g_clear_pointer(&all.ends, g_hash_table_unref);
    g_clear_pointer(&all.cancels, g_hash_table_unref);
    g_clear_pointer(&all.requests, g_ptr_array_unref);
}
