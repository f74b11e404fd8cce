/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "run.h"

/* The script asks for what only the service knows, and has all words from our table. */
static const char head[] =
    "# bash completion for vmctl; made by `vmctl completion bash`.\n"
    "\n"
    "_vmctl_names()\n"
    "{\n"
    "    vmctl \"$1\" ${2:+\"$2\"} -o name 2>/dev/null\n"
    "}\n"
    "\n"
    "_vmctl()\n"
    "{\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local command='' options='' names='' index\n"
    "    for ((index = 1; index < COMP_CWORD; index++)); do\n"
    "        case ${COMP_WORDS[index]} in\n"
    "        -*) ;;\n"
    "        ls) command=${command:+$command }list ;;\n"
    "        op) command=${command:+$command }operation ;;\n"
    "        *) command=${command:+$command }${COMP_WORDS[index]} ;;\n"
    "        esac\n"
    "        case $command in\n"
    "        template | host | operation | group | '') ;;\n"
    "        *) break ;;\n"
    "        esac\n"
    "    done\n";

static const char tail[] =
    "    if [[ $word == -* ]]; then\n"
    "        names=$options\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$names\" -- \"$word\")\n"
    "}\n"
    "\n"
    "complete -o default -F _vmctl vmctl\n";

/* Where the words of an operand come from. */
static const struct {
    const char *field;
    const char *script;
} sources[] = {
    { "instance", "$(_vmctl_names list)" },
    { "template", "$(_vmctl_names template list)" },
    { "host", "$(_vmctl_names host list)" },
    { "group", "$(_vmctl_names group list)" },
    { "operation", "$(vmctl operation list -q 2>/dev/null)" },
};

static bool
is_listed(const char *list, const char *word, gsize length)
{
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length) {
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* The first words of all commands, each once; or the second ones of a group. */
static char *
list_words(const char *group)
{
    GString *list = g_string_new(NULL);
    gsize skip = group != NULL ? strlen(group) + 1 : 0;

    for (const Command *command = commands; command->words != NULL; command++) {
        g_autofree char *word = NULL;

        if (group != NULL &&
            (!g_str_has_prefix(command->words, group) || command->words[skip - 1] != ' '))
            continue;
        word = g_strndup(command->words + skip, strcspn(command->words + skip, " "));
        if (!is_listed(list->str, word, strlen(word)))
            g_string_append_printf(list, "%s%s", list->len > 0 ? " " : "", word);
    }
    return g_string_free(list, FALSE);
}

static char *
list_options(const Command *command)
{
    GString *list = g_string_new(NULL);
    const Option *option = NULL;

    for (gsize i = 0; (option = command_get_option(command, i)) != NULL; i++)
        g_string_append_printf(list, "%s--%s", i > 0 ? " " : "", option->name);
    return g_string_free(list, FALSE);
}

static const char *
find_source(const Command *command)
{
    for (gsize i = 0; command->method != NULL && i < G_N_ELEMENTS(sources); i++) {
        if (g_strcmp0(command->operand_field, sources[i].field) == 0)
            return sources[i].script;
    }
    return strcmp(command->words, "completion") == 0 ? "bash" : "";
}

/* "-o | --output | --format": what stands before a value with known words. */
static void
append_choices(GString *out, const Command *command, const Option *option)
{
    g_auto(GStrv) choices = NULL;
    g_autofree char *list = NULL;

    if (option->kind != OPTION_CHOICE)
        return;
    choices = command_get_choices(command, option);
    list = g_strjoinv(" ", choices);
    g_string_append(out, "        ");
    if (option->letter != '\0')
        g_string_append_printf(out, "-%c | ", option->letter);
    if (option->alias != NULL)
        g_string_append_printf(out, "--%s | ", option->alias);
    g_string_append_printf(out, "--%s) names='%s' ;;\n", option->name, list);
}

static void
append_command(GString *out, const Command *command)
{
    g_autofree char *options = list_options(command);
    const Option *option = NULL;

    g_string_append_printf(out,
                           "    '%s')\n        options='%s'\n        case $before in\n",
                           command->words, options);
    for (gsize i = 0; (option = command_get_option(command, i)) != NULL; i++)
        append_choices(out, command, option);
    g_string_append_printf(out, "        *) names=\"%s\" ;;\n        esac\n        ;;\n",
                           find_source(command));
}

static void
append_group(GString *out, const char *group)
{
    g_autofree char *words = list_words(group);

    g_string_append_printf(out, "    '%s') names='%s' ;;\n", group, words);
}

bool
run_completion(Session *session, const Arguments *arguments, GError **error)
{
    g_autoptr(GString) out = g_string_new(head);
    g_autofree char *words = list_words(NULL);

    if (strcmp(arguments->operands[0], "bash") != 0) {
        proto_error_set_invalid_parameter(error, "bash", "is unknown",
                                          "There is a completion for bash, not for %s",
                                          arguments->operands[0]);
        return false;
    }
    g_string_append_printf(out, "    case $command in\n    '') names='%s' ;;\n", words);
    append_group(out, "template");
    append_group(out, "host");
    append_group(out, "operation");
    append_group(out, "group");
    for (const Command *command = commands; command->words != NULL; command++)
        append_command(out, command);
    g_string_append(out, "    esac\n");
    g_string_append(out, tail);
    session_write(out->str, out->len);
    return true;
}
