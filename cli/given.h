/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "command.h"

/**
 * One option with its value, and how it goes into a call.  Private to arguments.c.
 */
typedef struct {
    const Option *option;
    /** As it was typed: "--mem" or "-m". */
    char *typed;
    /** NULL for a flag. */
    char *text;
    gint64 number;
} Given;

/** Checks the value by the option's kind and its field's bounds. */
Given *given_new(const Command *command,
                 const Option *option,
                 const char *typed,
                 const char *value,
                 GError **error);
void given_free(Given *given);

bool given_may_repeat(const Option *option);

/** Puts the value into the field of value, a struct of the command's call. */
bool given_fill(const Given *given, const Command *command, void *value, GError **error);

bool given_fill_operand(const Command *command,
                        const char *operand,
                        void *value,
                        GError **error);

/** Makes a request id where there is none; is_one_of_many sets those of one command line
 * apart. */
void given_complete_request(const WireField *field,
                            const char *operand,
                            bool is_one_of_many,
                            void *value);
