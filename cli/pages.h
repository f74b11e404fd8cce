/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "render/render.h"
#include "session.h"

/**
 * Reads all pages of a list and adds their rows to render.  The next page is asked for
 * before the last one is rendered, and no page becomes a tree of objects: that is what
 * `vmctl list` of a thousand takes most of its time for.  in is the call's struct; its
 * "after" is moved on.
 */
bool pages_render(Session *session,
                  const Command *command,
                  void *in,
                  gint64 timeout_ms,
                  Render *render,
                  GError **error);

/** Puts where the next page begins into the call's struct.  Fails if that is where the
 * last one began: the list would have no end. */
bool pages_set_after(const Command *command, void *in, const char *after, GError **error);
