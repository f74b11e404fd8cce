/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"
#include "wire/format.h"
#include "wire/schema.h"

/*
 * A text has a format exactly when the regular expression of wire/schema.h says so.  The
 * first byte chooses the format, the rest is the text.
 */

static const char *const expressions[] = {
    [WIRE_FORMAT_ANY] = "",
    [WIRE_FORMAT_NAME] = "^[a-z]([a-z0-9-]{0,30}[a-z0-9])?\\z",
    [WIRE_FORMAT_UUID] = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\\z",
    [WIRE_FORMAT_REQUEST_ID] = "^[A-Za-z0-9._:-]{1,64}\\z",
    [WIRE_FORMAT_VERSION] = "^[0-9A-Za-z][0-9A-Za-z.+~_-]{0,31}\\z",
    [WIRE_FORMAT_TIME] = "^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}"
                         "(\\.[0-9]{1,9})?Z\\z",
    [WIRE_FORMAT_DECIMAL] = "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?\\z",
    [WIRE_FORMAT_BASE64] = "^([A-Za-z0-9+/]{4})*"
                           "([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\\z",
    /* The key of a dict. */
    [WIRE_FORMAT_BASE64 + 1] = "^[^\\x00-\\x1f\\x7f]{1,63}\\z",
};

static const GRegex *
get_expression(gsize index)
{
    static GRegex *compiled[G_N_ELEMENTS(expressions)];

    if (compiled[index] == NULL)
        compiled[index] =
            g_regex_new(expressions[index], G_REGEX_RAW | G_REGEX_OPTIMIZE, 0, NULL);
    g_assert_nonnull(compiled[index]);
    return compiled[index];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzBytes bytes = { data, size };
    gsize index = fuzz_take_byte(&bytes) % G_N_ELEMENTS(expressions);
    g_autofree char *text = fuzz_take_text(&bytes);
    const char *reason = NULL;
    bool expected = g_regex_match(get_expression(index), text, 0, NULL);

    if (index > WIRE_FORMAT_BASE64) {
        g_assert_true(wire_format_is_key(text) == expected);
        return 0;
    }
    g_assert_true(wire_format_check((WireFormat) index, text, &reason) == expected);
    g_assert_true((reason == NULL) == expected);
    return 0;
}
