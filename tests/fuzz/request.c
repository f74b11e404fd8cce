/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz.h"
#include "fuzz/inside.h"
#include "sim/world.h"

/*
 * Any requests of three clients: every answer is JSON with a known error or none, every
 * operation ends, nothing is left that an audit finds, and vmd still answers.  The first
 * byte makes the host faulty; each message begins with a byte that says who sends it and
 * how long it takes until the next one.
 */

enum {
    CLIENTS = 3,
    MESSAGES_MAX = 12
};

/* An admin, and two tenants' own. */
static const uid_t uids[CLIENTS] = { 0, 100001, 100002 };
static const gint64 waits_ms[] = { 0, 5, 1000, 120000 };

static void
send_message(FuzzBytes *bytes, InsideClient *clients)
{
    uint8_t how = fuzz_take_byte(bytes);
    InsideClient *client = &clients[how % CLIENTS];
    g_autofree char *message = fuzz_take_text(bytes);
    gint64 wait_ms = waits_ms[how / CLIENTS % G_N_ELEMENTS(waits_ms)];

    inside_client_send(client, message, strlen(message));
    if (wait_ms > 0)
        world_run(NULL, NULL, wait_ms);
    for (int i = 0; i < CLIENTS; i++)
        inside_client_receive(&clients[i]);
}

static void
check_answers(void)
{
    static const char ping[] = "{\"method\":\"io.vmctl.Ping\"}";
    static const char list[] = "{\"method\":\"io.vmctl.Instance.List\"}";
    InsideClient client;

    inside_client_init(&client, 0);
    inside_client_send(&client, ping, strlen(ping));
    inside_client_send(&client, list, strlen(list));
    world_run(NULL, NULL, 100);
    inside_client_receive(&client);
    g_assert_cmpuint(client.n_replies, ==, 2);
    inside_client_done(&client);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzBytes bytes = { data, size };
    InsideClient clients[CLIENTS];

    inside_begin(NULL, fuzz_take_byte(&bytes) % 2 == 1);
    world_run(NULL, NULL, 1000);
    for (int i = 0; i < CLIENTS; i++)
        inside_client_init(&clients[i], uids[i]);
    for (int i = 0; i < MESSAGES_MAX && bytes.left > 0; i++)
        send_message(&bytes, clients);
    inside_settle();
    check_answers();
    inside_audit();
    for (int i = 0; i < CLIENTS; i++)
        inside_client_done(&clients[i]);
    inside_end();
    return 0;
}
