/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "given.h"

#include <errno.h>
#include <string.h>

#include "input.h"
#include "units.h"

static bool refuse(GError **error, const char *path, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static bool
refuse(GError **error, const char *path, const char *format, ...)
{
    va_list arguments;
    g_autofree char *message = NULL;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    proto_error_set_invalid_parameter(error, path, message, "%s", message);
    return false;
}

static char *
show_number(OptionKind kind, gint64 number)
{
    GString *text = g_string_new(NULL);

    switch (kind) {
    case OPTION_SIZE:
        units_append_size(text, number);
        break;
    case OPTION_DURATION:
        units_append_duration(text, number);
        break;
    case OPTION_FLAG:
    case OPTION_INTEGER:
    case OPTION_TIME:
    case OPTION_TEXT:
    case OPTION_CHOICE:
    case OPTION_LABEL:
    case OPTION_FILE:
    case OPTION_KEY:
        g_string_append_printf(text, "%" G_GINT64_FORMAT, number);
        break;
    }
    return g_string_free(text, FALSE);
}

static bool
check_bounds(const Given *given, const WireField *field, GError **error)
{
    g_autofree char *bound = NULL;

    if (field == NULL)
        return true;
    if (given->number < field->minimum) {
        bound = show_number(given->option->kind, field->minimum);
        return refuse(error, given->typed, "%s %s is below the smallest, %s",
                      given->typed, given->text, bound);
    }
    if (given->number > field->maximum) {
        bound = show_number(given->option->kind, field->maximum);
        return refuse(error, given->typed, "%s %s is above the largest, %s", given->typed,
                      given->text, bound);
    }
    return true;
}

static bool
check_integer(Given *given, const Command *command, GError **error)
{
    const WireField *field = command_find_field(command, given->option->field);
    char *end = NULL;

    errno = 0;
    given->number = g_ascii_strtoll(given->text, &end, 10);
    if (*given->text == '\0' || *end != '\0' || errno != 0 ||
        !(g_ascii_isdigit(*given->text) || *given->text == '-'))
        return refuse(error, given->typed, "%s wants a whole number, not \"%s\"",
                      given->typed, given->text);
    if (field == NULL && given->number < 1)
        return refuse(error, given->typed, "%s %s is below the smallest, 1", given->typed,
                      given->text);
    return check_bounds(given, field, error);
}

static bool
check_size(Given *given, const Command *command, GError **error)
{
    if (!units_parse_size(given->text, &given->number, error)) {
        g_prefix_error(error, "%s ", given->typed);
        return false;
    }
    return check_bounds(given, command_find_field(command, given->option->field), error);
}

static bool
check_duration(Given *given, const Command *command, GError **error)
{
    if (!units_parse_duration(given->text, &given->number, error)) {
        g_prefix_error(error, "%s ", given->typed);
        return false;
    }
    return check_bounds(given, command_find_field(command, given->option->field), error);
}

static bool
check_time(Given *given, const Command *command, GError **error)
{
    char *time = units_parse_time(given->text, error);

    if (time == NULL) {
        g_prefix_error(error, "%s ", given->typed);
        return false;
    }
    g_free(given->text);
    given->text = time;
    return true;
}

static bool
check_text(Given *given, const Command *command, GError **error)
{
    const WireField *field = command_find_field(command, given->option->field);
    const char *reason = NULL;

    if (!g_utf8_validate(given->text, -1, NULL))
        return refuse(error, given->typed, "%s is not valid UTF-8", given->typed);
    if (field != NULL && !wire_format_check(field->format, given->text, &reason))
        return refuse(error, given->typed, "%s \"%s\" %s", given->typed, given->text,
                      reason);
    return true;
}

static bool
check_choice(Given *given, const Command *command, GError **error)
{
    g_auto(GStrv) choices = command_get_choices(command, given->option);
    g_autofree char *list = NULL;

    for (gsize i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], given->text) == 0) {
            given->number = (gint64) i;
            return true;
        }
    }
    list = g_strjoinv(", ", choices);
    return refuse(error, given->typed, "%s takes %s, not \"%s\"", given->typed, list,
                  given->text);
}

static bool
check_label(Given *given, const Command *command, GError **error)
{
    const char *equals = strchr(given->text, '=');

    if (equals == NULL || equals == given->text)
        return refuse(error, given->typed, "%s wants KEY=VALUE, not \"%s\"", given->typed,
                      given->text);
    return check_text(given, command, error);
}

static bool
check_nothing(Given *given, const Command *command, GError **error)
{
    return true;
}

static bool (*const checks[])(Given *given, const Command *command, GError **error) = {
    [OPTION_FLAG] = check_nothing,  [OPTION_INTEGER] = check_integer,
    [OPTION_SIZE] = check_size,     [OPTION_DURATION] = check_duration,
    [OPTION_TIME] = check_time,     [OPTION_TEXT] = check_text,
    [OPTION_CHOICE] = check_choice, [OPTION_LABEL] = check_label,
    [OPTION_FILE] = check_nothing,  [OPTION_KEY] = check_nothing,
};

Given *
given_new(const Command *command,
          const Option *option,
          const char *typed,
          const char *value,
          GError **error)
{
    Given *given = g_new0(Given, 1);

    *given =
        (Given){ .option = option, .typed = g_strdup(typed), .text = g_strdup(value) };
    if (!checks[option->kind](given, command, error)) {
        given_free(given);
        return NULL;
    }
    return given;
}

void
given_free(Given *given)
{
    if (given == NULL)
        return;
    g_free(given->typed);
    g_free(given->text);
    g_free(given);
}

bool
given_may_repeat(const Option *option)
{
    return option->kind == OPTION_LABEL || option->kind == OPTION_KEY;
}

static void *
member(void *value, gsize offset)
{
    return (char *) value + offset;
}

static void
set_number(const WireField *field, gint64 number, void *value)
{
    switch (field->kind) {
    case WIRE_BOOL:
        *(bool *) member(value, field->offset) = number != 0;
        break;
    case WIRE_INT:
        *(gint64 *) member(value, field->offset) = number;
        break;
    case WIRE_ENUM:
        *(int *) member(value, field->offset) = (int) number;
        break;
    case WIRE_STRING:
    case WIRE_STRUCT:
    case WIRE_STRINGS:
    case WIRE_DICT:
    case WIRE_STRUCTS:
        g_assert_not_reached();
    }
    if (field->nullable)
        *(bool *) member(value, field->has_offset) = true;
}

static void
set_text(const WireField *field, const char *text, void *value)
{
    char **place = member(value, field->offset);

    g_free(*place);
    *place = g_strdup(text);
}

/* Appends to a list, at any even place of it that keeps a dict sorted. */
static void
insert(const WireField *field, gsize index, const char *text, void *value)
{
    char ***place = member(value, field->offset);
    gsize length = *place != NULL ? g_strv_length(*place) : 0;

    *place = g_renew(char *, *place, length + 2);
    memmove(*place + index + 1, *place + index, (length - index) * sizeof(char *));
    (*place)[index] = g_strdup(text);
    (*place)[length + 1] = NULL;
}

static bool
add_label(const Given *given, const WireField *field, void *value, GError **error)
{
    char **const *place = member(value, field->offset);
    const char *equals = strchr(given->text, '=');
    g_autofree char *key = g_strndup(given->text, (gsize) (equals - given->text));
    gsize index = 0;

    for (; *place != NULL && (*place)[index] != NULL; index += 2) {
        int order = strcmp((*place)[index], key);

        if (order == 0)
            return refuse(error, given->typed, "The label \"%s\" is given twice", key);
        if (order > 0)
            break;
    }
    insert(field, index, key, value);
    insert(field, index + 1, equals + 1, value);
    return true;
}

static bool
add_keys(const Given *given, const WireField *field, void *value, GError **error)
{
    char **const *place = member(value, field->offset);
    g_auto(GStrv) keys = input_read_keys(given->text, error);

    if (keys == NULL) {
        g_prefix_error(error, "%s: ", given->typed);
        return false;
    }
    for (gsize i = 0; keys[i] != NULL; i++)
        insert(field, *place != NULL ? g_strv_length(*place) : 0, keys[i], value);
    return true;
}

static bool
set_file(const Given *given, const WireField *field, void *value, GError **error)
{
    g_autofree char *text = input_read_file(given->text, field->max_length, error);

    if (text == NULL) {
        g_prefix_error(error, "%s: ", given->typed);
        return false;
    }
    set_text(field, text, value);
    return true;
}

bool
given_fill(const Given *given, const Command *command, void *value, GError **error)
{
    const WireField *field = command_find_field(command, given->option->field);

    if (field == NULL)
        return true;
    switch (given->option->kind) {
    case OPTION_FLAG:
        set_number(field, 1, value);
        return true;
    case OPTION_INTEGER:
    case OPTION_SIZE:
    case OPTION_DURATION:
        set_number(field, given->number, value);
        return true;
    case OPTION_CHOICE:
        if (field->kind == WIRE_ENUM) {
            set_number(field, given->number, value);
        } else {
            set_text(field, given->text, value);
        }
        return true;
    case OPTION_TIME:
    case OPTION_TEXT:
        set_text(field, given->text, value);
        return true;
    case OPTION_LABEL:
        return add_label(given, field, value, error);
    case OPTION_FILE:
        return set_file(given, field, value, error);
    case OPTION_KEY:
        return add_keys(given, field, value, error);
    }
    return true;
}

bool
given_fill_operand(const Command *command,
                   const char *operand,
                   void *value,
                   GError **error)
{
    const WireField *field = command_find_field(command, command->operand_field);
    const char *reason = NULL;

    if (!g_utf8_validate(operand, -1, NULL))
        return refuse(error, command->operands, "%s is not valid UTF-8",
                      command->operands);
    if (!wire_format_check(field->format, operand, &reason))
        return refuse(error, command->operands, "\"%s\" %s", operand, reason);
    set_text(field, operand, value);
    return true;
}

void
given_complete_request(const WireField *field,
                       const char *operand,
                       bool is_one_of_many,
                       void *value)
{
    char **place = member(value, field->offset);

    if (*place == NULL) {
        *place = g_uuid_string_random();
    } else if (is_one_of_many) {
        char *whole = g_strdup_printf("%s.%s", *place, operand);

        g_free(*place);
        *place = whole;
    }
}
