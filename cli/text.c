/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text.h"

#include <stdbool.h>
#include <string.h>

typedef enum {
    ESCAPE_CELL,
    ESCAPE_CONSOLE,
    ESCAPE_JSON,
} EscapeMode;

/* Nothing to see: what controls, turns the direction, joins, tags, or is nothing yet. */
static bool
is_dangerous(gunichar character)
{
    GUnicodeType type = g_unichar_type(character);

    return !g_unichar_isprint(character) || type == G_UNICODE_LINE_SEPARATOR ||
           type == G_UNICODE_PARAGRAPH_SEPARATOR;
}

static void
append_bytes(GString *out, const char *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        g_string_append_printf(out, "\\x%02x", (guchar) text[i]);
}

/* As JSON has it: beyond the basic plane it takes two. */
static void
append_unicode(GString *out, gunichar character)
{
    if (character <= 0xffff) {
        g_string_append_printf(out, "\\u%04x", character);
    } else {
        g_string_append_printf(out, "\\u%04x\\u%04x", 0xd7c0 + (character >> 10),
                               0xdc00 + (character & 0x3ff));
    }
}

static bool
is_console_text(const char *text, const char *end)
{
    return *text == '\n' || *text == '\t' ||
           (*text == '\r' && end - text > 1 && text[1] == '\n');
}

/* One character that is not printable ASCII; gives its length. */
static gsize
append_special(GString *out, const char *text, const char *end, EscapeMode mode)
{
    gunichar character = g_utf8_get_char_validated(text, end - text);
    gsize length = 1;

    if (mode == ESCAPE_CONSOLE && is_console_text(text, end)) {
        if (*text != '\r')
            g_string_append_c(out, *text);
        return 1;
    }
    /* GLib takes a NUL byte for the end: it says that nothing is valid there. */
    if (character == (gunichar) -1 || character == (gunichar) -2 || *text == '\0') {
        append_bytes(out, text, 1);
        return 1;
    }
    length = (gsize) g_utf8_skip[(guchar) *text];
    if (mode == ESCAPE_JSON && *text == '\n') {
        g_string_append_c(out, '\n');
    } else if (!is_dangerous(character)) {
        g_string_append_len(out, text, (gssize) length);
    } else if (mode == ESCAPE_JSON) {
        append_unicode(out, character);
    } else {
        append_bytes(out, text, length);
    }
    return length;
}

static void
append(GString *out, const char *text, gsize length, EscapeMode mode)
{
    const char *end = text + length;

    while (text < end) {
        const char *run = text;

        while (text < end && *text >= 0x20 && *text < 0x7f)
            text++;
        if (text > run)
            g_string_append_len(out, run, text - run);
        if (text < end)
            text += append_special(out, text, end, mode);
    }
}

void
text_append_escaped(GString *out, const char *text)
{
    append(out, text, strlen(text), ESCAPE_CELL);
}

void
text_append_escaped_len(GString *out, const char *text, gsize length)
{
    append(out, text, length, ESCAPE_CELL);
}

void
text_append_console(GString *out, const char *data, gsize length)
{
    append(out, data, length, ESCAPE_CONSOLE);
}

void
text_append_json(GString *out, const char *json)
{
    append(out, json, strlen(json), ESCAPE_JSON);
}

gsize
text_get_width(const char *text)
{
    gsize width = 0;

    for (; *text != '\0'; text += g_utf8_skip[(guchar) *text]) {
        gunichar character = (guchar) *text;

        if (character < 0x80) {
            width++;
            continue;
        }
        character = g_utf8_get_char(text);
        if (!g_unichar_iszerowidth(character))
            width += g_unichar_iswide(character) ? 2 : 1;
    }
    return width;
}
