/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "wire/schema.h"

/* The texts that a string field may be held to, each checked by hand: a regular
 * expression of a client's 48 KiB string would cost more than the call. */

static bool
is_one_of(char byte, const char *others)
{
    return g_ascii_isalnum(byte) || (byte != '\0' && strchr(others, byte) != NULL);
}

static bool
is_name(const char *text)
{
    gsize length = strlen(text);

    if (length < 1 || length > 32 || !g_ascii_islower(text[0]) || text[length - 1] == '-')
        return false;
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_islower(text[i]) && !g_ascii_isdigit(text[i]) && text[i] != '-')
            return false;
    }
    return true;
}

static bool
is_uuid(const char *text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (strlen(text) != sizeof shape - 1)
        return false;
    for (gsize i = 0; i < sizeof shape - 1; i++) {
        bool is_hex = g_ascii_isxdigit(text[i]) && !g_ascii_isupper(text[i]);

        if (shape[i] == '-' ? text[i] != '-' : !is_hex)
            return false;
    }
    return true;
}

static bool
is_request_id(const char *text)
{
    gsize length = strlen(text);

    if (length < 1 || length > 64)
        return false;
    for (gsize i = 0; i < length; i++) {
        if (!is_one_of(text[i], "._:-"))
            return false;
    }
    return true;
}

static bool
is_version(const char *text)
{
    gsize length = strlen(text);

    if (length < 1 || length > 32 || !g_ascii_isalnum(text[0]))
        return false;
    for (gsize i = 1; i < length; i++) {
        if (!is_one_of(text[i], ".+~_-"))
            return false;
    }
    return true;
}

static int
two_digits(const char *text)
{
    return (text[0] - '0') * 10 + text[1] - '0';
}

/* An optional fraction of a second, of at most nine digits, and the Z. */
static bool
is_time_end(const char *text)
{
    gsize digits = 0;

    if (*text == '.') {
        text++;
        while (g_ascii_isdigit(text[digits]))
            digits++;
        if (digits < 1 || digits > 9)
            return false;
    }
    return strcmp(text + digits, "Z") == 0;
}

static bool
is_time(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";

    for (gsize i = 0; i < sizeof shape - 1; i++) {
        if (shape[i] == 'd' ? !g_ascii_isdigit(text[i]) : text[i] != shape[i])
            return false;
    }
    int year = two_digits(text) * 100 + two_digits(text + 2);
    int month = two_digits(text + 5);
    int day = two_digits(text + 8);

    return g_date_valid_dmy((GDateDay) day, (GDateMonth) month, (GDateYear) year) &&
           two_digits(text + 11) < 24 && two_digits(text + 14) < 60 &&
           two_digits(text + 17) < 60 && is_time_end(text + sizeof shape - 1);
}

static bool
is_decimal(const char *text)
{
    text += *text == '-' ? 1 : 0;
    if (!g_ascii_isdigit(*text) || (text[0] == '0' && g_ascii_isdigit(text[1])))
        return false;
    text += strspn(text, "0123456789");
    if (*text == '.') {
        text++;
        if (!g_ascii_isdigit(*text))
            return false;
        text += strspn(text, "0123456789");
    }
    return *text == '\0';
}

static bool
is_base64(const char *text)
{
    gsize length = strlen(text);
    gsize body = length;

    while (body > 0 && length - body < 2 && text[body - 1] == '=')
        body--;
    for (gsize i = 0; i < body; i++) {
        if (!is_one_of(text[i], "+/"))
            return false;
    }
    return length % 4 == 0;
}

static const struct {
    bool (*check)(const char *text);
    const char *reason;
} formats[] = {
    [WIRE_FORMAT_NAME] = { is_name,
                           "is not a name: 1 to 32 of a-z, 0-9 and '-', beginning with a "
                           "letter and not ending with '-'" },
    [WIRE_FORMAT_UUID] = { is_uuid, "is not a UUID in lower case" },
    [WIRE_FORMAT_REQUEST_ID] = { is_request_id, "is not a request id: 1 to 64 of A-Z, "
                                                "a-z, 0-9 and '._:-'" },
    [WIRE_FORMAT_VERSION] = { is_version,
                              "is not a version: 1 to 32 of A-Z, a-z, 0-9 and '.+~_-', "
                              "beginning with a letter or digit" },
    [WIRE_FORMAT_TIME] = { is_time, "is not a time in UTC such as 2026-10-01T00:00:00Z" },
    [WIRE_FORMAT_DECIMAL] = { is_decimal, "is not a decimal number such as 12.50" },
    [WIRE_FORMAT_BASE64] = { is_base64, "is not Base64" },
};

bool
wire_format_check(WireFormat format, const char *text, const char **ret_reason)
{
    if (format == WIRE_FORMAT_ANY || formats[format].check(text))
        return true;
    if (ret_reason != NULL)
        *ret_reason = formats[format].reason;
    return false;
}
