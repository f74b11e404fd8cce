/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-glib/json-glib.h>
#include <string.h>

#include "proto.h"
#include "wire/guard.h"

/* A case holds its length, for it may hold a NUL byte. */
typedef struct {
    const char *name;
    const char *text;
    gsize length;
    bool is_good;
} Case;

#define GOOD(case_name, case_text)                                                       \
    {                                                                                    \
        .name = case_name, .text = (case_text), .length = sizeof(case_text) - 1,         \
        .is_good = true                                                                  \
    }
#define BAD(case_name, case_text)                                                        \
    {                                                                                    \
        .name = case_name, .text = (case_text), .length = sizeof(case_text) - 1          \
    }

/* What JSONTestSuite does not have: that is in tests/abuse/json_suite.py. */
/* clang-format off */
static const Case cases[] = {
    GOOD("number-0", "{\"v\":0}"),
    GOOD("number-greatest", "{\"v\":9223372036854775807}"),
    GOOD("number-least", "{\"v\":-9223372036854775808}"),
    GOOD("object-nested", "{\"a\":{\"b\":{\"c\":{}}}}"),
    GOOD("object-same-key-in-two-objects", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}"),
    GOOD("string-nbsp", "{\"v\":\"new\302\240line\"}"),
    GOOD("string-unescaped-four-bytes", "{\"v\":\"\360\235\204\236\"}"),
    GOOD("string-without-ascii", "{\"v\":\"\346\227\245\346\234\254\"}"),
    GOOD("structure-lonely-literals", "{\"a\":true,\"b\":false,\"c\":null}"),
    GOOD("structure-trailing-space", "{} \t\r\n"),
    GOOD("structure-whitespace-all-round", " \t\r\n{ \"a\" : [ 1 , 2 ] } "),

    BAD("number-octal", "{\"v\":010}"),
    BAD("number-two-zeros", "{\"v\":00}"),
    BAD("object-closed-by-square-bracket", "{\"a\":1]"),
    BAD("object-lone-continuation-byte-in-key", "{\"\271\":\"0\"}"),
    BAD("structure-close-unopened", "}"),
    BAD("structure-comma-instead-of-closing", "{\"x\":true,"),
    BAD("structure-comment", "{/*comment*/\"a\":1}"),
    BAD("structure-double-object", "{}{}"),
    BAD("structure-nul-after-the-end", "{}\0"),
    BAD("structure-nul-before", "\0{}"),
    BAD("structure-whitespace-u00a0", "{\302\240}"),
    BAD("structure-truncated-literal-at-the-end", "{\"v\":tru"),

    BAD("number-exponent", "{\"v\":1e3}"),
    BAD("number-exponent-capital", "{\"v\":1E3}"),
    BAD("number-fraction", "{\"v\":1.0}"),
    BAD("number-two-to-the-64", "{\"v\":18446744073709551616}"),
    BAD("number-very-big", "{\"v\":99999999999999999999999999}"),
    BAD("object-duplicated-key-by-escape", "{\"a\":1,\"\\u0061\":2}"),
    BAD("object-duplicated-key-inside", "{\"v\":[{\"k\":1,\"k\":2}]}"),
    BAD("object-duplicated-empty-key", "{\"\":1,\"\":2}"),
    BAD("string-escaped-nul-in-key", "{\"a\\u0000b\":1}"),
    BAD("string-overlong-3-bytes", "{\"v\":\"\340\200\200\"}"),
    BAD("string-overlong-4-bytes", "{\"v\":\"\360\200\200\200\"}"),
    BAD("string-five-bytes", "{\"v\":\"\370\210\200\200\200\"}"),
    BAD("string-truncated-utf8-at-the-end", "{\"v\":\"\342\200"),
    BAD("structure-top-string", "\"a\""),
};

/* clang-format on */

static bool
check(const char *text, gsize length, GError **error)
{
    const WireLimits limits = WIRE_LIMITS_CLIENT;
    /* Of exactly this size, so that a read beyond it is found. */
    g_autofree char *copy = g_memdup2(text, MAX(length, 1));

    return guard_check(copy, length, &limits, error);
}

static void
assert_json_glib_agrees(const char *text, gsize length)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(JsonParser) again = json_parser_new();
    g_autoptr(GError) error = NULL;

    json_parser_load_from_data(parser, text, (gssize) length, &error);
    g_assert_no_error(error);
    g_autofree char *first = json_to_string(json_parser_get_root(parser), FALSE);

    json_parser_load_from_data(again, first, -1, &error);
    g_assert_no_error(error);
    g_assert_true(
        json_node_equal(json_parser_get_root(parser), json_parser_get_root(again)));
}

static void
test_verdict(gconstpointer data)
{
    const Case *row = data;
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(check(row->text, row->length, &error), ==, row->is_good);
    if (row->is_good) {
        assert_json_glib_agrees(row->text, row->length);
        return;
    }
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    const ProtoErrorInvalidParameter *parameters = wire_error_get_parameters(error);

    g_assert_cmpstr(parameters->path, ==, "message");
}

static void
test_names_the_byte(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(check("{\"a\":1,}", 8, &error));
    const ProtoErrorInvalidParameter *parameters = wire_error_get_parameters(error);

    g_assert_nonnull(strstr(parameters->reason, "byte 7"));
}

/* Every byte that begins a character beyond ASCII, before every byte. */
static void
test_utf8_lead_pairs(void)
{
    for (guint lead = 0x80; lead <= 0xff; lead++) {
        for (guint next = 0; next <= 0xff; next++) {
            char text[] = "{\"v\":\"??\"}";
            bool is_good = lead >= 0xc2 && lead <= 0xdf && next >= 0x80 && next <= 0xbf;

            text[6] = (char) lead;
            text[7] = (char) next;
            g_assert_cmpint(check(text, sizeof text - 1, NULL), ==, is_good);
        }
    }
}

static void
test_every_escaped_unit(void)
{
    for (guint unit = 0; unit <= 0xffff; unit++) {
        g_autofree char *text = g_strdup_printf("{\"v\":\"\\u%04x\"}", unit);
        bool is_surrogate = unit >= 0xd800 && unit <= 0xdfff;

        g_assert_cmpint(check(text, strlen(text), NULL), ==, unit != 0 && !is_surrogate);
    }
}

static void
test_every_cut_is_refused(void)
{
    static const char text[] =
        "{\"a\":[1,\"\\ud834\\udd1e\\n\303\251\",true,null,{\"b\":-0}]}";

    g_assert_true(check(text, sizeof text - 1, NULL));
    for (gsize length = 0; length < sizeof text - 1; length++)
        g_assert_false(check(text, length, NULL));
}

/* Changes good messages at random: what the guard lets through, json-glib has to read to
 * the same value. */
static void
test_accepted_means_readable(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(20261001);
    static const char alphabet[] =
        "{}[]\",:\\0123456789-+.eEntrufalsbx/ \n\t\001\200\303\251\355\240";
    guint n_accepted = 0;

    for (guint round = 0; round < 60000; round++) {
        const Case *row = &cases[g_rand_int_range(random, 0, G_N_ELEMENTS(cases))];
        g_autofree char *text = g_memdup2(row->text, row->length + 1);
        gint32 n_changes = g_rand_int_range(random, 1, 3);

        for (gint32 i = 0; row->length > 0 && i < n_changes; i++) {
            gint32 at = g_rand_int_range(random, 0, (gint32) row->length);

            text[at] = alphabet[g_rand_int_range(random, 0, sizeof alphabet - 1)];
        }
        if (check(text, row->length, NULL)) {
            assert_json_glib_agrees(text, row->length);
            n_accepted++;
        }
    }
    g_assert_cmpuint(n_accepted, >, 1000);
}

/* Limits: at n-1 and n a message passes, at n+1 it is too large. */

typedef struct {
    const char *name;
    gsize limit;
    void (*set)(WireLimits *limits, gsize limit);
    char *(*make)(gsize size);
} Limit;

static void
set_depth(WireLimits *limits, gsize limit)
{
    limits->depth = (guint) limit;
}

static void
set_tokens(WireLimits *limits, gsize limit)
{
    limits->tokens = (guint) limit;
}

static void
set_keys(WireLimits *limits, gsize limit)
{
    limits->keys = (guint) limit;
}

static void
set_string(WireLimits *limits, gsize limit)
{
    limits->string_bytes = limit;
}

static void
append_times(GString *out, const char *text, gsize times)
{
    for (gsize i = 0; i < times; i++)
        g_string_append(out, text);
}

static char *
make_depth(gsize size)
{
    GString *out = g_string_new("{\"v\":");

    append_times(out, "[", size - 1);
    append_times(out, "]", size - 1);
    g_string_append_c(out, '}');
    return g_string_free(out, FALSE);
}

static char *
make_depth_of_objects(gsize size)
{
    GString *out = g_string_new(NULL);

    append_times(out, "{\"v\":", size - 1);
    g_string_append(out, "{}");
    append_times(out, "}", size - 1);
    return g_string_free(out, FALSE);
}

/* The object, the key and the array are three. */
static char *
make_tokens(gsize size)
{
    GString *out = g_string_new("{\"v\":[0");

    append_times(out, ",0", size - 4);
    g_string_append(out, "]}");
    return g_string_free(out, FALSE);
}

static char *
make_keys(gsize size)
{
    GString *out = g_string_new("{");

    for (gsize i = 0; i < size; i++)
        g_string_append_printf(out, "%s\"%zu\":0", i == 0 ? "" : ",", i);
    g_string_append_c(out, '}');
    return g_string_free(out, FALSE);
}

static char *
make_string(gsize size)
{
    GString *out = g_string_new("{\"v\":\"");

    append_times(out, "a", size);
    g_string_append(out, "\"}");
    return g_string_free(out, FALSE);
}

/* Counted after unescaping: an escape of six bytes is one or two. */
static char *
make_escaped_string(gsize size)
{
    GString *out = g_string_new("{\"v\":\"");

    append_times(out, "\\u0061", size % 2);
    append_times(out, "\\u00e9", size / 2);
    g_string_append(out, "\"}");
    return g_string_free(out, FALSE);
}

static char *
make_key(gsize size)
{
    GString *out = g_string_new("{\"");

    append_times(out, "k", size);
    g_string_append(out, "\":0}");
    return g_string_free(out, FALSE);
}

static const Limit limits_of_clients[] = {
    { "depth", 8, set_depth, make_depth },
    { "depth-of-objects", 8, set_depth, make_depth_of_objects },
    { "tokens", 4096, set_tokens, make_tokens },
    { "keys", 64, set_keys, make_keys },
    { "string", 49152, set_string, make_string },
    { "string-escaped", 49152, set_string, make_escaped_string },
    { "key-length", 49152, set_string, make_key },
};

static void
assert_limit(const WireLimits *limits, const Limit *row, gsize limit)
{
    for (gsize size = limit - 1; size <= limit + 1; size++) {
        g_autofree char *text = row->make(size);
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(guard_check(text, strlen(text), limits, &error), ==,
                        size <= limit);
        if (size <= limit)
            continue;
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_TOO_LARGE);
        const ProtoErrorTooLarge *parameters = wire_error_get_parameters(error);

        g_assert_cmpint(parameters->limit, ==, (gint64) limit);
    }
}

static void
test_limit_of_a_client(gconstpointer data)
{
    const Limit *row = data;
    /* The escapes of a long string are more bytes than a client's message may have. */
    const WireLimits limits = WIRE_LIMITS_CLIENT;

    assert_limit(&limits, row, row->limit);
}

static void
test_limit_that_is_smaller(gconstpointer data)
{
    const Limit *row = data;
    WireLimits limits = WIRE_LIMITS_CLIENT;

    row->set(&limits, 6);
    assert_limit(&limits, row, 6);
}

static void
test_deep_nesting_costs_no_stack(void)
{
    const gsize size = 1000000;
    const WireLimits limits = WIRE_LIMITS_PEER;
    g_autofree char *text = make_depth(size);
    g_autoptr(GError) error = NULL;

    g_assert_false(guard_check(text, strlen(text), &limits, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_TOO_LARGE);
}

static void
add(const char *prefix, const char *name, gconstpointer data, GTestDataFunc function)
{
    g_autofree char *path = g_strconcat(prefix, name, NULL);

    g_test_add_data_func(path, data, function);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        add("/guard/verdict/", cases[i].name, &cases[i], test_verdict);
    for (gsize i = 0; i < G_N_ELEMENTS(limits_of_clients); i++) {
        const Limit *row = &limits_of_clients[i];

        add("/guard/limit-of-a-client/", row->name, row, test_limit_of_a_client);
        add("/guard/limit-that-is-smaller/", row->name, row, test_limit_that_is_smaller);
    }
    g_test_add_func("/guard/names-the-byte", test_names_the_byte);
    g_test_add_func("/guard/refuses-invalid-utf8-pairs", test_utf8_lead_pairs);
    g_test_add_func("/guard/refuses-escaped-nul-and-surrogates", test_every_escaped_unit);
    g_test_add_func("/guard/refuses-every-cut", test_every_cut_is_refused);
    g_test_add_func("/guard/accepted-means-readable", test_accepted_means_readable);
    g_test_add_func("/guard/deep-nesting-costs-no-stack",
                    test_deep_nesting_costs_no_stack);
    return g_test_run();
}
