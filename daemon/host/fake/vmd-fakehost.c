/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>

#include "base/handover.h"
#include "base/log.h"
#include "host/fake/fake.h"

enum {
    EXIT_SCRIPTED = 99
};

typedef struct {
    Script *script;
    char *script_path;
    GMainLoop *loop;
} Program;

static const ScriptRule *
match(const char *method, const void *in, gpointer data)
{
    return script_match(((Program *) data)->script, method);
}

static void
on_ended(FakeHost *fake, gpointer data)
{
    _Exit(EXIT_SCRIPTED);
}

static void
on_left(gpointer data)
{
    g_main_loop_quit(((Program *) data)->loop);
}

static gboolean
on_lost(int fd, GIOCondition condition, gpointer data)
{
    g_main_loop_quit(((Program *) data)->loop);
    return G_SOURCE_REMOVE;
}

static gboolean
on_hangup(gpointer data)
{
    Program *program = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(Script) script = script_read(program->script_path, &error);

    if (script == NULL) {
        g_warning("%s", error->message);
        return G_SOURCE_CONTINUE;
    }
    /* Calls that wait keep pointing into the old rules: they are a test's, and stay. */
    program->script->figures = script->figures;
    program->script->rules = g_steal_pointer(&script->rules);
    g_message("Goes by another script");
    return G_SOURCE_CONTINUE;
}

static void
serve(Program *program, FakeFleet *fleet, const int *fds, guint n_fds)
{
    const FakeHostOptions options = {
        fleet, &program->script->figures, match, on_ended, on_left, program,
    };

    fake_host_new(&options, fds, n_fds);
}

int
main(int argc, char **argv)
{
    Program program = { 0 };
    FakeFleet *fleet = NULL;
    gint fds = 0;
    int sockets[HANDOVER_FDS_MAX];
    guint n_sockets = 0;
    int connection = -1;
    g_autofree char *journal = NULL;
    const GOptionEntry entries[] = {
        { "fds", 0, 0, G_OPTION_ARG_INT, &fds, "Connected sockets, from 3 on", "N" },
        { "script", 0, 0, G_OPTION_ARG_FILENAME, &program.script_path, "What goes wrong",
          "FILE" },
        { "domains-file", 0, 0, G_OPTION_ARG_FILENAME, &journal, "Keep the domains here",
          "FILE" },
        { 0 },
    };
    g_autoptr(GOptionContext) context =
        g_option_context_new("- a host that is not there");
    g_autoptr(GError) error = NULL;

    log_open("vmd-fakehost");
    signal(SIGPIPE, SIG_IGN);
    /* Takes the options of vmd-host too, and does without them. */
    g_option_context_set_ignore_unknown_options(context, TRUE);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        !handover_take((guint) MAX(fds, 0), sockets, &n_sockets, &connection, &error)) {
        g_printerr("vmd-fakehost: %s\n", error->message);
        return EXIT_FAILURE;
    }
    fleet = fake_fleet_open(journal, &error);
    program.script = fleet != NULL ? script_read(program.script_path, &error) : NULL;
    if (program.script == NULL) {
        g_printerr("vmd-fakehost: %s\n", error->message);
        return EXIT_FAILURE;
    }
    program.loop = g_main_loop_new(NULL, FALSE);
    g_unix_signal_add(SIGHUP, on_hangup, &program);
    if (connection >= 0)
        g_unix_fd_add(connection, G_IO_IN | G_IO_HUP, on_lost, &program);
    serve(&program, fleet, sockets, n_sockets);
    g_main_loop_run(program.loop);
    _Exit(EXIT_SUCCESS);
}
