/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text.h"

#include <stdbool.h>
#include <string.h>

typedef enum {
    ESCAPE_CELL,
    ESCAPE_CONSOLE,
    ESCAPE_JSON,
} EscapeMode;

static const struct {
    gunichar first;
    gunichar last;
} dangerous[] = {
    { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0x061c, 0x061c }, { 0x200e, 0x200f },
    { 0x2028, 0x202e }, { 0x2066, 0x206f }, { 0xfeff, 0xfeff },
};

static bool
is_dangerous(gunichar character)
{
    for (gsize i = 0; i < G_N_ELEMENTS(dangerous); i++) {
        if (character >= dangerous[i].first && character <= dangerous[i].last)
            return true;
    }
    return false;
}

static void
append_bytes(GString *out, const char *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        g_string_append_printf(out, "\\x%02x", (guchar) text[i]);
}

/* All of ours lie in the basic plane, so that one \u is enough. */
static void
append_unicode(GString *out, gunichar character)
{
    g_string_append_printf(out, "\\u%04x", character);
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
