/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-glib/json-glib.h>
#include <stdio.h>

#include "proto.h"
#include "wire/guard.h"

/*
 * Says what the guard thinks of each message on standard input, a line each: "taken", or
 * the reason.  A message is its length in bytes, as text, a newline, and its bytes.
 */

/* What the guard takes, json-glib has to read, and to the same value again. */
static bool
is_read_the_same(const char *text, gsize length, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(JsonParser) again = json_parser_new();
    g_autofree char *printed = NULL;

    if (!json_parser_load_from_data(parser, text, (gssize) length, error))
        return false;
    printed = json_to_string(json_parser_get_root(parser), FALSE);
    return json_parser_load_from_data(again, printed, -1, error) &&
           json_node_equal(json_parser_get_root(parser), json_parser_get_root(again));
}

static void
judge(const char *text, gsize length)
{
    const WireLimits limits = WIRE_LIMITS_CLIENT;
    g_autoptr(GError) error = NULL;

    if (!guard_check(text, length, &limits, &error)) {
        puts(error->message);
    } else if (!is_read_the_same(text, length, &error)) {
        puts("taken, and not read the same");
    } else {
        puts("taken");
    }
}

int
main(void)
{
    gsize length = 0;

    while (scanf("%zu%*c", &length) == 1) {
        /* Of exactly this size, so that a read beyond it is found. */
        g_autofree char *text = g_malloc(MAX(length, 1));

        if (fread(text, 1, length, stdin) != length)
            return 1;
        judge(text, length);
    }
    return 0;
}
