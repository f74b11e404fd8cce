/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/usage-reply.h"

#include "base/clock.h"
#include "meter/report/stream.h"
#include "meter/usage.h"

enum {
    /* Segments of one turn of the main loop.  Each completes one line at most, and the
     * end completes one more when the last turn was not full. */
    TURN_SEGMENTS = 200
};

/* It lives as long as its call: from the start to the final reply, or until the client
 * has gone. */
typedef struct {
    WireCall *call;
    View *view;
    ViewSegments *segments;
    UsageFold *fold;
    char *from;
    char *to;
    bool is_read;
    guint totals_sent;
    bool is_ended;
} UsageReply;

static void
usage_reply_free(gpointer data)
{
    UsageReply *self = data;

    view_segments_free(self->segments);
    view_free(self->view);
    usage_fold_free(self->fold);
    g_free(self->from);
    g_free(self->to);
    g_free(self);
}

/* What is ready to go out; the pointers are borrowed. */
static ProtoBillingUsageReply
get_ready(UsageReply *self)
{
    GArray *lines = usage_fold_get_lines(self->fold);

    return (ProtoBillingUsageReply){
        .from = self->from,
        .to = self->to,
        .lines = (ProtoUsageLine *) (gpointer) lines->data,
        .n_lines = lines->len,
        .ledger_seq = view_get_head(self->view)->seq,
    };
}

static void
fail(UsageReply *self, GError *error)
{
    wire_call_fail(self->call, error);
    self->is_ended = true;
}

static bool
has_room(UsageReply *self)
{
    GError *error = NULL;

    if (wire_call_wants_more(self->call) ||
        usage_fold_get_lines(self->fold)->len <= WIRE_PAGE_ROWS)
        return true;
    proto_error_set_too_large(&error, "reply", WIRE_PAGE_ROWS,
                              "There are more than %d lines of usage: call with more, or "
                              "ask for less time or one tenant",
                              WIRE_PAGE_ROWS);
    fail(self, error);
    return false;
}

static bool
add_segment(UsageReply *self, const ViewSegment *segment, GError **error)
{
    const UsageSegment counted = {
        .tenant = segment->tenant,
        .instance = segment->id,
        .name = segment->name,
        .state = segment->state,
        .vcpus = segment->vcpus,
        .memory_bytes = segment->memory_bytes,
        .disk_bytes = segment->disk_bytes,
        .start_ms = segment->start_ms,
        .end_ms = segment->end_ms,
    };

    return segment->kind != RESOURCE_KIND_INSTANCE ||
           usage_fold_add(self->fold, &counted, error);
}

/* The segments of a turn; ret_more tells whether there may be others. */
static bool
read_segments(UsageReply *self, bool *ret_more, GError **error)
{
    ViewSegment segment;
    bool has = true;

    for (int i = 0; i < TURN_SEGMENTS && has; i++) {
        if (!view_segments_next(self->segments, &has, &segment, error) ||
            (has && !add_segment(self, &segment, error)))
            return false;
    }
    *ret_more = has;
    return true;
}

/* Reads on, and sends what is complete. */
static void
read_on(UsageReply *self)
{
    ProtoBillingUsageReply reply = { 0 };
    GError *error = NULL;
    bool more = false;

    if (!read_segments(self, &more, &error) ||
        (!more && !usage_fold_finish(self->fold, &error))) {
        fail(self, error);
        return;
    }
    self->is_read = !more;
    reply = get_ready(self);
    if (!has_room(self) || self->is_read || reply.n_lines == 0 ||
        !wire_call_wants_more(self->call))
        return;
    wire_call_continue(self->call, &reply);
    usage_fold_drop_lines(self->fold);
}

/*
 * Sends the last lines, and the totals: a reply more for every page of them.  One reply
 * always holds those of a call that did not ask for more: no tenant is without a line.
 */
static void
send_totals(UsageReply *self)
{
    const GArray *totals = usage_fold_get_totals(self->fold);
    guint count = MIN(totals->len - self->totals_sent, (guint) WIRE_PAGE_ROWS);
    ProtoBillingUsageReply reply = get_ready(self);

    reply.totals =
        (ProtoUsageTotal *) (gpointer) totals->data + (gsize) self->totals_sent;
    reply.n_totals = count;
    self->totals_sent += count;
    if (self->totals_sent == totals->len) {
        wire_call_reply(self->call, &reply);
        self->is_ended = true;
        return;
    }
    wire_call_continue(self->call, &reply);
    usage_fold_drop_lines(self->fold);
}

static bool
step(WireCall *call, gpointer data)
{
    UsageReply *self = data;

    if (self->is_read) {
        send_totals(self);
    } else {
        read_on(self);
    }
    return !self->is_ended;
}

void
usage_reply_start(WireCall *call, View *view, const char *tenant, const Window *window)
{
    UsageReply *self = g_new0(UsageReply, 1);
    const ViewFilter filter = { .tenant = tenant, .window = *window };

    *self = (UsageReply){
        .call = call,
        .view = view,
        .segments = view_segments_new(view, &filter),
        .fold = usage_fold_new(window),
        .from = clock_format_time(window->from_ms),
        .to = clock_format_time(window->to_ms),
    };
    stream_start(call, step, self, usage_reply_free);
}
