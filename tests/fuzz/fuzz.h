/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * What a target is: one function over bytes that aborts when a rule does not hold.
 * libFuzzer calls it with bytes that it makes (-Dfuzz=true), replay.c with the files of
 * the corpus.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Bytes from which a target takes its values; what is taken behind the end is 0. */
typedef struct {
    const uint8_t *at;
    size_t left;
} FuzzBytes;

static inline uint8_t
fuzz_take_byte(FuzzBytes *bytes)
{
    if (bytes->left == 0)
        return 0;
    bytes->left--;
    return *bytes->at++;
}

/** A number of at most eight bytes. */
static inline uint64_t
fuzz_take_number(FuzzBytes *bytes, size_t width)
{
    uint64_t number = 0;

    for (size_t i = 0; i < width; i++)
        number = number << 8 | fuzz_take_byte(bytes);
    return number;
}

/** Text up to a NUL byte or the end; free with g_free(). */
static inline char *
fuzz_take_text(FuzzBytes *bytes)
{
    const char *text = (const char *) bytes->at;
    size_t length = 0;

    while (length < bytes->left && text[length] != '\0')
        length++;
    bytes->at += length;
    bytes->left -= length;
    fuzz_take_byte(bytes);
    return g_strndup(length > 0 ? text : "", length);
}

/** The same, made valid UTF-8: what the guard lets through as a string. */
static inline char *
fuzz_take_utf8(FuzzBytes *bytes)
{
    g_autofree char *text = fuzz_take_text(bytes);

    return g_utf8_make_valid(text, -1);
}
