/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pages.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tree.h"
#include "wire/envelope.h"
#include "wire/frame.h"
#include "wire/guard.h"
#include "wire/limits.h"

enum {
    READ_BYTES = 262144
};

bool
pages_set_after(const Command *command, void *in, const char *after, GError **error)
{
    const WireField *field = command_find_field(command, "after");
    char **place = (char **) ((char *) in + field->offset);

    if (g_strcmp0(*place, after) == 0) {
        proto_error_set_internal(error, "protocol",
                                 "The service gives the same page for ever");
        return false;
    }
    g_free(*place);
    *place = g_strdup(after);
    return true;
}

static bool
fail_lost(GError **error, const char *why)
{
    proto_error_set_host_unreachable(error, "", "The connection has ended: %s", why);
    return false;
}

/* The whole next message of the connection.  All earlier replies have been read, so that
 * nothing of it is in the client's own buffer. */
static bool
read_message(Session *session,
             Service service,
             FrameReader *frames,
             gint64 timeout_ms,
             const char **ret_message,
             gsize *ret_length,
             GError **error)
{
    int fd = wire_client_get_fd(session->clients[service]);
    gint64 deadline = g_get_monotonic_time() + timeout_ms * 1000;
    g_autofree char *buffer = g_malloc(READ_BYTES);

    for (;;) {
        ssize_t count = 0;

        if (!frame_reader_next(frames, ret_message, ret_length, error))
            return false;
        if (*ret_message != NULL)
            return true;
        if (!session_wait_for_input(session, fd, deadline)) {
            proto_error_set_deadline(error, "reply",
                                     "The service did not answer in time");
            return false;
        }
        count = recv(fd, buffer, READ_BYTES, MSG_DONTWAIT);
        if (count == 0)
            return fail_lost(error, "the service has gone");
        if (count < 0 && errno != EAGAIN && errno != EINTR)
            return fail_lost(error, g_strerror(errno));
        if (count > 0)
            frame_reader_push(frames, buffer, (gsize) count);
    }
}

/* The message as a tree; an error reply is an error. */
static Tree *
parse_message(const char *message, gsize length, GError **error)
{
    const WireLimits limits = WIRE_LIMITS_PEER;
    g_autoptr(GError) inner = NULL;
    g_autoptr(Tree) tree = NULL;

    if (guard_check(message, length, &limits, &inner))
        tree = tree_new(message, length);
    if (tree == NULL) {
        proto_error_set_internal(error, "protocol",
                                 "The service's answer cannot be read: %s",
                                 inner != NULL ? inner->message : "it is no JSON");
        return NULL;
    }
    if (tree_find(tree, tree->nodes, "error") != NULL) {
        g_auto(EnvelopeReply) reply = { 0 };

        /* The rare case goes the long way, which makes the error of it. */
        if (envelope_read_reply(message, length, &reply, error))
            proto_error_set_internal(error, "protocol", "The service's error is none");
        return NULL;
    }
    return g_steal_pointer(&tree);
}

/* Reads one page; renders it when the next has been asked for. */
static bool
take_page(Session *session,
          const Command *command,
          void *in,
          const char *message,
          gsize length,
          Render *render,
          bool *ret_goes_on,
          GError **error)
{
    g_autoptr(Tree) tree = parse_message(message, length, error);
    g_autofree char *next = NULL;
    const TreeNode *parameters = NULL;

    if (tree == NULL)
        return false;
    parameters = tree_find(tree, tree->nodes, "parameters");
    next = tree_get_string(tree, tree_find(tree, parameters, "next"));
    *ret_goes_on = next != NULL;
    if (next != NULL) {
        if (!pages_set_after(command, in, next, error) ||
            !session_send(session, command->service, command->method, in,
                          WIRE_CLIENT_ONCE, error))
            return false;
    }
    if (parameters != NULL)
        render_add(render, tree, parameters);
    return true;
}

bool
pages_render(Session *session,
             const Command *command,
             void *in,
             gint64 timeout_ms,
             Render *render,
             GError **error)
{
    FrameReader frames;
    bool goes_on = true;
    bool done = session_send(session, command->service, command->method, in,
                             WIRE_CLIENT_ONCE, error);

    frame_reader_init(&frames, WIRE_LIMITS_PEER.message_bytes);
    while (done && goes_on) {
        const char *message = NULL;
        gsize length = 0;

        done = read_message(session, command->service, &frames, timeout_ms, &message,
                            &length, error) &&
               take_page(session, command, in, message, length, render, &goes_on, error);
    }
    frame_reader_done(&frames);
    return done;
}
