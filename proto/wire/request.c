/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/request.h"

#include <string.h>

#include "proto.h"
#include "wire/format.h"
#include "wire/guard.h"

void
wire_request_clear(WireRequest *request)
{
    g_free(request->method);
    g_clear_pointer(&request->parameters, json_node_unref);
}

static bool
complain(GError **error, const char *path, const char *reason)
{
    g_autofree char *shown = wire_format_shown(path);

    proto_error_set_invalid_parameter(error, shown, reason, "%s: %s", shown, reason);
    return false;
}

/* The guard has seen that it is JSON: NULL is what cannot be. */
static JsonNode *
parse(GuardSpan span)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();

    if (!json_parser_load_from_data(parser, span.start, (gssize) span.length, NULL))
        return NULL;
    return json_parser_steal_root(parser);
}

/* What a string means: mostly what stands between its quotation marks. */
static char *
read_string(GuardSpan span)
{
    g_autoptr(JsonNode) node = NULL;

    if (memchr(span.start, '\\', span.length) == NULL)
        return g_strndup(span.start + 1, span.length - 2);
    node = parse(span);
    return node != NULL ? json_node_dup_string(node) : g_strdup("");
}

static bool
is_word(GuardSpan span, const char *word)
{
    return span.length == strlen(word) && memcmp(span.start, word, span.length) == 0;
}

static bool
is_empty_object(GuardSpan span)
{
    gsize at = 1;

    while (strchr(" \t\r\n", span.start[at]) != NULL)
        at++;
    return span.start[at] == '}';
}

static bool
read_flag(const char *name, GuardSpan value, bool *ret_flag, GError **error)
{
    *ret_flag = is_word(value, "true");
    return *ret_flag || is_word(value, "false") ||
           complain(error, name, "is not true or false");
}

static bool
read_parameters(WireRequest *request, GuardSpan value, GError **error)
{
    if (is_word(value, "null"))
        return true;
    if (*value.start != '{')
        return complain(error, "parameters", "is not an object");
    if (is_empty_object(value))
        return true;
    request->parameters = parse(value);
    return request->parameters != NULL ||
           complain(error, "parameters", "is not good JSON");
}

static bool
read_member(WireRequest *request, const char *name, GuardSpan value, GError **error)
{
    bool upgrade = false;

    if (strcmp(name, "method") == 0) {
        if (*value.start != '"')
            return complain(error, name, "is not a string");
        request->method = read_string(value);
        return true;
    }
    if (strcmp(name, "parameters") == 0)
        return read_parameters(request, value, error);
    if (strcmp(name, "more") == 0)
        return read_flag(name, value, &request->more, error);
    if (strcmp(name, "oneway") == 0)
        return read_flag(name, value, &request->oneway, error);
    if (strcmp(name, "upgrade") == 0)
        return read_flag(name, value, &upgrade, error) &&
               (!upgrade || complain(error, name, "is not offered here"));
    return complain(error, name, "is not part of a call");
}

/* Goes on after the first that is no good: whether a refusal may be told can stand behind
 * it. */
static bool
read_members(WireRequest *request, const GuardMembers *members, GError **error)
{
    g_autoptr(GError) first = NULL;

    for (guint i = 0; i < members->n; i++) {
        g_autofree char *name = read_string(members->members[i].name);
        g_autoptr(GError) why = NULL;

        if (!read_member(request, name, members->members[i].value, &why) && first == NULL)
            first = g_steal_pointer(&why);
    }
    if (first == NULL)
        return true;
    g_propagate_error(error, g_steal_pointer(&first));
    return false;
}

bool
wire_request_read(const char *message,
                  gsize length,
                  const WireLimits *limits,
                  WireRequest *ret_request,
                  GError **error)
{
    /* Only as many are looked at as there are. */
    GuardMembers members __attribute__((uninitialized));

    return guard_check_members(message, length, limits, &members, error) &&
           read_members(ret_request, &members, error) &&
           (ret_request->method != NULL || complain(error, "method", "is missing"));
}
