/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "proto.h"
#include "wire/frame.h"

enum {
    LIMIT = 16
};

static void
assert_next(FrameReader *reader, const char *expected)
{
    g_autoptr(GError) error = NULL;
    const char *message = NULL;
    gsize length = 0;

    g_assert_true(frame_reader_next(reader, &message, &length, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(message, ==, expected);
    if (expected != NULL)
        g_assert_cmpuint(length, ==, strlen(expected));
}

static void
assert_too_large(FrameReader *reader)
{
    g_autoptr(GError) error = NULL;
    const char *message = NULL;
    gsize length = 0;

    g_assert_false(frame_reader_next(reader, &message, &length, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_TOO_LARGE);
    const ProtoErrorTooLarge *parameters = wire_error_get_parameters(error);

    g_assert_cmpint(parameters->limit, ==, LIMIT);
}

static void
test_cuts_at_nul(void)
{
    FrameReader reader;

    frame_reader_init(&reader, LIMIT);
    frame_reader_push(&reader, "one\0two\0\0thr", 12);
    assert_next(&reader, "one");
    assert_next(&reader, "two");
    assert_next(&reader, "");
    assert_next(&reader, NULL);
    g_assert_true(frame_reader_is_partial(&reader));
    frame_reader_push(&reader, "ee\0", 3);
    assert_next(&reader, "three");
    assert_next(&reader, NULL);
    g_assert_false(frame_reader_is_partial(&reader));
    frame_reader_done(&reader);
}

static void
test_every_way_to_cut(void)
{
    static const char stream[] = "ab\0\0cde\0f";

    for (gsize cut = 0; cut <= sizeof stream; cut++) {
        FrameReader reader;
        const char *const expected[] = { "ab", "", "cde", "f" };
        gsize n_seen = 0;

        frame_reader_init(&reader, LIMIT);
        for (gsize part = 0; part < 2; part++) {
            const char *message = NULL;
            gsize length = 0;

            frame_reader_push(&reader, stream + (part == 0 ? 0 : cut),
                              part == 0 ? cut : sizeof stream - cut);
            while (frame_reader_next(&reader, &message, &length, NULL) && message != NULL)
                g_assert_cmpstr(message, ==, expected[n_seen++]);
        }
        g_assert_cmpuint(n_seen, ==, G_N_ELEMENTS(expected));
        frame_reader_done(&reader);
    }
}

static void
test_a_byte_at_a_time(void)
{
    FrameReader reader;

    frame_reader_init(&reader, LIMIT);
    for (gsize round = 0; round < 3; round++) {
        for (gsize i = 0; i < 4; i++) {
            frame_reader_push(&reader, &"abcd"[i], 1);
            assert_next(&reader, NULL);
            g_assert_true(frame_reader_is_partial(&reader));
        }
        frame_reader_push(&reader, "", 1);
        assert_next(&reader, "abcd");
        g_assert_false(frame_reader_is_partial(&reader));
    }
    frame_reader_done(&reader);
}

/* The limit counts the NUL byte. */
static void
test_limit_of_a_whole_message(void)
{
    for (gsize size = LIMIT - 1; size <= LIMIT + 1; size++) {
        FrameReader reader;
        g_autofree char *text = g_strnfill(size - 1, 'x');

        frame_reader_init(&reader, LIMIT);
        frame_reader_push(&reader, text, size);
        if (size <= LIMIT) {
            assert_next(&reader, text);
        } else {
            assert_too_large(&reader);
        }
        frame_reader_done(&reader);
    }
}

static void
test_limit_of_a_message_without_its_end(void)
{
    for (gsize size = LIMIT - 2; size <= LIMIT; size++) {
        FrameReader reader;
        g_autofree char *text = g_strnfill(size, 'x');

        frame_reader_init(&reader, LIMIT);
        frame_reader_push(&reader, text, size);
        /* With its NUL byte a message of LIMIT bytes would be one too long. */
        if (size < LIMIT) {
            assert_next(&reader, NULL);
        } else {
            assert_too_large(&reader);
        }
        frame_reader_done(&reader);
    }
}

static void
test_good_messages_before_a_large_one(void)
{
    FrameReader reader;

    frame_reader_init(&reader, LIMIT);
    frame_reader_push(&reader, "good\0aaaaaaaaaaaaaaaaaaaaaaaa", 29);
    assert_next(&reader, "good");
    assert_too_large(&reader);
    frame_reader_done(&reader);
}

static void
test_keeps_nothing_that_was_taken(void)
{
    FrameReader reader;

    frame_reader_init(&reader, 100000);
    for (gsize i = 0; i < 100; i++) {
        g_autofree char *text = g_strnfill(60000, 'x');

        frame_reader_push(&reader, text, 60001);
        assert_next(&reader, text);
        assert_next(&reader, NULL);
    }
    g_assert_cmpuint(reader.bytes->len, ==, 0);
    frame_reader_done(&reader);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/frame/cuts-at-nul", test_cuts_at_nul);
    g_test_add_func("/frame/every-way-to-cut-a-stream", test_every_way_to_cut);
    g_test_add_func("/frame/a-byte-at-a-time", test_a_byte_at_a_time);
    g_test_add_func("/frame/limit-of-a-whole-message", test_limit_of_a_whole_message);
    g_test_add_func("/frame/limit-of-a-message-without-its-end",
                    test_limit_of_a_message_without_its_end);
    g_test_add_func("/frame/good-messages-before-a-large-one",
                    test_good_messages_before_a_large_one);
    g_test_add_func("/frame/keeps-nothing-that-was-taken",
                    test_keeps_nothing_that_was_taken);
    return g_test_run();
}
