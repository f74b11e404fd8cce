/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "proto.h"

/* parameters with ' for ", as the tests write them. */
static JsonNode *
read_json(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "'", -1);
    g_autofree char *json = g_strjoinv("\"", parts);
    GError *error = NULL;
    JsonNode *node = json_from_string(json, &error);

    g_assert_no_error(error);
    return node;
}

static bool
parse(const WireStruct *type,
      const char *text,
      WireParseMode mode,
      void *ret_value,
      GError **error)
{
    g_autoptr(JsonNode) node = read_json(text);

    return wire_struct_parse(type, json_node_get_object(node), "parameters", mode,
                             ret_value, error);
}

/* A call is refused, at path and with reason, and leaves nothing behind. */
static void
assert_refused(const WireStruct *type,
               const char *text,
               const char *path,
               const char *reason)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *value = g_malloc0(type->size);
    g_autofree char *zero = g_malloc0(type->size);

    g_assert_false(parse(type, text, WIRE_PARSE_STRICT, value, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    const ProtoErrorInvalidParameter *parameters = wire_error_get_parameters(error);

    g_assert_cmpstr(parameters->path, ==, path);
    g_assert_cmpstr(parameters->reason, ==, reason);
    g_assert_true(g_str_has_prefix(error->message, path));
    g_assert_true(memcmp(value, zero, type->size) == 0);
}

static void
assert_accepted(const WireStruct *type, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *value = g_malloc0(type->size);

    g_assert_true(parse(type, text, WIRE_PARSE_STRICT, value, &error));
    g_assert_no_error(error);
    wire_struct_clear(type, value);
}

#define CREATE (&proto_instance_create_call_type)

static void
test_reads_every_kind(void)
{
    g_auto(ProtoInstanceCreateCall) call = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_true(parse(CREATE,
                        "{'name':'web','vcpus':2,'memory_bytes':16777216,'dry_run':true,"
                        "'ssh_keys':['a','b'],'labels':{'z':'1','a':'2'},'user_data':''}",
                        WIRE_PARSE_STRICT, &call, &error));
    g_assert_cmpstr(call.name, ==, "web");
    g_assert_true(call.has_vcpus);
    g_assert_cmpint(call.vcpus, ==, 2);
    g_assert_cmpint(call.memory_bytes, ==, 16777216);
    g_assert_true(call.has_dry_run && call.dry_run);
    g_assert_cmpstr(call.ssh_keys[1], ==, "b");
    g_assert_null(call.ssh_keys[2]);
    /* Sorted by key. */
    g_assert_cmpstr(call.labels[0], ==, "a");
    g_assert_cmpstr(call.labels[1], ==, "2");
    g_assert_cmpstr(call.labels[2], ==, "z");
    g_assert_null(call.labels[4]);
    g_assert_cmpstr(call.user_data, ==, "");
}

static void
test_missing_is_null(void)
{
    g_auto(ProtoInstanceCreateCall) call = { 0 };

    g_assert_true(parse(CREATE, "{'name':null}", WIRE_PARSE_STRICT, &call, NULL));
    g_assert_null(call.name);
    g_assert_false(call.has_count);
    g_assert_null(call.ssh_keys);
    g_assert_null(call.labels);
}

static void
test_refuses_missing_and_null(void)
{
    const WireStruct *get = &proto_instance_get_call_type;

    assert_refused(get, "{}", "parameters.instance", "is missing");
    assert_refused(get, "{'instance':null}", "parameters.instance", "is missing");
}

static void
test_refuses_unknown_fields(void)
{
    assert_refused(CREATE, "{'name':'web','cpus':2}", "parameters.cpus",
                   "is not a field of io.vmctl.Instance.Create");
    assert_refused(&proto_vmctl_ping_call_type, "{'x':null}", "parameters.x",
                   "is not a field of io.vmctl.Ping");
}

static void
test_refuses_other_kinds(void)
{
    const char *const others[][3] = {
        { "{'vcpus':%s}", "parameters.vcpus", "'2' true [] {}" },
        { "{'dry_run':%s}", "parameters.dry_run", "'true' 1 [] {}" },
        { "{'name':%s}", "parameters.name", "2 true [] {}" },
        { "{'ssh_keys':%s}", "parameters.ssh_keys", "'a' 1 true {}" },
        { "{'ssh_keys':['a',%s]}", "parameters.ssh_keys[1]", "null 1 true [] {}" },
        { "{'labels':%s}", "parameters.labels", "'a' 1 true []" },
        { "{'labels':{'x':%s}}", "parameters.labels[\"x\"]", "null 1 true [] {}" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        g_auto(GStrv) values = g_strsplit(others[i][2], " ", -1);
        g_auto(GStrv) halves = g_strsplit(others[i][0], "%s", 2);

        for (gsize j = 0; values[j] != NULL; j++) {
            g_autofree char *text = g_strconcat(halves[0], values[j], halves[1], NULL);
            g_autoptr(GError) error = NULL;
            g_auto(ProtoInstanceCreateCall) call = { 0 };

            g_assert_false(parse(CREATE, text, WIRE_PARSE_STRICT, &call, &error));
            const ProtoErrorInvalidParameter *parameters =
                wire_error_get_parameters(error);

            g_assert_cmpstr(parameters->path, ==, others[i][1]);
        }
    }
}

static void
test_bounds_of_numbers(void)
{
    assert_accepted(CREATE, "{'memory_bytes':16777217}");
    assert_accepted(CREATE, "{'memory_bytes':16777216}");
    assert_refused(CREATE, "{'memory_bytes':16777215}", "parameters.memory_bytes",
                   "16777215 is below 16777216");
    assert_refused(CREATE, "{'memory_bytes':5}", "parameters.memory_bytes",
                   "5 is below 16777216");
    assert_accepted(CREATE, "{'vcpus':255}");
    assert_accepted(CREATE, "{'vcpus':256}");
    assert_refused(CREATE, "{'vcpus':257}", "parameters.vcpus", "257 is above 256");
    assert_refused(CREATE, "{'vcpus':0}", "parameters.vcpus", "0 is below 1");
    assert_refused(CREATE, "{'vcpus':-9223372036854775808}", "parameters.vcpus",
                   "-9223372036854775808 is below 1");
    assert_refused(CREATE, "{'vcpus':9223372036854775807}", "parameters.vcpus",
                   "9223372036854775807 is above 256");
}

static char *
make_text(const char *before, const char *unit, gsize times, const char *after)
{
    GString *out = g_string_new(before);

    for (gsize i = 0; i < times; i++)
        g_string_append(out, unit);
    g_string_append(out, after);
    return g_string_free(out, FALSE);
}

static void
test_bounds_of_lengths(void)
{
    for (gsize size = 32767; size <= 32769; size++) {
        g_autofree char *text = make_text("{'user_data':'", "x", size, "'}");

        if (size <= 32768) {
            assert_accepted(CREATE, text);
        } else {
            assert_refused(CREATE, text, "parameters.user_data",
                           "is longer than 32768 bytes");
        }
    }
    for (gsize size = 255; size <= 257; size++) {
        g_autofree char *text = make_text("{'labels':{'k':'", "x", size, "'}}");

        if (size <= 256) {
            assert_accepted(CREATE, text);
        } else {
            assert_refused(CREATE, text, "parameters.labels[\"k\"]",
                           "is longer than 256 bytes");
        }
    }
}

static void
test_bounds_of_lists(void)
{
    for (gsize size = 31; size <= 33; size++) {
        g_autofree char *text = make_text("{'ssh_keys':[", "'k',", size - 1, "'k']}");
        GString *labels = g_string_new("{'labels':{");

        for (gsize i = 0; i < size; i++)
            g_string_append_printf(labels, "%s'%zu':''", i == 0 ? "" : ",", i);
        g_string_append(labels, "}}");
        g_autofree char *dict = g_string_free(labels, FALSE);

        if (size <= 32) {
            assert_accepted(CREATE, text);
            assert_accepted(CREATE, dict);
        } else {
            assert_refused(CREATE, text, "parameters.ssh_keys",
                           "has more than 32 entries");
            assert_refused(CREATE, dict, "parameters.labels", "has more than 32 entries");
        }
    }
}

static void
test_bounds_of_keys(void)
{
    static const char reason[] = "is not a key: 1 to 63 bytes without control characters";

    for (gsize size = 0; size <= 64; size++) {
        g_autofree char *text = make_text("{'labels':{'", "k", size, "':''}}");
        g_autofree char *path = make_text("parameters.labels[\"", "k", size, "\"]");

        if (size >= 1 && size <= 63) {
            assert_accepted(CREATE, text);
        } else {
            assert_refused(CREATE, text, path, reason);
        }
    }
    assert_refused(CREATE, "{'labels':{'a\\tb':''}}", "parameters.labels[\"a\\x09b\"]",
                   reason);
    assert_refused(CREATE, "{'labels':{'\\u007f':''}}", "parameters.labels[\"\\x7f\"]",
                   reason);
}

static void
test_places_inside_structs(void)
{
    assert_refused(&proto_plan_type, "{'refusals':[],'size':{'vcpus':0}}",
                   "parameters.size.vcpus", "0 is below 1");
    assert_refused(&proto_plan_type,
                   "{'refusals':[],'size':{'vcpus':1,'memory_bytes':16777216,"
                   "'disk_bytes':1048576},'template':'t','quota':[{'resource':'r',"
                   "'used':0,'after':0,'limit':0},{'resource':1}]}",
                   "parameters.quota[1].resource", "is not a string");
    assert_refused(&proto_instance_wait_call_type, "{'instance':'i','until':'soon'}",
                   "parameters.until",
                   "soon is not one of running, ready, stopped, destroyed");
}

static void
test_shown_text_is_escaped_and_cut(void)
{
    g_autofree char *text = make_text("{'name':'\\u001b[31m", "\303\251", 500, "'}");
    g_autofree char *unknown = make_text("{'", "\303\251", 500, "':1}");
    const char *const texts[] = { text, unknown };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(ProtoInstanceCreateCall) call = { 0 };

        g_assert_false(parse(CREATE, texts[i], WIRE_PARSE_STRICT, &call, &error));
        g_assert_cmpuint(strlen(error->message), <, 600);
        for (const char *at = error->message; *at != '\0'; at++)
            g_assert_true(g_ascii_isprint(*at));
    }
}

static void
test_lenient_passes_over_what_is_new(void)
{
    g_auto(ProtoVmctlWhoAmIReply) reply = { 0 };
    g_auto(ProtoPlan) plan = { 0 };

    g_assert_true(parse(&proto_vmctl_who_am_i_reply_type,
                        "{'uid':7,'tenant':'t','role':'admin','colour':{'a':[1]}}",
                        WIRE_PARSE_LENIENT, &reply, NULL));
    g_assert_cmpint(reply.uid, ==, 7);
    g_assert_cmpint(reply.role, ==, ROLE_ADMIN);
    /* An older peer does not know of a field that came later. */
    g_assert_true(
        parse(&proto_plan_type, "{'template':'t'}", WIRE_PARSE_LENIENT, &plan, NULL));
    g_assert_cmpuint(plan.n_quota, ==, 0);
}

static void
test_lenient_still_checks_kinds(void)
{
    g_auto(ProtoVmctlWhoAmIReply) reply = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_false(parse(&proto_vmctl_who_am_i_reply_type,
                         "{'uid':'7','tenant':'t','role':'admin'}", WIRE_PARSE_LENIENT,
                         &reply, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
}

static ProtoInstance
make_instance(void)
{
    ProtoSize size = { .vcpus = 3, .memory_bytes = 16777216, .disk_bytes = 1048576 };
    ProtoInstance instance = {
        .id = g_strdup("00000000-0000-4000-8000-000000000001"),
        .name = g_strdup("web"),
        .tenant = g_strdup("default"),
        .template = g_strdup("tiny:1"),
        .state = INSTANCE_STATE_ERROR,
        .reason = g_strdup("say \"why\"\n\001\177\303\251"),
        .desired = INSTANCE_WISH_RUNNING,
        .vcpus = 1,
        .memory_bytes = G_MAXINT64,
        .disk_bytes = G_MININT64,
        .next = g_memdup2(&size, sizeof size),
        .agent = true,
        .addresses = g_strsplit("10.0.0.1 ::1", " ", -1),
        .mac = g_strdup(""),
        .labels = g_strsplit("a b c d", " ", -1),
        .created_at = g_strdup("t"),
        .changed_at = g_strdup("t"),
    };

    return instance;
}

static char *
print(const WireStruct *type, const void *value)
{
    GString *out = g_string_new(NULL);

    wire_struct_print(type, value, out);
    return g_string_free(out, FALSE);
}

static const char printed_instance[] =
    "{\"id\":\"00000000-0000-4000-8000-000000000001\",\"name\":\"web\","
    "\"tenant\":\"default\",\"template\":\"tiny:1\",\"state\":\"error\","
    "\"reason\":\"say \\\"why\\\"\\n\\u0001\\u007f\303\251\",\"desired\":\"running\","
    "\"vcpus\":1,\"memory_bytes\":9223372036854775807,"
    "\"disk_bytes\":-9223372036854775808,"
    "\"next\":{\"vcpus\":3,\"memory_bytes\":16777216,\"disk_bytes\":1048576},"
    "\"generation\":0,\"agent\":true,\"ready\":false,"
    "\"addresses\":[\"10.0.0.1\",\"::1\"],\"mac\":\"\","
    "\"labels\":{\"a\":\"b\",\"c\":\"d\"},\"created_at\":\"t\",\"changed_at\":\"t\"}";

static void
test_prints_in_the_order_of_the_schema(void)
{
    g_auto(ProtoInstance) instance = make_instance();
    g_autofree char *text = print(&proto_instance_type, &instance);

    g_assert_cmpstr(text, ==, printed_instance);
}

static void
test_print_and_parse_are_inverse(void)
{
    g_auto(ProtoInstance) instance = { 0 };
    g_autoptr(JsonNode) node = json_from_string(printed_instance, NULL);
    g_autoptr(GError) error = NULL;

    wire_struct_parse(&proto_instance_type, json_node_get_object(node), "instance",
                      WIRE_PARSE_STRICT, &instance, &error);
    g_assert_no_error(error);
    g_autofree char *text = print(&proto_instance_type, &instance);

    g_assert_cmpstr(text, ==, printed_instance);
}

static void
test_copy_is_deep(void)
{
    ProtoInstance instance = make_instance();
    g_auto(ProtoInstance) copy = { 0 };

    proto_instance_copy(&instance, &copy);
    proto_instance_clear(&instance);
    g_autofree char *text = print(&proto_instance_type, &copy);

    g_assert_cmpstr(text, ==, printed_instance);
    g_assert_null(instance.id);
}

static void
test_prints_empty_as_empty(void)
{
    ProtoPlan plan = { 0 };
    ProtoInstanceListReply list = { 0 };
    g_autofree char *text = print(&proto_plan_type, &plan);
    g_autofree char *none = print(&proto_instance_list_reply_type, &list);

    g_assert_cmpstr(
        text, ==,
        "{\"refusals\":[],\"size\":{\"vcpus\":0,\"memory_bytes\":0,"
        "\"disk_bytes\":0},\"template\":\"\",\"quota\":[],\"host_refusals\":[]}");
    g_assert_cmpstr(none, ==, "{\"instances\":[]}");
}

static void
test_strings_are_escaped(void)
{
    const char *const rows[][2] = {
        { "", "\"\"" },
        { "plain", "\"plain\"" },
        { "\"\\/", "\"\\\"\\\\/\"" },
        { "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
        { "\001\037\033[2J\177", "\"\\u0001\\u001f\\u001b[2J\\u007f\"" },
        { "\303\251\360\235\204\236", "\"\303\251\360\235\204\236\"" },
        { "a\377b", "\"a\357\277\275b\"" },
        { "\355\240\200", "\"\357\277\275\357\277\275\357\277\275\"" },
        { "end\342\200", "\"end\357\277\275\357\277\275\"" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) out = g_string_new(NULL);

        wire_json_append_string(out, rows[i][0]);
        g_assert_cmpstr(out->str, ==, rows[i][1]);
    }
}

typedef struct {
    WireFormat format;
    const char *text;
    bool is_good;
} FormatRow;

/* clang-format off */
static const FormatRow format_rows[] = {
    { WIRE_FORMAT_ANY, "", true },
    { WIRE_FORMAT_NAME, "a", true }, { WIRE_FORMAT_NAME, "a-1", true },
    { WIRE_FORMAT_NAME, "abcdefghijklmnopqrstuvwxyz01234", true },
    { WIRE_FORMAT_NAME, "abcdefghijklmnopqrstuvwxyz012345", true },
    { WIRE_FORMAT_NAME, "abcdefghijklmnopqrstuvwxyz0123456", false },
    { WIRE_FORMAT_NAME, "", false }, { WIRE_FORMAT_NAME, "A", false }, { WIRE_FORMAT_NAME, "1a", false },
    { WIRE_FORMAT_NAME, "-a", false }, { WIRE_FORMAT_NAME, "a-", false }, { WIRE_FORMAT_NAME, "a_b", false },
    { WIRE_FORMAT_NAME, "a b", false }, { WIRE_FORMAT_NAME, "a\n", false }, { WIRE_FORMAT_NAME, "\303\251", false },
    { WIRE_FORMAT_NAME, "../a", false },
    { WIRE_FORMAT_UUID, "01234567-89ab-cdef-0123-456789abcdef", true },
    { WIRE_FORMAT_UUID, "01234567-89AB-cdef-0123-456789abcdef", false },
    { WIRE_FORMAT_UUID, "01234567-89ab-cdef-0123-456789abcde", false },
    { WIRE_FORMAT_UUID, "01234567-89ab-cdef-0123-456789abcdef0", false },
    { WIRE_FORMAT_UUID, "0123456789ab-cdef-0123-456789abcdef-", false }, { WIRE_FORMAT_UUID, "", false },
    { WIRE_FORMAT_REQUEST_ID, "A.b_c:d-9", true }, { WIRE_FORMAT_REQUEST_ID, "", false },
    { WIRE_FORMAT_REQUEST_ID, "a/b", false }, { WIRE_FORMAT_REQUEST_ID, "a b", false },
    { WIRE_FORMAT_REQUEST_ID, "0123456789012345678901234567890123456789012345678901234567890123", true },
    { WIRE_FORMAT_REQUEST_ID, "01234567890123456789012345678901234567890123456789012345678901234", false },
    { WIRE_FORMAT_VERSION, "1", true }, { WIRE_FORMAT_VERSION, "12.1+b~2_x-3", true },
    { WIRE_FORMAT_VERSION, ".1", false }, { WIRE_FORMAT_VERSION, "", false }, { WIRE_FORMAT_VERSION, "1/2", false },
    { WIRE_FORMAT_VERSION, "01234567890123456789012345678901", true },
    { WIRE_FORMAT_VERSION, "012345678901234567890123456789012", false },
    { WIRE_FORMAT_TIME, "2026-10-01T00:00:00Z", true }, { WIRE_FORMAT_TIME, "2026-10-01T00:00:00.123Z", true },
    { WIRE_FORMAT_TIME, "2026-10-01T00:00:00.123456789Z", true },
    { WIRE_FORMAT_TIME, "2026-10-01T00:00:00.1234567890Z", false },
    { WIRE_FORMAT_TIME, "2026-10-01T00:00:00.Z", false }, { WIRE_FORMAT_TIME, "2026-10-01T00:00:00", false },
    { WIRE_FORMAT_TIME, "2026-10-01 00:00:00Z", false }, { WIRE_FORMAT_TIME, "2026-10-01T00:00:00+00:00", false },
    { WIRE_FORMAT_TIME, "2026-10-01T00:00:00z", false }, { WIRE_FORMAT_TIME, "2026", false }, { WIRE_FORMAT_TIME, "", false },
    { WIRE_FORMAT_DECIMAL, "0", true }, { WIRE_FORMAT_DECIMAL, "-12.50", true }, { WIRE_FORMAT_DECIMAL, "0.001", true },
    { WIRE_FORMAT_DECIMAL, "01", false }, { WIRE_FORMAT_DECIMAL, ".5", false }, { WIRE_FORMAT_DECIMAL, "5.", false },
    { WIRE_FORMAT_DECIMAL, "1e3", false }, { WIRE_FORMAT_DECIMAL, "+1", false }, { WIRE_FORMAT_DECIMAL, "-", false },
    { WIRE_FORMAT_DECIMAL, "", false }, { WIRE_FORMAT_DECIMAL, "1,5", false }, { WIRE_FORMAT_DECIMAL, "1.2.3", false },
    { WIRE_FORMAT_BASE64, "", true }, { WIRE_FORMAT_BASE64, "AAAA", true }, { WIRE_FORMAT_BASE64, "+/A=", true },
    { WIRE_FORMAT_BASE64, "AA==", true }, { WIRE_FORMAT_BASE64, "A===", false }, { WIRE_FORMAT_BASE64, "====", false },
    { WIRE_FORMAT_BASE64, "AAA", false }, { WIRE_FORMAT_BASE64, "AA=A", false }, { WIRE_FORMAT_BASE64, "AA-_", false },
    { WIRE_FORMAT_BASE64, "AAAA\n", false },
};

/* clang-format on */

static void
test_formats(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(format_rows); i++) {
        const FormatRow *row = &format_rows[i];
        const char *reason = NULL;

        bool is_good = wire_format_check(row->format, row->text, &reason);

        /* A failure shows the text. */
        g_assert_cmpstr(is_good ? row->text : NULL, ==, row->is_good ? row->text : NULL);
        g_assert_cmpint(reason == NULL, ==, row->is_good);
        g_assert_cmpint(wire_format_check(row->format, row->text, NULL), ==,
                        row->is_good);
    }
}

static void
test_enums_both_ways(void)
{
    for (int i = 0; i < INSTANCE_STATE_N; i++) {
        InstanceState state = INSTANCE_STATE_N;

        g_assert_true(instance_state_from_string(
            instance_state_to_string((InstanceState) i), &state));
        g_assert_cmpint(state, ==, i);
    }
    g_assert_cmpint(wire_enum_from_string(&instance_state_enum, "Running"), ==, -1);
    g_assert_cmpint(wire_enum_from_string(&instance_state_enum, ""), ==, -1);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/schema/reads-every-kind", test_reads_every_kind);
    g_test_add_func("/schema/missing-is-null", test_missing_is_null);
    g_test_add_func("/schema/refuses-missing-and-null", test_refuses_missing_and_null);
    g_test_add_func("/schema/refuses-unknown-fields", test_refuses_unknown_fields);
    g_test_add_func("/schema/refuses-other-kinds", test_refuses_other_kinds);
    g_test_add_func("/schema/bounds-of-numbers", test_bounds_of_numbers);
    g_test_add_func("/schema/bounds-of-lengths", test_bounds_of_lengths);
    g_test_add_func("/schema/bounds-of-lists", test_bounds_of_lists);
    g_test_add_func("/schema/bounds-of-keys", test_bounds_of_keys);
    g_test_add_func("/schema/places-inside-structs", test_places_inside_structs);
    g_test_add_func("/schema/shown-text-is-escaped-and-cut",
                    test_shown_text_is_escaped_and_cut);
    g_test_add_func("/schema/lenient-passes-over-what-is-new",
                    test_lenient_passes_over_what_is_new);
    g_test_add_func("/schema/lenient-still-checks-kinds",
                    test_lenient_still_checks_kinds);
    g_test_add_func("/schema/prints-in-the-order-of-the-schema",
                    test_prints_in_the_order_of_the_schema);
    g_test_add_func("/schema/print-and-parse-are-inverse",
                    test_print_and_parse_are_inverse);
    g_test_add_func("/schema/copy-is-deep", test_copy_is_deep);
    g_test_add_func("/schema/prints-empty-as-empty", test_prints_empty_as_empty);
    g_test_add_func("/schema/strings-are-escaped", test_strings_are_escaped);
    g_test_add_func("/schema/formats", test_formats);
    g_test_add_func("/schema/enums-both-ways", test_enums_both_ways);
    return g_test_run();
}
