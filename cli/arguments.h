/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "command.h"

/**
 * What was typed, taken apart by the rows of commands.c and checked against the bounds of
 * the schema.  Fails with PROTO_ERROR_INVALID_PARAMETER, whose path is the option as it
 * was typed.  Reads no file but the environment ($VMCTL_TENANT), and talks to nobody.
 */
struct Arguments {
    /** NULL: none was named. */
    const Command *command;
    /** NULL-terminated. */
    char **operands;
    gsize n_operands;
    GPtrArray *given;
};

/** argv without the program's name, NULL-terminated. */
Arguments *arguments_parse(const char *const *argv, GError **error);
void arguments_free(Arguments *arguments);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Arguments, arguments_free)

/** Whether the option was given; for a flag, whether it is set. */
bool arguments_has(const Arguments *arguments, const char *name);

/** The option's text as typed (a time is completed), or NULL. */
const char *arguments_get_text(const Arguments *arguments, const char *name);

/** The number of an integer, size (bytes) or duration (ms), or the fallback. */
gint64
arguments_get_number(const Arguments *arguments, const char *name, gint64 fallback);

/** The word that --wait asks for; the command's default if it was left out. */
const char *arguments_get_wait(const Arguments *arguments);

/**
 * Fills value, a zeroed struct of the command's call, from the options, from operand if
 * it is not NULL, and with a new request id where the call takes one and none was given.
 * Reads the files that options name.  Release with wire_struct_clear().
 */
bool arguments_fill(const Arguments *arguments,
                    const char *operand,
                    void *value,
                    GError **error);
