/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "help.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "exits.h"
#include "run.h"

enum {
    LEFT_COLUMNS = 32,
    RIGHT_COLUMNS = 56
};

/* Text in lines of at most so many columns, each after the first indented. */
static void
append_wrapped(GString *out, const char *text, gsize indent, gsize columns)
{
    gsize used = 0;

    while (*text != '\0') {
        gsize length = strcspn(text, " ");

        if (used > 0 && used + 1 + length > columns) {
            g_string_append_printf(out, "\n%*s", (int) indent, "");
            used = 0;
        }
        if (used > 0) {
            g_string_append_c(out, ' ');
            used++;
        }
        g_string_append_len(out, text, (gssize) length);
        used += length;
        text += length + strspn(text + length, " ");
    }
    g_string_append_c(out, '\n');
}

static void
append_row(GString *out, const char *left, const char *right)
{
    g_string_append_printf(out, "  %-*s", LEFT_COLUMNS - 2, left);
    if (strlen(left) > LEFT_COLUMNS - 3)
        g_string_append_printf(out, "\n%*s", LEFT_COLUMNS, "");
    append_wrapped(out, right, LEFT_COLUMNS, RIGHT_COLUMNS);
}

static void
append_exits(GString *out)
{
    g_string_append(out, "\nExit codes:\n");
    for (guint i = 0; exits_describe(i) != NULL; i++)
        g_string_append_printf(out, "  %s\n", exits_describe(i));
}

void
help_append_overview(GString *out)
{
    g_string_append(out, "Usage: vmctl COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n");
    for (const Command *command = commands; command->words != NULL; command++)
        append_row(out, command->words, command->summary);
    g_string_append(
        out, "\n`vmctl help COMMAND` or `vmctl COMMAND --help` explains a command;\n"
             "`vmctl --version` tells the version.  ls stands for list, op for "
             "operation.\n");
    append_exits(out);
}

static void
append_option(GString *out, const Command *command, const Option *option)
{
    g_autoptr(GString) left = g_string_new(NULL);
    g_autoptr(GString) right = g_string_new(option->help);

    if (option->letter != '\0') {
        g_string_append_printf(left, "-%c, ", option->letter);
    } else {
        g_string_append(left, "    ");
    }
    g_string_append_printf(left, "--%s", option->name);
    if (option->alias != NULL)
        g_string_append_printf(left, ", --%s", option->alias);
    if (option->kind == OPTION_CHOICE) {
        g_auto(GStrv) choices = command_get_choices(command, option);
        g_autofree char *list = g_strjoinv(", ", choices);

        g_string_append_printf(right, ": %s", list);
    }
    if (option->kind != OPTION_FLAG)
        g_string_append_printf(left, " %s",
                               option->kind == OPTION_CHOICE ? "WORD" : option->metavar);
    append_row(out, left->str, right->str);
}

void
help_append_command(GString *out, const Command *command)
{
    const Option *option = NULL;

    g_string_append_printf(out, "Usage: vmctl %s [OPTIONS]%s%s\n\n%s.\n", command->words,
                           command->operands != NULL ? " " : "",
                           command->operands != NULL ? command->operands : "",
                           command->summary);
    if (command->details != NULL) {
        g_string_append_c(out, '\n');
        append_wrapped(out, command->details, 0, LEFT_COLUMNS + RIGHT_COLUMNS);
    }
    g_string_append(out, "\nOptions:\n");
    for (gsize i = 0; (option = command_get_option(command, i)) != NULL; i++)
        append_option(out, command, option);
}

bool
run_help(Session *session, const Arguments *arguments, GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);
    const char *group[] = { arguments->operands[0], NULL };
    const Command *command = NULL;
    gsize n_words = 0;

    if (arguments->n_operands == 0) {
        help_append_overview(out);
    } else {
        command = command_find(
            arguments->n_operands > 1 ? (const char *const *) arguments->operands : group,
            &n_words, error);
        if (command == NULL)
            return false;
        help_append_command(out, command);
    }
    session_write(out->str, out->len);
    return true;
}
