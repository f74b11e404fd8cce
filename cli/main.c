/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "build-config.h"
#include "help.h"
#include "report.h"
#include "run.h"

static int
print(const GString *text)
{
    session_write(text->str, text->len);
    return EXIT_DONE;
}

static int
fail(const GError *error)
{
    g_autoptr(GString) out = g_string_new(NULL);

    report_append(out, NULL, NULL, error);
    fputs(out->str, stderr);
    return (int) exits_get_code(error);
}

static int
run(const Arguments *arguments)
{
    g_autoptr(GError) error = NULL;
    Session session;
    int code = EXIT_DONE;
    bool done = false;

    session_init(&session, arguments);
    done = arguments->command->run(&session, arguments, &error);
    if (session.is_interrupted) {
        if (session.note != NULL)
            session_warn(&session, "interrupted; %s", session.note);
        session.exit = EXIT_INTERRUPTED;
    } else if (!done) {
        session_fail(&session, NULL, error);
    }
    code = (int) session.exit;
    session_done(&session);
    return code;
}

/* What was written may not have arrived: a full disk is a failure, a closed pipe is
 * not. */
static int
finish(int code)
{
    if (fflush(stdout) == 0 || code != EXIT_DONE)
        return code;
    perror("vmctl: writing the result");
    return EXIT_FAILED;
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Arguments) arguments = NULL;
    g_autoptr(GString) text = g_string_new(NULL);

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        g_string_append(text, "vmctl " VMCTL_VERSION "\n");
        return finish(print(text));
    }
    arguments = arguments_parse((const char *const *) argv + (argc > 0 ? 1 : 0), &error);
    if (arguments == NULL)
        return fail(error);
    if (arguments->command != NULL && arguments_has(arguments, "help")) {
        help_append_command(text, arguments->command);
        return finish(print(text));
    }
    if (arguments->command == NULL) {
        help_append_overview(text);
        if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
            return finish(print(text));
        fputs(text->str, stderr);
        return EXIT_USAGE;
    }
    return finish(run(arguments));
}
