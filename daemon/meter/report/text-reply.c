/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/text-reply.h"

#include <string.h>

#include "meter/report/stream.h"
#include "proto.h"

enum {
    /* Of text in a reply. */
    PIECE_BYTES = 128 * 1024,
    /* Of text in the one reply of a call that did not ask for more. */
    WHOLE_BYTES = 512 * 1024
};

typedef struct {
    TextSource source;
    GString *out;
    bool is_complete;
} TextReply;

static void
text_reply_free(gpointer data)
{
    TextReply *self = data;

    self->source.free(self->source.stream);
    g_string_free(self->out, TRUE);
    g_free(self);
}

/* Up to the end of a line, so that no letter is cut. */
static gsize
get_piece_length(const GString *out)
{
    const char *end = NULL;

    if (out->len <= PIECE_BYTES)
        return out->len;
    end = memrchr(out->str, '\n', PIECE_BYTES);
    return end != NULL ? (gsize) (end - out->str) + 1 : PIECE_BYTES;
}

/* False with the last one. */
static bool
send_piece(WireCall *call, TextReply *self)
{
    gsize length = get_piece_length(self->out);
    g_autofree char *text = g_strndup(self->out->str, length);
    const ProtoBillingReportReply reply = { .text = text };

    g_string_erase(self->out, 0, (gssize) length);
    if (self->out->len == 0 && self->is_complete) {
        wire_call_reply(call, &reply);
        return false;
    }
    wire_call_continue(call, &reply);
    return true;
}

/* False when it is sent, or too large. */
static bool
send_whole(WireCall *call, const TextReply *self)
{
    const ProtoBillingReportReply reply = { .text = self->out->str };
    GError *error = NULL;

    if (self->out->len > WHOLE_BYTES) {
        proto_error_set_too_large(&error, "reply", WHOLE_BYTES,
                                  "The report has more than %d bytes: call with more, or "
                                  "ask for less",
                                  WHOLE_BYTES);
        wire_call_fail(call, error);
        return false;
    }
    if (self->is_complete)
        wire_call_reply(call, &reply);
    return !self->is_complete;
}

static bool
step(WireCall *call, gpointer data)
{
    TextReply *self = data;
    bool is_streamed = wire_call_wants_more(call);
    bool has_piece = is_streamed && self->out->len >= PIECE_BYTES;
    GError *error = NULL;

    if (!has_piece && !self->is_complete &&
        !self->source.next(self->source.stream, self->out, &self->is_complete, &error)) {
        wire_call_fail(call, error);
        return false;
    }
    if (!is_streamed)
        return send_whole(call, self);
    if (self->out->len >= PIECE_BYTES || self->is_complete)
        return send_piece(call, self);
    return true;
}

void
text_reply_start(WireCall *call, const TextSource *source)
{
    TextReply *self = g_new0(TextReply, 1);

    self->source = *source;
    self->out = g_string_new(NULL);
    stream_start(call, step, self, text_reply_free);
}
