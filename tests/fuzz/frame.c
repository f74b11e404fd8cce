/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/frame.h"

#include <string.h>

#include "fuzz.h"
#include "proto.h"

/*
 * However a stream is cut on its way, the same messages come out of it, and the first one
 * over the limit is refused.  The first bytes of the input say how it is cut, the rest is
 * the stream.
 */

enum {
    CUTS = 4,
    LIMIT = 32
};

/* The next message of the stream by a plain search; false: it is too long. */
static bool
expect_message(const uint8_t **at,
               const uint8_t *end,
               const uint8_t **ret_message,
               size_t *ret_length)
{
    const uint8_t *nul = *at < end ? memchr(*at, '\0', (size_t) (end - *at)) : NULL;
    size_t length = (size_t) ((nul != NULL ? nul : end) - *at);

    if (length >= LIMIT)
        return false;
    *ret_message = nul != NULL ? *at : NULL;
    *ret_length = length;
    if (nul != NULL)
        *at = nul + 1;
    return true;
}

/* All messages of what has come; false when the stream is over. */
static bool
take_messages(FrameReader *reader, const uint8_t **at, const uint8_t *end)
{
    for (;;) {
        g_autoptr(GError) error = NULL;
        const uint8_t *expected = NULL;
        const char *message = NULL;
        size_t expected_length = 0;
        gsize length = 0;
        bool good = expect_message(at, end, &expected, &expected_length);

        g_assert_cmpint(frame_reader_next(reader, &message, &length, &error), ==, good);
        if (!good) {
            g_assert_error(error, PROTO_ERROR, PROTO_ERROR_TOO_LARGE);
            return false;
        }
        g_assert_cmpint(message == NULL, ==, expected == NULL);
        if (message == NULL) {
            g_assert_cmpint(frame_reader_is_partial(reader), ==, expected_length > 0);
            return true;
        }
        g_assert_cmpuint(length, ==, expected_length);
        g_assert_true(memcmp(message, expected, length) == 0);
        g_assert_cmpint(message[length], ==, '\0');
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzBytes bytes = { data, size };
    FrameReader reader;
    uint8_t cuts[CUTS];
    const uint8_t *at = NULL;
    bool goes_on = true;

    for (int i = 0; i < CUTS; i++)
        cuts[i] = fuzz_take_byte(&bytes);
    at = bytes.at;
    frame_reader_init(&reader, LIMIT);
    for (size_t i = 0; goes_on && bytes.left > 0; i++) {
        size_t length = MIN((size_t) cuts[i % CUTS] + 1, bytes.left);

        frame_reader_push(&reader, bytes.at, length);
        bytes.at += length;
        bytes.left -= length;
        goes_on = take_messages(&reader, &at, bytes.at);
    }
    frame_reader_done(&reader);
    return 0;
}
