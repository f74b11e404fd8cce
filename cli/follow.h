/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "session.h"

/**
 * Waiting for what was begun, with a line on the terminal that tells how it goes.
 */
typedef struct {
    Session *session;
    /** On the monotonic clock, in microseconds. */
    gint64 started;
    gint64 deadline;
    /** What the line begins with ("web", "3 of 10"); owned. */
    char *label;
    bool has_line;
} Follow;

/** Catches signals from here on. */
void follow_init(Follow *follow, Session *session, gint64 timeout_ms);

/** Takes the line away. */
void follow_done(Follow *follow);

G_GNUC_PRINTF(2, 3)
void follow_set_label(Follow *follow, const char *format, ...);

/** Erases the line, before something else is printed. */
void follow_clear_line(Follow *follow);

/**
 * Waits until the operation has ended; ret_operation is an Operation.  That it failed is
 * not an error here.
 */
bool follow_operation(Follow *follow,
                      const char *id,
                      JsonNode **ret_operation,
                      GError **error);

/** Waits until the instance is what is waited for; ret_instance is an Instance. */
bool follow_instance(Follow *follow,
                     const char *instance,
                     const char *tenant,
                     Until until,
                     JsonNode **ret_instance,
                     GError **error);

/** The error that an ended operation failed with, or NULL if it succeeded. */
GError *follow_get_failure(JsonNode *operation);

/** From when it was asked for to its end; -1 if it has not ended. */
gint64 follow_get_duration(JsonNode *operation);
