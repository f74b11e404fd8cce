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

/* The names say what JSONTestSuite's say: y_ has to be accepted and n_ refused by any
 * parser; i_ is ours to choose. */
/* clang-format off */
static const Case cases[] = {
    GOOD("y_array_arrays_with_spaces", "{\"v\":[[]   ]}"),
    GOOD("y_array_empty", "{\"v\":[]}"),
    GOOD("y_array_empty_string", "{\"v\":[\"\"]}"),
    GOOD("y_array_ending_with_newline", "{\"v\":[\"a\"]}\n"),
    GOOD("y_array_false", "{\"v\":[false]}"),
    GOOD("y_array_heterogeneous", "{\"v\":[null, 1, \"1\", {}]}"),
    GOOD("y_array_with_leading_space", "{\"v\": [1]}"),
    GOOD("y_array_with_several_null", "{\"v\":[1,null,null,null,2]}"),
    GOOD("y_number_0", "{\"v\":0}"),
    GOOD("y_number_after_space", "{\"v\": 4}"),
    GOOD("y_number_negative_int", "{\"v\":-123}"),
    GOOD("y_number_negative_one", "{\"v\":-1}"),
    GOOD("y_number_negative_zero", "{\"v\":-0}"),
    GOOD("y_number_greatest", "{\"v\":9223372036854775807}"),
    GOOD("y_number_least", "{\"v\":-9223372036854775808}"),
    GOOD("y_object_basic", "{\"asd\":\"sdf\"}"),
    GOOD("y_object_empty", "{}"),
    GOOD("y_object_empty_key", "{\"\":0}"),
    GOOD("y_object_extreme_numbers", "{\"min\":-1,\"max\":1}"),
    GOOD("y_object_nested", "{\"a\":{\"b\":{\"c\":{}}}}"),
    GOOD("y_object_same_key_in_two_objects", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}"),
    GOOD("y_object_string_unicode", "{\"title\":\"\\u041f\\u043e\\u043b\"}"),
    GOOD("y_object_with_newlines", "{\n\"a\":\r\n\t\"b\"\n}"),
    GOOD("y_string_accepted_surrogate_pair", "{\"v\":\"\\uD801\\udc37\"}"),
    GOOD("y_string_allowed_escapes", "{\"v\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"),
    GOOD("y_string_backslash_and_u_escaped_zero", "{\"v\":\"\\\\u0000\"}"),
    GOOD("y_string_comments", "{\"v\":\"a/*b*/c/*d//e\"}"),
    GOOD("y_string_del_character", "{\"v\":\"a\177a\"}"),
    GOOD("y_string_double_escape_n", "{\"v\":\"\\\\n\"}"),
    GOOD("y_string_escaped_control_character", "{\"v\":\"\\u0012\"}"),
    GOOD("y_string_escaped_noncharacter", "{\"v\":\"\\uFFFF\"}"),
    GOOD("y_string_last_surrogates_1_and_2", "{\"v\":\"\\uDBFF\\uDFFF\"}"),
    GOOD("y_string_nbsp", "{\"v\":\"new\302\240line\"}"),
    GOOD("y_string_one_byte_utf8", "{\"v\":\"\\u002c\"}"),
    GOOD("y_string_pi", "{\"v\":\"\317\200\"}"),
    GOOD("y_string_u2028_line_separator", "{\"v\":\"\342\200\250\"}"),
    GOOD("y_string_u2029_paragraph_separator", "{\"v\":\"\342\200\251\"}"),
    GOOD("y_string_unescaped_four_bytes", "{\"v\":\"\360\235\204\236\"}"),
    GOOD("y_string_unescaped_last_character", "{\"v\":\"\364\217\277\277\"}"),
    GOOD("y_string_without_ascii", "{\"v\":\"\346\227\245\346\234\254\"}"),
    GOOD("y_structure_lonely_literals", "{\"a\":true,\"b\":false,\"c\":null}"),
    GOOD("y_structure_trailing_space", "{} \t\r\n"),
    GOOD("y_structure_whitespace_all_round", " \t\r\n{ \"a\" : [ 1 , 2 ] } "),

    BAD("n_array_a_comma_first", "{\"v\":[,1]}"),
    BAD("n_array_colon_instead_of_comma", "{\"v\":[\"\":1]}"),
    BAD("n_array_comma_after_close", "{\"v\":[\"\"],}"),
    BAD("n_array_comma_and_number", "{\"v\":[,1]}"),
    BAD("n_array_double_comma", "{\"v\":[1,,2]}"),
    BAD("n_array_double_extra_comma", "{\"v\":[\"x\",,]}"),
    BAD("n_array_extra_close", "{\"v\":[\"x\"]]}"),
    BAD("n_array_extra_comma", "{\"v\":[\"\",]}"),
    BAD("n_array_incomplete", "{\"v\":[\"x\"}"),
    BAD("n_array_inner_array_no_comma", "{\"v\":[3[4]]}"),
    BAD("n_array_items_separated_by_semicolon", "{\"v\":[1;2]}"),
    BAD("n_array_just_comma", "{\"v\":[,]}"),
    BAD("n_array_just_minus", "{\"v\":[-]}"),
    BAD("n_array_missing_value", "{\"v\":[   , \"\"]}"),
    BAD("n_array_newlines_unclosed", "{\"v\":[\"a\",\n4\n,1,"),
    BAD("n_array_spaces_vertical_tab_formfeed", "{\"v\":[\"\013a\"\\f]}"),
    BAD("n_array_star_inside", "{\"v\":[*]}"),
    BAD("n_array_unclosed_with_object_inside", "{\"v\":[{}"),
    BAD("n_incomplete_false", "{\"v\":fals}"),
    BAD("n_incomplete_null", "{\"v\":nul}"),
    BAD("n_incomplete_true", "{\"v\":tru}"),
    BAD("n_multidigit_number_then_00", "{\"v\":123\0}"),
    BAD("n_number_plus_plus", "{\"v\":++1234}"),
    BAD("n_number_plus_one", "{\"v\":+1}"),
    BAD("n_number_plus_inf", "{\"v\":+Inf}"),
    BAD("n_number_minus_01", "{\"v\":-01}"),
    BAD("n_number_minus_1_dot_0_dot", "{\"v\":-1.0.}"),
    BAD("n_number_minus_2_dot", "{\"v\":-2.}"),
    BAD("n_number_minus_nan", "{\"v\":-NaN}"),
    BAD("n_number_dot_minus_1", "{\"v\":.-1}"),
    BAD("n_number_dot_2e_3", "{\"v\":.2e-3}"),
    BAD("n_number_0_1_2", "{\"v\":0.1.2}"),
    BAD("n_number_0_capital_E", "{\"v\":0E}"),
    BAD("n_number_0_dot_e1", "{\"v\":0.e1}"),
    BAD("n_number_0e_plus", "{\"v\":0e+}"),
    BAD("n_number_1_000", "{\"v\":1 000.0}"),
    BAD("n_number_1eE2", "{\"v\":1eE2}"),
    BAD("n_number_2_dot_e3", "{\"v\":2.e3}"),
    BAD("n_number_9_dot_e_plus", "{\"v\":9.e+}"),
    BAD("n_number_Inf", "{\"v\":Inf}"),
    BAD("n_number_NaN", "{\"v\":NaN}"),
    BAD("n_number_U_FF11_fullwidth_digit_one", "{\"v\":\357\274\221}"),
    BAD("n_number_expression", "{\"v\":1+2}"),
    BAD("n_number_hex_1_digit", "{\"v\":0x1}"),
    BAD("n_number_hex_2_digits", "{\"v\":0x42}"),
    BAD("n_number_infinity", "{\"v\":Infinity}"),
    BAD("n_number_invalid_utf8_in_int", "{\"v\":0\345}"),
    BAD("n_number_minus_infinity", "{\"v\":-Infinity}"),
    BAD("n_number_minus_space_1", "{\"v\":- 1}"),
    BAD("n_number_neg_real_without_int_part", "{\"v\":-.123}"),
    BAD("n_number_neg_with_garbage_at_end", "{\"v\":-1x}"),
    BAD("n_number_octal", "{\"v\":010}"),
    BAD("n_number_starting_with_dot", "{\"v\":.123}"),
    BAD("n_number_two_zeros", "{\"v\":00}"),
    BAD("n_number_with_alpha", "{\"v\":1.2a-3}"),
    BAD("n_number_with_leading_zero", "{\"v\":012}"),
    BAD("n_object_bad_value", "{\"x\", truth}"),
    BAD("n_object_bracket_key", "{[: \"x\"}"),
    BAD("n_object_closed_by_square_bracket", "{\"a\":1]"),
    BAD("n_object_comma_instead_of_colon", "{\"x\", null}"),
    BAD("n_object_double_colon", "{\"x\"::\"b\"}"),
    BAD("n_object_emoji", "{\360\237\207\250}"),
    BAD("n_object_garbage_at_end", "{\"a\":\"a\" 123}"),
    BAD("n_object_key_with_single_quotes", "{'a': 0}"),
    BAD("n_object_lone_continuation_byte_in_key", "{\"\271\":\"0\"}"),
    BAD("n_object_missing_colon", "{\"a\" b}"),
    BAD("n_object_missing_key", "{:\"b\"}"),
    BAD("n_object_missing_semicolon", "{\"a\" \"b\"}"),
    BAD("n_object_missing_value", "{\"a\":"),
    BAD("n_object_no_colon", "{\"a\""),
    BAD("n_object_non_string_key", "{1:1}"),
    BAD("n_object_several_trailing_commas", "{\"id\":0,,,,,}"),
    BAD("n_object_trailing_comma", "{\"id\":0,}"),
    BAD("n_object_trailing_comment", "{\"a\":\"b\"}/**/"),
    BAD("n_object_trailing_comment_open", "{\"a\":\"b\"}/**//"),
    BAD("n_object_trailing_comment_slash", "{\"a\":\"b\"}//"),
    BAD("n_object_two_commas_in_a_row", "{\"a\":\"b\",,\"c\":\"d\"}"),
    BAD("n_object_unquoted_key", "{a: \"b\"}"),
    BAD("n_object_unterminated_value", "{\"a\":\"a"),
    BAD("n_object_with_single_string", "{ \"foo\" : \"bar\", \"a\" }"),
    BAD("n_object_with_trailing_garbage", "{\"a\":\"b\"}#"),
    BAD("n_single_space", " "),
    BAD("n_string_accentuated_char_no_quotes", "{\"v\":\303\251}"),
    BAD("n_string_backslash_00", "{\"v\":\"\\\0\"}"),
    BAD("n_string_escape_x", "{\"v\":\"\\x00\"}"),
    BAD("n_string_escaped_backslash_bad", "{\"v\":\"\\\\\\\"}"),
    BAD("n_string_escaped_ctrl_char_tab", "{\"v\":\"\\\011\"}"),
    BAD("n_string_escaped_emoji", "{\"v\":\"\\\360\237\214\200\"}"),
    BAD("n_string_incomplete_escape", "{\"v\":\"\\\"}"),
    BAD("n_string_incomplete_escaped_character", "{\"v\":\"\\u00A\"}"),
    BAD("n_string_incomplete_surrogate", "{\"v\":\"\\uD834\\uDd\"}"),
    BAD("n_string_incomplete_surrogate_escape_invalid", "{\"v\":\"\\uD800\\uD800\\x\"}"),
    BAD("n_string_invalid_backslash_esc", "{\"v\":\"\\a\"}"),
    BAD("n_string_invalid_unicode_escape", "{\"v\":\"\\uqqqq\"}"),
    BAD("n_string_leading_uescaped_thinspace", "{\"v\":\\u0020\"asd\"}"),
    BAD("n_string_no_quotes_with_bad_escape", "{\"v\":\\n}"),
    BAD("n_string_single_doublequote", "{\"v\":\"}"),
    BAD("n_string_single_quote", "{\"v\":'single quote'}"),
    BAD("n_string_start_escape_unclosed", "{\"v\":\"\\"),
    BAD("n_string_unescaped_ctrl_char", "{\"v\":\"a\001a\"}"),
    BAD("n_string_unescaped_newline", "{\"v\":\"new\nline\"}"),
    BAD("n_string_unescaped_nul", "{\"v\":\"a\0a\"}"),
    BAD("n_string_unescaped_tab", "{\"v\":\"\t\"}"),
    BAD("n_string_with_trailing_garbage", "{\"v\":\"\"x}"),
    BAD("n_structure_angle_bracket", "<.>"),
    BAD("n_structure_array_with_extra_array_close", "{\"v\":[1]]"),
    BAD("n_structure_array_with_unclosed_string", "{\"v\":[\"asd]"),
    BAD("n_structure_capitalized_True", "{\"v\":True}"),
    BAD("n_structure_close_unopened", "}"),
    BAD("n_structure_comma_instead_of_closing", "{\"x\":true,"),
    BAD("n_structure_comment", "{/*comment*/\"a\":1}"),
    BAD("n_structure_double_object", "{}{}"),
    BAD("n_structure_end_array", "]"),
    BAD("n_structure_lone_open_object", "{"),
    BAD("n_structure_no_data", ""),
    BAD("n_structure_nul_after_the_end", "{}\0"),
    BAD("n_structure_nul_before", "\0{}"),
    BAD("n_structure_open_object_comma", "{,"),
    BAD("n_structure_open_object_open_array", "{["),
    BAD("n_structure_single_star", "*"),
    BAD("n_structure_trailing_hash", "{\"a\":\"b\"}#{}"),
    BAD("n_structure_u2060_word_joined", "{\"v\":[\342\201\240]}"),
    BAD("n_structure_uescaped_lf_before_string", "{\"v\":\\u000A\"\"}"),
    BAD("n_structure_whitespace_formfeed", "{\f}"),
    BAD("n_structure_whitespace_u00a0", "{\302\240}"),
    BAD("n_structure_truncated_literal_at_the_end", "{\"v\":tru"),

    BAD("i_number_double_huge_neg_exp", "{\"v\":123.456e-789}"),
    BAD("i_number_exponent", "{\"v\":1e3}"),
    BAD("i_number_exponent_capital", "{\"v\":1E3}"),
    BAD("i_number_fraction", "{\"v\":1.0}"),
    BAD("i_number_too_big_pos_int", "{\"v\":9223372036854775808}"),
    BAD("i_number_too_big_neg_int", "{\"v\":-9223372036854775809}"),
    BAD("i_number_two_to_the_64", "{\"v\":18446744073709551616}"),
    BAD("i_number_very_big", "{\"v\":99999999999999999999999999}"),
    BAD("i_object_duplicated_key", "{\"a\":\"b\",\"a\":\"c\"}"),
    BAD("i_object_duplicated_key_and_value", "{\"a\":\"b\",\"a\":\"b\"}"),
    BAD("i_object_duplicated_key_by_escape", "{\"a\":1,\"\\u0061\":2}"),
    BAD("i_object_duplicated_key_inside", "{\"v\":[{\"k\":1,\"k\":2}]}"),
    BAD("i_object_duplicated_empty_key", "{\"\":1,\"\":2}"),
    BAD("i_object_key_lone_2nd_surrogate", "{\"\\uDFAA\":0}"),
    BAD("i_string_1st_surrogate_but_2nd_missing", "{\"v\":\"\\uDADA\"}"),
    BAD("i_string_1st_valid_surrogate_2nd_invalid", "{\"v\":\"\\uD888\\u1234\"}"),
    BAD("i_string_escaped_nul", "{\"v\":\"\\u0000\"}"),
    BAD("i_string_escaped_nul_in_key", "{\"a\\u0000b\":1}"),
    BAD("i_string_inverted_surrogates", "{\"v\":\"\\uDd1e\\uD834\"}"),
    BAD("i_string_lone_second_surrogate", "{\"v\":\"\\uDFAA\"}"),
    BAD("i_string_surrogate_then_escape", "{\"v\":\"\\uD800\\n\"}"),
    BAD("i_string_utf16le_with_bom", "\377\376{\0}\0"),
    BAD("i_string_utf8_surrogate", "{\"v\":\"\355\240\200\"}"),
    BAD("i_string_not_in_unicode_range", "{\"v\":\"\364\220\200\200\"}"),
    BAD("i_string_overlong_2_bytes", "{\"v\":\"\300\257\"}"),
    BAD("i_string_overlong_3_bytes", "{\"v\":\"\340\200\200\"}"),
    BAD("i_string_overlong_4_bytes", "{\"v\":\"\360\200\200\200\"}"),
    BAD("i_string_five_bytes", "{\"v\":\"\370\210\200\200\200\"}"),
    BAD("i_string_six_bytes", "{\"v\":\"\374\203\277\277\277\277\"}"),
    BAD("i_string_truncated_utf8", "{\"v\":\"\340\377\"}"),
    BAD("i_string_truncated_utf8_at_the_end", "{\"v\":\"\342\200"),
    BAD("i_string_iso_latin_1", "{\"v\":\"\351\"}"),
    BAD("i_structure_top_array", "[]"),
    BAD("i_structure_top_string", "\"a\""),
    BAD("i_structure_top_number", "42"),
    BAD("i_structure_top_null", "null"),
    BAD("i_structure_utf8_bom_empty_object", "\357\273\277{}"),
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
