/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "doctor/checks.h"
#include "exits.h"
#include "help.h"
#include "report.h"
#include "suggest.h"

static Arguments *
parse(const char *line, GError **error)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);

    return arguments_parse((const char *const *) words, error);
}

/* The call that the line makes, as JSON without its request id. */
static char *
make_call(const char *line)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Arguments) arguments = parse(line, &error);
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree gpointer in = NULL;
    const WireStruct *type = NULL;
    char *request = NULL;
    bool done = false;

    g_assert_no_error(error);
    type = arguments->command->method->call;
    in = g_malloc0(type->size);
    done = arguments_fill(arguments, arguments->operands[0], in, &error);
    g_assert_no_error(error);
    g_assert_true(done);
    wire_struct_print(type, in, out);
    wire_struct_clear(type, in);
    request = strstr(out->str, ",\"request_id\"");
    if (request == NULL)
        request = strstr(out->str, "\"request_id\"");
    if (request != NULL)
        g_string_overwrite_len(g_string_truncate(out, (gsize) (request - out->str) + 1),
                               (gsize) (request - out->str), "}", 1);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static void
test_options_fill_the_call(void)
{
    const struct {
        const char *line;
        const char *call;
    } rows[] = {
        { "create web --cpus 2 --mem 1G",
          "{\"name\":\"web\",\"vcpus\":2,\"memory_bytes\":1073741824}" },
        { "create --cpus=2 --memory=512M --disk 1T --count 3",
          "{\"count\":3,\"vcpus\":2,\"memory_bytes\":536870912,"
          "\"disk_bytes\":1099511627776}" },
        { "create -c2 -m 512M -l b=2 -l a=1=1 --label c=",
          "{\"vcpus\":2,\"memory_bytes\":536870912,\"labels\":{\"a\":\"1=1\",\"b\":\"2\","
          "\"c\":\"\"}}" },
        { "list", "{}" },
        { "ls --state running --prefix web --tenant t1",
          "{\"tenant\":\"t1\",\"state\":\"running\",\"prefix\":\"web\"}" },
        { "--tenant t1 list", "{\"tenant\":\"t1\"}" },
        { "-o json list", "{}" },
        { "-ojson list", "{}" },
        { "stop web --force --timeout 5m",
          "{\"instance\":\"web\",\"force\":true,\"timeout_ms\":300000}" },
        { "usage --from 2026-10 --to 2026-11-01",
          "{\"from\":\"2026-10-01T00:00:00Z\",\"to\":\"2026-11-01T00:00:00Z\"}" },
        { "op list --state failed --limit 5", "{\"state\":\"failed\",\"limit\":5}" },
        { "show -- web", "{\"instance\":\"web\"}" },
        { "events --after 0", "{\"after\":0}" },
        { "wait web --for stopped --timeout 10",
          "{\"instance\":\"web\",\"until\":\"stopped\",\"timeout_ms\":10000}" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *call = make_call(rows[i].line);

        g_assert_cmpstr(call, ==, rows[i].call);
    }
}

static void
assert_refused(const char *line, const char *hint)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Arguments) arguments = parse(line, &error);

    g_assert_null(arguments);
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    g_assert_cmpint(exits_get_code(error), ==, EXIT_USAGE);
    if (strstr(error->message, hint) == NULL)
        g_error("\"%s\": no \"%s\" in: %s", line, hint, error->message);
}

static void
test_refuses_with_a_hint(void)
{
    assert_refused("lst", "did you mean `vmctl list`");
    assert_refused("delete web", "did you mean `vmctl destroy`");
    assert_refused("xyzzy", "`vmctl help` lists them");
    assert_refused("template", "list, show, import, remove");
    assert_refused("template lsit", "template takes list");
    assert_refused("list --stat running", "did you mean --state");
    assert_refused("list --xyzzyx", "see `vmctl help list`");
    assert_refused("list -z", "no option -z");
    assert_refused("list --state on", "running");
    assert_refused("list -o yaml", "table, wide, json, csv, name");
    assert_refused("list -o", "wants a value");
    assert_refused("list --quiet=yes", "takes no value");
    assert_refused("list web", "does not take \"web\"");
    assert_refused("show", "wants NAME");
    assert_refused("show a b", "does not take \"b\"");
    assert_refused("create --cpus 0", "below the smallest, 1");
    assert_refused("create --cpus 257", "above the largest, 256");
    assert_refused("create --cpus two", "a whole number");
    assert_refused("create --cpus 99999999999999999999", "a whole number");
    assert_refused("create --mem 1GB", "write 1G");
    assert_refused("create --mem 1M", "below the smallest, 16 MiB");
    assert_refused("create --mem 17T", "above the largest, 16 TiB");
    assert_refused("create --mem 1G --memory 2G", "given twice");
    assert_refused("create --label x", "KEY=VALUE");
    assert_refused("create --wait soon", "none, running, ready");
    assert_refused("create --tenant Bad_Name", "is not a name");
    assert_refused("create --request-id a/b", "is not a request id");
    assert_refused("list --wait none", "no option --wait");
    assert_refused("--cpus 2 create", "may not stand before the command");
    assert_refused("usage --from yesterday", "2026-10");
    assert_refused("stop web --timeout 1x", "write 30s");
    assert_refused("stop web --timeout 999ms", "below the smallest");
}

static void
test_bad_operands_are_refused_before_the_call(void)
{
    const char *const lines[] = { "create Web", "create 1web", "create web-",
                                  "host show UPPER", "operation show 5" };

    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Arguments) arguments = parse(lines[i], NULL);
        const WireStruct *type = arguments->command->method->call;
        g_autofree gpointer in = g_malloc0(type->size);

        g_assert_false(arguments_fill(arguments, arguments->operands[0], in, &error));
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
        wire_struct_clear(type, in);
    }
}

static char *
get_request_id(const char *line, gsize operand)
{
    g_autoptr(Arguments) arguments = parse(line, NULL);
    ProtoInstanceStartCall in = { 0 };
    char *id = NULL;

    g_assert_true(arguments_fill(arguments, arguments->operands[operand], &in, NULL));
    id = g_strdup(in.request_id);
    proto_instance_start_call_clear(&in);
    return id;
}

static void
test_every_change_has_a_request_id(void)
{
    g_autofree char *one = get_request_id("start web", 0);
    g_autofree char *two = get_request_id("start web", 0);
    g_autofree char *given = get_request_id("start web --request-id mine", 0);
    g_autofree char *many = get_request_id("start web db --request-id mine", 1);

    g_assert_nonnull(one);
    g_assert_cmpstr(one, !=, two);
    g_assert_cmpstr(given, ==, "mine");
    g_assert_cmpstr(many, ==, "mine.db");
}

static void
test_wait_has_a_default(void)
{
    const struct {
        const char *line;
        const char *wait;
    } rows[] = {
        { "create", "ready" },
        { "create --wait running", "running" },
        { "create --no-wait", "none" },
        { "start web", "running" },
        { "start web --wait ready", "ready" },
        { "stop web", "stopped" },
        { "destroy web", "destroyed" },
        { "resize web -c 2", "done" },
        { "list", "none" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Arguments) arguments = parse(rows[i].line, NULL);

        g_assert_cmpstr(arguments_get_wait(arguments), ==, rows[i].wait);
    }
}

static void
test_keys_are_read_from_files(void)
{
    g_autofree char *path = NULL;
    g_autofree char *line = NULL;
    g_autofree char *call = NULL;
    int fd = g_file_open_tmp("vmctl-key-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    g_assert_true(g_file_set_contents(
        path, "# mine\nssh-ed25519 AAAA me\n\necdsa-sha2-nistp256 BBBB\n", -1, NULL));
    line = g_strdup_printf("create --ssh-key %s", path);
    call = make_call(line);
    g_assert_cmpstr(call, ==,
                    "{\"ssh_keys\":[\"ssh-ed25519 AAAA me\","
                    "\"ecdsa-sha2-nistp256 BBBB\"]}");
    g_unlink(path);
}

static void
test_private_keys_are_refused(void)
{
    g_autofree char *path = NULL;
    g_autofree char *line = NULL;
    g_autoptr(Arguments) arguments = NULL;
    g_autoptr(GError) error = NULL;
    ProtoInstanceCreateCall in = { 0 };
    int fd = g_file_open_tmp("vmctl-key-XXXXXX", &path, NULL);

    close(fd);
    g_assert_true(g_file_set_contents(
        path, "-----BEGIN OPENSSH PRIVATE KEY-----\nssh-rsa x\n", -1, NULL));
    line = g_strdup_printf("create --ssh-key %s", path);
    arguments = parse(line, NULL);
    g_assert_false(arguments_fill(arguments, NULL, &in, &error));
    g_assert_nonnull(strstr(error->message, ".pub"));
    proto_instance_create_call_clear(&in);
    g_unlink(path);
}

static void
test_user_data_is_bounded(void)
{
    g_autofree char *path = NULL;
    g_autofree char *line = NULL;
    g_autofree char *data = g_strnfill(32769, 'x');
    int fd = g_file_open_tmp("vmctl-data-XXXXXX", &path, NULL);

    close(fd);
    line = g_strdup_printf("create --user-data %s", path);
    for (gssize length = 32768; length <= 32769; length++) {
        g_autoptr(Arguments) arguments = parse(line, NULL);
        g_autoptr(GError) error = NULL;
        ProtoInstanceCreateCall in = { 0 };

        g_assert_true(g_file_set_contents(path, data, length, NULL));
        g_assert_cmpint(arguments_fill(arguments, NULL, &in, &error), ==,
                        length == 32768);
        proto_instance_create_call_clear(&in);
    }
    g_unlink(path);
}

/* The table itself: what the parser and the calls rely on. */
static void
test_rows_fit_the_schema(void)
{
    for (const Command *command = commands; command->words != NULL; command++) {
        const Option *option = NULL;

        g_assert_nonnull(command->run);
        g_assert_nonnull(command->summary);
        if (command->operand_field != NULL)
            g_assert_nonnull(command_find_field(command, command->operand_field));
        for (gsize i = 0; (option = command_get_option(command, i)) != NULL; i++) {
            if (option->field != NULL &&
                command_find_field(command, option->field) == NULL)
                g_error("%s --%s: the call has no %s", command->words, option->name,
                        option->field);
            g_assert_true(command_find_option(command, option->name) == option);
            if (option->alias != NULL)
                g_assert_true(command_find_option(command, option->alias) == option);
            if (option->letter != '\0' &&
                command_find_letter(command, option->letter) != option)
                g_error("%s -%c stands for two options", command->words, option->letter);
        }
    }
}

/* Every method that people may call has a command, so that none is forgotten. */
static void
test_every_public_method_has_a_command(void)
{
    static const char *const without[] = {
        "io.vmctl.Ping",           "io.vmctl.Session.Authenticate",
        "io.vmctl.Ledger.GetHead", "io.vmctl.Ledger.Read",
        "io.vmctl.Ledger.Note",    "io.vmctl.Budget.Tell"
    };

    for (gsize i = 0; i < proto_n_interfaces; i++) {
        const WireInterface *interface = proto_interfaces[i];

        if (interface->is_private || !g_str_has_prefix(interface->name, "io.vmctl"))
            continue;
        for (gsize j = 0; j < interface->n_methods; j++) {
            const WireMethod *method = &interface->methods[j];
            gboolean found = g_strv_contains(without, method->full_name);

            for (const Command *row = commands; row->words != NULL && !found; row++)
                found = row->method != NULL &&
                        strcmp(row->method->full_name, method->full_name) == 0;
            if (!found)
                g_error("no command calls %s", method->full_name);
        }
    }
}

static void
test_every_error_has_an_exit_code(void)
{
    for (gsize i = 0; i < proto_n_error_types; i++) {
        if (!exits_has_row(proto_error_types[i].code))
            g_error("%s has no exit code", proto_error_types[i].full_name);
    }
}

static void
test_exit_codes(void)
{
    const struct {
        const char *name;
        ExitCode code;
    } rows[] = {
        { "io.vmctl.NotFound", EXIT_NOT_FOUND },
        { "io.vmctl.InvalidParameter", EXIT_USAGE },
        { "io.vmctl.QuotaExceeded", EXIT_DENIED },
        { "io.vmctl.PermissionDenied", EXIT_DENIED },
        { "io.vmctl.HostUnreachable", EXIT_UNREACHABLE },
        { "io.vmctl.Deadline", EXIT_TIMED_OUT },
        { "io.vmctl.Conflict", EXIT_FAILED },
        { "io.vmctl.Internal", EXIT_FAILED },
        { "io.vmctl.FromTheFuture", EXIT_FAILED },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpint(exits_get_code_of(rows[i].name), ==, rows[i].code);
}

static void
test_report_names_the_option_of_a_field(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(Arguments) arguments = parse("create --mem 1G", NULL);

    proto_error_set_invalid_parameter(&error, "parameters.memory_bytes", "is too small",
                                      "parameters.memory_bytes: 1 is below 2\033[2J");
    report_append(out, arguments->command, NULL, error);
    g_assert_cmpstr(out->str, ==,
                    "vmctl create: parameters.memory_bytes: 1 is below 2\\x1b[2J\n"
                    "  hint: that is --mem\n");
}

static void
test_report_lists_refusals(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    char first[] = "a";
    char second[] = "b";
    char why[] = "no memory";
    const ProtoRefusal refusals[] = { { first, why }, { second, why } };

    proto_error_set_no_capacity(&error, refusals, G_N_ELEMENTS(refusals), "No host");
    report_append(out, NULL, "web", error);
    g_assert_true(g_str_has_prefix(out->str,
                                   "vmctl web: No host (NoCapacity)\n"
                                   "  host a: no memory\n  host b: no memory\n  hint: "));
}

static void
test_suggestions(void)
{
    const char *const words[] = { "list", "show", "start", "stop", "destroy", NULL };

    g_assert_cmpuint(suggest_get_distance("list", "list"), ==, 0);
    g_assert_cmpuint(suggest_get_distance("lsit", "list"), ==, 1);
    g_assert_cmpuint(suggest_get_distance("", "list"), ==, 4);
    g_assert_cmpstr(suggest_find("lits", words), ==, "list");
    g_assert_cmpstr(suggest_find("destory", words), ==, "destroy");
    g_assert_cmpstr(suggest_find("strat", words), ==, "start");
    g_assert_null(suggest_find("quux", words));
    g_assert_null(suggest_find("", words));
}

static void
test_help_tells_every_option(void)
{
    for (const Command *command = commands; command->words != NULL; command++) {
        g_autoptr(GString) out = g_string_new(NULL);
        const Option *option = NULL;

        help_append_command(out, command);
        for (gsize i = 0; (option = command_get_option(command, i)) != NULL; i++) {
            g_autofree char *name = g_strdup_printf("--%s", option->name);

            g_assert_nonnull(strstr(out->str, name));
        }
    }
}

/* A machine in a folder, for the checks of doctor. */
static char *
make_root(const char *flags)
{
    char *root = g_dir_make_tmp("vmctl-root-XXXXXX", NULL);
    g_autofree char *proc = g_build_filename(root, "proc", NULL);
    g_autofree char *dev = g_build_filename(root, "dev", NULL);
    g_autofree char *cpuinfo = g_build_filename(proc, "cpuinfo", NULL);
    g_autofree char *text = g_strdup_printf(
        "processor\t: 0\nflags\t\t: fpu %s sse\nbugs\t\t: svm_bug\n", flags);

    g_assert_cmpint(g_mkdir(proc, 0700), ==, 0);
    g_assert_cmpint(g_mkdir(dev, 0700), ==, 0);
    g_assert_true(g_file_set_contents(cpuinfo, text, -1, NULL));
    return root;
}

static void
add_file(const char *root, const char *name, mode_t mode)
{
    g_autofree char *path = g_build_filename(root, name, NULL);

    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

static void
remove_root(char *root)
{
    static const char *const names[] = { "proc/cpuinfo", "dev/kvm", "proc", "dev", "" };

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(root, names[i], NULL);

        g_remove(path);
    }
    g_free(root);
}

static void
assert_finding(const char *root, const char *name, CheckResult result, const char *text)
{
    g_autoptr(GPtrArray) findings =
        g_ptr_array_new_with_free_func((GDestroyNotify) finding_free);

    checks_run(root, findings);
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = g_ptr_array_index(findings, i);

        if (strcmp(finding->name, name) != 0)
            continue;
        g_assert_cmpstr(check_result_to_string(finding->result), ==,
                        check_result_to_string(result));
        g_assert_nonnull(strstr(finding->found, text));
        g_assert_cmpint(finding->mend == NULL, ==, result == CHECK_OK);
        return;
    }
    g_error("no check %s", name);
}

static void
test_doctor_sees_the_processor(void)
{
    char *with = make_root("svm");
    char *without = make_root("mmx");

    assert_finding(with, "processor", CHECK_OK, "svm");
    assert_finding(without, "processor", CHECK_WARN, "TCG");
    remove_root(with);
    remove_root(without);
}

static void
test_doctor_sees_a_hollow_kvm(void)
{
    char *root = make_root("mmx");

    add_file(root, "dev/kvm", 0666);
    assert_finding(root, "/dev/kvm", CHECK_WARN, "no guest boots on it");
    remove_root(root);
}

static void
test_doctor_sees_closed_kvm(void)
{
    char *root = make_root("vmx");

    add_file(root, "dev/kvm", 0600);
    assert_finding(root, "/dev/kvm", CHECK_FAIL, "80 s");
    remove_root(root);
}

static void
test_doctor_sees_missing_kvm(void)
{
    char *with = make_root("vmx");
    char *without = make_root("mmx");

    assert_finding(with, "/dev/kvm", CHECK_WARN, "is not there");
    assert_finding(without, "/dev/kvm", CHECK_OK, "is not there");
    remove_root(with);
    remove_root(without);
}

static void
test_doctor_sees_missing_programs(void)
{
    char *root = make_root("vmx");

    assert_finding(root, "qemu", CHECK_FAIL, "not installed");
    assert_finding(root, "libvirtd", CHECK_FAIL, "not installed");
    assert_finding(root, "virtlogd", CHECK_FAIL, "not installed");
    assert_finding(root, "console logs", CHECK_FAIL, "missing");
    remove_root(root);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command/options-fill-the-call", test_options_fill_the_call);
    g_test_add_func("/command/refuses-with-a-hint", test_refuses_with_a_hint);
    g_test_add_func("/command/bad-operands-are-refused-before-the-call",
                    test_bad_operands_are_refused_before_the_call);
    g_test_add_func("/command/every-change-has-a-request-id",
                    test_every_change_has_a_request_id);
    g_test_add_func("/command/wait-has-a-default", test_wait_has_a_default);
    g_test_add_func("/command/keys-are-read-from-files", test_keys_are_read_from_files);
    g_test_add_func("/command/private-keys-are-refused", test_private_keys_are_refused);
    g_test_add_func("/command/user-data-is-bounded", test_user_data_is_bounded);
    g_test_add_func("/command/rows-fit-the-schema", test_rows_fit_the_schema);
    g_test_add_func("/command/every-public-method-has-a-command",
                    test_every_public_method_has_a_command);
    g_test_add_func("/command/help-tells-every-option", test_help_tells_every_option);
    g_test_add_func("/exits/every-error-has-an-exit-code",
                    test_every_error_has_an_exit_code);
    g_test_add_func("/exits/codes", test_exit_codes);
    g_test_add_func("/report/names-the-option-of-a-field",
                    test_report_names_the_option_of_a_field);
    g_test_add_func("/report/lists-refusals", test_report_lists_refusals);
    g_test_add_func("/suggest/near-words", test_suggestions);
    g_test_add_func("/doctor/sees-the-processor", test_doctor_sees_the_processor);
    g_test_add_func("/doctor/sees-a-hollow-kvm", test_doctor_sees_a_hollow_kvm);
    g_test_add_func("/doctor/sees-closed-kvm", test_doctor_sees_closed_kvm);
    g_test_add_func("/doctor/sees-missing-kvm", test_doctor_sees_missing_kvm);
    g_test_add_func("/doctor/sees-missing-programs", test_doctor_sees_missing_programs);
    return g_test_run();
}
