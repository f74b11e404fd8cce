/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arguments.h"

#include <string.h>

#include "given.h"
#include "suggest.h"

static bool
refuse(GError **error, const char *path, const char *message)
{
    proto_error_set_invalid_parameter(error, path, message, "%s", message);
    return false;
}

/* An option that the command does not take. */
static bool
refuse_option(const Command *command, const char *argument, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autofree char *message = NULL;
    const Option *option = NULL;
    const char *near = NULL;
    const char *name = argument + strspn(argument, "-");

    for (gsize i = 0; (option = command_get_option(command, i)) != NULL; i++) {
        g_ptr_array_add(names, (gpointer) (guintptr) option->name);
        if (option->alias != NULL)
            g_ptr_array_add(names, (gpointer) (guintptr) option->alias);
    }
    g_ptr_array_add(names, NULL);
    near = suggest_find(name, (const char *const *) names->pdata);
    if (near != NULL) {
        message = g_strdup_printf("`vmctl %s` has no option %s: did you mean --%s?",
                                  command->words, argument, near);
    } else {
        message = g_strdup_printf("`vmctl %s` has no option %s: see `vmctl help %s`",
                                  command->words, argument, command->words);
    }
    return refuse(error, argument, message);
}

static bool
add(Arguments *arguments,
    const Option *option,
    const char *typed,
    const char *value,
    GError **error)
{
    Given *given = given_new(arguments->command, option, typed, value, error);

    if (given == NULL)
        return false;
    if (!given_may_repeat(option) && arguments_has(arguments, option->name)) {
        g_autofree char *message = g_strdup_printf("%s is given twice", typed);

        given_free(given);
        return refuse(error, typed, message);
    }
    g_ptr_array_add(arguments->given, given);
    return true;
}

/* The value of an option: what is attached to it, or the next argument. */
static bool
take_value(const char *typed,
           const char *attached,
           const char *const **argv,
           const char **ret_value,
           GError **error)
{
    g_autofree char *message = NULL;

    if (attached != NULL) {
        *ret_value = attached;
        return true;
    }
    if (**argv != NULL) {
        *ret_value = *(*argv)++;
        return true;
    }
    message = g_strdup_printf("%s wants a value", typed);
    return refuse(error, typed, message);
}

static bool
parse_long(Arguments *arguments,
           const char *argument,
           const char *const **argv,
           GError **error)
{
    const char *equals = strchr(argument, '=');
    g_autofree char *typed = equals != NULL
                                 ? g_strndup(argument, (gsize) (equals - argument))
                                 : g_strdup(argument);
    const Option *option = command_find_option(arguments->command, typed + 2);
    const char *value = NULL;

    if (option == NULL)
        return refuse_option(arguments->command, typed, error);
    if (option->kind == OPTION_FLAG && equals != NULL) {
        g_autofree char *message = g_strdup_printf("%s takes no value", typed);

        return refuse(error, typed, message);
    }
    if (option->kind != OPTION_FLAG &&
        !take_value(typed, equals != NULL ? equals + 1 : NULL, argv, &value, error))
        return false;
    return add(arguments, option, typed, value, error);
}

/* "-q", "-ojson", "-o json", "-fq" */
static bool
parse_letters(Arguments *arguments,
              const char *argument,
              const char *const **argv,
              GError **error)
{
    for (const char *letter = argument + 1; *letter != '\0'; letter++) {
        const char typed[] = { '-', *letter, '\0' };
        const Option *option = command_find_letter(arguments->command, *letter);
        const char *value = NULL;

        if (option == NULL)
            return refuse_option(arguments->command, typed, error);
        if (option->kind == OPTION_FLAG) {
            if (!add(arguments, option, typed, NULL, error))
                return false;
            continue;
        }
        return take_value(typed, letter[1] != '\0' ? letter + 1 : NULL, argv, &value,
                          error) &&
               add(arguments, option, typed, value, error);
    }
    return true;
}

static bool
is_option(const char *argument)
{
    return argument[0] == '-' && argument[1] != '\0';
}

static bool
parse_all(Arguments *arguments,
          const char *const *argv,
          GPtrArray *operands,
          GError **error)
{
    bool only_operands = false;

    while (*argv != NULL) {
        const char *argument = *argv++;

        if (only_operands || !is_option(argument)) {
            g_ptr_array_add(operands, g_strdup(argument));
        } else if (strcmp(argument, "--") == 0) {
            only_operands = true;
        } else if (g_str_has_prefix(argument, "--")) {
            if (!parse_long(arguments, argument, &argv, error))
                return false;
        } else if (!parse_letters(arguments, argument, &argv, error)) {
            return false;
        }
    }
    return true;
}

static bool
check_operands(const Arguments *arguments, GError **error)
{
    const Command *command = arguments->command;
    g_autofree char *message = NULL;

    if (arguments_has(arguments, "help"))
        return true;
    if (arguments->n_operands < command->operands_min) {
        message =
            g_strdup_printf("`vmctl %s` wants %s", command->words, command->operands);
        return refuse(error, command->operands, message);
    }
    if (arguments->n_operands > command->operands_max) {
        message = g_strdup_printf("`vmctl %s` does not take \"%s\"", command->words,
                                  arguments->operands[command->operands_max]);
        return refuse(error, arguments->operands[command->operands_max], message);
    }
    return true;
}

/* Takes the last operand for the value that it is. */
static bool
take_last_operand(Arguments *arguments, GError **error)
{
    const Option *option = arguments->command->last_operand;
    g_autofree char *value = NULL;

    if (option == NULL || arguments_has(arguments, "help"))
        return true;
    value = arguments->operands[--arguments->n_operands];
    arguments->operands[arguments->n_operands] = NULL;
    return add(arguments, option, option->metavar, value, error);
}

/* Options may stand before the command, but only those that every command has a use for;
 * they are moved behind its words. */
static bool
move_options(const char *const **argv, GPtrArray *moved, GError **error)
{
    while (**argv != NULL && is_option(**argv)) {
        const char *argument = *(*argv)++;
        const char *equals = strchr(argument, '=');
        g_autofree char *name = equals != NULL
                                    ? g_strndup(argument, (gsize) (equals - argument))
                                    : g_strdup(argument);
        const Option *option = command_find_shared(name);

        if (option == NULL) {
            g_autofree char *message = g_strdup_printf(
                "%s may not stand before the command: see `vmctl help`", name);

            return refuse(error, name, message);
        }
        g_ptr_array_add(moved, (gpointer) (guintptr) argument);
        if (option->kind != OPTION_FLAG && equals == NULL && **argv != NULL &&
            (name[1] == '-' || name[2] == '\0'))
            g_ptr_array_add(moved, (gpointer) (guintptr) * (*argv)++);
    }
    return true;
}

/* The tenant that the environment names, where none was given. */
static bool
add_tenant(Arguments *arguments, GError **error)
{
    static const char variable[] = "VMCTL_TENANT";
    const char *tenant = g_getenv(variable);
    const Option *option = command_find_option(arguments->command, "tenant");
    bool is_operand = arguments->n_operands > 0 &&
                      g_strcmp0(arguments->command->operand_field, "tenant") == 0;

    if (tenant == NULL || *tenant == '\0' || option == NULL || is_operand ||
        arguments_has(arguments, "tenant"))
        return true;
    return add(arguments, option, variable, tenant, error);
}

Arguments *
arguments_parse(const char *const *argv, GError **error)
{
    g_autoptr(Arguments) arguments = g_new0(Arguments, 1);
    g_autoptr(GPtrArray) moved = g_ptr_array_new();
    g_autoptr(GPtrArray) operands = g_ptr_array_new_with_free_func(g_free);
    gsize n_words = 0;

    arguments->given = g_ptr_array_new_with_free_func((GDestroyNotify) given_free);
    if (!move_options(&argv, moved, error))
        return NULL;
    if (*argv == NULL)
        return g_steal_pointer(&arguments);
    arguments->command = command_find(argv, &n_words, error);
    if (arguments->command == NULL)
        return NULL;
    for (argv += n_words; *argv != NULL; argv++)
        g_ptr_array_add(moved, (gpointer) (guintptr) *argv);
    g_ptr_array_add(moved, NULL);
    if (!parse_all(arguments, (const char *const *) moved->pdata, operands, error))
        return NULL;
    arguments->n_operands = operands->len;
    g_ptr_array_add(operands, NULL);
    arguments->operands = (char **) g_ptr_array_steal(operands, NULL);
    if (!check_operands(arguments, error) || !take_last_operand(arguments, error) ||
        !add_tenant(arguments, error))
        return NULL;
    return g_steal_pointer(&arguments);
}

void
arguments_free(Arguments *arguments)
{
    if (arguments == NULL)
        return;
    g_strfreev(arguments->operands);
    g_ptr_array_unref(arguments->given);
    g_free(arguments);
}

static const Given *
find(const Arguments *arguments, const char *name)
{
    for (guint i = 0; i < arguments->given->len; i++) {
        const Given *given = g_ptr_array_index(arguments->given, i);

        if (strcmp(given->option->name, name) == 0)
            return given;
    }
    return NULL;
}

bool
arguments_has(const Arguments *arguments, const char *name)
{
    return find(arguments, name) != NULL;
}

const char *
arguments_get_text(const Arguments *arguments, const char *name)
{
    const Given *given = find(arguments, name);

    return given != NULL ? given->text : NULL;
}

gint64
arguments_get_number(const Arguments *arguments, const char *name, gint64 fallback)
{
    const Given *given = find(arguments, name);

    return given != NULL ? given->number : fallback;
}

const char *
arguments_get_wait(const Arguments *arguments)
{
    const char *wait = arguments_get_text(arguments, "wait");
    const char *last = NULL;

    if (arguments_has(arguments, "no-wait") || arguments->command->wait == NULL)
        return "none";
    last = strrchr(arguments->command->wait, '|');
    return wait != NULL ? wait : last + 1;
}

bool
arguments_fill(const Arguments *arguments,
               const char *operand,
               void *value,
               GError **error)
{
    const Command *command = arguments->command;
    const WireField *request = command_find_field(command, "request_id");

    for (guint i = 0; i < arguments->given->len; i++) {
        if (!given_fill(g_ptr_array_index(arguments->given, i), command, value, error))
            return false;
    }
    if (operand != NULL && !given_fill_operand(command, operand, value, error))
        return false;
    if (request != NULL)
        given_complete_request(request, operand, arguments->n_operands > 1, value);
    return true;
}
