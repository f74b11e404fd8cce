/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command.h"

#include <string.h>

#include "suggest.h"

enum {
    WORDS_MAX = 2
};

/* clang-format off */
static const Option shared[] = {
    { "output", "format", 'o', OPTION_CHOICE, NULL, "table|wide|json|csv|name", "How the result is printed (table)", OPTION_WHEN_SHOWN },
    { "quiet", NULL, 'q', OPTION_FLAG, NULL, NULL, "Print ids only", OPTION_WHEN_SHOWN },
    { "tenant", NULL, 0, OPTION_TEXT, "tenant", "TENANT", "The tenant to act for (else $VMCTL_TENANT)", OPTION_WHEN_FIELD },
    { "request-id", NULL, 0, OPTION_TEXT, "request_id", "ID", "Makes a repeat harmless: the same id and request get the first answer", OPTION_WHEN_FIELD },
    { "wait", NULL, 'w', OPTION_CHOICE, NULL, NULL, "What to wait for", OPTION_WHEN_WAITING },
    { "no-wait", NULL, 0, OPTION_FLAG, NULL, NULL, "The same as --wait none", OPTION_WHEN_WAITING },
    { "timeout", NULL, 0, OPTION_DURATION, NULL, "TIME", "How long to wait at most (10m)", OPTION_WHEN_WAITING },
    { "socket", NULL, 0, OPTION_TEXT, NULL, "PATH", "The service's socket (else $VMCTL_SOCKET)", OPTION_ALWAYS },
    { "help", NULL, 'h', OPTION_FLAG, NULL, NULL, "Explain the command", OPTION_ALWAYS },
};

/* Other names for a word of a command. */
static const struct {
    const char *word;
    const char *stands_for;
} aliases[] = {
    { "ls", "list" },
    { "op", "operation" },
};

/* What other programs call it: no command, but we know what is meant. */
static const struct {
    const char *word;
    const char *meant;
} elsewhere[] = {
    { "launch", "create" }, { "run", "create" }, { "new", "create" },
    { "ps", "list" },
    { "info", "show" }, { "get", "show" }, { "describe", "show" }, { "inspect", "show" }, { "status", "show" },
    { "shutdown", "stop" }, { "poweroff", "stop" }, { "kill", "stop" },
    { "reboot", "restart" },
    { "suspend", "pause" }, { "unpause", "resume" },
    { "delete", "destroy" }, { "rm", "destroy" }, { "remove", "destroy" }, { "undefine", "destroy" },
    { "set", "resize" }, { "scale", "group scale" }, { "groups", "group list" },
    { "console", "log" }, { "logs", "log" },
    { "images", "template list" }, { "image", "template" }, { "ops", "operation list" },
    { "hosts", "host list" }, { "templates", "template list" }, { "operations", "operation list" }, { "tenants", "tenant list" },
    { "billing", "usage" }, { "check", "doctor" }, { "watch", "events" },
};

/* clang-format on */

const WireField *
command_find_field(const Command *command, const char *name)
{
    const WireStruct *call = command->method != NULL ? command->method->call : NULL;

    for (gsize i = 0; name != NULL && call != NULL && i < call->n_fields; i++) {
        if (strcmp(call->fields[i].name, name) == 0)
            return &call->fields[i];
    }
    return NULL;
}

static bool
has_name(const Option *option, const char *name)
{
    return strcmp(option->name, name) == 0 || g_strcmp0(option->alias, name) == 0;
}

static bool
is_own(const Command *command, const char *name)
{
    for (gsize i = 0; i < command->n_options; i++) {
        if (has_name(&command->options[i], name))
            return true;
    }
    return false;
}

static bool
applies(const Command *command, const Option *option)
{
    if (is_own(command, option->name))
        return false;
    switch (option->rule) {
    case OPTION_ALWAYS:
        return true;
    case OPTION_WHEN_SHOWN:
        return command->view != NULL;
    case OPTION_WHEN_FIELD:
        return command_find_field(command, option->field) != NULL &&
               (command->operands_min == 0 ||
                g_strcmp0(command->operand_field, option->field) != 0);
    case OPTION_WHEN_WAITING:
        return command->wait != NULL;
    }
    return false;
}

const Option *
command_get_option(const Command *command, gsize index)
{
    if (index < command->n_options)
        return &command->options[index];
    index -= command->n_options;
    for (gsize i = 0; i < G_N_ELEMENTS(shared); i++) {
        if (applies(command, &shared[i]) && index-- == 0)
            return &shared[i];
    }
    return NULL;
}

const Option *
command_find_option(const Command *command, const char *name)
{
    const Option *option = NULL;

    for (gsize i = 0; (option = command_get_option(command, i)) != NULL; i++) {
        if (has_name(option, name))
            return option;
    }
    return NULL;
}

const Option *
command_find_letter(const Command *command, char letter)
{
    const Option *option = NULL;

    for (gsize i = 0; (option = command_get_option(command, i)) != NULL; i++) {
        if (option->letter != '\0' && option->letter == letter)
            return option;
    }
    return NULL;
}

const Option *
command_find_shared(const char *argument)
{
    for (gsize i = 0; i < G_N_ELEMENTS(shared); i++) {
        bool is_long = g_str_has_prefix(argument, "--");

        if (is_long ? has_name(&shared[i], argument + 2)
                    : shared[i].letter != '\0' && argument[1] == shared[i].letter)
            return &shared[i];
    }
    return NULL;
}

static const char *
resolve(const char *word)
{
    for (gsize i = 0; i < G_N_ELEMENTS(aliases); i++) {
        if (strcmp(aliases[i].word, word) == 0)
            return aliases[i].stands_for;
    }
    return word;
}

static const Command *
find_exactly(const char *words)
{
    for (const Command *command = commands; command->words != NULL; command++) {
        if (strcmp(command->words, words) == 0)
            return command;
    }
    return NULL;
}

/* "list", "show", ... of "template"; empty if it is no such word. */
static char **
list_members(const char *group)
{
    g_autoptr(GStrvBuilder) members = g_strv_builder_new();
    gsize length = strlen(group);

    for (const Command *command = commands; command->words != NULL; command++) {
        if (strncmp(command->words, group, length) == 0 && command->words[length] == ' ')
            g_strv_builder_add(members, command->words + length + 1);
    }
    return g_strv_builder_end(members);
}

static bool
fail_member(const char *group, const char *word, char **members, GError **error)
{
    g_autofree char *list = g_strjoinv(", ", members);

    if (word == NULL) {
        proto_error_set_invalid_parameter(error, "command", "is not complete",
                                          "\"%s\" wants one more word: %s", group, list);
    } else {
        proto_error_set_invalid_parameter(error, "command", "is unknown",
                                          "There is no command \"%s %s\": %s takes %s",
                                          group, word, group, list);
    }
    return false;
}

static const char *
find_near(const char *word)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    const char *near = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(elsewhere); i++) {
        if (strcmp(elsewhere[i].word, word) == 0)
            return elsewhere[i].meant;
    }
    for (const Command *command = commands; command->words != NULL; command++)
        g_ptr_array_add(words, (gpointer) (guintptr) command->words);
    for (gsize i = 0; i < G_N_ELEMENTS(aliases); i++)
        g_ptr_array_add(words, (gpointer) (guintptr) aliases[i].word);
    g_ptr_array_add(words, (gpointer) (guintptr) "template");
    g_ptr_array_add(words, (gpointer) (guintptr) "host");
    g_ptr_array_add(words, (gpointer) (guintptr) "tenant");
    g_ptr_array_add(words, (gpointer) (guintptr) "quota");
    g_ptr_array_add(words, (gpointer) (guintptr) "member");
    g_ptr_array_add(words, (gpointer) (guintptr) "token");
    g_ptr_array_add(words, (gpointer) (guintptr) "rate");
    g_ptr_array_add(words, (gpointer) (guintptr) "group");
    g_ptr_array_add(words, NULL);
    near = suggest_find(word, (const char *const *) words->pdata);
    return near;
}

static bool
fail_unknown(const char *word, GError **error)
{
    const char *near = find_near(word);

    if (near != NULL) {
        proto_error_set_invalid_parameter(
            error, "command", "is unknown",
            "There is no command \"%s\": did you mean `vmctl %s`?", word, near);
    } else {
        proto_error_set_invalid_parameter(
            error, "command", "is unknown",
            "There is no command \"%s\": `vmctl help` lists them", word);
    }
    return false;
}

/* "tenant member add" is "member add", and so are tokens. */
static bool
is_of_tenant(const char *const *words)
{
    static const char *const members[] = { "member", "token", NULL };

    return g_strcmp0(words[0], "tenant") == 0 && words[1] != NULL &&
           g_strv_contains(members, words[1]);
}

const Command *
command_find(const char *const *all, gsize *ret_n_words, GError **error)
{
    gsize skipped = is_of_tenant(all) ? 1 : 0;
    const char *const *words = all + skipped;
    const char *first = resolve(words[0]);
    const char *second = words[0] != NULL && words[1] != NULL ? resolve(words[1]) : NULL;
    const Command *command = NULL;
    g_auto(GStrv) members = NULL;

    /* "usage report" is a command, and so is "usage". */
    if (second != NULL) {
        g_autofree char *both = g_strdup_printf("%s %s", first, second);

        command = find_exactly(both);
    }
    if (command != NULL) {
        *ret_n_words = WORDS_MAX + skipped;
        return command;
    }
    *ret_n_words = 1 + skipped;
    command = find_exactly(first);
    if (command != NULL)
        return command;
    members = list_members(first);
    if (members[0] != NULL) {
        fail_member(first, second, members, error);
    } else {
        fail_unknown(words[0], error);
    }
    return NULL;
}

char **
command_get_choices(const Command *command, const Option *option)
{
    const WireField *field = command_find_field(command, option->field);
    const char *words =
        option->rule == OPTION_WHEN_WAITING ? command->wait : option->metavar;
    g_autoptr(GStrvBuilder) choices = NULL;

    if (field == NULL || field->kind != WIRE_ENUM)
        return g_strsplit(words, "|", -1);
    choices = g_strv_builder_new();
    for (gsize i = 0; i < field->enumeration->n_values; i++)
        g_strv_builder_add(choices, field->enumeration->values[i]);
    return g_strv_builder_end(choices);
}
