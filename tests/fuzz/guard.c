/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/guard.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "fuzz.h"
#include "proto.h"

/*
 * What the guard accepts, json-glib accepts too, and means the same by it: its own print
 * of it has the same tokens in the same order.  Tokens are compared by a reader of our
 * own that knows nothing but strings, which it unescapes, and the rest.  The members that
 * it tells are those that json-glib finds.
 */

static gunichar
read_unit(const char **at)
{
    gunichar unit = 0;

    for (int i = 0; i < 4; i++)
        unit = unit << 4 | (gunichar) g_ascii_xdigit_value(*(*at)++);
    return unit;
}

static void
append_escape(GString *out, const char **at)
{
    static const char meanings[] = "b\bf\fn\nr\rt\t";
    char letter = *(*at)++;
    const char *found = strchr(meanings, letter);
    gunichar character = 0;

    if (letter != 'u') {
        g_string_append_c(out, found != NULL ? found[1] : letter);
        return;
    }
    character = read_unit(at);
    if (character >= 0xd800 && character < 0xdc00) {
        *at += 2;
        character = 0x10000 + ((character & 0x3ff) << 10) + (read_unit(at) & 0x3ff);
    }
    g_string_append_unichar(out, character);
}

/* A string becomes its characters between two bytes that no text has. */
static void
append_string(GString *out, const char **at)
{
    g_string_append_c(out, '\xfe');
    for (++*at; **at != '"';) {
        if (**at == '\\') {
            ++*at;
            append_escape(out, at);
        } else {
            g_string_append_c(out, *(*at)++);
        }
    }
    ++*at;
    g_string_append_c(out, '\xff');
}

static char *
read_tokens(const char *at, const char *end)
{
    GString *out = g_string_new(NULL);

    while (at < end) {
        if (*at == '"') {
            append_string(out, &at);
        } else if (strchr(" \t\r\n", *at) != NULL) {
            at++;
        } else if (at[0] == '-' && at[1] == '0') {
            /* The one number with two spellings. */
            at++;
        } else {
            g_string_append_c(out, *at++);
        }
    }
    return g_string_free(out, FALSE);
}

static void
check_same(const char *text, size_t size)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autofree char *printed = NULL;
    g_autofree char *expected = read_tokens(text, text + size);
    g_autofree char *tokens = NULL;

    g_assert_true(json_parser_load_from_data(parser, text, (gssize) size, NULL));
    printed = json_to_string(json_parser_get_root(parser), FALSE);
    tokens = read_tokens(printed, printed + strlen(printed));
    g_assert_cmpstr(tokens, ==, expected);
}

static JsonNode *
read_span(GuardSpan span)
{
    g_autofree char *text = g_strndup(span.start, span.length);
    JsonNode *node = json_from_string(text, NULL);

    g_assert_nonnull(node);
    return node;
}

static void
check_members(const char *text, size_t size)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    GuardMembers members;
    JsonObject *object = NULL;

    g_assert_true(guard_check_members(text, size, &WIRE_LIMITS_CLIENT, &members, NULL));
    g_assert_true(json_parser_load_from_data(parser, text, (gssize) size, NULL));
    object = json_node_get_object(json_parser_get_root(parser));
    g_assert_cmpuint(members.n, ==, json_object_get_size(object));
    for (guint i = 0; i < members.n; i++) {
        g_autoptr(JsonNode) name = read_span(members.members[i].name);
        g_autoptr(JsonNode) value = read_span(members.members[i].value);
        JsonNode *found = json_object_get_member(object, json_node_get_string(name));

        g_assert_true(found != NULL && json_node_equal(value, found));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    if (!guard_check((const char *) data, size, &WIRE_LIMITS_CLIENT, &error)) {
        g_assert_true(error->code == PROTO_ERROR_INVALID_PARAMETER ||
                      error->code == PROTO_ERROR_TOO_LARGE);
        return 0;
    }
    text = g_strndup((const char *) data, size);
    g_assert_true(guard_check(text, size, &WIRE_LIMITS_PEER, NULL));
    check_same(text, size);
    check_members(text, size);
    return 0;
}
