/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/format.h"

#include <string.h>

#include "wire/schema.h"

enum {
    SHOWN_BYTES = 64,
    KEY_BYTES = 63
};

char *
wire_format_shown(const char *text)
{
    GString *out = g_string_new(NULL);

    for (gsize i = 0; text[i] != '\0'; i++) {
        if (i == SHOWN_BYTES) {
            g_string_append(out, "...");
            break;
        }
        if (g_ascii_isprint(text[i])) {
            g_string_append_c(out, text[i]);
        } else {
            g_string_append_printf(out, "\\x%02x", (guchar) text[i]);
        }
    }
    return g_string_free(out, FALSE);
}

bool
wire_format_is_key(const char *text)
{
    gsize length = strlen(text);

    if (length == 0 || length > KEY_BYTES)
        return false;
    for (gsize i = 0; i < length; i++) {
        if (g_ascii_iscntrl(text[i]))
            return false;
    }
    return true;
}

static bool
is_any(const char *text)
{
    return true;
}

static bool
has_only(const char *text, gsize maximum, const char *others)
{
    gsize length = strlen(text);

    if (length == 0 || length > maximum)
        return false;
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isalnum(text[i]) && strchr(others, text[i]) == NULL)
            return false;
    }
    return true;
}

static bool
is_name(const char *text)
{
    gsize length = strlen(text);

    if (!has_only(text, 32, "-") || !g_ascii_islower(text[0]) || text[length - 1] == '-')
        return false;
    for (gsize i = 0; i < length; i++) {
        if (g_ascii_isupper(text[i]))
            return false;
    }
    return true;
}

static bool
is_uuid(const char *text)
{
    for (gsize i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool digit = g_ascii_isdigit(text[i]) || (text[i] >= 'a' && text[i] <= 'f');

        if (dash ? text[i] != '-' : !digit)
            return false;
    }
    return text[36] == '\0';
}

static bool
is_request_id(const char *text)
{
    return has_only(text, 64, "._:-");
}

static bool
is_version(const char *text)
{
    return has_only(text, 32, ".+~_-") && g_ascii_isalnum(text[0]);
}

/* The shape alone; who reads the value checks its numbers. */
static bool
is_time(const char *text)
{
    static const char shape[] = "0000-00-00T00:00:00";
    const char *rest = text + sizeof shape - 1;

    for (gsize i = 0; i < sizeof shape - 1; i++) {
        if (shape[i] == '0' ? !g_ascii_isdigit(text[i]) : text[i] != shape[i])
            return false;
    }
    if (*rest == '.') {
        gsize digits = strspn(rest + 1, "0123456789");

        if (digits == 0 || digits > 9)
            return false;
        rest += 1 + digits;
    }
    return strcmp(rest, "Z") == 0;
}

static bool
is_decimal(const char *text)
{
    gsize digits = 0;

    if (*text == '-')
        text++;
    digits = strspn(text, "0123456789");
    if (digits == 0 || (digits > 1 && *text == '0'))
        return false;
    text += digits;
    if (*text == '.') {
        digits = strspn(text + 1, "0123456789");
        if (digits == 0)
            return false;
        text += 1 + digits;
    }
    return *text == '\0';
}

static bool
is_base64(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789+/";
    gsize length = strlen(text);
    gsize body = strspn(text, letters);

    return length % 4 == 0 && length - body <= 2 &&
           strspn(text + body, "=") == length - body;
}

static const struct {
    bool (*is)(const char *text);
    const char *reason;
} formats[] = {
    [WIRE_FORMAT_ANY] = { is_any, "" },
    [WIRE_FORMAT_NAME] = { is_name, "is not a name: 1 to 32 of a-z, 0-9 and -, a letter "
                                    "first, no - last" },
    [WIRE_FORMAT_UUID] = { is_uuid, "is not a UUID in lower case" },
    [WIRE_FORMAT_REQUEST_ID] = { is_request_id, "is not a request id: 1 to 64 of A-Z, "
                                                "a-z, 0-9 and . _ : -" },
    [WIRE_FORMAT_VERSION] = { is_version, "is not a version: 1 to 32 of A-Z, a-z, 0-9 "
                                          "and . + ~ _ -" },
    [WIRE_FORMAT_TIME] = { is_time, "is not a time such as 2026-10-01T00:00:00Z" },
    [WIRE_FORMAT_DECIMAL] = { is_decimal, "is not a decimal number" },
    [WIRE_FORMAT_BASE64] = { is_base64, "is not base64" },
};

bool
wire_format_check(WireFormat format, const char *text, const char **ret_reason)
{
    if (formats[format].is(text))
        return true;
    if (ret_reason != NULL)
        *ret_reason = formats[format].reason;
    return false;
}
