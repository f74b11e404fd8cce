/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "proto.h"
#include "render/render.h"
#include "text.h"
#include "views.h"

/* 2026-10-01T00:00:00Z */
static const gint64 now_us = G_GINT64_CONSTANT(1790812800) * G_USEC_PER_SEC;

static const char list_of_two[] =
    "{\"instances\":[{\"name\":\"web\",\"state\":\"running\",\"ready\":true,"
    "\"addresses\":[\"10.0.0.2\",\"10.0.0.3\"],\"vcpus\":2,\"memory_bytes\":1073741824,"
    "\"disk_bytes\":1610612736,\"template\":\"tiny:1\",\"host\":\"local\","
    "\"created_at\":\"2026-09-30T23:59:00.000Z\",\"id\":\"one\","
    "\"labels\":{\"a\":\"1\",\"b\":\"x,\\\"y\\\"\"}},"
    "{\"name\":\"database\",\"state\":\"stopped\",\"ready\":false,\"addresses\":[],"
    "\"vcpus\":16,\"memory_bytes\":16777216,\"disk_bytes\":1048576,"
    "\"template\":\"tiny:1\",\"created_at\":\"2026-09-30T12:00:00.000Z\",\"id\":\"two\","
    "\"labels\":{},\"next\":{\"vcpus\":4,\"memory_bytes\":16777216,"
    "\"disk_bytes\":1048576}}]}";

static char *
render(const View *view, Format format, const char *json)
{
    g_autoptr(JsonNode) node = json_from_string(json, NULL);
    GString *out = g_string_new(NULL);
    Render render;

    g_assert_nonnull(node);
    render_init(&render, view, format, now_us);
    render_append(&render, node, out);
    render_done(&render);
    return g_string_free(out, FALSE);
}

static void
test_table(void)
{
    g_autofree char *text = render(&view_instances, FORMAT_TABLE, list_of_two);

    g_assert_cmpstr(
        text, ==,
        "NAME      STATE    READY  ADDRESS            CPUS  MEMORY  DISK     TEMPLATE  "
        "HOST   AGE\n"
        "web       running  yes    10.0.0.2,10.0.0.3  2     1 GiB   1.5 GiB  tiny:1    "
        "local  60s\n"
        "database  stopped  no     -                  16    16 MiB  1 MiB    tiny:1    "
        "-      12h\n");
}

static void
test_wide_has_every_column(void)
{
    g_autofree char *text = render(&view_instances, FORMAT_WIDE, list_of_two);

    for (gsize i = 0; i < view_instances.n_columns; i++)
        g_assert_nonnull(strstr(text, view_instances.columns[i].header));
    g_assert_nonnull(strstr(text, "a=1,b=x,\"y\""));
}

static void
test_empty_list_has_a_header(void)
{
    g_autofree char *text = render(&view_instances, FORMAT_TABLE, "{\"instances\":[]}");

    g_assert_true(g_str_has_prefix(text, "NAME  STATE"));
    g_assert_cmpuint(strlen(strchr(text, '\n')), ==, 1);
}

static void
test_one_thing_stands_upright(void)
{
    g_autofree char *text =
        render(&view_whoami, FORMAT_TABLE,
               "{\"uid\":0,\"tenant\":\"default\",\"role\":\"admin\"}");

    g_assert_cmpstr(text, ==, "UID     0\nTENANT  default\nROLE    admin\nTOKEN   -\n");
}

static void
test_csv_quotes(void)
{
    g_autofree char *text = render(&view_instances, FORMAT_CSV, list_of_two);
    g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);

    g_assert_cmpuint(g_strv_length(lines), ==, 4);
    g_assert_true(g_str_has_prefix(lines[0], "name,state,ready,addresses,vcpus,"));
    g_assert_true(g_str_has_prefix(
        lines[1], "web,running,true,\"10.0.0.2,10.0.0.3\",2,1073741824,"));
    g_assert_nonnull(strstr(lines[1], ",\"a=1,b=x,\"\"y\"\"\","));
    g_assert_true(g_str_has_prefix(lines[2], "database,stopped,false,,16,16777216,"));
    g_assert_cmpstr(lines[3], ==, "");
}

static void
test_names_and_ids(void)
{
    g_autofree char *names = render(&view_instances, FORMAT_NAME, list_of_two);
    g_autofree char *ids = render(&view_instances, FORMAT_ID, list_of_two);

    g_assert_cmpstr(names, ==, "web\ndatabase\n");
    g_assert_cmpstr(ids, ==, "one\ntwo\n");
}

static void
test_json_is_the_reply(void)
{
    g_autofree char *text = render(&view_instances, FORMAT_JSON, list_of_two);
    g_autofree char *expected = g_strconcat(list_of_two, "\n", NULL);

    g_assert_cmpstr(text, ==, expected);
}

/* Pieces of a stream: one header, and what is wider later does not move what stands. */
static void
test_pieces_share_a_header(void)
{
    g_autoptr(JsonNode) node = json_from_string(
        "{\"events\":[{\"seq\":1,\"at\":\"t\",\"kind\":\"host_state\"}]}", NULL);
    g_autoptr(GString) out = g_string_new(NULL);
    Render render;

    render_init(&render, &view_events, FORMAT_TABLE, now_us);
    render_append(&render, node, out);
    render_append(&render, node, out);
    render_done(&render);
    g_assert_cmpstr(out->str, ==,
                    "SEQ  AT  KIND        NAME  STATE  DETAIL\n"
                    "1    t   host_state  -     -      -\n"
                    "1    t   host_state  -     -      -\n");
}

static const char odd_types[] =
    "{\"instances\":[{\"name\":5,\"memory_bytes\":\"much\",\"created_at\":7,"
    "\"ready\":\"so so\",\"next\":[],\"labels\":[1,[2]]}]}";

/* Whatever a newer service sends, it is shown, and nothing is asserted about it. */
static void
test_survives_other_types(void)
{
    const char *const replies[] = {
        "{}",
        "{\"instances\":null}",
        "{\"instances\":5}",
        "{\"instances\":[5,null,[]]}",
        odd_types,
    };
    const Format formats[] = { FORMAT_TABLE, FORMAT_WIDE, FORMAT_CSV,
                               FORMAT_NAME,  FORMAT_ID,   FORMAT_JSON };

    for (gsize i = 0; i < G_N_ELEMENTS(replies); i++) {
        for (gsize j = 0; j < G_N_ELEMENTS(formats); j++) {
            g_autofree char *text = render(&view_instances, formats[j], replies[i]);

            g_assert_nonnull(text);
        }
    }
}

/* Every column of every view names a field that the schema has. */
static void
assert_paths(const View *view, const WireStruct *type)
{
    for (gsize i = 0; i < view->n_columns; i++) {
        g_auto(GStrv) names = g_strsplit(view->columns[i].path, ".", -1);
        const WireStruct *at = type;

        for (gsize j = 0; names[j] != NULL; j++) {
            const WireField *field = NULL;

            g_assert_nonnull(at);
            for (gsize k = 0; k < at->n_fields; k++) {
                if (strcmp(at->fields[k].name, names[j]) == 0)
                    field = &at->fields[k];
            }
            if (field == NULL)
                g_error("%s has no field %s", type->name, view->columns[i].path);
            at = field->structure;
        }
    }
}

static void
test_columns_name_fields_of_the_schema(void)
{
    assert_paths(&view_instances, &proto_instance_type);
    assert_paths(&view_instance, &proto_instance_type);
    assert_paths(&view_templates, &proto_template_type);
    assert_paths(&view_template, &proto_template_type);
    assert_paths(&view_hosts, &proto_host_type);
    assert_paths(&view_host, &proto_host_type);
    assert_paths(&view_operations, &proto_operation_type);
    assert_paths(&view_operation, &proto_operation_type);
    assert_paths(&view_changes, &proto_operation_type);
    assert_paths(&view_begun, &proto_operation_type);
    assert_paths(&view_events, &proto_event_type);
    assert_paths(&view_usage, &proto_usage_line_type);
    assert_paths(&view_usage_totals, &proto_usage_total_type);
    assert_paths(&view_plan, &proto_plan_type);
    assert_paths(&view_quota, &proto_quota_use_type);
    assert_paths(&view_quote, &proto_billing_quote_reply_type);
    assert_paths(&view_quote_lines, &proto_quote_line_type);
    assert_paths(&view_whoami, &proto_vmctl_who_am_i_reply_type);
    assert_paths(&view_version, &proto_vmctl_get_info_reply_type);
}

static void
assert_escaped(const char *text, const char *expected)
{
    g_autoptr(GString) out = g_string_new(NULL);

    text_append_escaped(out, text);
    g_assert_cmpstr(out->str, ==, expected);
}

static void
test_escapes_what_moves_the_terminal(void)
{
    assert_escaped("plain text", "plain text");
    assert_escaped("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7",
                   "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7");
    assert_escaped("a\033[31mb", "a\\x1b[31mb");
    assert_escaped("a\nb\rc\td", "a\\x0ab\\x0dc\\x09d");
    assert_escaped("\x7f", "\\x7f");
    assert_escaped("\xc2\x9b", "\\xc2\\x9b");
    assert_escaped("\xe2\x80\xae", "\\xe2\\x80\\xae");
    assert_escaped("\xe2\x81\xa6", "\\xe2\\x81\\xa6");
    assert_escaped("\xe2\x80\xa8", "\\xe2\\x80\\xa8");
    assert_escaped("\xe2\x80\x8b", "\\xe2\\x80\\x8b");
    assert_escaped("\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81");
    assert_escaped("\xff\xfe", "\\xff\\xfe");
    assert_escaped("\xe2\x82", "\\xe2\\x82");
    assert_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80");
}

static gboolean
is_harmless(const char *text)
{
    for (; *text != '\0'; text = g_utf8_find_next_char(text, NULL)) {
        gunichar character = g_utf8_get_char(text);

        if (character < 0x20 && character != '\n')
            return FALSE;
        if ((character >= 0x7f && character <= 0x9f) ||
            (character >= 0x202a && character <= 0x202e) ||
            (character >= 0x2066 && character <= 0x2069))
            return FALSE;
    }
    return TRUE;
}

/* Hostile text in every displayable field, in every format. */
static void
test_hostile_text_in_every_cell(void)
{
    const char *const texts[] = { "\033[2J",      "\033]52;c;AAAA\007",
                                  "\xc2\x9b[31m", "\r\nfake ok",
                                  "\b\b\b",       "\xe2\x80\xaegnp",
                                  "\x7f",         "\xe2\x81\xa6x" };
    const Format formats[] = { FORMAT_TABLE, FORMAT_WIDE, FORMAT_NAME, FORMAT_ID,
                               FORMAT_JSON };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
        JsonObject *row = json_object_new();

        for (gsize j = 0; j < view_instance.n_columns; j++) {
            if (strchr(view_instance.columns[j].path, '.') == NULL)
                json_object_set_string_member(row, view_instance.columns[j].path,
                                              texts[i]);
        }
        json_node_take_object(node, json_object_new());
        json_object_set_object_member(json_node_get_object(node), "instance", row);
        for (gsize j = 0; j < G_N_ELEMENTS(formats); j++) {
            g_autoptr(GString) out = g_string_new(NULL);
            Render render;

            render_init(&render, &view_instance, formats[j], now_us);
            render_append(&render, node, out);
            render_done(&render);
            g_assert_true(g_utf8_validate(out->str, -1, NULL));
            g_assert_true(is_harmless(out->str));
        }
    }
}

static void
test_escaped_json_is_the_same_json(void)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(JsonNode) node = NULL;

    text_append_json(out, "{\"a\":\"x\xc2\x9b\xe2\x80\xaey\x7f\xf3\xa0\x81\x81\"}");
    g_assert_cmpstr(out->str, ==, "{\"a\":\"x\\u009b\\u202ey\\u007f\\udb40\\udc41\"}");
    node = json_from_string(out->str, NULL);
    g_assert_cmpstr(json_object_get_string_member(json_node_get_object(node), "a"), ==,
                    "x\xc2\x9b\xe2\x80\xaey\x7f\xf3\xa0\x81\x81");
}

static void
test_console_keeps_lines(void)
{
    const char data[] = "boot\r\nok\tdone\033[0m\0end\rx";
    g_autoptr(GString) out = g_string_new(NULL);

    text_append_console(out, data, sizeof data - 1);
    g_assert_cmpstr(out->str, ==, "boot\nok\tdone\\x1b[0m\\x00end\\x0dx");
}

static void
test_width_counts_columns(void)
{
    g_assert_cmpuint(text_get_width("abc"), ==, 3);
    g_assert_cmpuint(text_get_width("\xc3\xa4"), ==, 1);
    g_assert_cmpuint(text_get_width("\xe6\xbc\xa2"), ==, 2);
    g_assert_cmpuint(text_get_width("e\xcc\x81"), ==, 1);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/render/table", test_table);
    g_test_add_func("/render/wide-has-every-column", test_wide_has_every_column);
    g_test_add_func("/render/empty-list-has-a-header", test_empty_list_has_a_header);
    g_test_add_func("/render/one-thing-stands-upright", test_one_thing_stands_upright);
    g_test_add_func("/render/csv-quotes", test_csv_quotes);
    g_test_add_func("/render/names-and-ids", test_names_and_ids);
    g_test_add_func("/render/json-is-the-reply", test_json_is_the_reply);
    g_test_add_func("/render/pieces-share-a-header", test_pieces_share_a_header);
    g_test_add_func("/render/survives-other-types", test_survives_other_types);
    g_test_add_func("/render/columns-name-fields-of-the-schema",
                    test_columns_name_fields_of_the_schema);
    g_test_add_func("/text/escapes-what-moves-the-terminal",
                    test_escapes_what_moves_the_terminal);
    g_test_add_func("/text/hostile-text-in-every-cell", test_hostile_text_in_every_cell);
    g_test_add_func("/text/escaped-json-is-the-same-json",
                    test_escaped_json_is_the_same_json);
    g_test_add_func("/text/console-keeps-lines", test_console_keeps_lines);
    g_test_add_func("/text/width-counts-columns", test_width_counts_columns);
    return g_test_run();
}
