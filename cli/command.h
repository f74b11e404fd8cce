/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "proto.h"
#include "wire/schema.h"

/**
 * What a command is: a row of the table in commands.c.  The parser, the help, the
 * completion and the calls are all made from these rows.
 */

/** Whom a command talks to. */
typedef enum {
    SERVICE_VMD,
    SERVICE_METER,
    SERVICE_N,
} Service;

typedef enum {
    OPTION_FLAG,
    OPTION_INTEGER,
    /** "2G": bytes. */
    OPTION_SIZE,
    /** "30s": milliseconds. */
    OPTION_DURATION,
    /** "2026-10" and longer. */
    OPTION_TIME,
    OPTION_TEXT,
    /** One of the words of its field's enum, or else of its metavar ("none|ready"). */
    OPTION_CHOICE,
    /** "key=value"; may be given several times. */
    OPTION_LABEL,
    /** A file's content is the value; "-" is the standard input. */
    OPTION_FILE,
    /** An OpenSSH public key, or a file of them; may be given several times. */
    OPTION_KEY,
} OptionKind;

/** When an option that all commands share belongs to a command. */
typedef enum {
    OPTION_ALWAYS,
    /** The command shows something. */
    OPTION_WHEN_SHOWN,
    /** The call has the option's field. */
    OPTION_WHEN_FIELD,
    /** The command waits for what it began. */
    OPTION_WHEN_WAITING,
} OptionRule;

typedef struct {
    const char *name;
    /** A second name, or NULL. */
    const char *alias;
    char letter;
    OptionKind kind;
    /** The field of the call that it fills, or NULL if it is for vmctl itself. */
    const char *field;
    const char *metavar;
    const char *help;
    OptionRule rule;
} Option;

/** How a cell is written for people; csv has the plain value. */
typedef enum {
    CELL_TEXT,
    CELL_SIZE,
    CELL_AGE,
    CELL_DURATION,
    CELL_YES,
    /** A list of {name, duration_ms}. */
    CELL_PHASES,
} CellKind;

typedef enum {
    /** In every table. */
    COLUMN_NARROW,
    /** Only with -o wide, and when one thing is shown. */
    COLUMN_WIDE,
} ColumnWidth;

/** A column is a row: what stands above it, where its value is ("default.vcpus"), how it
 * is written. */
typedef struct {
    const char *header;
    const char *path;
    CellKind kind;
    ColumnWidth width;
} Column;

typedef struct {
    /** The reply's member that holds the rows, or the one row; NULL: the reply is the
     * row. */
    const char *member;
    bool is_list;
    const Column *columns;
    gsize n_columns;
    /** Paths of what -o name and -q print. */
    const char *name_path;
    const char *id_path;
} View;

typedef struct Session Session;
typedef struct Arguments Arguments;
typedef struct Command Command;

struct Command {
    /** "list", "template list" */
    const char *words;
    /** What it takes besides options: "[NAME]", "NAME...". */
    const char *operands;
    gsize operands_min;
    gsize operands_max;
    /** The field that each operand fills. */
    const char *operand_field;
    /** The last operand is the value of this; NULL: it is as the others. */
    const Option *last_operand;
    Service service;
    const WireMethod *method;
    const View *view;
    const Option *options;
    gsize n_options;
    /** What --wait takes, the default last: "none|running"; NULL: it begins nothing that
     * lasts. */
    const char *wait;
    /** Does it; false with error.  May end the session with an exit code of its own. */
    bool (*run)(Session *session, const Arguments *arguments, GError **error);
    const char *summary;
    /** More for the command's own help, or NULL. */
    const char *details;
};

/** All commands, in the order of the help; words is NULL after the last. */
extern const Command commands[];

/** The index-th option of command, its own before the shared ones; NULL after the last.
 */
const Option *command_get_option(const Command *command, gsize index);

/** The option called name (without dashes), or NULL. */
const Option *command_find_option(const Command *command, const char *name);
const Option *command_find_letter(const Command *command, char letter);

/** The option that every command has, for what stands before the command's words. */
const Option *command_find_shared(const char *argument);

/** The field of the command's call, or NULL. */
const WireField *command_find_field(const Command *command, const char *name);

/**
 * The command whose words stand at the beginning of words, and how many they are.  Fails
 * with PROTO_ERROR_INVALID_PARAMETER, which names the nearest.
 */
const Command *command_find(const char *const *words, gsize *ret_n_words, GError **error);

/** What an OPTION_CHOICE takes.  Free with g_strfreev(). */
char **command_get_choices(const Command *command, const Option *option);
