/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/guard.h"

#include <string.h>

#include "proto.h"

/*
 * How it works
 *
 * One loop over the bytes with a small stack of the open objects and arrays; what may
 * come next is one of a few expectations.  A key is remembered by a hash of its unescaped
 * bytes: two keys that only differ in how they are escaped are one key.  A collision
 * refuses a message that its sender has chosen, which harms nobody.
 */

enum {
    DEPTH_MAX = 16
};

typedef enum {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END,
    EXPECT_KEY,
    EXPECT_KEY_OR_END,
    EXPECT_COMMA_OR_END,
    EXPECT_NOTHING,
} Expect;

typedef struct {
    bool is_object;
    guint n_keys;
    guint64 keys[GUARD_KEYS_MAX];
} Level;

typedef struct {
    const guchar *start;
    const guchar *at;
    const guchar *end;
    const WireLimits *limits;
    GError **error;
    guint tokens;
    guint depth;
    /** Of the object at the top; NULL if nobody asks for them. */
    GuardMembers *members;
    Level levels[DEPTH_MAX];
} Guard;

typedef struct {
    guint64 hash;
    gsize length;
} Text;

static bool
refuse(Guard *guard, const char *reason)
{
    g_autofree char *where =
        g_strdup_printf("%s at byte %zu", reason, (gsize) (guard->at - guard->start));

    proto_error_set_invalid_parameter(guard->error, "message", where,
                                      "The message is not good JSON: %s", where);
    return false;
}

static bool
refuse_size(Guard *guard, const char *what, gsize limit)
{
    proto_error_set_too_large(guard->error, what, (gint64) limit,
                              "The message has more than %zu %s", limit, what);
    return false;
}

static int
peek(const Guard *guard)
{
    return guard->at < guard->end ? *guard->at : -1;
}

static bool
count_token(Guard *guard)
{
    if (++guard->tokens > guard->limits->tokens)
        return refuse_size(guard, "tokens", guard->limits->tokens);
    return true;
}

/* Text */

static bool
add_byte(Guard *guard, Text *text, guchar byte)
{
    if (++text->length > guard->limits->string_bytes)
        return refuse_size(guard, "bytes in a string", guard->limits->string_bytes);
    text->hash = (text->hash ^ byte) * G_GUINT64_CONSTANT(1099511628211);
    return true;
}

static bool
add_character(Guard *guard, Text *text, guint32 character)
{
    char bytes[6];
    int length = g_unichar_to_utf8(character, bytes);

    for (int i = 0; i < length; i++) {
        if (!add_byte(guard, text, (guchar) bytes[i]))
            return false;
    }
    return true;
}

static bool
read_hex(Guard *guard, guint32 *ret_unit)
{
    guint32 unit = 0;

    for (int i = 0; i < 4; i++) {
        int digit = guard->at < guard->end ? g_ascii_xdigit_value((char) *guard->at) : -1;

        if (digit < 0)
            return refuse(guard, "a bad \\u escape");
        unit = unit << 4 | (guint32) digit;
        guard->at++;
    }
    *ret_unit = unit;
    return true;
}

static bool
read_unicode_escape(Guard *guard, Text *text)
{
    guint32 high = 0;
    guint32 low = 0;

    if (!read_hex(guard, &high))
        return false;
    if (high == 0)
        return refuse(guard, "a NUL character");
    if (high >= 0xdc00 && high <= 0xdfff)
        return refuse(guard, "a lone surrogate");
    if (high < 0xd800 || high > 0xdbff)
        return add_character(guard, text, high);
    if (guard->end - guard->at < 2 || guard->at[0] != '\\' || guard->at[1] != 'u')
        return refuse(guard, "a lone surrogate");
    guard->at += 2;
    if (!read_hex(guard, &low))
        return false;
    if (low < 0xdc00 || low > 0xdfff)
        return refuse(guard, "a lone surrogate");
    return add_character(guard, text, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
}

static bool
read_escape(Guard *guard, Text *text)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    int letter = peek(guard);
    const char *found = letter > 0 ? strchr(letters, letter) : NULL;

    if (letter == 'u') {
        guard->at++;
        return read_unicode_escape(guard, text);
    }
    if (found == NULL)
        return refuse(guard, "a bad escape");
    guard->at++;
    return add_byte(guard, text, (guchar) meanings[found - letters]);
}

/* A character of more than one byte, valid UTF-8 by the table of RFC 3629. */
static bool
read_utf8(Guard *guard, Text *text)
{
    gunichar character =
        g_utf8_get_char_validated((const char *) guard->at, guard->end - guard->at);
    int length = 0;

    if (character == (gunichar) -1 || character == (gunichar) -2)
        return refuse(guard, "invalid UTF-8");
    length = g_unichar_to_utf8(character, NULL);
    for (int i = 0; i < length; i++) {
        if (!add_byte(guard, text, *guard->at++))
            return false;
    }
    return true;
}

static bool
read_string(Guard *guard, Text *ret_text)
{
    Text text = { G_GUINT64_CONSTANT(14695981039346656037), 0 };

    for (guard->at++; peek(guard) != '"';) {
        int byte = peek(guard);

        if (byte < 0)
            return refuse(guard, "a string without an end");
        if (byte < 0x20)
            return refuse(guard, "a control character in a string");
        if (byte == '\\') {
            guard->at++;
            if (!read_escape(guard, &text))
                return false;
        } else if (byte >= 0x80) {
            if (!read_utf8(guard, &text))
                return false;
        } else {
            guard->at++;
            if (!add_byte(guard, &text, (guchar) byte))
                return false;
        }
    }
    guard->at++;
    *ret_text = text;
    return true;
}

/* Other values */

static bool
read_number(Guard *guard)
{
    bool negative = peek(guard) == '-';
    gint64 number = 0;

    if (negative)
        guard->at++;
    if (!g_ascii_isdigit(peek(guard)))
        return refuse(guard, "a bad number");
    if (peek(guard) == '0' && guard->at + 1 < guard->end && g_ascii_isdigit(guard->at[1]))
        return refuse(guard, "a number with a leading zero");
    for (; guard->at < guard->end && g_ascii_isdigit(*guard->at); guard->at++) {
        gint64 digit = *guard->at - '0';

        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, negative ? -digit : digit, &number))
            return refuse(guard, "a number beyond 64 bits");
    }
    if (peek(guard) == '.' || peek(guard) == 'e' || peek(guard) == 'E')
        return refuse(guard, "a number that is not whole");
    return true;
}

static bool
read_word(Guard *guard)
{
    static const char *const words[] = { "true", "false", "null" };

    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        gsize length = strlen(words[i]);

        if ((gsize) (guard->end - guard->at) >= length &&
            memcmp(guard->at, words[i], length) == 0) {
            guard->at += length;
            return true;
        }
    }
    return refuse(guard, "no JSON value");
}

/* Members of the object at the top */

/* The member of the object at the top that was read last; NULL elsewhere, and if nobody
 * asks. */
static GuardMember *
last_member(const Guard *guard)
{
    GuardMembers *members = guard->depth == 1 ? guard->members : NULL;

    return members != NULL && members->n > 0 ? &members->members[members->n - 1] : NULL;
}

static void
note_name(Guard *guard, const guchar *start)
{
    if (guard->depth != 1 || guard->members == NULL)
        return;
    guard->members->members[guard->members->n++] = (GuardMember){
        .name = { (const char *) start, (gsize) (guard->at - start) },
    };
}

static void
note_value_start(Guard *guard)
{
    GuardMember *member = last_member(guard);

    if (member != NULL)
        member->value.start = (const char *) guard->at;
}

static void
note_value_end(Guard *guard)
{
    GuardMember *member = last_member(guard);

    if (member != NULL)
        member->value.length = (gsize) ((const char *) guard->at - member->value.start);
}

/* Structure */

static bool
open_level(Guard *guard, Expect *expect)
{
    Level *level = NULL;

    if (guard->depth == MIN(guard->limits->depth, DEPTH_MAX))
        return refuse_size(guard, "levels", guard->limits->depth);
    level = &guard->levels[guard->depth++];
    level->is_object = *guard->at++ == '{';
    level->n_keys = 0;
    *expect = level->is_object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return true;
}

static void
close_level(Guard *guard, Expect *expect)
{
    guard->at++;
    guard->depth--;
    note_value_end(guard);
    *expect = guard->depth == 0 ? EXPECT_NOTHING : EXPECT_COMMA_OR_END;
}

static void
skip_space(Guard *guard)
{
    while (guard->at < guard->end && (*guard->at == ' ' || *guard->at == '\t' ||
                                      *guard->at == '\n' || *guard->at == '\r')) {
        guard->at++;
    }
}

static bool
remember_key(Guard *guard, const Text *text)
{
    Level *level = &guard->levels[guard->depth - 1];
    guint64 hash = text->hash ^ (guint64) text->length << 56;

    if (level->n_keys == MIN(guard->limits->keys, GUARD_KEYS_MAX))
        return refuse_size(guard, "keys in an object", guard->limits->keys);
    for (guint i = 0; i < level->n_keys; i++) {
        if (level->keys[i] == hash)
            return refuse(guard, "a key that stands twice");
    }
    level->keys[level->n_keys++] = hash;
    return true;
}

static bool
read_key(Guard *guard, Expect *expect)
{
    const guchar *start = guard->at;
    Text text;

    if (peek(guard) != '"')
        return refuse(guard, "no key");
    if (!count_token(guard) || !read_string(guard, &text) || !remember_key(guard, &text))
        return false;
    note_name(guard, start);
    skip_space(guard);
    if (peek(guard) != ':')
        return refuse(guard, "no colon after a key");
    guard->at++;
    *expect = EXPECT_VALUE;
    return true;
}

static bool
read_scalar(Guard *guard)
{
    int byte = peek(guard);
    Text text;

    if (byte == '"')
        return read_string(guard, &text);
    if (byte == '-' || (byte >= '0' && byte <= '9'))
        return read_number(guard);
    return read_word(guard);
}

static bool
read_value(Guard *guard, Expect *expect)
{
    int byte = peek(guard);

    if (!count_token(guard))
        return false;
    note_value_start(guard);
    if (byte == '{' || byte == '[')
        return open_level(guard, expect);
    *expect = EXPECT_COMMA_OR_END;
    if (!read_scalar(guard))
        return false;
    note_value_end(guard);
    return true;
}

static bool
step(Guard *guard, Expect *expect)
{
    const Level *level = guard->depth > 0 ? &guard->levels[guard->depth - 1] : NULL;
    int end = level != NULL && level->is_object ? '}' : ']';
    int byte = peek(guard);

    switch (*expect) {
    case EXPECT_KEY_OR_END:
    case EXPECT_VALUE_OR_END:
        if (byte == end) {
            close_level(guard, expect);
            return true;
        }
        return *expect == EXPECT_KEY_OR_END ? read_key(guard, expect)
                                            : read_value(guard, expect);
    case EXPECT_KEY:
        return read_key(guard, expect);
    case EXPECT_VALUE:
        return read_value(guard, expect);
    case EXPECT_COMMA_OR_END:
        if (byte == end) {
            close_level(guard, expect);
            return true;
        }
        if (byte != ',')
            return refuse(guard, "neither a comma nor an end");
        guard->at++;
        *expect = level->is_object ? EXPECT_KEY : EXPECT_VALUE;
        return true;
    case EXPECT_NOTHING:
        return refuse(guard, "something after the end");
    }
    return false;
}

bool
guard_check_members(const char *text,
                    gsize length,
                    const WireLimits *limits,
                    GuardMembers *ret_members,
                    GError **error)
{
    /* Most of its bytes are never looked at. */
    Guard guard __attribute__((uninitialized));
    Expect expect = EXPECT_VALUE;

    guard.start = guard.at = (const guchar *) text;
    guard.end = guard.start + length;
    guard.limits = limits;
    guard.error = error;
    guard.tokens = guard.depth = 0;
    guard.members = ret_members;
    if (ret_members != NULL)
        ret_members->n = 0;
    skip_space(&guard);
    if (peek(&guard) != '{')
        return refuse(&guard, "no object");
    while (guard.at < guard.end) {
        if (!step(&guard, &expect))
            return false;
        skip_space(&guard);
    }
    if (expect != EXPECT_NOTHING)
        return refuse(&guard, "it ends too early");
    return true;
}

bool
guard_check(const char *text, gsize length, const WireLimits *limits, GError **error)
{
    return guard_check_members(text, length, limits, NULL, error);
}
