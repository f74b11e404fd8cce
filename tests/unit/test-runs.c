/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/runs.h"

#define BOOT "0f0e3a55-4f0e-4a51-8c8d-1b6d7f110001"
#define WEB "8a1c0f0e-3a55-4f0e-9a51-0c8d1b6d7f11"
#define OTHER "9b1c0f0e-3a55-4f0e-9a51-0c8d1b6d7f22"

/** A folder in which a hook writes. */
typedef struct {
    char *folder;
    char *current;
    char *old;
    Runs *runs;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer unused)
{
    fixture->folder = g_dir_make_tmp("vmctl-runs.XXXXXX", NULL);
    fixture->current = g_build_filename(fixture->folder, "runs", NULL);
    fixture->old = g_build_filename(fixture->folder, "runs.old", NULL);
    fixture->runs = runs_new(fixture->folder);
}

static void
tear_down(Fixture *fixture, gconstpointer unused)
{
    runs_free(fixture->runs);
    g_unlink(fixture->current);
    g_unlink(fixture->old);
    g_rmdir(fixture->folder);
    g_free(fixture->folder);
    g_free(fixture->current);
    g_free(fixture->old);
}

static void
append(const char *path, const char *text)
{
    FILE *file = fopen(path, "ae");

    g_assert_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* What is told of a domain, a letter a run: b where it begins, e where it ends. */
static void
assert_told(const Fixture *fixture, guint64 known, const char *id, const char *expected)
{
    g_autoptr(GString) told = g_string_new(NULL);
    g_auto(ProtoDomain) domain = { .id = g_strdup(id) };

    runs_fill(fixture->runs, known, &domain);
    for (gsize i = 0; i < domain.n_runs; i++) {
        g_string_append_c(told, domain.runs[i].begins ? 'b' : 'e');
    }
    g_assert_cmpstr(told->str, ==, expected);
}

static void
a_line_is_a_run(Fixture *fixture, gconstpointer unused)
{
    g_auto(ProtoDomain) domain = { .id = g_strdup(WEB) };

    append(fixture->current, BOOT " 4711.05 1790812800123 " WEB " started begin\n");
    runs_fill(fixture->runs, runs_read(fixture->runs), &domain);
    g_assert_cmpuint(domain.n_runs, ==, 1);
    g_assert_true(domain.runs[0].begins);
    g_assert_cmpstr(domain.runs[0].boot_id, ==, BOOT);
    g_assert_cmpint(domain.runs[0].boot_ms, ==, 4711050);
    g_assert_cmpint(domain.runs[0].wall_ms, ==, 1790812800123);
}

static void
runs_are_told_to_their_domain_in_order(Fixture *fixture, gconstpointer unused)
{
    guint64 known = 0;

    append(fixture->current,
           BOOT " 1.00 1000 " WEB " started begin\n" BOOT " 2.00 2000 " OTHER
                " started begin\n" BOOT " 3.00 3000 " WEB " stopped end\n");
    known = runs_read(fixture->runs);
    assert_told(fixture, known, WEB, "be");
    assert_told(fixture, known, OTHER, "b");
}

static void
what_came_after_a_look_is_not_told_with_it(Fixture *fixture, gconstpointer unused)
{
    guint64 known = 0;

    append(fixture->current, BOOT " 1.00 1000 " WEB " started begin\n");
    known = runs_read(fixture->runs);
    append(fixture->current, BOOT " 2.00 2000 " WEB " stopped end\n");
    runs_read(fixture->runs);
    assert_told(fixture, known, WEB, "b");
}

static void
a_line_that_is_cut_or_of_another_form_is_passed_over(Fixture *fixture,
                                                     gconstpointer unused)
{
    append(fixture->current,
           "\n \n" BOOT " 1.00 1000 " WEB "\n" BOOT " 1.0 1000 " WEB
           " started begin\n" BOOT " -1.00 1000 " WEB " started begin\n" BOOT
           " 1.00 99999999999999999999 " WEB " started begin\nno-boot 1.00 1000 " WEB
           " started begin\n" BOOT " 1.00 1000 ../x started begin\n" BOOT
           " 1.00 1000 " WEB " paused begin\n" BOOT " 5.00 5000 " WEB
           " stopped end\n" BOOT " 6.0");
    assert_told(fixture, runs_read(fixture->runs), WEB, "e");
    append(fixture->current, "0 6000 " WEB " started begin\n");
    assert_told(fixture, runs_read(fixture->runs), WEB, "eb");
}

static void
what_is_not_forgotten_is_told_again_after_a_restart(Fixture *fixture,
                                                    gconstpointer unused)
{
    append(fixture->current, BOOT " 1.00 1000 " WEB " started begin\n" BOOT
                                  " 2.00 2000 " WEB " stopped end\n");
    runs_read(fixture->runs);
    runs_forget(fixture->runs, 1000);
    assert_told(fixture, G_MAXUINT64, WEB, "e");
    runs_free(fixture->runs);
    fixture->runs = runs_new(fixture->folder);
    assert_told(fixture, runs_read(fixture->runs), WEB, "be");
}

static void
what_is_forgotten_is_cleared_away_and_nothing_is_lost(Fixture *fixture,
                                                      gconstpointer unused)
{
    append(fixture->current, BOOT " 1.00 1000 " WEB " started begin\n");
    runs_read(fixture->runs);
    runs_forget(fixture->runs, 1000);
    g_assert_false(g_file_test(fixture->current, G_FILE_TEST_EXISTS));
    /* A hook that had opened the file before. */
    append(fixture->old, BOOT " 2.00 2000 " WEB " stopped end\n");
    append(fixture->current, BOOT " 3.00 3000 " WEB " started begin\n");
    assert_told(fixture, runs_read(fixture->runs), WEB, "eb");
    runs_forget(fixture->runs, 3000);
    assert_told(fixture, runs_read(fixture->runs), WEB, "");
    runs_free(fixture->runs);
    fixture->runs = runs_new(fixture->folder);
    assert_told(fixture, runs_read(fixture->runs), WEB, "b");
}

static void
no_folder_is_no_runs(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(Runs) none = runs_new("");
    g_autoptr(Runs) missing = runs_new("/nowhere/at/all");

    g_assert_cmpuint(runs_read(none), ==, 0);
    g_assert_cmpuint(runs_read(missing), ==, 0);
    runs_forget(none, G_MAXINT64);
    runs_forget(missing, G_MAXINT64);
}

/* The hook as libvirt calls it, with its place exchanged for the test's. */
static char *
make_hook(const Fixture *fixture)
{
    const char *source = g_getenv("HOOK");
    g_autofree char *text = NULL;
    g_auto(GStrv) parts = NULL;
    g_autofree char *own = NULL;
    char *path = g_build_filename(fixture->folder, "hook", NULL);

    g_assert_true(g_file_get_contents(source, &text, NULL, NULL));
    parts = g_strsplit(text, "@runs_dir@", 2);
    own = g_strjoinv(fixture->folder, parts);
    g_assert_true(
        g_file_set_contents_full(path, own, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
    return path;
}

static int
call_hook(const char *hook, const char *name, const char *operation, const char *sub)
{
    const char *const argv[] = { hook, name, operation, sub, "-", NULL };
    g_autofree char *said = NULL;
    int status = -1;

    g_assert_true(g_spawn_sync(NULL, (char **) (gsize) argv, NULL, 0, NULL, NULL, &said,
                               NULL, &status, NULL));
    /* What it says in a migration would be taken for the domain's XML. */
    g_assert_cmpstr(said, ==, "");
    return status;
}

static void
the_hook_writes_what_is_read(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *hook = make_hook(fixture);
    gint64 known = 0;

    g_assert_cmpint(call_hook(hook, "vmctl-" WEB, "prepare", "begin"), ==, 0);
    g_assert_cmpint(call_hook(hook, "vmctl-" WEB, "started", "begin"), ==, 0);
    g_assert_cmpint(call_hook(hook, "a-stranger", "stopped", "end"), ==, 0);
    g_assert_cmpint(call_hook(hook, "vmctl-" WEB, "stopped", "end"), ==, 0);
    known = (gint64) runs_read(fixture->runs);
    g_assert_cmpint(known, ==, 2);
    assert_told(fixture, (guint64) known, WEB, "be");
    g_unlink(hook);
}

static void
the_hook_fails_nobody_where_it_cannot_write(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *hook = make_hook(fixture);

    g_assert_cmpint(g_mkdir(fixture->current, 0700), ==, 0);
    g_assert_cmpint(call_hook(hook, "vmctl-" WEB, "started", "begin"), ==, 0);
    g_assert_cmpint(g_rmdir(fixture->current), ==, 0);
    g_unlink(hook);
}

static void
the_hook_does_not_write_for_ever(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *hook = make_hook(fixture);
    const gsize most = 1024 * 1024;
    g_autofree char *full = g_malloc(most);
    g_autofree char *text = NULL;
    gsize length = 0;

    memset(full, '\n', most);
    g_assert_true(g_file_set_contents(fixture->current, full, (gssize) most, NULL));
    g_assert_cmpint(call_hook(hook, "vmctl-" WEB, "started", "begin"), ==, 0);
    g_assert_true(g_file_get_contents(fixture->current, &text, &length, NULL));
    g_assert_cmpuint(length, ==, most);
    g_unlink(hook);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Fixture *fixture, gconstpointer unused);
    } tests[] = {
        { "/runs/a-line-is-a-run", a_line_is_a_run },
        { "/runs/are-told-to-their-domain-in-order",
          runs_are_told_to_their_domain_in_order },
        { "/runs/what-came-after-a-look-is-not-told-with-it",
          what_came_after_a_look_is_not_told_with_it },
        { "/runs/a-line-that-is-cut-or-of-another-form-is-passed-over",
          a_line_that_is_cut_or_of_another_form_is_passed_over },
        { "/runs/what-is-not-forgotten-is-told-again-after-a-restart",
          what_is_not_forgotten_is_told_again_after_a_restart },
        { "/runs/what-is-forgotten-is-cleared-away-and-nothing-is-lost",
          what_is_forgotten_is_cleared_away_and_nothing_is_lost },
        { "/runs/no-folder-is-no-runs", no_folder_is_no_runs },
        { "/runs/the-hook-writes-what-is-read", the_hook_writes_what_is_read },
        { "/runs/the-hook-fails-nobody-where-it-cannot-write",
          the_hook_fails_nobody_where_it_cannot_write },
        { "/runs/the-hook-does-not-write-for-ever", the_hook_does_not_write_for_ever },
    };

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].run, tear_down);
    }
    return g_test_run();
}
