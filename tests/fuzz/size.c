/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"
#include "proto.h"
#include "units.h"

/*
 * A size is accepted when ^[1-9][0-9]{0,6}(M|MiB|G|GiB|T|TiB)$ says so and the product
 * fits, and has the value that 128 bits give.  A span of time likewise.
 */

enum {
    DIGITS_MAX = 7
};

typedef struct {
    const char *suffix;
    gint64 factor;
} Unit;

static const Unit sizes[] = {
    { "M", 1LL << 20 },   { "G", 1LL << 30 },   { "T", 1LL << 40 },
    { "MiB", 1LL << 20 }, { "GiB", 1LL << 30 }, { "TiB", 1LL << 40 },
};

static const Unit spans[] = {
    { "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 },
};

static bool
is_same(const char *a, const char *b)
{
    for (; *a != '\0' && *a == *b; a++)
        b++;
    return *a == *b;
}

/* -1: refused. */
static __int128
expect(const char *text, const Unit *units, gsize n_units, bool from_zero)
{
    __int128 number = 0;
    int digits = 0;

    if (*text == '0' && !from_zero)
        return -1;
    for (; *text >= '0' && *text <= '9'; text++, digits++)
        number = number * 10 + (*text - '0');
    if (digits < 1 || digits > DIGITS_MAX)
        return -1;
    for (gsize i = 0; i < n_units; i++) {
        if (is_same(text, units[i].suffix))
            return number * units[i].factor;
    }
    return -1;
}

static void
check(const char *text,
      bool (*parse)(const char *text, gint64 *ret_value, GError **error),
      __int128 expected)
{
    g_autoptr(GError) error = NULL;
    gint64 value = -42;
    bool good = parse(text, &value, &error);

    g_assert_true(good == (expected >= 0 && expected <= G_MAXINT64));
    g_assert_true(value == (good ? (gint64) expected : -42));
    g_assert_true(good || error->code == PROTO_ERROR_INVALID_PARAMETER);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzBytes bytes = { data, size };
    bool is_span = fuzz_take_byte(&bytes) % 2 == 1;
    g_autofree char *text = fuzz_take_text(&bytes);

    if (is_span) {
        check(text, units_parse_duration, expect(text, spans, G_N_ELEMENTS(spans), true));
    } else {
        check(text, units_parse_size, expect(text, sizes, G_N_ELEMENTS(sizes), false));
    }
    return 0;
}
