/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "wire/server.h"

/** A text that is made a bit at a time. */
typedef struct {
    gpointer stream;
    /** Appends the next bit, which may be nothing; ret_done with the last. */
    bool (*next)(gpointer stream, GString *out, bool *ret_done, GError **error);
    GDestroyNotify free;
} TextSource;

/**
 * Answers a call of io.vmctl.Billing.Report with a text, and frees its source.  A call
 * for more gets it in pieces, as fast as its client takes them; any other gets it whole
 * or PROTO_ERROR_TOO_LARGE.  No more is held than a piece and a bit.  Ends call.
 */
void text_reply_start(WireCall *call, const TextSource *source);
