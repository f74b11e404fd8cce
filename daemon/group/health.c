/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group/health.h"

#include <string.h>

#include "base/clock.h"
#include "group/keep.h"

enum {
    BAD_IN_A_ROW = 3,
    GOOD_IN_A_ROW = 2,
    /** Of one book: as many as a host has connections for it. */
    ASKED_AT_ONCE = 2,
    /** The worker's own patience is a few seconds. */
    ANSWER_MS = 30000,
    PORT_MAX = 65535,
    PATH_BYTES = 200
};

/** One question. */
typedef struct {
    GroupBook *book;
    char *group;
    char *instance;
} Question;

/* The probe */

static bool
refuse(GError **error, const char *path, const char *text, const char *reason)
{
    proto_error_set_invalid_parameter(error, path, reason, "\"%s\" %s", text, reason);
    return false;
}

static bool
is_plain_path(const char *text)
{
    if (strlen(text) > PATH_BYTES)
        return false;
    for (const char *p = text; *p != '\0'; p++) {
        if (!g_ascii_isgraph(*p))
            return false;
    }
    return true;
}

bool
group_probe_parse(const char *text,
                  const char *path,
                  GroupProbe *ret_probe,
                  GError **error)
{
    GroupProbe probe = { HEALTH_PROBE_AGENT, 0, "/" };
    char *end = NULL;

    if (strcmp(text, "agent") == 0) {
        *ret_probe = probe;
        return true;
    }
    if (g_str_has_prefix(text, "tcp:")) {
        probe.probe = HEALTH_PROBE_TCP;
        probe.port = g_ascii_strtoll(text + strlen("tcp:"), &end, 10);
    } else if (g_str_has_prefix(text, "http:")) {
        probe.probe = HEALTH_PROBE_HTTP;
        probe.port = g_ascii_strtoll(text + strlen("http:"), &end, 10);
    } else {
        return refuse(error, path, text, "is not agent, tcp:PORT or http:PORT/PATH");
    }
    if (probe.port < 1 || probe.port > PORT_MAX || !g_ascii_isdigit(end[-1]) ||
        !g_ascii_isdigit(*(strchr(text, ':') + 1)))
        return refuse(error, path, text, "has no port from 1 to 65535");
    if (*end != '\0' && (probe.probe != HEALTH_PROBE_HTTP || *end != '/'))
        return refuse(error, path, text, "goes on behind the port with what is no path");
    if (!is_plain_path(end))
        return refuse(
            error, path, text,
            "has a path with spaces or signs that are not ASCII, or longer than "
            "200 bytes");
    if (*end == '/')
        probe.path = end;
    *ret_probe = probe;
    return true;
}

/* What was heard */

void
group_health_free(GroupHealth *health)
{
    g_free(health->reason);
    g_free(health);
}

void
group_health_take(GroupHealth *health, bool is_good, const char *reason, gint64 now_ms)
{
    bool is_well = health->is_well;

    g_free(health->reason);
    health->reason =
        is_good ? NULL : g_strdup(reason != NULL ? reason : "it is not well");
    health->n_good = is_good ? health->n_good + 1 : 0;
    health->n_bad = is_good ? 0 : health->n_bad + 1;
    if (health->n_good >= (health->was_well ? GOOD_IN_A_ROW : 1)) {
        is_well = true;
    } else if (health->n_bad >= BAD_IN_A_ROW) {
        is_well = false;
    }
    health->was_well |= is_well;
    if (is_well != health->is_well)
        health->since_ms = now_ms;
    health->is_well = is_well;
}

GroupHealth *
group_health_of(const Group *group, const Instance *instance)
{
    return g_hash_table_lookup(group->health, instance->record.view.id);
}

/* Whether it had the time to become well; since a clock was put back, it had. */
static bool
is_past_grace(const Group *group, const Instance *instance)
{
    gint64 now_ms = clock_wall_ms();
    gint64 from_ms = 0;

    clock_parse_time(instance->record.view.changed_at, &from_ms);
    from_ms = MAX(from_ms, group->health_from_ms);
    return from_ms > now_ms || now_ms - from_ms >= group->record.view.health_grace_ms;
}

GroupPhase
group_health_get_phase(const Group *group, const Instance *instance)
{
    const GroupHealth *health = group_health_of(group, instance);

    if (group->record.view.health == NULL || (health != NULL && health->is_well))
        return GROUP_PHASE_UP;
    if (health == NULL || health->n_bad < BAD_IN_A_ROW)
        return health != NULL && health->was_well ? GROUP_PHASE_SICK : GROUP_PHASE_COMING;
    return health->was_well || is_past_grace(group, instance) ? GROUP_PHASE_SICK
                                                              : GROUP_PHASE_COMING;
}

void
group_health_forget(Group *group, const Instance *instance)
{
    g_hash_table_remove(group->health, instance->record.view.id);
}

/* Asking */

static void
question_free(gpointer data)
{
    Question *question = data;

    g_free(question->group);
    g_free(question->instance);
    g_free(question);
}

static void ask_next(GroupBook *book);

static void
take_answer(const Question *question, const ProtoWorkerCheckHealthReply *reply)
{
    Group *group = group_get(question->book, question->group);
    const Instance *instance =
        instance_get(question->book->instances, question->instance);
    GroupHealth *health = NULL;

    if (group == NULL || instance == NULL)
        return;
    health = group_health_of(group, instance);
    if (health == NULL)
        return;
    health->is_asked = false;
    /* That the host cannot tell is nothing against the guest. */
    if (reply == NULL || instance->record.view.state != INSTANCE_STATE_RUNNING)
        return;
    group_health_take(health, reply->healthy, reply->reason, clock_wall_ms());
    group_keep_soon(group);
}

static void
on_answer(const void *out, bool continues, const GError *error, gpointer data)
{
    Question *question = data;
    GroupBook *book = question->book;

    g_queue_remove(&book->asked, question);
    take_answer(question, out);
    question_free(question);
    ask_next(book);
}

static void
ask(Question *question, const Group *group, const Instance *instance)
{
    GroupProbe probe = { 0 };
    ProtoWorkerCheckHealthCall in = { .id = question->instance };

    /* It was looked at when the group was made. */
    group_probe_parse(group->record.view.health, "health", &probe, NULL);
    in.probe = probe.probe;
    in.port = probe.port;
    in.path = (char *) (gsize) (probe.path != NULL ? probe.path : "/");
    g_queue_push_tail(&question->book->asked, question);
    instance_call(instance, HOST_LANE_HEALTH, &proto_worker_check_health, &in, ANSWER_MS,
                  on_answer, question);
}

static void
ask_next(GroupBook *book)
{
    while (g_queue_get_length(&book->asked) < ASKED_AT_ONCE &&
           !g_queue_is_empty(&book->questions)) {
        Question *question = g_queue_pop_head(&book->questions);
        const Group *group = group_get(book, question->group);
        const Instance *instance = instance_get(book->instances, question->instance);

        if (group == NULL || instance == NULL || group->record.view.health == NULL) {
            question_free(question);
        } else {
            ask(question, group, instance);
        }
    }
}

static void
add_question(Group *group, const Instance *instance)
{
    GroupHealth *health = group_health_of(group, instance);
    Question *question = NULL;

    if (health == NULL) {
        health = g_new0(GroupHealth, 1);
        g_hash_table_insert(group->health, g_strdup(instance->record.view.id), health);
    }
    if (health->is_asked)
        return;
    health->is_asked = true;
    question = g_new0(Question, 1);
    *question = (Question){ group->book, g_strdup(group->record.view.id),
                            g_strdup(instance->record.view.id) };
    g_queue_push_tail(&group->book->questions, question);
}

static void
ask_all(Group *group)
{
    g_autoptr(GPtrArray) members = group_list_members(group);

    for (guint i = 0; i < members->len; i++) {
        const Instance *instance = members->pdata[i];

        if (instance->record.view.state == INSTANCE_STATE_RUNNING)
            add_question(group, instance);
    }
    ask_next(group->book);
}

static gboolean
on_round(gpointer data)
{
    ask_all(data);
    return G_SOURCE_CONTINUE;
}

void
group_health_start(Group *group)
{
    if (group->record.view.health == NULL)
        return;
    if (group->health_source == 0) {
        group->health_from_ms = clock_wall_ms();
        group->health_source =
            g_timeout_add((guint) group->record.view.health_interval_ms, on_round, group);
    }
    ask_all(group);
}

void
group_health_stop(Group *group)
{
    g_clear_handle_id(&group->health_source, g_source_remove);
}

void
group_health_done(GroupBook *book)
{
    g_queue_clear_full(&book->questions, question_free);
    g_queue_clear_full(&book->asked, question_free);
}
