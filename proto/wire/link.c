/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/link.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto.h"
#include "wire/envelope.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/watch.h"

enum {
    /* A turn of the main loop takes no more: others wait meanwhile. */
    READ_BYTES = 4096
};

typedef struct {
    WireLink *link;
    const WireMethod *method;
    bool more;
    guint deadline;
    WireLinkReply reply;
    gpointer data;
} Call;

struct WireLink {
    int fd;
    WireParseMode mode;
    FrameReader in;
    GString *out;
    gsize sent;
    /** NULL once the link is broken. */
    WireWatch *watch;
    guint broken_source;
    /** Calls without their final reply, in the order they were sent. */
    GQueue calls;
    /** Callbacks that run now, any of which may free the link. */
    guint busy;
    bool is_freed;
    GError *broken;
    void (*closed)(WireLink *link, gpointer data);
    gpointer data;
};

static void
call_free(Call *call)
{
    g_clear_handle_id(&call->deadline, g_source_remove);
    g_free(call);
}

static void
link_free(WireLink *link)
{
    frame_reader_done(&link->in);
    g_string_free(link->out, TRUE);
    g_clear_error(&link->broken);
    g_free(link);
}

/* After a callback; false when it has freed the link. */
static bool
leave(WireLink *link)
{
    bool alive = !link->is_freed;

    link->busy--;
    if (!alive && link->busy == 0)
        link_free(link);
    return alive;
}

static gboolean
tell_broken(gpointer data)
{
    WireLink *link = data;

    link->broken_source = 0;
    link->busy++;
    while (!link->is_freed && link->calls.length > 0) {
        Call *call = g_queue_pop_head(&link->calls);
        WireLinkReply reply = call->reply;
        gpointer call_data = call->data;

        call_free(call);
        reply(NULL, false, link->broken, call_data);
    }
    if (!link->is_freed && link->closed != NULL)
        link->closed(link, link->data);
    leave(link);
    return G_SOURCE_REMOVE;
}

/* Ends the link; who waits is told from the main loop. */
static void
break_off(WireLink *link, const char *why)
{
    if (link->broken != NULL)
        return;
    proto_error_set_host_unreachable(&link->broken, "", "The connection has ended: %s",
                                     why);
    g_clear_pointer(&link->watch, wire_watch_free);
    link->broken_source = g_idle_add_full(G_PRIORITY_DEFAULT, tell_broken, link, NULL);
}

/* Gives a reply to the first call; false when the link is no more. */
static bool
deliver(WireLink *link, const char *message, gsize length)
{
    g_auto(EnvelopeReply) reply = { 0 };
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonObject) empty = NULL;
    Call *call = g_queue_peek_head(&link->calls);
    const WireStruct *type = call != NULL ? call->method->reply : NULL;
    g_autofree gpointer out = NULL;

    if (call == NULL) {
        break_off(link, "an answer that nobody asked for");
        return false;
    }
    if (envelope_read_reply(message, length, &reply, &error)) {
        JsonObject *parameters = reply.parameters;

        if (reply.continues && !call->more) {
            break_off(link, "several answers to a call that has one");
            return false;
        }
        if (parameters == NULL)
            parameters = empty = json_object_new();
        out = g_malloc0(type->size);
        if (!wire_struct_parse(type, parameters, "reply", link->mode, out, &error))
            g_clear_pointer(&out, g_free);
    }
    if (!reply.continues || error != NULL)
        g_queue_pop_head(&link->calls);
    link->busy++;
    call->reply(out, reply.continues && error == NULL, error, call->data);
    if (out != NULL)
        wire_struct_clear(type, out);
    if (!reply.continues || error != NULL)
        call_free(call);
    return leave(link) && link->broken == NULL;
}

static void
deliver_all(WireLink *link)
{
    for (;;) {
        const char *message = NULL;
        gsize length = 0;
        g_autoptr(GError) error = NULL;

        if (!frame_reader_next(&link->in, &message, &length, &error)) {
            break_off(link, error->message);
            return;
        }
        if (message == NULL || !deliver(link, message, length))
            return;
    }
}

static void
receive(WireLink *link)
{
    FRAME_BUFFER(buffer, READ_BYTES);
    ssize_t length = recv(link->fd, buffer, sizeof buffer, MSG_DONTWAIT);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        break_off(link, length < 0 ? g_strerror(errno) : "the other side has gone");
        return;
    }
    frame_reader_push(&link->in, buffer, (gsize) length);
    deliver_all(link);
}

static void
send_output(WireLink *link)
{
    while (link->sent < link->out->len) {
        ssize_t sent = send(link->fd, link->out->str + link->sent,
                            link->out->len - link->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            wire_watch_set_events(link->watch, EPOLLIN | EPOLLOUT);
            return;
        }
        if (sent < 0) {
            break_off(link, g_strerror(errno));
            return;
        }
        link->sent += (gsize) sent;
    }
    g_string_truncate(link->out, 0);
    link->sent = 0;
    wire_watch_set_events(link->watch, EPOLLIN);
}

static void
on_events(uint32_t events, gpointer data)
{
    WireLink *link = data;

    if ((events & EPOLLOUT) != 0)
        send_output(link);
    if (link->watch != NULL && (events & ~(uint32_t) EPOLLOUT) != 0)
        receive(link);
}

static gboolean
on_deadline(gpointer data)
{
    Call *call = data;
    WireLink *link = call->link;
    g_autoptr(GError) error = NULL;

    call->deadline = 0;
    g_queue_remove(&link->calls, call);
    proto_error_set_deadline(&error, call->method->full_name,
                             "%s was not answered in time", call->method->full_name);
    link->busy++;
    call->reply(NULL, false, error, call->data);
    call_free(call);
    if (leave(link))
        break_off(link, "an answer came too late");
    return G_SOURCE_REMOVE;
}

WireLink *
wire_link_new(int fd, void (*closed)(WireLink *link, gpointer data), gpointer data)
{
    WireLink *link = g_new0(WireLink, 1);

    link->fd = fd;
    link->mode = WIRE_PARSE_STRICT;
    link->closed = closed;
    link->data = data;
    link->out = g_string_new(NULL);
    frame_reader_init(&link->in, WIRE_LIMITS_PEER.message_bytes);
    g_queue_init(&link->calls);
    link->watch = wire_watch_new(fd, EPOLLIN, on_events, link);
    return link;
}

WireLink *
wire_link_connect(const char *path,
                  void (*closed)(WireLink *link, gpointer data),
                  gpointer data,
                  GError **error)
{
    int fd = envelope_connect(path, error);
    WireLink *link = fd >= 0 ? wire_link_new(fd, closed, data) : NULL;

    if (link != NULL)
        link->mode = WIRE_PARSE_LENIENT;
    return link;
}

void
wire_link_free(WireLink *link)
{
    if (link == NULL)
        return;
    g_clear_pointer(&link->watch, wire_watch_free);
    g_clear_handle_id(&link->broken_source, g_source_remove);
    g_queue_clear_full(&link->calls, (GDestroyNotify) call_free);
    close(link->fd);
    link->is_freed = true;
    if (link->busy == 0)
        link_free(link);
}

void
wire_link_call(WireLink *link,
               const WireMethod *method,
               const void *in,
               bool more,
               gint64 timeout_ms,
               WireLinkReply reply,
               gpointer data)
{
    Call *call = g_new0(Call, 1);
    g_autoptr(GString) parameters = NULL;

    *call = (Call){
        .link = link, .method = method, .more = more, .reply = reply, .data = data
    };
    g_queue_push_tail(&link->calls, call);
    if (link->broken != NULL) {
        if (link->broken_source == 0)
            link->broken_source =
                g_idle_add_full(G_PRIORITY_DEFAULT, tell_broken, link, NULL);
        return;
    }
    if (in != NULL) {
        parameters = g_string_new(NULL);
        wire_struct_print(method->call, in, parameters);
    }
    envelope_append_call(link->out, method->full_name,
                         parameters != NULL ? parameters->str : NULL, more);
    if (timeout_ms > 0)
        call->deadline = g_timeout_add((guint) timeout_ms, on_deadline, call);
    send_output(link);
}

guint
wire_link_count_calls(WireLink *link)
{
    return link->calls.length;
}
