/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "fuzz/inside.h"
#include "sim/world.h"

/*
 * A worker that was taken over: whatever it sends on its connections, vmd goes on
 * answering, its instances stay those that they were, what it writes can be read again,
 * and every operation ends once an honest worker is there.  The input is a list of acts:
 * a byte for the act, one for its object, and a message up to a NUL byte where there is
 * one.
 */

enum {
    FDS_MAX = 64,
    ACTS_MAX = 48,
    READ_BYTES = 4096
};

typedef enum {
    /** Sends a message on a connection. */
    ACT_SEND,
    /** Sends it on the first that has a call. */
    ACT_ANSWER,
    /** Sends a reply as an honest worker would. */
    ACT_ANSWER_HONESTLY,
    /** A client asks for something. */
    ACT_ASK,
    ACT_WAIT,
    ACT_CLOSE,
    ACTS,
} Act;

static const gint64 waits_ms[] = { 1, 50, 1000, 6000, 40000, 400000 };

#define DOMAIN(state)                                                                    \
    "{\"id\":\"%s\",\"tenant\":\"default\",\"name\":\"web\",\"generation\":1,"           \
    "\"state\":\"" state "\",\"vcpus\":1,\"memory_bytes\":268435456,\"agent\":true,"     \
    "\"addresses\":[\"10.0.0.2\"]}"

/** With the instance's id in it. */
static const char *const replies[] = {
    "{\"parameters\":{}}",
    "{\"parameters\":{\"hostname\":\"h\",\"arch\":\"x86_64\",\"accel\":\"kvm\","
    "\"hypervisor\":\"q\",\"boot_id\":\"b\",\"vcpus\":8,\"memory_bytes\":8589934592,"
    "\"disk_bytes\":68719476736,\"disk_free_bytes\":68719476736,\"foreign\":0}}",
    "{\"parameters\":{\"domains\":[" DOMAIN("running") "]}}",
    "{\"parameters\":{\"domains\":[" DOMAIN("stopped") "]}}",
    "{\"parameters\":{\"domain\":" DOMAIN("running") "}}",
    "{\"parameters\":{\"domain\":" DOMAIN("paused") "}}",
    "{\"parameters\":{\"kind\":\"domain\",\"domain\":" DOMAIN(
        "crashed") ",\"at\":"
                   "\"2026-10-01T00:00:00Z\"},\"continues\":true}",
    "{\"parameters\":{\"vcpus\":2,\"memory_bytes\":268435456,\"disk_bytes\":1073741824,"
    "\"guest\":{}}}",
    "{\"error\":\"io.vmctl.HostFailed\",\"parameters\":{\"message\":\"no\",\"host\":\"\"}"
    "}",
};

#define CALL(method, rest)                                                               \
    "{\"method\":\"io.vmctl." method "\",\"parameters\":{" rest "}}"

static const char *const asked[] = {
    CALL("Instance.Start", "\"instance\":\"web\""),
    CALL("Instance.Stop", "\"instance\":\"web\""),
    CALL("Instance.Stop", "\"instance\":\"web\",\"force\":true"),
    CALL("Instance.Restart", "\"instance\":\"web\""),
    CALL("Instance.Pause", "\"instance\":\"web\""),
    CALL("Instance.Resume", "\"instance\":\"web\""),
    CALL("Instance.Resize", "\"instance\":\"web\",\"vcpus\":2"),
    CALL("Instance.Log", "\"instance\":\"web\""),
    CALL("Template.Import", "\"source\":\"other\""),
    CALL("Audit.Run", ""),
    CALL("Audit.Collect", "\"dry_run\":true"),
};

typedef struct {
    int fds[FDS_MAX];
    bool has_call[FDS_MAX];
    guint n_fds;
} Hostile;

static void
start(const int *fds, guint n_fds, gpointer data)
{
    Hostile *hostile = data;

    memcpy(hostile->fds, fds, n_fds * sizeof *fds);
    memset(hostile->has_call, 0, sizeof hostile->has_call);
    hostile->n_fds = n_fds;
}

static void
stop(gpointer data)
{
    Hostile *hostile = data;

    for (guint i = 0; i < hostile->n_fds; i++)
        close(hostile->fds[i]);
    hostile->n_fds = 0;
}

static void
read_calls(Hostile *hostile)
{
    char buffer[READ_BYTES];

    for (guint i = 0; i < hostile->n_fds; i++) {
        while (recv(hostile->fds[i], buffer, sizeof buffer, MSG_DONTWAIT) > 0)
            hostile->has_call[i] = true;
    }
}

static void
send_on(Hostile *hostile, guint index, const char *message)
{
    hostile->has_call[index] = false;
    (void) !send(hostile->fds[index], message, strlen(message) + 1,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* On the last but the first that has a call: the first is the one of events. */
static void
answer(Hostile *hostile, const char *message)
{
    for (guint i = hostile->n_fds; i > 0; i--) {
        if (hostile->has_call[i - 1]) {
            send_on(hostile, i - 1, message);
            return;
        }
    }
}

static void
answer_honestly(Hostile *hostile, guint index)
{
    GHashTableIter iter;
    gpointer id = NULL;
    g_autofree char *message = NULL;
    g_auto(GStrv) parts = g_strsplit(replies[index], "%s", 2);

    g_hash_table_iter_init(&iter, inside_get()->rpc.instances->by_id);
    g_assert_true(g_hash_table_iter_next(&iter, &id, NULL));
    message = g_strjoinv(id, parts);
    answer(hostile, message);
}

static void
act(Hostile *hostile, FuzzBytes *bytes, InsideClient *client)
{
    Act what = (Act) (fuzz_take_byte(bytes) % ACTS);
    uint8_t object = fuzz_take_byte(bytes);
    g_autofree char *message = what <= ACT_ANSWER ? fuzz_take_text(bytes) : NULL;

    switch (what) {
    case ACT_SEND:
        if (hostile->n_fds > 0)
            send_on(hostile, object % hostile->n_fds, message);
        break;
    case ACT_ANSWER:
        answer(hostile, message);
        break;
    case ACT_ANSWER_HONESTLY:
        answer_honestly(hostile, object % G_N_ELEMENTS(replies));
        break;
    case ACT_ASK:
        message = g_strdup(asked[object % G_N_ELEMENTS(asked)]);
        inside_client_send(client, message, strlen(message));
        break;
    case ACT_WAIT:
        world_run(NULL, NULL, waits_ms[object % G_N_ELEMENTS(waits_ms)]);
        break;
    case ACT_CLOSE:
        if (hostile->n_fds > 0)
            shutdown(hostile->fds[object % hostile->n_fds], SHUT_RDWR);
        break;
    case ACTS:
        break;
    }
    world_run(NULL, NULL, 1);
    read_calls(hostile);
    inside_client_receive(client);
}

static void
check(void)
{
    static const char list[] = "{\"method\":\"io.vmctl.Instance.List\"}";
    const Rpc *rpc = &inside_get()->rpc;
    InsideClient client;

    inside_client_init(&client, 0);
    inside_client_send(&client, list, strlen(list));
    world_run(NULL, NULL, 10);
    inside_client_receive(&client);
    g_assert_cmpuint(client.n_replies, ==, 1);
    inside_client_done(&client);
    g_assert_cmpuint(g_hash_table_size(rpc->instances->by_id), ==, 1);
    g_assert_nonnull(instance_get_by_name(rpc->instances, "default", "web"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzBytes bytes = { data, size };
    Hostile hostile = { 0 };
    const InsideWorker worker = { start, stop, &hostile };
    InsideClient client;

    inside_begin(&worker, false);
    inside_client_init(&client, 0);
    world_run(NULL, NULL, 1);
    read_calls(&hostile);
    for (int i = 0; i < ACTS_MAX && bytes.left > 0; i++)
        act(&hostile, &bytes, &client);
    inside_heal();
    inside_settle();
    check();
    inside_client_done(&client);
    inside_end();
    return 0;
}
